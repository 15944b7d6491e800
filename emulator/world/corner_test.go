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

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// turn takes the turn of object name of class Lab, with an instance, as an event does. The function
// that it returns ends the event.
func (w *world) turn(name string) (*Event, func() error) {
	w.t.Helper()
	ns := w.namespaces["Lab"]
	o := ns.pin(ns.Named(name))
	ev := w.newEvent(w.ctx, w.programs.serving(), o, "test")
	if err := o.acquire(w.ctx, &ev.ticket); err != nil {
		w.t.Fatal(err)
	}
	inst, err := o.instanceFor(ev)
	if err != nil {
		w.t.Fatal(err)
	}
	ev.inst = inst
	return ev, func() error {
		defer ns.unpin(o)
		return o.finish(ev)
	}
}

// breakIndex makes a commit fail if it sets an alarm to an earlier time.
func (w *world) breakIndex() {
	w.t.Helper()
	if err := w.namespaces["Lab"].index.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func TestAnAlarmDoesNotRunBesideItself(t *testing.T) {
	s := newScript(nil)
	first := true
	s.handlers = map[string]func(*call) (string, error){
		"/set": func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
		"alarm": func(c *call) (string, error) {
			s.note("begin")
			defer s.note("end")
			if !first {
				return "", nil
			}
			first = false
			if err := c.setAlarm(time.Second); err != nil {
				return "", err
			}
			return "", c.sleep(time.Minute)
		},
	}
	w := newWorld(t, s)
	w.want("a", "/set", "")
	w.moveOn(time.Hour)
	if got, want := s.notes(), "begin end begin end"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if a, set := w.alarm("a"); set {
		t.Errorf("got alarm %+v, want none", a)
	}
}

func TestAFailedSetAlarmInTheAlarmHandlerDoesNotCostTheRetry(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/set": func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
		"alarm": func(c *call) (string, error) {
			far := time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
			err := c.setAlarmAt(far)
			return "", fmt.Errorf("set alarm: %w", err)
		},
	}
	w := newWorld(t, s)
	w.want("a", "/set", "")
	if got, want := strings.Join(w.moveOn(time.Second), ","), "Lab/a retry"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Each of these handlers has two goroutines. One of them waits longer than the other.
func TestAnAdvanceDoesNotWaitForAHandlerWhoseGoroutinesWaitForTheClock(t *testing.T) {
	both := func(c *call, one, two func() error) (string, error) {
		errs := make(chan error, 2)
		go func() { errs <- one() }()
		go func() { errs <- two() }()
		return "", errors.Join(<-errs, <-errs)
	}
	fetch := func(c *call, name, path string) func() error {
		return func() error { _, err := c.fetch(name, path); return err }
	}
	sleep := func(c *call, d time.Duration) func() error { return func() error { return c.sleep(d) } }
	for _, tt := range []struct {
		name string
		fan  func(*call) (string, error)
	}{
		{"two requests", func(c *call) (string, error) {
			return both(c, fetch(c, "b", "/1s"), fetch(c, "c", "/10s"))
		}},
		{"request and sleep", func(c *call) (string, error) {
			return both(c, fetch(c, "b", "/1s"), sleep(c, 10*time.Second))
		}},
		{"two sleeps", func(c *call) (string, error) {
			return both(c, sleep(c, time.Second), sleep(c, 10*time.Second))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(nil)
			s.handlers = map[string]func(*call) (string, error){
				"/set":  func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
				"/5s":   func(c *call) (string, error) { return "", c.setAlarm(5 * time.Second) },
				"/1s":   func(c *call) (string, error) { return "", c.sleep(time.Second) },
				"/10s":  func(c *call) (string, error) { return "", c.sleep(10 * time.Second) },
				"alarm": tt.fan,
			}
			w := newWorld(t, s)
			w.want("a", "/set", "")
			var fired []string
			eventually(t, "the alarm has run", func() bool { // the clock may go on between the two waits
				fired = append(fired, w.moveOn(10*time.Second)...)
				return len(fired) > 0
			})
			wantList(t, "fired", fired, []string{"Lab/a ok"})
		})
	}
}

// A handler keeps the turn because one of its goroutines still sleeps.
func TestAnAlarmThatWaitsForATurnThatWaitsForTheClockIsInNoStep(t *testing.T) {
	for _, tt := range []struct {
		name string
		hold func(*call) (string, error)
	}{
		{"goroutines", func(c *call) (string, error) {
			errs := make(chan error, 2)
			for _, d := range []time.Duration{time.Second, 10 * time.Second} {
				go func() { errs <- c.sleep(d) }()
			}
			return "", errors.Join(<-errs, <-errs)
		}},
		{"blocked, by way of another object", func(c *call) (string, error) {
			if err := c.plain(wire.MethodBlock); err != nil {
				return "", err
			}
			_, err := c.fetch("b", "/10s")
			return "", errors.Join(err, c.plain(wire.MethodUnblock))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(nil)
			s.handlers = map[string]func(*call) (string, error){
				"/set":  func(c *call) (string, error) { return "", c.setAlarm(5 * time.Second) },
				"/10s":  func(c *call) (string, error) { s.note("sleeps"); return "", c.sleep(10 * time.Second) },
				"/hold": func(c *call) (string, error) { s.note("holds"); return tt.hold(c) },
				"alarm": func(c *call) (string, error) { s.note("alarm"); return "", nil },
			}
			w := newWorld(t, s)
			w.want("a", "/set", "")
			var wg sync.WaitGroup
			wg.Go(func() { w.want("a", "/hold", "") })
			w.awaitSleepers(2)
			if got, want := strings.Join(w.moveOn(time.Minute), ","), "Lab/a ok"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			wg.Wait()
		})
	}
}

func TestAResumeOfAnEventThatIsOverEnds(t *testing.T) {
	resumed := make(chan error, 1)
	release, holding := make(chan struct{}), make(chan struct{})
	var w *world
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/leave": func(c *call) (string, error) {
			if err := c.plain(wire.MethodPause); err != nil {
				return "", err
			}
			s.note("paused")
			<-holding
			go func() { resumed <- c.plain(wire.MethodResume) }()
			eventually(t, "the goroutine waits", func() bool { return w.object("Lab", "a").queued() == 1 })
			return "left", nil
		},
		"/hold": func(*call) (string, error) { close(holding); <-release; return "", nil },
	}
	w = newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/leave", "left") })
	eventually(t, "the handler has paused", func() bool { return s.notes() == "paused" })
	wg.Go(func() { w.want("a", "/hold", "") })
	timeout := time.NewTimer(deadline)
	defer timeout.Stop()
	select {
	case err := <-resumed:
		if err == nil || !strings.Contains(err.Error(), "the event is over") {
			t.Errorf("got error %v, want one that says that the event is over", err)
		}
	case <-timeout.C:
		t.Error("the goroutine still waits")
	}
	close(release)
	wg.Wait()
}

