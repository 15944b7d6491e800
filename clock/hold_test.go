package clock_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/clock"
)

func TestAHeldTimerWaitsForAnAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(clock.Options{})
		defer c.Close()
		var mu sync.Mutex
		var list []string
		fired := func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(list) }
		note := func(name string) func(*clock.Step) {
			return func(s *clock.Step) {
				if s == nil {
					name += " by itself"
				}
				mu.Lock()
				defer mu.Unlock()
				list = append(list, name)
			}
		}
		due := c.Now().Add(-time.Hour)
		c.AtHeld(due.Add(time.Minute), note("later"))
		c.AtHeld(due, note("first"))
		stopped := c.AtHeld(due, note("stopped"))
		c.AtHeld(due, note("second"))
		c.AtHeld(due.Add(3*time.Hour), note("not yet due"))
		pass(10 * time.Minute)
		if got := fired(); got != nil {
			t.Fatalf("fired %q while the clock ran by itself", got)
		}
		if next, ok := c.Next(); !ok || !next.Equal(due) {
			t.Errorf("Next() = %v, %t, want %v", next, ok, due)
		}
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop did not stop a held timer exactly once")
		}
		c.At(due.Add(30*time.Second), note("between")) // a running clock fires this one at once
		pass(0)
		advance(t, c, 0)
		want := []string{"between by itself", "first", "second", "later"}
		if diff := cmp.Diff(want, fired()); diff != "" {
			t.Errorf("fired (-want +got):\n%s", diff)
		}

		// A timer that the advance has not reached is an ordinary one from then on.
		pass(3 * time.Hour)
		want = append(want, "not yet due by itself")
		if diff := cmp.Diff(want, fired()); diff != "" {
			t.Errorf("afterwards (-want +got):\n%s", diff)
		}
	})
}

func TestARefusedAdvanceReleasesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(clock.Options{})
		defer c.Close()
		c.AtHeld(c.Now(), func(*clock.Step) { t.Error("fired") })
		if _, err := c.Advance(t.Context(), -time.Second, clock.Limits{}); err == nil {
			t.Fatal("an advance into the past was accepted")
		}
		pass(time.Minute)
	})
}
