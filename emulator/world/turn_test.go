package world

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

// queued returns how many events wait for the object's turn.
func (o *object) queued() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue)
}

func TestHandlersOfOneObjectDoNotInterleaveAtStorageCalls(t *testing.T) {
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/add": func(c *call) (string, error) {
			for range 20 {
				n := len(c.load("n"))
				if err := c.store("n", strings.Repeat("x", n+1)); err != nil {
					return "", err
				}
			}
			return "", nil
		},
		"/n": func(c *call) (string, error) { return fmt.Sprint(len(c.load("n"))), nil },
	}))
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { w.get("a", "/add") })
	}
	wg.Wait()
	w.want("a", "/n", "200")
}

func TestSleepGivesTheTurnUp(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/slow": func(c *call) (string, error) {
			s.note("begin")
			err := c.sleep(time.Second)
			s.note("end")
			return "slept", err
		},
		"/quick": func(*call) (string, error) { s.note("quick"); return "quick", nil },
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/slow", "slept") })
	eventually(t, "the first handler sleeps", func() bool { _, pending := w.clock.Next(); return pending })
	w.want("a", "/quick", "quick")
	w.moveOn(time.Second)
	wg.Wait()
	if got, want := s.notes(), "begin quick end"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheTurnGoesInOrderOfArrival(t *testing.T) {
	s := newScript(nil)
	release := make(chan struct{})
	holding := make(chan struct{})
	s.handlers = map[string]func(*call) (string, error){
		"/hold": func(*call) (string, error) { close(holding); <-release; return "", nil },
	}
	const many = 8
	for i := range many {
		s.handlers[fmt.Sprint("/", i)] = func(*call) (string, error) { s.note("%d", i); return "", nil }
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/hold") })
	<-holding
	for i := range many {
		wg.Go(func() { w.get("a", fmt.Sprint("/", i)) })
		eventually(t, "the request waits", func() bool { return w.object("Lab", "a").queued() == i+1 })
	}
	close(release)
	wg.Wait()
	if got, want := s.notes(), "0 1 2 3 4 5 6 7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnObjectThatCallsBackDoesNotDeadlock(t *testing.T) {
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/ping": func(c *call) (string, error) { s, err := c.fetch("b", "/pong"); return "ping " + s, err },
		"/pong": func(c *call) (string, error) { s, err := c.fetch("a", "/last"); return "pong " + s, err },
		"/last": func(*call) (string, error) { return "last", nil },
	}))
	w.want("a", "/ping", "ping pong last")
}

func TestObjectsDoNotWaitForOneAnother(t *testing.T) {
	release := make(chan struct{})
	holding := make(chan struct{})
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/hold": func(*call) (string, error) { close(holding); <-release; return "", nil },
		"/hi":   func(*call) (string, error) { return "hi", nil },
	}))
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/hold") })
	<-holding
	w.want("b", "/hi", "hi")
	close(release)
	wg.Wait()
}

func TestABlockedEventKeepsItsTurn(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/block": func(c *call) (string, error) {
			if err := c.plain(wire.MethodBlock); err != nil {
				return "", err
			}
			s.note("begin")
			if err := c.sleep(time.Second); err != nil {
				return "", err
			}
			s.note("end")
			return "", c.plain(wire.MethodUnblock)
		},
		"/other": func(*call) (string, error) { s.note("other"); return "", nil },
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/block") })
	w.awaitSleepers(1)
	wg.Go(func() { w.get("a", "/other") })
	eventually(t, "the other request waits", func() bool { return w.object("Lab", "a").queued() == 1 })
	w.moveOn(time.Second)
	wg.Wait()
	if got, want := s.notes(), "begin end other"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestABlockThatLastsTooLongResetsTheObject(t *testing.T) {
	t.Parallel()
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"construct": func(c *call) (string, error) { s.note("construct"); return "", nil },
		"/block": func(c *call) (string, error) {
			if err := errors.Join(c.store("k", "before"), c.plain(wire.MethodBlock), c.store("k", "lost")); err != nil {
				return "", err
			}
			s.note("blocked")
			<-c.ctx.Done()
			return "", c.ctx.Err()
		},
		"/k": func(c *call) (string, error) { return c.load("k"), nil },
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, body := w.get("a", "/block"); status != 500 || !strings.Contains(body, "more than 30 s") {
			t.Errorf("got %d %q, want a 500 that names the 30 s", status, body)
		}
	})
	eventually(t, "the handler blocks", func() bool { return strings.Contains(s.notes(), "blocked") })
	w.moveOn(30 * time.Second)
	wg.Wait()
	w.want("a", "/k", "before")
	if got, want := strings.Count(s.notes(), "construct"), 2; got != want {
		t.Errorf("constructed %d times, want %d", got, want)
	}
}

