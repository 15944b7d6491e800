package program

import (
	"context"
	"sync"
	"testing"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

// The work asks for its turn only after the next request has come, as on a busy machine.
func TestNoRequestOvertakesWorkThatAnEventHasBegun(t *testing.T) {
	s := scripted.New(nil)
	resume := make(chan struct{})
	s.Handlers = scripted.Handlers{
		"/begin": func(c *call) (string, error) {
			work, err := c.Program.Conn.Open(wire.MethodBackground, &wire.Operation{Event: c.Event}, false)
			if err != nil {
				return "", err
			}
			b, err := work.Await(context.Background())
			if err != nil {
				return "", err
			}
			var m wire.Background
			if err := wire.Decode(b, &m); err != nil {
				return "", err
			}
			own := *c
			own.Event = m.Event
			go func() {
				<-resume
				scripted.Must(own.Plain(wire.MethodResume))
				scripted.Must(own.Store("k", "stored"))
				work.CloseWrite() //nolint:errcheck // the emulator has gone
			}()
			return "answered", nil
		},
		"/get": func(c *call) (string, error) { return c.Load("k"), nil },
	}
	w := newWorld(t, s)
	w.want("a", "/begin", "answered")
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/get", "stored") })
	w.awaitBehind("a", 1)
	close(resume)
	wg.Wait()
}

// The response is there, but another event has the turn and fails in a block.
func TestACallerThatIsResetBeforeItTakesTheResponseGetsTheReason(t *testing.T) {
	s := scripted.New(nil)
	respond, fail := make(chan struct{}), make(chan struct{})
	failure := make(chan error, 1) // the request may return before its handler, which was reset
	s.Handlers = scripted.Handlers{
		"/ask": func(c *call) (string, error) {
			_, err := c.Fetch("b", "/x")
			failure <- err
			return "", err
		},
		"/x":    func(*call) (string, error) { <-respond; return "response", nil },
		"/hold": func(c *call) (string, error) { s.Note("held"); <-fail; return "", c.Reset("enough") },
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/ask") })
	eventually(t, "b is called", func() bool { return len(w.running()) == 3 })
	wg.Go(func() { w.get("a", "/hold") })
	eventually(t, "the turn is held", func() bool { return s.Notes() == "held" })
	close(respond)
	w.awaitBehind("a", 1)
	close(fail)
	wg.Wait()
	got := <-failure
	if e := scripted.WireError(got); e == nil || e.Message != "enough" || !e.Reset {
		t.Errorf("got %v, want the reset's reason", got)
	}
}
