package program

import (
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

// waitInCond waits for another event that signals.
func waitInCond(c *call) (string, error) {
	_, err := scripted.Op[wire.Empty](c, wire.MethodWait, &wire.Wait{Event: c.Event, Token: c.Event})
	return "", err
}

// A save must not take the whole grace period only because a stream is open that nobody writes to.
func TestASwapDoesNotWaitForHandlersThatNothingCanWake(t *testing.T) {
	for name, handler := range map[string]func(*call) (string, error){
		"in a Cond":            waitInCond,
		"for the frozen clock": func(c *call) (string, error) { return "", c.Sleep(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted.Memory()
			s.Handlers["/wait"] = handler
			w := newWorld(t, s)
			w.host.drainLimit = time.Hour
			var wg sync.WaitGroup
			wg.Go(func() { w.wantReplaced("a", "/wait") })
			w.awaitStranded()
			w.swapIn(scripted.Memory())
			wg.Wait()
		})
	}
}

// A handler that runs may wake the others.
func TestAHandlerThatRunsStrandsNobody(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/wait"] = waitInCond
	runs := make(chan struct{})
	s.Handlers["/run"] = func(c *call) (string, error) { close(runs); <-c.Context.Done(); return "", nil }
	w := newWorld(t, s)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer w.crash(scripted.Memory())
	wg.Go(func() { w.get("a", "/wait") })
	w.awaitStranded()
	wg.Go(func() { w.get("b", "/run") })
	<-runs
	if got := w.world.Stranded(w.host.Serving(), time.Hour); got.Entered > 0 {
		t.Errorf("%d events are stranded, want none", got.Entered)
	}
}

// awaitStranded waits until one request waits, and is stranded.
func (w *testWorld) awaitStranded() {
	w.t.Helper()
	eventually(w.t, "the handler waits", func() bool {
		return w.world.Stranded(w.host.Serving(), time.Hour).Entered == 1
	})
}
