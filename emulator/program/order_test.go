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
