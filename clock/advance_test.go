package clock_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/clock"
)

func TestAdvanceFiresByDueThenOrderOfSetting(t *testing.T) {
	c := frozenAt(t, epoch)
	type firing struct {
		Name string
		At   time.Duration
	}
	var got []firing
	set := func(name string, due time.Duration) {
		c.At(epoch.Add(due), func(*clock.Step) { got = append(got, firing{name, c.Now().Sub(epoch)}) })
	}
	set("late", 5*time.Second)
	set("tie, first", 3*time.Second)
	set("tie, second", 3*time.Second)
	set("outside", 10*time.Second+1)
	set("early", time.Second)
	set("overdue", -time.Second)
	set("long overdue", -time.Hour)
	set("at the target", 10*time.Second)

	report := advance(t, c, 10*time.Second)
	want := []firing{
		{"long overdue", 0},
		{"overdue", 0},
		{"early", time.Second},
		{"tie, first", 3 * time.Second},
		{"tie, second", 3 * time.Second},
		{"late", 5 * time.Second},
		{"at the target", 10 * time.Second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fired (-want +got):\n%s", diff)
	}
	wantReport := clock.Report{From: epoch, To: epoch.Add(10 * time.Second), Firings: len(want)}
	if diff := cmp.Diff(wantReport, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	wantTime(t, "Now", c.Now(), report.To)
}

func TestTimersSetMeanwhileArePartOfTheAdvance(t *testing.T) {
	c := frozenAt(t, epoch)
	var got []string
	note := func(name string) func(*clock.Step) {
		return func(*clock.Step) { got = append(got, name) }
	}
	var third *clock.Timer
	c.At(epoch.Add(time.Second), func(*clock.Step) {
		got = append(got, "first")
		c.At(c.Now(), note("set for the same instant"))
		c.At(epoch, note("set for the past"))
		c.At(epoch.Add(2*time.Second), note("set for the target"))
		c.At(epoch.Add(2*time.Second+1), note("set for later"))
		third.Stop()
	})
	c.At(epoch.Add(time.Second), note("second"))
	third = c.At(epoch.Add(time.Second), note("third"))

	advance(t, c, 2*time.Second)
	want := []string{"first", "set for the past", "second", "set for the same instant", "set for the target"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fired (-want +got):\n%s", diff)
	}
}

func TestAdvanceRoundsUpToWholeMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		0:                      0,
		1:                      time.Millisecond,
		time.Millisecond:       time.Millisecond,
		1500 * time.Nanosecond: time.Millisecond,
		time.Second + 1:        time.Second + time.Millisecond,
	} {
		c := frozenAt(t, epoch)
		fired := false
		c.At(epoch.Add(d), func(*clock.Step) { fired = true })
		wantTime(t, d.String(), advance(t, c, d).To, epoch.Add(want))
		if !fired {
			t.Errorf("advance by %v did not fire a timer set for then", d)
		}
	}
}

func TestAdvanceOfARunningClockContinuesFromTheTarget(t *testing.T) {
	w := newWall()
	c := clock.New(clock.Options{Wall: w.Now})
	defer c.Close()
	var during time.Time
	var mode clock.Mode
	c.At(epoch.Add(time.Hour), func(*clock.Step) {
		w.pass(time.Minute) // real time that the advance takes
		during, mode = c.Now(), c.Mode()
	})

	w.pass(time.Second)
	report := advance(t, c, 2*time.Hour)
	wantTime(t, "From", report.From, epoch.Add(time.Second))
	wantTime(t, "during the step", during, epoch.Add(time.Hour))
	if mode != clock.Running {
		t.Errorf("mode during the step: got %q, want %q", mode, clock.Running)
	}
	wantTime(t, "after", c.Now(), epoch.Add(2*time.Hour+time.Second))
	w.pass(time.Second)
	wantTime(t, "a second later", c.Now(), epoch.Add(2*time.Hour+2*time.Second))
}

func TestAdvanceIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		d      time.Duration
		limits clock.Limits
		want   string
	}{
		{"backwards", -time.Second, clock.Limits{},
			"advance clock by -1s: time does not run backwards; the clock stands at 9900-01-01T00:00:00Z"},
		{"with a negative limit", time.Second, clock.Limits{Standing: -1},
			"advance clock by 1s: limits {Firings:0 Standing:-1 Step:0s}: one is negative; use 0 for the default"},
		{"beyond the year 9999", 200 * 365 * 24 * time.Hour, clock.Limits{},
			"advance clock by 1752000h0m0s: the clock ends at 9999-12-31T23:59:59.999Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Date(9900, time.January, 1, 0, 0, 0, 0, time.UTC)
			c := frozenAt(t, start)
			c.At(start, func(*clock.Step) { t.Error("a timer fired") })
			report, err := c.Advance(t.Context(), tt.d, tt.limits)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got error %v, want %s", err, tt.want)
			}
			if report != (clock.Report{}) {
				t.Errorf("got %+v, want the zero Report", report)
			}
			wantTime(t, "Now", c.Now(), start)
		})
	}
}

