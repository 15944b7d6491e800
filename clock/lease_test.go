package clock_test

import (
	"encoding/json"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"devtool.internal/clock"
)

// A disk keeps what a clock has saved, and can fail.
type disk struct {
	mu    sync.Mutex // the clock's goroutine saves, too
	state clock.State
	count int
	err   error
}

func (d *disk) save(s clock.State) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	d.count++
	d.state = clock.State{}
	return json.Unmarshal(text, &d.state)
}

func (d *disk) saved() clock.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

func (d *disk) saves() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// fail makes saves fail with err, unless that is nil.
func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

var errFull = errors.New("no space left on device")

// on returns a clock that continues from what d has.
func (d *disk) on(t testing.TB, w *wall, mode clock.Mode) *clock.Clock {
	t.Helper()
	c := clock.New(clock.Options{Wall: w.Now, State: d.saved(), Mode: mode, Save: d.save})
	t.Cleanup(c.Close)
	return c
}

// real lets real time pass, with the renewals that the clock's goroutine makes meanwhile.
func (w *wall) real(c *clock.Clock, d time.Duration) {
	for ; d > 0; d -= time.Second {
		w.pass(min(d, time.Second))
		c.Renew()
	}
}

func TestLawNoEndShowsAnEarlierTime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fails bool // saves fail at times; otherwise the wall clock is set back at times
	}{{"the wall clock is set back", false}, {"saves fail", true}} {
		t.Run(tt.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w, d := newWall(), &disk{}
				start := func(mode clock.Mode) *clock.Clock {
					d.fail(nil) // an emulator whose clock can't be saved does not start
					return clock.New(clock.Options{Wall: w.Now, State: d.saved(), Mode: mode, Save: d.save})
				}
				c := start("")
				defer func() { c.Close() }()
				modes := rapid.SampledFrom([]clock.Mode{"", clock.Running, clock.Frozen})
				last := c.Now()
				// done ignores that a change was refused: then it must not have happened.
				done := func(error) {}
				actions := map[string]func(*rapid.T){
					"": func(t *rapid.T) {
						now := c.Now()
						if now.Before(last) {
							t.Fatalf("got %v after %v", now, last)
						}
						last = now
					},
					"real time passes": func(t *rapid.T) {
						w.real(c, time.Duration(rapid.Int64Range(0, 2e10).Draw(t, "for")))
					},
					"freeze": func(*rapid.T) { done(c.Freeze()) },
					"resume": func(*rapid.T) { done(c.Resume()) },
					"speed": func(t *rapid.T) {
						rates := rapid.SampledFrom([]float64{1, 1, 60, 3600, clock.MaxRate, 0.5})
						done(c.SetRate(rates.Draw(t, "rate")))
					},
					"advance": func(t *rapid.T) {
						by := rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour, math.MaxInt64}).Draw(t, "by")
						c.At(last.Add(by/2), func(*clock.Step) {})
						report, err := c.Advance(t.Context(), by, clock.Limits{})
						if err == nil && d.saved().At.Before(report.To) {
							t.Fatalf("an advance reported %v, and %v was saved", report.To, d.saved().At)
						}
					},
					"kill": func(t *rapid.T) {
						mode := modes.Draw(t, "mode")
						c.Close()
						w.pass(time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "while down")))
						c = start(mode)
					},
					"end": func(t *rapid.T) {
						mode := modes.Draw(t, "mode")
						c.Close()
						done(d.save(c.State()))
						w.pass(time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "while down")))
						c = start(mode)
					},
				}
				if tt.fails {
					actions["the disk is full"] = func(*rapid.T) { d.fail(errFull) }
					actions["the disk has space"] = func(*rapid.T) { d.fail(nil) }
				} else {
					actions["the wall clock is set back"] = func(t *rapid.T) {
						w.pass(-time.Duration(rapid.Int64Range(0, 1e14).Draw(t, "by")))
					}
				}
				t.Repeat(actions)
			})
		})
	}
}

func TestAKilledClockGoesOnNoEarlierThanItWasSeen(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*clock.Clock) error
		most    time.Duration // how far ahead of the last reading the next clock may begin
	}{
		{"fast", func(c *clock.Clock) error { return c.SetRate(3600) }, 3 * time.Hour},
		{"the fastest", func(c *clock.Clock) error { return c.SetRate(clock.MaxRate) }, 24 * 24 * time.Hour},
		{"slow", func(c *clock.Clock) error { return c.SetRate(0.5) }, 3 * time.Second},
		{"far from real time", func(c *clock.Clock) error {
			_, err := c.AdvanceTo(t.Context(), epoch.AddDate(300, 0, 0), clock.Limits{})
			return err
		}, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, d := newWall(), &disk{}
			c := d.on(t, w, "")
			if err := tt.prepare(c); err != nil {
				t.Fatal(err)
			}
			w.real(c, 3*time.Second)
			w.pass(900 * time.Millisecond)
			seen := c.Now()
			c.Close() // saves nothing, as a process that is killed

			next := d.on(t, w, "").Now()
			if next.Before(seen) || next.After(seen.Add(tt.most)) {
				t.Errorf("got %v after %v, want it at most %v ahead", next, seen, tt.most)
			}
		})
	}
}

