package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/world"
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
			w.awaitWaiting()
			w.swapIn(scripted.Memory())
			wg.Wait()
		})
	}
}

// A handler that runs may wake the others.
func TestAHandlerThatRunsIsNotWaiting(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/wait"] = waitInCond
	runs := make(chan struct{})
	s.Handlers["/run"] = func(c *call) (string, error) { close(runs); <-c.Context.Done(); return "", nil }
	w := newWorld(t, s)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer w.crash(scripted.Memory())
	wg.Go(func() { w.get("a", "/wait") })
	w.awaitWaiting()
	wg.Go(func() { w.get("b", "/run") })
	<-runs
	found := w.world.Drain(w.host.Serving())
	found.Look(time.Now())
	if got := found.Look(time.Now().Add(time.Hour)); got.All {
		t.Error("all events only wait, want that one runs")
	}
}

// awaitWaiting waits until all requests only wait.
func (w *testWorld) awaitWaiting() {
	w.t.Helper()
	watch := w.world.Drain(w.host.Serving())
	eventually(w.t, "the handler waits", func() bool { return watch.Look(time.Now()).All })
}

// waits reports whether an object of class Lab has an event that does not run.
func (w *testWorld) waits(name string) bool {
	return slices.ContainsFunc(w.running(), func(ev *world.Event) bool {
		return ev.Object() != nil && ev.Object().String() == "Lab/"+name && !ev.OnItsOwn()
	})
}

// stream sends the head of a response and a piece of its body, and then waits as wait does.
func stream(wait func(*call) error) func(*call) (string, error) {
	return func(c *call) (string, error) {
		err := c.Plain(wire.MethodPause)
		if err == nil {
			err = c.Stream.Answer(&wire.Response{Status: 200, ContentLength: -1, Body: []byte("x")}, false)
		}
		if err == nil {
			err = c.Plain(wire.MethodResume)
		}
		for err == nil {
			if err = wait(c); err == nil {
				_, err = c.Stream.Write([]byte("x"))
			}
		}
		return "", err
	}
}

// While something works in the old version, and will not end within the test, these objects must
// serve the new one.
func TestAnObjectOfWhichAllEventsWaitServesTheNewVersionAtOnce(t *testing.T) {
	for name, handler := range map[string]func(*call) (string, error){
		"in a Cond":            waitInCond,
		"for the frozen clock": func(c *call) (string, error) { return "", c.Sleep(time.Minute) },
		"stream in a Cond": stream(func(c *call) error {
			_, err := waitInCond(c)
			return err
		}),
		"stream that sleeps": stream(func(c *call) error { return c.Sleep(time.Minute) }),
		"long poll that reads its body": func(c *call) (string, error) {
			if err := c.Plain(wire.MethodPause); err != nil {
				return "", err
			}
			<-c.Context.Done()
			return "", nil
		},
		"stream that waits for a channel": stream(func(c *call) error {
			c.Program.Note("waits")
			<-c.Context.Done()
			return c.Context.Err()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted.Memory()
			s.Handlers["/wait"] = handler
			s.Handlers["stack"] = func(*call) (string, error) { return "goroutine 1 [select]:\nmain()\n", nil }
			works, release := make(chan struct{}), make(chan struct{})
			s.Handlers["/work"] = func(*call) (string, error) { close(works); <-release; return "worked", nil }
			w := newWorld(t, s)
			w.host.drainLimit = time.Hour
			var wg sync.WaitGroup
			wg.Go(func() { w.want("busy", "/work", "worked") })
			<-works
			wg.Go(func() {
				if status, body := w.get("a", "/wait"); status == 500 && !strings.Contains(body, errReplaced.Message) {
					t.Errorf("got %d %q, want %q", status, body, errReplaced.Message)
				}
			})
			eventually(t, "the handler waits", func() bool {
				return w.waits("a") || strings.Contains(s.Notes(), "waits")
			})
			w.swapIn(scripted.Memory())
			w.want("other", "/put", "")
			w.want("a", "/put", "")
			close(release)
			wg.Wait()
		})
	}
}

// A sleep that ends in a moment is part of the work.
func TestAReloadLetsAShortSleepEnd(t *testing.T) {
	asleep := make(chan struct{})
	s := scripted.Memory()
	s.Handlers["/wait"] = func(c *call) (string, error) {
		close(asleep)
		return "slept", c.Sleep(100 * time.Millisecond)
	}
	w := newWorld(t, s)
	if err := w.world.Clock().Resume(); err != nil {
		t.Fatal(err)
	}
	w.host.drainLimit = time.Hour
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/wait", "slept") })
	<-asleep
	w.swapIn(scripted.Memory())
	wg.Wait()
}

// The end of the emulator cuts off what only waits, too.
func TestTheEndDoesNotWaitForHandlersThatOnlyWait(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/wait"] = stream(func(c *call) error { return c.Sleep(time.Minute) })
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/wait") })
	w.awaitTimer(time.Minute)
	w.host.End(time.Hour)
	wg.Wait()
}