func TestClockIsBusyDuringAnAdvance(t *testing.T) {
	c := frozenAt(t, epoch)
	try := func(where string) {
		_, err := c.Advance(t.Context(), 0, clock.Limits{})
		for what, err := range map[string]error{"Advance": err, "Freeze": c.Freeze(), "Resume": c.Resume()} {
			if !errors.Is(err, clock.ErrBusy) {
				t.Errorf("%s %s: got %v, want ErrBusy", what, where, err)
			}
		}
	}
	c.At(epoch, func(s *clock.Step) {
		try("in the timer's function")
		s.Add()
		go func() {
			defer s.Done()
			try("in the step's work")
		}()
	})
	advance(t, c, time.Second)
	if err := c.Resume(); err != nil {
		t.Errorf("Resume afterwards: %v", err)
	}
}

func TestCancelledAdvanceEndsAfterTheCurrentStep(t *testing.T) {
	c := frozenAt(t, epoch)
	ctx, cancel := context.WithCancel(t.Context())
	worked := false
	c.At(epoch.Add(time.Second), func(s *clock.Step) {
		s.Add()
		cancel()
		go func() {
			defer s.Done()
			worked = true
		}()
	})
	c.At(epoch.Add(time.Second), func(*clock.Step) {})

	got, err := c.Advance(ctx, time.Minute, clock.Limits{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	want := clock.Report{From: epoch, To: epoch.Add(time.Second), Firings: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if !worked {
		t.Error("the advance did not wait for the current step")
	}
	if got, want := advance(t, c, 0).Firings, 1; got != want {
		t.Errorf("firings afterwards: got %d, want %d", got, want)
	}
}

func TestAdvanceCancelledDuringItsLastStepStaysThere(t *testing.T) {
	c := frozenAt(t, epoch)
	ctx, cancel := context.WithCancel(t.Context())
	c.At(epoch.Add(time.Second), func(*clock.Step) { cancel() })
	if _, err := c.Advance(ctx, time.Minute, clock.Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	wantTime(t, "Now", c.Now(), epoch.Add(time.Second))

	got, err := c.Advance(ctx, time.Minute, clock.Limits{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got error %v, want context.Canceled", err)
	}
	wantTime(t, "cancelled before: To", got.To, got.From)
}

func TestLimitsEndAnAdvance(t *testing.T) {
	const period = time.Minute
	for _, tt := range []struct {
		name   string
		rearm  time.Duration // after which the timer sets itself again
		limits clock.Limits
		want   clock.LimitError
		fired  int
		text   string
	}{
		{"firings", period, clock.Limits{Firings: 10, Standing: 2},
			clock.LimitError{Limit: "firings", Max: 10, At: epoch.Add(10 * period)}, 10,
			"10 timers fired, the last at 2026-03-04T05:16:07Z (limit firings); " +
				"advance from there, or raise the limit"},
		{"firings by default", time.Millisecond, clock.Limits{},
			clock.LimitError{Limit: "firings", Max: 1_000_000, At: epoch.Add(period + 999_999*time.Millisecond)},
			1_000_000, "1000000 timers fired"},
		{"standing", 0, clock.Limits{Standing: 3},
			clock.LimitError{Limit: "standing", Max: 3, At: epoch.Add(period)}, 4, // the first was set before
			"3 timers were set and fired at 2026-03-04T05:07:07Z without time moving (limit standing); " +
				"look for one that is set again for the same instant, or raise the limit"},
		{"standing in the past", -time.Hour, clock.Limits{Standing: 3},
			clock.LimitError{Limit: "standing", Max: 3, At: epoch.Add(period)}, 4, "without time moving"},
		{"standing by default", 0, clock.Limits{},
			clock.LimitError{Limit: "standing", Max: 1_000, At: epoch.Add(period)}, 1_001,
			"1000 timers were set and fired at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := frozenAt(t, epoch)
			fired := 0
			var again func(*clock.Step)
			again = func(*clock.Step) {
				fired++
				c.At(c.Now().Add(tt.rearm), again)
			}
			c.At(epoch.Add(period), again)

			report, err := c.Advance(t.Context(), math.MaxInt64, tt.limits)
			var limit *clock.LimitError
			if !errors.As(err, &limit) {
				t.Fatalf("got error %v, want a LimitError", err)
			}
			if diff := cmp.Diff(tt.want, *limit); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error text: got %q, want %q in it", err, tt.text)
			}
			if report.Firings != tt.fired || fired != tt.fired {
				t.Errorf("firings: got %d and %d reported, want %d", fired, report.Firings, tt.fired)
			}
			wantTime(t, "To", report.To, tt.want.At)
			if due, ok := c.Next(); !ok {
				t.Error("the next timer is gone")
			} else {
				wantTime(t, "Next", due, tt.want.At.Add(tt.rearm))
			}
		})
	}
}

func TestAnyNumberOfTimersMayBeDueAtOneInstant(t *testing.T) {
	c := frozenAt(t, epoch)
	const many = 50
	for range many {
		c.At(epoch.Add(time.Minute), func(*clock.Step) {})
	}
	report, err := c.Advance(t.Context(), time.Hour, clock.Limits{Standing: 3})
	if err != nil || report.Firings != many {
		t.Errorf("got %d firings and error %v, want %d and none", report.Firings, err, many)
	}
}

func TestLimitsAllowAsManyAsTheySay(t *testing.T) {
	c := frozenAt(t, epoch)
	for i := range 6 {
		c.At(epoch.Add(time.Duration(i/3)*time.Second), func(*clock.Step) {})
	}
	report, err := c.Advance(t.Context(), time.Minute, clock.Limits{Firings: 6, Standing: 3})
	if err != nil {
		t.Error(err)
	}
	wantTime(t, "To", report.To, epoch.Add(time.Minute))
}

func TestStuckStepEndsTheAdvance(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit time.Duration
		want  time.Duration
	}{
		{"by default", 0, 30 * time.Second},
		{"with a limit", time.Second, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := clock.New(clock.Options{State: clock.State{At: epoch}})
				defer c.Close()
				var stuck *clock.Step
				c.At(epoch.Add(time.Hour), func(s *clock.Step) {
					s.Add()
					stuck = s
				})
				next := false
				c.At(epoch.Add(time.Hour), func(*clock.Step) { next = true })

				start := time.Now()
				report, err := c.Advance(t.Context(), 2*time.Hour, clock.Limits{Step: tt.limit})
				if got := time.Since(start); got != tt.want {
					t.Errorf("gave up after %v, want %v", got, tt.want)
				}
				at := epoch.Add(time.Hour)
				var got *clock.StuckError
				if !errors.As(err, &got) {
					t.Fatalf("got error %v, want a StuckError", err)
				}
				if want := (clock.StuckError{At: at, After: tt.want}); *got != want {
					t.Errorf("got %+v, want %+v", *got, want)
				}
				if diff := cmp.Diff(clock.Report{From: epoch, To: at, Firings: 1}, report); diff != "" {
					t.Errorf("report (-want +got):\n%s", diff)
				}
				wantTime(t, "Now", c.Now(), at)
				if got := c.Mode(); got != clock.Running {
					t.Errorf("Mode: got %q, want %q", got, clock.Running)
				}

				stuck.Done() // late, and harmless
				synctest.Wait()
				if !next {
					t.Error("the running clock did not fire the remaining timer")
				}
			})
		})
	}
}