func TestNothingOfAnObjectThatWasResetIsCommitted(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*Event) error
	}{
		{"by a pause", func(ev *Event) error { return ev.obj.pause(ev.ctx, ev) }},
		{"at the end", func(ev *Event) error { return ev.obj.finish(ev) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, newScript(map[string]func(*call) (string, error){
				"/k": func(c *call) (string, error) { return c.load("k"), nil },
			}))
			ev, end := w.turn("a")
			if err := ev.obj.use(ev, func(s *store.Object) error { return s.Put("k", []byte("lost")) }); err != nil {
				t.Fatal(err)
			}
			ev.obj.reset(&ev.ticket, errors.New("reset"))
			if err := tt.end(ev); err == nil || err.Error() != "reset" {
				t.Errorf("got error %v, want the reset's", err)
			}
			end() //nolint:errcheck // it was reset
			w.want("a", "/k", "")
		})
	}
}

func TestWhatCouldNotBeCommittedIsDropped(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/end": func(c *call) (string, error) {
			return "", errors.Join(c.store("k", "lost"), c.setAlarm(time.Second))
		},
		"/sync": func(c *call) (string, error) {
			if err := errors.Join(c.store("k", "lost"), c.setAlarm(time.Second)); err != nil {
				return "", err
			}
			s.note("%t", c.plain(wire.MethodSync) == nil)
			return "", nil
		},
		"/k": func(c *call) (string, error) { return c.load("k"), nil },
		"/other": func(c *call) (string, error) {
			return "", c.store("other", "x")
		},
	}
	for _, path := range []string{"/end", "/sync"} {
		t.Run(path, func(t *testing.T) {
			w := newWorld(t, s)
			w.breakIndex()
			if status, body := w.get("a", path); status != 500 {
				t.Errorf("got %d %q, want 500", status, body)
			}
			w.want("a", "/k", "")
		})
	}
}