func TestAClockFarBehindRealTimeGoesOnWhereItStood(t *testing.T) {
	w := newWall()
	year2 := time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)
	d := &disk{state: clock.State{At: year2, Offset: year2.Sub(epoch)}}
	c := d.on(t, w, "")
	wantTime(t, "at its start", c.Now(), year2)
	w.real(c, time.Minute)
	wantTime(t, "a minute later", c.Now(), year2.Add(time.Minute))
	c.Close()
	wantTime(t, "after a kill", d.on(t, w, "").Now(), year2.Add(time.Minute+2*time.Second))
}

func TestAtRealTimeAKillMovesTheClockByNothing(t *testing.T) {
	w, d := newWall(), &disk{}
	c := d.on(t, w, "")
	w.real(c, 10*time.Second)
	seen := c.Now()
	c.Close()

	next := d.on(t, w, "")
	if now := next.Now(); now.Before(seen) {
		t.Errorf("got %v after %v", now, seen)
	}
	for range 5 { // it is killed again at once
		next.Close()
		next = d.on(t, w, "")
	}
	w.real(next, 5*time.Second)
	wantTime(t, "soon after the restart", next.Now(), epoch.Add(15*time.Second))
}

func TestTheWallClockMayBeSetBackWhileNothingRuns(t *testing.T) {
	w, d := newWall(), &disk{}
	c := d.on(t, w, "")
	w.real(c, time.Minute)
	w.pass(900 * time.Millisecond)
	seen := c.Now()
	c.Close()
	w.pass(-time.Hour)
	next := d.on(t, w, "")
	before := next.Now()
	if before.Before(seen) || before.After(seen.Add(2*time.Second)) {
		t.Errorf("got %v after %v", before, seen)
	}
	w.real(next, time.Minute)
	wantTime(t, "a minute later", next.Now(), before.Add(time.Minute))
}

func TestAClockThatCantBeSavedStandsAtItsHorizon(t *testing.T) {
	w, d := newWall(), &disk{}
	c := d.on(t, w, "")
	if err := c.SetRate(60); err != nil {
		t.Fatal(err)
	}
	w.real(c, 10*time.Second)
	d.fail(errFull)
	w.real(c, time.Minute)
	stood := c.Now()
	wantTime(t, "a minute later", stood, d.saved().At)
	if err := c.Unsaved(); !errors.Is(err, errFull) {
		t.Errorf("Unsaved: got %v, want %v", err, errFull)
	}
	d.fail(nil)
	c.Renew()
	wantTime(t, "when it can be saved again", c.Now(), stood)
	w.real(c, time.Second)
	wantTime(t, "a second after that", c.Now(), stood.Add(time.Minute))
	if err := c.Unsaved(); err != nil {
		t.Errorf("Unsaved: got %v, want nil", err)
	}
}

func TestARealTimeClockThatCantBeSavedRunsOn(t *testing.T) {
	w, d := newWall(), &disk{err: errFull}
	c := d.on(t, w, "")
	w.real(c, time.Minute)
	wantTime(t, "a minute later", c.Now(), epoch.Add(time.Minute))
	if err := c.Unsaved(); !errors.Is(err, errFull) {
		t.Errorf("Unsaved: got %v, want %v", err, errFull)
	}
}

