package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// blocked blocks the object of c while f runs.
func (c *call) blocked(f func() error) error {
	if err := c.plain(wire.MethodBlock); err != nil {
		return err
	}
	return errors.Join(f(), c.plain(wire.MethodUnblock))
}

// TestASelfWaitEndsAtTheLimitOfTheClock is about waits that only the clock can end, in every form:
// an advance goes on, and the object is reset at 30 s of the clock, with the platform's error.
func TestASelfWaitEndsAtTheLimitOfTheClock(t *testing.T) {
	blockedCall := func(name, path string) func(*call) (string, error) {
		return func(c *call) (string, error) {
			return "", c.blocked(func() error { _, err := c.fetch(name, path); return err })
		}
	}
	hello := func(*call) (string, error) { return "hello", nil }
	set := func(c *call) (string, error) { return "", c.setAlarm(time.Minute) }
	for _, tt := range []struct {
		name     string
		handlers map[string]func(*call) (string, error)
		outside  []string // "object path" of requests that begin before the advance
	}{
		{"the alarm calls itself", map[string]func(*call) (string, error){"alarm": blockedCall("a", "/hello")}, nil},
		{"by way of another object", map[string]func(*call) (string, error){
			"alarm": blockedCall("a2", "/back"),
			"/back": func(c *call) (string, error) { return c.fetch("a", "/hello") },
		}, nil},
		{"a constructor", map[string]func(*call) (string, error){
			"alarm": func(c *call) (string, error) { return c.fetch("self", "/hello") },
			"construct": func(c *call) (string, error) {
				if c.object != "self" {
					return "", nil
				}
				return c.fetch("self", "/hello")
			},
		}, nil},
		{"two blocks wait for each other", map[string]func(*call) (string, error){
			"alarm": func(c *call) (string, error) {
				other := map[string]string{"a": "b", "b": "a"}[c.object]
				return "", c.blocked(func() error {
					if err := c.sleep(time.Second); err != nil {
						return err
					}
					_, err := c.fetch(other, "/hello")
					return err
				})
			},
		}, nil},
		{"the alarm waits behind a request that calls itself", map[string]func(*call) (string, error){
			"alarm": hello,
			"/self": blockedCall("a", "/hello"),
		}, []string{"a /self"}},
		{"it calls an object whose block calls itself", map[string]func(*call) (string, error){
			"alarm": func(c *call) (string, error) { return c.fetch("c", "/hello") },
			"/self": blockedCall("c", "/hello"),
		}, []string{"c /self"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			handlers := map[string]func(*call) (string, error){"/hello": hello, "/set": set}
			for name, f := range tt.handlers {
				handlers[name] = f
			}
			w := newWorld(t, newScript(handlers))
			w.waits.BlockGrace = deadline // what waits for the clock alone needs no real time
			w.want("a", "/set", "")
			w.want("b", "/set", "")
			w.clockPasses(59 * time.Second)
			var requests sync.WaitGroup
			for _, r := range tt.outside {
				name, path, _ := strings.Cut(r, " ")
				requests.Go(func() {
					if _, body := w.get(name, path); !strings.Contains(body, "BlockConcurrencyWhile") {
						t.Errorf("%s: got %q, want the reset", r, body)
					}
				})
				eventually(t, "the request waits for itself", func() bool {
					o := w.object("Lab", name)
					return o != nil && o.queued() == 1
				})
			}
			began := w.clock.Now()
			got := w.move(control.AdvanceRequest{Duration: "45s"})
			requests.Wait()
			if got.Stopped != "" || got.To.Sub(began) != 45*time.Second {
				t.Fatalf("the advance stopped at %s: %s", got.To.Sub(began), got.Stopped)
			}
			resets := 0
			for _, f := range got.Fired {
				if strings.Contains(f.Error, "BlockConcurrencyWhile") {
					resets++
				}
			}
			if resets == 0 {
				t.Errorf("got %+v, want a run that ended by the reset", got.Fired)
			}
		})
	}
}

// clockPasses moves the clock on, and expects that nothing is due.
func (w *world) clockPasses(d time.Duration) {
	w.t.Helper()
	if fired := w.moveOn(d); len(fired) != 0 {
		w.t.Fatalf("got %q, want nothing to run", fired)
	}
}

