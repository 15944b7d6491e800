package clock_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/clock"
)

func TestClockRunsAtItsRate(t *testing.T) {
	w := newWall()
	c := clock.New(clock.Options{Wall: w.Now})
	defer c.Close()

	w.pass(time.Second)
	if err := c.SetRate(60); err != nil {
		t.Fatal(err)
	}
	wantTime(t, "when the rate is set", c.Now(), epoch.Add(time.Second))
	w.pass(time.Second)
	wantTime(t, "at 60", c.Now(), epoch.Add(61*time.Second))
	if err := c.SetRate(0.5); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	wantTime(t, "at a half", c.Now(), epoch.Add(61*time.Second+500*time.Millisecond))
	if got := c.Rate(); got != 0.5 {
		t.Errorf("Rate: got %v, want 0.5", got)
	}
}

func TestAFrozenClockKeepsItsRateForLater(t *testing.T) {
	w := newWall()
	c := clock.New(clock.Options{Wall: w.Now, State: clock.State{Mode: clock.Frozen, At: epoch}})
	defer c.Close()
	if err := c.SetRate(10); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	wantTime(t, "frozen", c.Now(), epoch)
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	wantTime(t, "resumed", c.Now(), epoch.Add(10*time.Second))
}

func TestTimersFollowTheRate(t *testing.T) {
	for _, rate := range []float64{0.5, 7, 60, 1e6} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			c := clock.New(clock.Options{})
			defer c.Close()
			if err := c.SetRate(rate); err != nil {
				t.Fatal(err)
			}
			var after time.Duration
			c.At(start.Add(time.Hour), func(*clock.Step) {
				after = time.Since(start)
				if now := c.Now(); now.Before(start.Add(time.Hour)) {
					t.Errorf("at rate %v it fired early, at %v", rate, now)
				}
			})
			pass(10 * time.Hour)
			want := time.Duration(math.Ceil(float64(time.Hour) / rate))
			if late := after - want; late < 0 || late > time.Millisecond {
				t.Errorf("at rate %v it fired after %v, want %v", rate, after, want)
			}
		})
	}
}

func TestRateIsSaved(t *testing.T) {
	w := newWall()
	var saved clock.State
	c := clock.New(clock.Options{Wall: w.Now, Save: func(s clock.State) error { saved = s; return nil }})
	if err := c.SetRate(60); err != nil {
		t.Fatal(err)
	}
	c.Close()
	saved.At = c.State().At // the exact time, as after an end that was clean
	if saved.Rate != 60 {
		t.Errorf("saved rate %v, want 60", saved.Rate)
	}
	next := clock.New(clock.Options{Wall: w.Now, State: saved})
	defer next.Close()
	w.pass(time.Second)
	wantTime(t, "after a restart", next.Now(), epoch.Add(time.Minute))
	if err := next.SetRate(1); err != nil {
		t.Fatal(err)
	}
	if got := next.State().Rate; got != 0 {
		t.Errorf("State has rate %v after SetRate(1), want none", got)
	}
}

func TestARateOutOfBoundsIsRefused(t *testing.T) {
	c := frozenAt(t, epoch)
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1), clock.MaxRate * 2, clock.MinRate / 2} {
		if err := c.SetRate(rate); err == nil {
			t.Errorf("rate %v was accepted", rate)
		}
	}
	if got := c.Rate(); got != 1 {
		t.Errorf("got rate %v, want 1", got)
	}
	odd := clock.New(clock.Options{State: clock.State{Rate: -3}})
	defer odd.Close()
	if got := odd.Rate(); got != 1 {
		t.Errorf("a state with an invalid rate: got %v, want 1", got)
	}
}