// An object never has two instances at once, whoever calls it in whatever version.
func TestAnObjectIsInOneVersionAtATime(t *testing.T) {
	calls, release := make(chan struct{}), make(chan struct{})
	program := func(version string) *script {
		s := scripted.Memory()
		s.Handlers["/version"] = func(*call) (string, error) { return version, nil }
		s.Handlers["/calls"] = func(c *call) (string, error) {
			if version == "old" {
				close(calls)
				<-release
			}
			back, err := c.Fetch("b", "/callsback")
			if err != nil {
				return "", err
			}
			return version + " " + back, nil
		}
		s.Handlers["/callsback"] = func(c *call) (string, error) {
			back, err := c.Fetch("a", "/version")
			return version + " " + back, err
		}
		return s
	}
	w := newWorld(t, program("old"))
	var wg sync.WaitGroup
	// b has nothing that runs, so it is in the new version. Its call back must reach the old
	// instance of a, which waits for it.
	wg.Go(func() { w.want("a", "/calls", "old new old") })
	<-calls
	w.swapIn(program("new"))
	w.want("b", "/version", "new")
	wg.Go(func() { w.want("a", "/version", "new") })
	w.awaitInLine(1)
	close(release)
	wg.Wait()
	w.want("a", "/version", "new")
}

// Events that wait for their object's version keep their order.
func TestEventsInLineKeepTheirOrder(t *testing.T) {
	runs, release := make(chan struct{}), make(chan struct{})
	old := scripted.Memory()
	old.Handlers["/run"] = func(*call) (string, error) { close(runs); <-release; return "", nil }
	next := scripted.Memory()
	for _, path := range []string{"/1", "/2", "/3", "/4"} {
		next.Handlers[path] = func(*call) (string, error) { next.Note("%s", path); return "", nil }
	}
	w := newWorld(t, old)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/run", "") })
	<-runs
	w.swapIn(next)
	for i, path := range []string{"/1", "/2", "/3", "/4"} {
		wg.Go(func() { w.want("a", path, "") })
		w.awaitInLine(i + 1)
	}
	close(release)
	wg.Wait()
	if got := next.Notes(); got != "construct:a /1 /2 /3 /4" {
		t.Errorf("got the order %q, want that of the requests", got)
	}
}

// A client that goes while its request is in line leaves nothing behind.
func TestAnEventInLineMayBeCanceled(t *testing.T) {
	runs, release := make(chan struct{}), make(chan struct{})
	old := scripted.Memory()
	old.Handlers["/run"] = func(*call) (string, error) { close(runs); <-release; return "", nil }
	w := newWorld(t, old)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/run", "") })
	<-runs
	w.swapIn(scripted.Memory())
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		if err := w.deliverUntil(ctx, "a", "/get"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that the event was canceled", err)
		}
	})
	w.awaitInLine(1)
	cancel()
	w.awaitInLine(0)
	close(release)
	wg.Wait()
	w.want("a", "/get", "")
}

// Each of many streams would wait for the answer, one after the other.
func TestAStoppedProgramIsNotAskedWhereItsHandlersStand(t *testing.T) {
	asked := atomic.Int64{}
	w, d := newDebugged(t, func(d *debugger) handlers {
		return handlers{
			"/stop": d.stop,
			"/wait": stream(func(c *call) error { <-c.Context.Done(); return c.Context.Err() }),
			"stack": func(*call) (string, error) { asked.Add(1); return "goroutine 1 [running]:\nmain()\n", nil },
		}
	})
	look := func() {
		watch := w.world.Drain(w.host.Serving())
		watch.Look(time.Now())
		watch.Look(time.Now().Add(time.Hour))
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer w.crash(scripted.Memory())
	wg.Go(func() { w.get("a", "/wait") })
	eventually(t, "the program is asked for a stack", func() bool { look(); return asked.Load() > 0 })
	wg.Go(func() { w.get("b", "/stop") })
	<-d.at
	before := asked.Load()
	look()
	if n := asked.Load() - before; n != 0 {
		t.Errorf("the program was asked %d times while it was stopped", n)
	}
	d.goOn()
}

// Each swap leaves one more version that ends its events, and only so many.
func TestOnlySomeVersionsEndTheirEventsAtATime(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	w.host.drainLimit = time.Hour
	var wg sync.WaitGroup
	for n := range maxRetiring + 1 {
		runs := make(chan struct{})
		s := scripted.Memory()
		s.Handlers["/run"] = func(c *call) (string, error) { close(runs); <-c.Context.Done(); return "", nil }
		w.swapIn(s)
		wg.Go(func() { w.get(strconv.Itoa(n), "/run") })
		<-runs
	}
	w.swapIn(scripted.Memory())
	w.want("0", "/put", "") // the oldest version was stopped
	w.host.End(0)
	wg.Wait()
}

// A handler of the old version that calls an object when no version serves any more gets an error.
func TestAnOldVersionMayCallNobodyAtTheEnd(t *testing.T) {
	runs, release := make(chan struct{}), make(chan struct{})
	old := scripted.Memory()
	old.Handlers["/call"] = func(c *call) (string, error) {
		close(runs)
		<-release
		_, err := c.Fetch("b", "/get")
		return fmt.Sprint(err), nil
	}
	w := newWorld(t, old)
	w.host.drainLimit = time.Hour
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/call", world.ErrEnding.Error()) })
	<-runs
	w.swapIn(scripted.Memory())
	wg.Go(func() { w.host.End(time.Hour) })
	eventually(t, "the end has begun", w.host.hasEnded)
	close(release)
	wg.Wait()
}
