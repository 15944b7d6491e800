package clock_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/clock"
)

// pass lets d of a bubble's time pass, and waits until all work that this starts is blocked or
// done.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// In a bubble, time stands while any goroutine runs. So a timer that fires at its due sees exactly
// that time.
func TestRunningClockFiresTimersWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := clock.New(clock.Options{})
		defer c.Close()
		got := map[string]time.Duration{}
		set := func(name string, due time.Duration) *clock.Timer {
			return c.At(start.Add(due), func(s *clock.Step) {
				if s != nil {
					t.Errorf("%s: got a Step, want nil", name)
				}
				got[name] = time.Since(start)
			})
		}
		set("tomorrow", 24*time.Hour)
		synctest.Wait() // the goroutine waits for it now
		set("soon", time.Second)
		set("now", 0)
		set("overdue", -time.Hour)
		set("between milliseconds", 1500*time.Microsecond)
		stopped := set("stopped", 500*time.Millisecond)
		synctest.Wait()
		stopped.Stop()

		pass(25 * time.Hour)
		want := map[string]time.Duration{
			"tomorrow":             24 * time.Hour,
			"soon":                 time.Second,
			"now":                  0,
			"overdue":              0,
			"between milliseconds": 2 * time.Millisecond,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("fired after (-want +got):\n%s", diff)
		}
	})
}

func TestARunningClockStandsStillAtItsEnd(t *testing.T) {
	end := time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(clock.Options{State: clock.State{At: end.Add(-time.Second)}})
		defer c.Close()
		var fired []string
		c.At(end, func(*clock.Step) { fired = append(fired, "the last") })
		c.At(end.Add(time.Millisecond), func(*clock.Step) { fired = append(fired, "one beyond") })
		pass(time.Hour)
		wantTime(t, "Now", c.Now(), end)
		if diff := cmp.Diff([]string{"the last"}, fired); diff != "" {
			t.Errorf("fired (-want +got):\n%s", diff)
		}
		if _, err := json.Marshal(c.State()); err != nil {
			t.Errorf("its state can't be saved: %v", err)
		}
		if err := c.SetRate(2); err != nil {
			t.Error(err)
		}
		if err := c.Reset(); err != nil {
			t.Error(err)
		}
		pass(time.Second)
		wantTime(t, "a second after Reset", c.Now(), time.Now())
	})
}

func TestTimerIsNotFiredEarlyByAClockBetweenMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pass(300 * time.Microsecond)
		c := clock.New(clock.Options{})
		defer c.Close()
		due := c.Now().Add(time.Millisecond)
		var at time.Time
		c.At(due, func(*clock.Step) { at = time.Now() })
		pass(time.Second)
		wantTime(t, "fired at", at, due)
	})
}

func TestSlowWorkDelaysNoOtherTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := clock.New(clock.Options{})
		defer c.Close()
		var after time.Duration
		c.At(start.Add(time.Second), func(s *clock.Step) {
			s.Add()
			go func() {
				defer s.Done()
				<-time.After(time.Hour)
			}()
		})
		c.At(start.Add(2*time.Second), func(*clock.Step) { after = time.Since(start) })
		pass(2 * time.Hour)
		if want := 2 * time.Second; after != want {
			t.Errorf("fired after %v, want %v", after, want)
		}
	})
}

func TestFrozenClockFiresNothingUntilItIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := clock.New(clock.Options{})
		defer c.Close()
		var fired []time.Duration
		note := func(*clock.Step) { fired = append(fired, time.Since(start)) }
		c.At(start.Add(10*time.Second), note)

		pass(4 * time.Second)
		if err := c.Freeze(); err != nil {
			t.Fatal(err)
		}
		c.At(start, note)
		pass(time.Hour)
		if len(fired) != 0 {
			t.Fatalf("a frozen clock fired after %v", fired)
		}
		if err := c.Resume(); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		want := []time.Duration{time.Hour + 4*time.Second, time.Hour + 10*time.Second}
		if diff := cmp.Diff(want, fired); diff != "" {
			t.Errorf("fired after (-want +got):\n%s", diff)
		}
	})
}

func TestFrozenClockStartsFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(clock.Options{State: clock.State{Mode: clock.Frozen}})
		defer c.Close()
		c.At(time.Now(), func(*clock.Step) { t.Error("a timer fired") })
		pass(time.Hour)
	})
}

func TestFreezeWaitsForTheFunctionBeingCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(clock.Options{})
		defer c.Close()
		called, release := make(chan struct{}), make(chan struct{})
		returned := false
		c.At(c.Now(), func(*clock.Step) {
			close(called)
			<-release
			returned = true
		})
		c.At(c.Now(), func(*clock.Step) {})

		<-called
		go close(release)
		if err := c.Freeze(); err != nil {
			t.Fatal(err)
		}
		if !returned {
			t.Error("Freeze returned before the function")
		}
	})
}

func TestRunningClockGoesOnFromTheTargetOfAnAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := clock.New(clock.Options{})
		defer c.Close()
		var virtual, wall []time.Duration
		for _, due := range []time.Duration{time.Minute, 3 * time.Minute} {
			c.At(start.Add(due), func(s *clock.Step) {
				virtual = append(virtual, c.Now().Sub(start))
				wall = append(wall, time.Since(start))
				s.Add()
				go func() {
					defer s.Done()
					<-time.After(10 * time.Second)
				}()
			})
		}
		advance(t, c, 2*time.Minute) // takes the ten seconds of the first timer's work
		pass(time.Hour)
		if diff := cmp.Diff([]time.Duration{time.Minute, 3 * time.Minute}, virtual); diff != "" {
			t.Errorf("fired at virtual times (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]time.Duration{0, 10*time.Second + time.Minute}, wall); diff != "" {
			t.Errorf("fired after real times (-want +got):\n%s", diff)
		}
	})
}

func TestRunningClockFiresNothingByItselfDuringAnAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := clock.New(clock.Options{})
		defer c.Close()
		var own, advanced int
		note := func(s *clock.Step) {
			if s == nil {
				own++
			} else {
				advanced++
			}
		}
		c.At(start.Add(time.Second), func(s *clock.Step) {
			s.Add()
			go func() {
				defer s.Done()
				c.At(start, note) // the first of all timers, so the clock's goroutine is woken
				c.At(start.Add(5*time.Second), note)
				<-time.After(20 * time.Second)
			}()
		})
		advance(t, c, 10*time.Second)
		if own != 0 || advanced != 2 {
			t.Errorf("got %d timers fired by the clock itself and %d by the advance, want 0 and 2", own, advanced)
		}
	})
}

func TestTimerIsNotFiredBeforeASlowWallClockGetsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWall()
		c := clock.New(clock.Options{Wall: w.Now})
		defer c.Close()
		fired := false
		c.At(epoch.Add(time.Minute), func(*clock.Step) { fired = true })
		pass(time.Hour)
		if fired {
			t.Fatal("the timer fired before its time")
		}

		// As after a laptop's sleep: the wall clock is far ahead of the real timers.
		w.pass(time.Minute)
		pass(10 * time.Second)
		if !fired {
			t.Error("the timer did not fire within ten seconds of its time")
		}
	})
}

func TestTimerSetAndStoppedFromAnywhereEitherFiresOrIsStopped(t *testing.T) {
	c := clock.New(clock.Options{})
	defer c.Close()
	var setters, settled sync.WaitGroup
	for range 4 {
		setters.Go(func() {
			for i := range 500 {
				settled.Add(1) // two calls of Done panic; none hangs
				due := c.Now().Add(time.Duration(i%3-1) * time.Millisecond)
				timer := c.At(due, func(*clock.Step) { settled.Done() })
				if i%2 == 0 && timer.Stop() {
					settled.Done()
				}
			}
		})
	}
	setters.Wait()
	settled.Wait()
	if due, ok := c.Next(); ok {
		t.Errorf("a timer due at %v was left", due)
	}
}

func TestCloseStopsARunningClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(clock.Options{})
		c.At(time.Now().Add(time.Second), func(*clock.Step) { t.Error("a timer fired after Close") })
		c.Close()
		c.At(time.Now(), func(*clock.Step) { t.Error("a timer set after Close fired") })
		pass(time.Hour)
		if err := c.Freeze(); !errors.Is(err, clock.ErrClosed) {
			t.Errorf("Freeze: got %v, want ErrClosed", err)
		}
	})
}

func TestCloseStopsAClockWhoseTimersKeepSettingEachOther(t *testing.T) {
	c := clock.New(clock.Options{})
	often := make(chan struct{})
	fired := 0
	var again func(*clock.Step)
	again = func(*clock.Step) {
		if fired++; fired == 1000 {
			close(often)
		}
		c.At(c.Now(), again)
	}
	c.At(c.Now(), again)
	<-often
	c.Close()
}