func TestJumpFiresLateWhatFellDueOnTheWay(t *testing.T) {
	c := frozenAt(t, epoch)
	var fired []time.Duration
	set := func(due time.Duration) {
		c.At(epoch.Add(due), func(s *clock.Step) {
			if s == nil {
				t.Error("got no Step")
			}
			fired = append(fired, due)
			wantTime(t, "the clock", c.Now(), epoch.Add(2*time.Hour))
		})
	}
	set(90 * time.Minute)
	set(time.Minute)
	set(3 * time.Hour)
	c.At(epoch.Add(time.Hour), func(*clock.Step) {
		c.At(c.Now().Add(time.Hour), func(*clock.Step) { t.Error("a timer set at the target for later has fired") })
	})
	r, err := c.Jump(t.Context(), 2*time.Hour, clock.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(fired) != 2 || fired[0] != time.Minute || fired[1] != 90*time.Minute {
		t.Errorf("fired %v, want those after 1m and 1h30m", fired)
	}
	wantTime(t, "From", r.From, epoch)
	wantTime(t, "To", r.To, epoch.Add(2*time.Hour))
	wantTime(t, "Now", c.Now(), epoch.Add(2*time.Hour))
}

func TestAdvanceToGoesThroughEachStep(t *testing.T) {
	c := frozenAt(t, epoch)
	var at time.Time
	c.At(epoch.Add(time.Minute), func(*clock.Step) { at = c.Now() })
	if _, err := c.AdvanceTo(t.Context(), epoch.Add(time.Hour), clock.Limits{}); err != nil {
		t.Fatal(err)
	}
	wantTime(t, "fired at", at, epoch.Add(time.Minute))
	for name, move := range map[string]func() (clock.Report, error){
		"advance": func() (clock.Report, error) { return c.AdvanceTo(t.Context(), epoch, clock.Limits{}) },
		"jump":    func() (clock.Report, error) { return c.JumpTo(t.Context(), epoch, clock.Limits{}) },
	} {
		const want = "move clock to 2026-03-04T05:06:07Z: time does not run backwards; " +
			"the clock stands at 2026-03-04T06:06:07Z"
		if _, err := move(); err == nil || err.Error() != want {
			t.Errorf("%s back: got %v, want %s", name, err, want)
		}
	}
}

func TestResetGoesBackToRealTime(t *testing.T) {
	w := newWall()
	c := clock.New(clock.Options{
		Wall:  w.Now,
		State: clock.State{Mode: clock.Frozen, At: epoch.Add(1000 * time.Hour), Rate: 9},
	})
	defer c.Close()
	timer := c.At(epoch.Add(2000*time.Hour), func(*clock.Step) {})
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	wantTime(t, "after the reset", c.Now(), epoch.Add(time.Second))
	if c.Mode() != clock.Running || c.Rate() != 1 {
		t.Errorf("got %s at %v, want running at 1", c.Mode(), c.Rate())
	}
	wantTime(t, "the timer", timer.Due(), epoch.Add(2000*time.Hour))
}

func TestAMovingOrClosedClockRefusesRateAndReset(t *testing.T) {
	c := frozenAt(t, epoch)
	var errs []error
	c.At(epoch, func(*clock.Step) { errs = append(errs, c.SetRate(2), c.Reset()) })
	advance(t, c, 0)
	for _, err := range errs {
		if !errors.Is(err, clock.ErrBusy) {
			t.Errorf("during an advance: got %v, want ErrBusy", err)
		}
	}
	c.Close()
	for _, err := range []error{c.SetRate(2), c.Reset()} {
		if !errors.Is(err, clock.ErrClosed) {
			t.Errorf("after Close: got %v, want ErrClosed", err)
		}
	}
}

func TestNextPassesOverUpkeep(t *testing.T) {
	c := frozenAt(t, epoch)
	c.AtMaintenance(epoch.Add(time.Second), func(*clock.Step) {})
	if due, ok := c.Next(); ok {
		t.Errorf("got %v, want nothing", due)
	}
	c.At(epoch.Add(time.Hour), func(*clock.Step) {})
	if due, ok := c.Next(); !ok || !due.Equal(epoch.Add(time.Hour)) {
		t.Errorf("got %v, want the one in an hour", due)
	}
	if r := advance(t, c, time.Minute); r.Firings != 1 {
		t.Errorf("%d timers fired, want the maintenance", r.Firings)
	}
}

// order returns the order in which a clock with seed fires n timers of the same instant.
func order(t tb, seed uint64, n int) []int {
	c := clock.New(clock.Options{Seed: seed, State: clock.State{Mode: clock.Frozen, At: epoch}})
	defer c.Close()
	var fired []int
	for i := range n {
		c.At(epoch.Add(time.Second), func(*clock.Step) { fired = append(fired, i) })
	}
	advance(t, c, time.Second)
	return fired
}

func TestASeedShufflesWhatIsDueAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 50).Draw(t, "timers")
		seed := rapid.Uint64Min(1).Draw(t, "seed")
		first, again := order(t, seed, n), order(t, seed, n)
		seen := map[int]bool{}
		for i := range first {
			seen[first[i]] = true
			if first[i] != again[i] {
				t.Fatalf("the same seed: got %v, then %v", first, again)
			}
		}
		if len(seen) != n {
			t.Fatalf("got %v, want each of %d once", first, n)
		}
	})
	a, b := order(t, 1, 20), order(t, 2, 20)
	same := true
	for i := range a {
		same = same && a[i] == b[i]
	}
	if same {
		t.Errorf("two seeds give the same order %v", a)
	}
}

// How many maintenance timers are set in between depends on how goroutines run, and must not
// matter.
func TestUpkeepDoesNotChangeTheOrderThatASeedGivesToOtherTimers(t *testing.T) {
	course := func(maintenance func(i int) int) []int {
		c := clock.New(clock.Options{Seed: 3, State: clock.State{Mode: clock.Frozen, At: epoch}})
		defer c.Close()
		var fired []int
		for i := range 10 {
			for range maintenance(i) {
				c.AtMaintenance(epoch.Add(time.Second), func(*clock.Step) { fired = append(fired, -1) })
			}
			c.At(epoch.Add(time.Second), func(*clock.Step) { fired = append(fired, i) })
		}
		advance(t, c, time.Second)
		for len(fired) > 0 && fired[len(fired)-1] == -1 { // maintenance comes last
			fired = fired[:len(fired)-1]
		}
		return fired
	}
	want := course(func(int) int { return 0 })
	got := course(func(i int) int { return i % 3 })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-without maintenance +with):\n%s", diff)
	}
}

func TestARunningClockAcceptsAMoveByZeroAtAnyTime(t *testing.T) {
	// The wall clock moves on with each reading, so that the present of a caller is always past.
	var readings atomic.Int64
	wall := func() time.Time { return epoch.Add(time.Duration(readings.Add(1)) * time.Millisecond) }
	c := clock.New(clock.Options{Wall: wall})
	defer c.Close()
	type move func(context.Context, time.Duration, clock.Limits) (clock.Report, error)
	for name, move := range map[string]move{"advance": c.Advance, "jump": c.Jump} {
		before := c.Now()
		r, err := move(t.Context(), 0, clock.Limits{})
		if err != nil || r.From.Before(before) || !r.To.Equal(r.From) {
			t.Errorf("%s: got %+v, %v, want a move from where it stands to there", name, r, err)
		}
	}
}