func TestAStepGetsMoreTimeAsLongAsItIsExtended(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ends  time.Duration // when the step's work ends, in real time
		grant int           // how often the step is extended
		want  time.Duration // real time of the advance
		stuck bool
	}{
		{"finished in the extension", 25 * time.Second, 10, 25 * time.Second, false},
		{"not extended any more", time.Hour, 2, 30 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := frozenAt(t, epoch)
				defer c.Close()
				c.At(epoch, func(s *clock.Step) {
					s.Add()
					time.AfterFunc(tt.ends, s.Done)
				})
				start := time.Now()
				_, err := c.Advance(t.Context(), time.Second, clock.Limits{Step: 10 * time.Second, Extend: func() bool {
					tt.grant--
					return tt.grant >= 0
				}})
				if got := time.Since(start); got != tt.want {
					t.Errorf("took %v, want %v", got, tt.want)
				}
				if stuck := (*clock.StuckError)(nil); errors.As(err, &stuck) != tt.stuck || !tt.stuck && err != nil {
					t.Errorf("got error %v, want a StuckError: %t", err, tt.stuck)
				}
			})
		})
	}
}

func TestStuckErrorSaysWhereAndWhatToDo(t *testing.T) {
	err := &clock.StuckError{At: epoch, After: 30 * time.Second}
	const want = "the step at 2026-03-04T05:06:07Z was unfinished after 30s of real time; " +
		"look for work that never ends, or raise the limit"
	if got := err.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCancelledAdvanceStillWaitsForItsStepNoLongerThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := frozenAt(t, epoch)
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		c.At(epoch, func(s *clock.Step) {
			s.Add()
			cancel()
		})
		_, err := c.Advance(ctx, time.Second, clock.Limits{})
		var stuck *clock.StuckError
		if !errors.As(err, &stuck) {
			t.Errorf("got error %v, want a StuckError", err)
		}
	})
}

func TestCloseEndsAnAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := frozenAt(t, epoch)
		c.At(epoch.Add(time.Second), func(s *clock.Step) { s.Add() })
		c.At(epoch.Add(time.Second), func(*clock.Step) { t.Error("a timer fired after Close") })
		ended := make(chan error)
		go func() {
			_, err := c.Advance(t.Context(), time.Minute, clock.Limits{})
			ended <- err
		}()
		synctest.Wait()

		start := time.Now()
		c.Close()
		if err := <-ended; !errors.Is(err, clock.ErrClosed) {
			t.Errorf("got error %v, want ErrClosed", err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("the advance went on for %v after Close", got)
		}
	})
}

func TestNoAdvanceBeginsAfterClose(t *testing.T) {
	for range 5000 {
		c := clock.New(clock.Options{State: clock.State{Mode: clock.Frozen, At: epoch}})
		var closed atomic.Bool
		var closing sync.WaitGroup
		closing.Go(func() { c.Close(); closed.Store(true) })
		begin := func(*clock.Step) {
			if closed.Load() {
				t.Error("the first step began after Close")
			}
		}
		c.Advance(t.Context(), 0, clock.Limits{Begin: begin}) //nolint:errcheck // it may be refused or not
		closing.Wait()
	}
}

func TestCloseWaitsForTheFunctionOfAnAdvanceAndEndsItThere(t *testing.T) {
	var saved []clock.State
	c := clock.New(clock.Options{
		State: clock.State{Mode: clock.Frozen, At: epoch},
		Save:  func(s clock.State) error { saved = append(saved, s); return nil },
	})
	closed := make(chan bool)
	returned := false
	c.At(epoch, func(*clock.Step) {
		go func() {
			c.Close()
			closed <- returned
		}()
		for !errors.Is(c.Freeze(), clock.ErrClosed) { // until Close has begun
			runtime.Gosched()
		}
		for range 1000 { // so that a faulty Close would overtake
			runtime.Gosched()
		}
		returned = true
	})
	c.At(epoch, func(*clock.Step) { t.Error("a timer fired after Close") })

	report, err := c.Advance(t.Context(), time.Minute, clock.Limits{})
	if !errors.Is(err, clock.ErrClosed) {
		t.Errorf("got error %v, want ErrClosed", err)
	}
	if diff := cmp.Diff(clock.Report{From: epoch, To: epoch, Firings: 1}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if !<-closed {
		t.Error("Close returned before the function")
	}
	if len(saved) != 2 {
		t.Errorf("saved %+v, want only what New and the beginning of the advance save", saved)
	}
}

func TestAdvancesNeverOverlap(t *testing.T) {
	c := frozenAt(t, epoch)
	var again func(*clock.Step)
	again = func(*clock.Step) { c.At(c.Now().Add(100*time.Millisecond), again) }
	c.At(epoch, again)

	var accepted atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 300 {
				switch _, err := c.Advance(t.Context(), time.Second, clock.Limits{}); {
				case err == nil:
					accepted.Add(1)
				case !errors.Is(err, clock.ErrBusy):
					t.Errorf("got error %v, want ErrBusy", err)
				}
			}
		})
	}
	callers.Wait()
	wantTime(t, "Now", c.Now(), epoch.Add(time.Duration(accepted.Load())*time.Second))
}

func TestPanicOfATimerLeavesTheClockUsable(t *testing.T) {
	c := frozenAt(t, epoch)
	c.At(epoch.Add(time.Second), func(*clock.Step) { panic("boom") })
	c.At(epoch.Add(time.Second), func(*clock.Step) {})
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("got panic %v, want boom", got)
			}
		}()
		advance(t, c, time.Minute)
	}()
	wantTime(t, "Now", c.Now(), epoch.Add(time.Second))
	if got, want := advance(t, c, time.Minute).Firings, 1; got != want {
		t.Errorf("firings of the next advance: got %d, want %d", got, want)
	}
}
