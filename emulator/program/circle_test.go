package program

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

func TestAnEventThatWaitsForItselfIsNamedAtOnce(t *testing.T) {
	w := newWorld(t, scripted.New(handlers{
		"/a": func(c *call) (string, error) {
			if err := c.Plain(wire.MethodBlock); err != nil {
				return "", err
			}
			return c.Fetch("b", "/b")
		},
		"/b":    func(c *call) (string, error) { return c.Fetch("a", "/last") },
		"/last": func(*call) (string, error) { return "last", nil },
	}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, body := w.get("a", "/a"); status != 500 || !strings.Contains(body, "BlockConcurrencyWhile") {
			t.Errorf("got %d %q, want the reset", status, body)
		}
	})
	w.awaitBehind("a", 1) // it waits for itself
	g.look()
	g.expect("WARN Lab/a GET /a waits for itself: in its constructor, a transaction or BlockConcurrencyWhile " +
		"it has called Lab/b GET /b, which has called Lab/a GET /last, " +
		"which waits for the turn that Lab/a keeps; " +
		"the object is reset when that has lasted for 30s of the clock, which is frozen: " +
		"`devtool time advance 30s` gets there")
	g.pass(time.Minute)
	g.expect()
	w.moveOn(30 * time.Second)
	wg.Wait()
	g.look()
	g.expect()
}

// An event that waits for a turn that another event keeps does not wait for itself.
func TestWaitingForABlockIsNoCircle(t *testing.T) {
	h := newHang(t)
	w := newWorld(t, scripted.New(handlers{
		"/a": func(c *call) (string, error) {
			if err := c.Plain(wire.MethodBlock); err != nil {
				return "", err
			}
			if err := c.Sleep(time.Second); err != nil {
				return "", err
			}
			return "", c.Plain(wire.MethodUnblock)
		},
		"/b":    func(c *call) (string, error) { return c.Fetch("a", "/last") },
		"/last": h.Here,
	}))
	h.Release()
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/a", "") })
	w.awaitTimer(time.Second)
	wg.Go(func() { w.want("b", "/b", "after all") })
	w.awaitBehind("a", 1)
	g.look()
	g.pass(time.Minute)
	g.expect()
	w.moveOn(time.Second)
	wg.Wait()
}

// A handler may still give its turn up, unless a block keeps the turn.
func TestATurnThatIsNotKeptIsNoCircle(t *testing.T) {
	h := newHang(t)
	called := make(chan struct{})
	s := scripted.New(nil)
	s.Handlers = handlers{
		"/a": func(c *call) (string, error) {
			fetched := make(chan error, 1)
			go func() { _, err := c.Fetch("b", "/b"); fetched <- err }()
			<-called
			err := c.Plain(wire.MethodResume)
			h.Here(c) //nolint:errcheck // it has none
			return "", errors.Join(err, c.Plain(wire.MethodPause), <-fetched)
		},
		"/b":    func(c *call) (string, error) { close(called); <-h.In; return c.Fetch("a", "/last") },
		"/last": func(*call) (string, error) { return "", nil },
	}
	w := newWorld(t, s)
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/a", "") })
	w.awaitBehind("a", 1)
	g.look()
	g.expect()
	h.Release()
	wg.Wait()
}
