package program

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"devtool.internal/emulator/internal/scripted"
)

// named returns a program whose objects answer with its name.
func named(name string) *script {
	return scripted.New(handlers{"/who": func(*call) (string, error) { return name, nil }})
}

// launched returns a program that waits to be swapped in.
func (w *testWorld) launched(s *script) *Program {
	w.t.Helper()
	ours, theirs := net.Pipe()
	go s.Serve(theirs)
	p, err := w.host.connect(context.Background(), ours, nil, w.settings)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// A migration must see no event of any version, and no event the migration half done.
func TestAChangeOfTheWorldHasItForItself(t *testing.T) {
	release := make(chan struct{})
	s := named("before")
	s.Handlers["/slow"] = func(*call) (string, error) { <-release; return "slow", nil }
	w := newWorld(t, s)
	w.host.drainLimit = time.Hour
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/slow", "slow") })
	eventually(t, "the handler runs", func() bool { return len(w.running()) > 0 })

	next := w.launched(named("after"))
	wg.Go(func() {
		swapped, err := w.host.SwapAlone(next, func() error {
			if n := len(w.running()); n != 0 {
				t.Errorf("%d events run during the change", n)
			}
			wg.Go(func() { w.want("b", "/who", "after") }) // it waits
			return nil
		})
		if !swapped || err != nil {
			t.Errorf("got %v, %v", swapped, err)
		}
	})
	eventually(t, "events wait", func() bool { w.host.mu.Lock(); defer w.host.mu.Unlock(); return w.host.closed })
	close(release)
	wg.Wait()
	w.want("a", "/who", "after")
}

func TestTheVersionBeforeGoesOnIfAChangeFails(t *testing.T) {
	w := newWorld(t, named("before"))
	broken := errors.New("the disk is full")
	next := w.launched(named("after"))
	swapped, err := w.host.SwapAlone(next, func() error { return broken })
	if swapped || !errors.Is(err, broken) {
		t.Errorf("got %v, %v, want %v", swapped, err, broken)
	}
	w.want("a", "/who", "before")
	if !next.Lost() {
		t.Error("the next program has not ended")
	}
	w.swapIn(named("later"))
	w.want("a", "/who", "later")
}

// Events that do not end within the grace period are stopped.
func TestAChangeOfTheWorldDoesNotWaitForEver(t *testing.T) {
	changeBesideASlowHandler(t, 50*time.Millisecond)
}

// Events that were stopped take a moment to end, also if there is no grace period.
func TestAChangeOfTheWorldNeedsNoGracePeriod(t *testing.T) { changeBesideASlowHandler(t, 0) }

func changeBesideASlowHandler(t *testing.T, grace time.Duration) {
	t.Helper()
	s := named("before")
	s.Handlers["/slow"] = func(c *call) (string, error) { <-c.Context.Done(); return "", nil }
	w := newWorld(t, s)
	w.host.drainLimit = grace
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/slow") })
	eventually(t, "the handler runs", func() bool { return len(w.running()) > 0 })
	swapped, err := w.host.SwapAlone(w.launched(named("after")), func() error { return nil })
	if !swapped || err != nil {
		t.Errorf("got %v, %v", swapped, err)
	}
	wg.Wait()
	w.want("a", "/who", "after")
}

// An attached program that comes during the change serves after it.
func TestAnotherProgramWaitsForTheChange(t *testing.T) {
	w := newWorld(t, named("before"))
	next, other := w.launched(named("after")), w.launched(named("attached"))
	other.MarkAttached()
	var wg sync.WaitGroup
	swapped, err := w.host.SwapAlone(next, func() error {
		wg.Go(func() { w.host.Swap(other) })
		return nil
	})
	wg.Wait()
	if err != nil {
		t.Errorf("got %v, %v", swapped, err)
	}
	w.want("a", "/who", "attached")
}