func TestAdministrationWaitsOnWhenTheObjectIsReset(t *testing.T) {
	w := newWorld(t, newScript(nil))
	ev, end := w.turn("a")
	done := make(chan error)
	go func() { done <- ev.obj.administer(context.Background(), func(*store.Object) error { return nil }) }()
	eventually(t, "it waits", func() bool { return ev.obj.queued() == 1 })
	ev.obj.reset(&ev.ticket, errors.New("reset"))
	end() //nolint:errcheck // it was reset
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAnObjectThatEndsWhileItSleepsIsNotParkedForEver(t *testing.T) {
	w := newWorld(t, newScript(nil))
	ev, end := w.turn("a")
	ev.park()
	ev.obj.reset(&ev.ticket, errors.New("reset"))
	end() //nolint:errcheck // it was reset
	ev.unpark(nil)
	if ev.obj.parked {
		t.Error("events that wait for the turn are still taken out of their step")
	}
}

// A storage call of an event without its turn waits in the queue like an event.
func TestAStorageCallThatWaitedForTheTurnGivesItsStepBack(t *testing.T) {
	s := newScript(nil)
	release := make(chan struct{})
	s.handlers = map[string]func(*call) (string, error){
		"/block": func(c *call) (string, error) {
			if err := c.plain(wire.MethodBlock); err != nil {
				return "", err
			}
			s.note("blocks")
			return "", errors.Join(c.sleep(time.Second), c.plain(wire.MethodUnblock))
		},
		"/load": func(c *call) (string, error) {
			if err := c.plain(wire.MethodPause); err != nil {
				return "", err
			}
			s.note("paused")
			<-release
			c.load("k")
			return "", nil
		},
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/load", "") })
	eventually(t, "the first has paused", func() bool { return s.notes() == "paused" })
	wg.Go(func() { w.want("a", "/block", "") })
	eventually(t, "the second sleeps", func() bool {
		o := w.object("Lab", "a")
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.parked
	})
	close(release)
	eventually(t, "the storage call waits", func() bool { return w.object("Lab", "a").queued() == 1 })
	w.moveOn(time.Second)
	wg.Wait()
}

// A reset at the block limit ends the block itself, an event that sleeps, and one that waits for
// the turn. All of that, and what their callers do then, happens at that time of the clock.
func TestAResetAtTheBlockLimitIsPartOfItsStep(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/set": func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
		"/block": func(c *call) (string, error) {
			return "", errors.Join(c.plain(wire.MethodBlock), c.sleep(time.Minute))
		},
		"/sleep": func(c *call) (string, error) { return "", c.sleep(time.Minute) },
		"/hello": func(c *call) (string, error) { return "hello", nil },
		"alarm": func(c *call) (string, error) {
			set := c.now()
			paths := map[string]string{"blocks": "/block", "sleeps": "/sleep", "waits": "/hello"}
			if c.object == "blocks" {
				c.sleep(5 * time.Second) //nolint:errcheck // so that the one that sleeps has begun
			}
			if c.object == "waits" {
				c.sleep(10 * time.Second) //nolint:errcheck // so that the one that blocks has begun
			}
			_, err := c.fetch("b", paths[c.object])
			s.note("%s %t %s;", c.object, err != nil, c.now().Sub(set))
			return "", nil
		},
	}
	w := newWorld(t, s)
	for _, name := range []string{"blocks", "sleeps", "waits"} {
		w.want(name, "/set", "")
	}
	w.moveOn(time.Hour)
	notes := strings.Split(strings.TrimSuffix(s.notes(), ";"), "; ")
	slices.Sort(notes)
	wantList(t, "what the callers saw", notes, []string{"blocks true 35s", "sleeps true 35s", "waits true 35s"})
}