// A move of the clock while a handler works does not count as time that the handler waited.
func TestAnAdvanceDoesNotCutOffAHandlerThatIsAboutToFinish(t *testing.T) {
	s := newScript(nil)
	release := make(chan struct{})
	s.handlers = map[string]func(*call) (string, error){
		"/block": func(c *call) (string, error) {
			if err := c.plain(wire.MethodBlock); err != nil {
				return "", err
			}
			s.note("blocked")
			<-release
			return "done", c.plain(wire.MethodUnblock)
		},
	}
	w := newWorld(t, s)
	w.waits.BlockGrace = deadline
	began := w.clock.Now()
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/block", "done") })
	eventually(t, "the handler blocks", func() bool { return s.notes() == "blocked" })
	wg.Go(func() { w.moveOn(time.Hour) })
	eventually(t, "the clock gets to the limit", func() bool { return w.clock.Now().Sub(began) >= BlockLimit })
	close(release)
	wg.Wait()
	if got := w.clock.Now().Sub(began); got != time.Hour {
		t.Errorf("the clock went on by %s, want an hour", got)
	}
}

func TestARequestThatIsGivenUpLeavesTheQueue(t *testing.T) {
	s := newScript(nil)
	release := make(chan struct{})
	holding := make(chan struct{})
	s.handlers = map[string]func(*call) (string, error){
		"/hold":  func(*call) (string, error) { close(holding); <-release; return "", nil },
		"/never": func(*call) (string, error) { s.note("never"); return "", nil },
		"/hi":    func(*call) (string, error) { return "hi", nil },
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/hold") })
	<-holding
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() { w.getContext(ctx, "a", "/never") }) //nolint:errcheck // it is given up
	eventually(t, "the request waits", func() bool { return w.object("Lab", "a").queued() == 1 })
	cancel()
	eventually(t, "the request has left", func() bool { return w.object("Lab", "a").queued() == 0 })
	close(release)
	wg.Wait()
	w.want("a", "/hi", "hi")
	if got := s.notes(); got != "" {
		t.Errorf("got %q, want no handler to run", got)
	}
}

func TestACanceledHandlerKeepsItsTurnToItsEnd(t *testing.T) {
	s := newScript(nil)
	release := make(chan struct{})
	s.handlers = map[string]func(*call) (string, error){
		"/hold": func(c *call) (string, error) {
			s.note("begin")
			<-c.canceled
			s.note("canceled")
			<-release
			s.note("end")
			return "", c.store("k", "kept")
		},
		"/k": func(c *call) (string, error) { s.note("k"); return c.load("k"), nil },
	}
	w := newWorld(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.getContext(ctx, "a", "/hold") }) //nolint:errcheck // it is given up
	eventually(t, "the handler runs", func() bool { return s.notes() == "begin" })
	cancel()
	eventually(t, "the handler is canceled", func() bool { return s.notes() == "begin canceled" })
	wg.Go(func() { w.want("a", "/k", "kept") })
	eventually(t, "the next request waits", func() bool { return w.object("Lab", "a").queued() == 1 })
	close(release)
	wg.Wait()
	if got, want := s.notes(), "begin canceled end k"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Two goroutines of one handler that wait at the same time share one place in the queue.
func TestGoroutinesOfOneHandlerShareItsTurn(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/fan": func(c *call) (string, error) {
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					if err := c.sleep(time.Second); err != nil {
						t.Error(err)
					}
					if err := c.store(fmt.Sprint(i), "x"); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			return "done", nil
		},
		"/hi": func(*call) (string, error) { return "hi", nil },
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/fan", "done") })
	w.awaitSleepers(10)
	w.want("a", "/hi", "hi")
	w.moveOn(time.Minute)
	wg.Wait()
	w.want("a", "/hi", "hi")
}

func TestAStorageCallOfAnEventThatIsOverFails(t *testing.T) {
	var late *call
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/hi": func(c *call) (string, error) { late = c; return "hi", nil },
	}))
	w.want("a", "/hi", "hi")
	if err := late.store("k", "v"); err == nil || !strings.Contains(err.Error(), "the event is over") {
		t.Errorf("got error %v, want one that says that the event is over", err)
	}
	// The failed call must not have taken the turn.
	w.want("a", "/hi", "hi")
}