// A handler that waits for one that works waits for no clock.
func TestAnAdvanceDoesNotCutOffABlockThatWaitsForWork(t *testing.T) {
	release, working := make(chan struct{}), make(chan struct{})
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/block": func(c *call) (text string, err error) {
			err = c.blocked(func() error { text, err = c.fetch("b", "/work"); return err })
			return text, err
		},
		"/work": func(*call) (string, error) { close(working); <-release; return "done", nil },
	}))
	w.waits.BlockGrace = deadline
	began := w.clock.Now()
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/block", "done") })
	<-working
	wg.Go(func() { w.moveOn(time.Hour) })
	eventually(t, "the clock gets to the limit", func() bool { return w.clock.Now().Sub(began) >= BlockLimit })
	close(release)
	wg.Wait()
}

// TestAHandlerThatATimerWakesIsAtWork lets a handler take its time between the answer that it goes
// on and the end of its wait, as on a busy machine. The clock stands still meanwhile.
func TestAHandlerThatATimerWakesIsAtWork(t *testing.T) {
	told, goOn := make(chan struct{}), make(chan struct{})
	var w *world
	w = newWorld(t, newScript(map[string]func(*call) (string, error){
		"/limited": func(c *call) (string, error) {
			began := c.now()
			must(c.ask(func(ev *Event) error {
				w.clock.At(began.Add(5*time.Second), func(step *clock.Step) {
					step.Add()
					w.Go(func() {
						defer step.Done()
						ev.Expire(step, func() (goesOn, known bool) { return true, true })
						close(told)
					})
				})
				return nil
			}))
			ctx, cancel := context.WithCancel(c.ctx)
			defer cancel()
			w.Go(func() { <-goOn; cancel() })
			limited := *c
			limited.ctx = ctx
			err := limited.sleep(time.Hour)
			return fmt.Sprintf("%v after %s", err, c.now().Sub(began)), nil
		},
	}))
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/limited", "context canceled after 5s") })
	w.awaitSleepers(1)
	wg.Go(func() { w.moveOn(2 * time.Hour) })
	<-told
	events := w.runningEvents()
	ev := events[slices.IndexFunc(events, func(ev *Event) bool { return ev.obj != nil })]
	if len(w.stalled()) > 0 {
		t.Error("the world believes that only the clock can make the handler go on")
	}
	if got, _ := ev.rest(); got != busy {
		t.Errorf("got rest %d, want that the handler is busy", got)
	}
	if got, _ := ev.idleness(w.clock.Now(), true); got != working {
		t.Errorf("got idleness %d, want that the handler works", got)
	}
	close(goOn)
	wg.Wait()
}

// TestOrdinaryWorkIsServedAtEveryRate lets handlers take some milliseconds of real time, which is
// longer than all limits of a clock at the highest rate.
func TestOrdinaryWorkIsServedAtEveryRate(t *testing.T) {
	for _, rate := range []float64{10_000, clock.MaxRate} {
		work := func(c *call) (string, error) {
			for range 20 {
				if err := c.store("k", `J"stored"`); err != nil {
					return "", err
				}
			}
			spin()
			return "", nil
		}
		s := newScript(nil)
		s.handlers = map[string]func(*call) (string, error){
			"construct": func(c *call) (string, error) { s.note("construct"); return work(c) },
			"/work":     work,
			"/block": func(c *call) (string, error) {
				return "", c.blocked(func() error {
					_, err := work(c)
					_, failed := c.fetch("other", "/work")
					return errors.Join(err, failed, c.sleep(10*time.Second))
				})
			},
			"/set": func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
			"alarm": func(c *call) (string, error) {
				_, err := work(c)
				s.note("alarm")
				return "", err
			},
		}
		w := newWorld(t, s)
		w.waits.BlockGrace, w.waits.Idle = deadline, deadline
		if err := w.clock.Resume(); err != nil {
			t.Fatal(err)
		}
		if err := w.SetRate(rate); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			w.want("a", "/work", "")
			w.want("a", "/block", "")
		}
		w.want("a", "/set", "")
		eventually(t, "the alarm has run", func() bool { return strings.Contains(s.notes(), "alarm") })
		if got := strings.Count(s.notes(), "construct"); got != 2 {
			t.Errorf("at %v: constructed %d times, want twice: an object in use stays in memory", rate, got)
		}
		if got := strings.Count(s.notes(), "alarm"); got != 1 {
			t.Errorf("at %v: the alarm ran %d times, want once", rate, got)
		}
		// Then objects are idle as usual.
		if err := w.Freeze(); err != nil {
			t.Fatal(err)
		}
		w.moveOn(w.idleLimit)
		if a := w.object("Lab", "a"); a != nil && a.inst != nil {
			t.Errorf("at %v: the object is in memory after its idle time", rate)
		}
	}
}