func TestAChangeThatCantBeSavedIsNone(t *testing.T) {
	for name, change := range map[string]func(*clock.Clock) error{
		"freeze":   (*clock.Clock).Freeze,
		"set rate": func(c *clock.Clock) error { return c.SetRate(60) },
		"reset":    (*clock.Clock).Reset,
		"advance": func(c *clock.Clock) error {
			_, err := c.Advance(t.Context(), time.Minute, clock.Limits{})
			return err
		},
		"advance by 0": func(c *clock.Clock) error {
			_, err := c.Advance(t.Context(), 0, clock.Limits{})
			return err
		},
		"jump": func(c *clock.Clock) error {
			_, err := c.Jump(t.Context(), time.Minute, clock.Limits{})
			return err
		},
		"set": func(c *clock.Clock) error {
			_, err := c.JumpTo(t.Context(), epoch.Add(time.Hour), clock.Limits{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, d := newWall(), &disk{}
			c := d.on(t, w, "")
			c.AtHeld(epoch, func(*clock.Step) { t.Error("a timer fired") })
			before := c.State()
			d.fail(errFull)
			err := change(c)
			if saving := (*clock.SaveError)(nil); !errors.As(err, &saving) || !errors.Is(err, errFull) {
				t.Errorf("got %v, want a SaveError with the reason", err)
			}
			if after := c.State(); after != before {
				t.Errorf("got %+v, want %+v", after, before)
			}
			d.fail(nil)
			c.Renew()
			w.pass(time.Second)
			wantTime(t, "a second later", c.Now(), epoch.Add(time.Second))
		})
	}
	t.Run("resume", func(t *testing.T) {
		w, d := newWall(), &disk{}
		c := d.on(t, w, clock.Frozen)
		d.fail(errFull)
		if err := c.Resume(); !errors.Is(err, errFull) {
			t.Errorf("got %v, want %v", err, errFull)
		}
		if got := c.Mode(); got != clock.Frozen {
			t.Errorf("got mode %s, want frozen", got)
		}
	})
}

func TestAnAdvanceEndsBeforeTheStepThatCantBeSaved(t *testing.T) {
	w, d := newWall(), &disk{}
	c := d.on(t, w, clock.Frozen)
	c.At(epoch.Add(time.Second), func(*clock.Step) { d.fail(errFull) })
	c.At(epoch.Add(2*time.Second), func(*clock.Step) { t.Error("it fired") })
	report, err := c.Advance(t.Context(), time.Minute, clock.Limits{})
	if saving := (*clock.SaveError)(nil); !errors.As(err, &saving) {
		t.Errorf("got %v, want a SaveError", err)
	}
	wantTime(t, "the report's end", report.To, epoch.Add(time.Second))
	wantTime(t, "the saved time", d.saved().At, epoch.Add(time.Second))
}

func TestTheModeOfOneRunIsNotSaved(t *testing.T) {
	w, d := newWall(), &disk{}
	mode := func(c *clock.Clock, want clock.Mode) {
		t.Helper()
		if got := c.Mode(); got != want {
			t.Errorf("got mode %s, want %s", got, want)
		}
		c.Close()
		if err := d.save(c.State()); err != nil {
			t.Fatal(err)
		}
	}
	c := d.on(t, w, clock.Frozen)
	advance(t, c, time.Hour)
	mode(c, clock.Frozen)
	c = d.on(t, w, "")
	wantTime(t, "after a frozen run", c.Now(), epoch.Add(time.Hour))
	w.real(c, time.Second)
	wantTime(t, "a second later", c.Now(), epoch.Add(time.Hour+time.Second))
	mode(c, clock.Running)

	c = d.on(t, w, "")
	if err := c.Freeze(); err != nil {
		t.Fatal(err)
	}
	mode(c, clock.Frozen)
	mode(d.on(t, w, clock.Running), clock.Running)
	mode(d.on(t, w, ""), clock.Frozen)

	c = d.on(t, w, clock.Frozen)
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	mode(c, clock.Running)
	mode(d.on(t, w, ""), clock.Running)
	c = d.on(t, w, clock.Frozen)
	if err := c.Freeze(); err != nil { // of a clock that was frozen for this run alone
		t.Fatal(err)
	}
	mode(c, clock.Frozen)
	mode(d.on(t, w, ""), clock.Frozen)
}

func TestAFastClockSavesOnceASecondAndAFrozenOneNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		c := clock.New(clock.Options{Save: d.save})
		defer c.Close()
		if err := c.SetRate(3600); err != nil {
			t.Fatal(err)
		}
		before := d.saves()
		pass(time.Minute)
		if got := d.saves() - before; got < 30 || got > 61 {
			t.Errorf("a running clock saved %d times in a minute, want about once a second", got)
		}
		if err := c.Freeze(); err != nil {
			t.Fatal(err)
		}
		before = d.saves()
		pass(time.Hour)
		if got := d.saves() - before; got != 0 {
			t.Errorf("a frozen clock saved %d times, want never", got)
		}
	})
}

func TestAFastClockIsNotHeldBackByItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		c := clock.New(clock.Options{Save: d.save})
		defer c.Close()
		if err := c.SetRate(clock.MaxRate); err != nil {
			t.Fatal(err)
		}
		start := c.Now()
		fired := 0
		var arm func(*clock.Step)
		arm = func(*clock.Step) {
			fired++
			c.At(c.Now().Add(1000*time.Second), arm) // a millisecond of real time
		}
		arm(nil)
		pass(time.Minute)
		if got := c.Now().Sub(start); got != clock.MaxRate*time.Minute {
			t.Errorf("in a minute it went on by %v, want %v", got, clock.MaxRate*time.Minute)
		}
		if fired != 60_001 {
			t.Errorf("a timer fired %d times, want 60,001", fired)
		}
	})
}
