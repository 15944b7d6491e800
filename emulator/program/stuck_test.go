package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/world"
)

// lines collects the messages of a log.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, r.Level.String()+" "+r.Message)
	return nil
}

// take returns the lines that were logged since the last call.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// A guard looks for stuck handlers of w's program when the test calls look, so that no time has to
// pass.
type guard struct {
	*watchdog
	t   *testing.T
	log *lines
}

func newGuard(w *testWorld) *guard {
	g := &guard{watchdog: newWatchdog(w.host.current, stuckAfter), t: w.t, log: &lines{}}
	g.watchdog.log = slog.New(g.log)
	return g
}

// pass looks as often as the emulator would in d.
func (g *guard) pass(d time.Duration) {
	for range d / g.every {
		g.look()
	}
}

// expect compares the lines that were logged since the last call with want.
func (g *guard) expect(want ...string) {
	g.t.Helper()
	if got := g.log.take(); !slices.Equal(got, want) {
		g.t.Errorf("got log\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// newHang returns a Hang that is released at the end of the test.
func newHang(t *testing.T) *scripted.Hang {
	h := scripted.NewHang()
	t.Cleanup(h.Release)
	return h
}

const warn10 = "seems stuck: for 10s it has kept its turn and asked for nothing"

func TestAStuckHandlerIsNamedWithItsStack(t *testing.T) {
	h := newHang(t)
	s := scripted.New(nil)
	var w *testWorld
	s.Handlers = handlers{
		"/hang?really": h.Here,
		"/hi":          func(c *call) (string, error) { s.Note("hi of %s", c.Object); return "hi", nil },
		"stack": func(*call) (string, error) {
			lab := filepath.ToSlash(w.host.Dir) + "/lab.go"
			return "goroutine 7 [chan receive]:\nmain.(*Lab).ServeHTTP(...)\n\t" + lab + ":12 +0x1d\n", nil
		},
	}
	w = newWorld(t, s)
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/hang?really", "after all") })
	<-h.In
	const stack = "\ngoroutine 7 [chan receive]:\nmain.(*Lab).ServeHTTP(...)\n\tlab.go:12 +0x1d"

	g.look()
	g.pass(7500 * time.Millisecond)
	g.expect()
	g.pass(2500 * time.Millisecond)
	g.expect("WARN Lab/a GET /hang " + warn10 + stack)

	// Other objects go on; other events of this object wait.
	w.want("b", "/hi", "hi")
	for i := range 2 {
		wg.Go(func() { w.want("a", "/hi", "hi") })
		w.awaitBehind("a", i+1)
	}
	g.pass(10 * time.Second)
	const behind = "it has kept its turn and asked for nothing, and 2 events wait behind it" + stack
	g.expect("WARN Lab/a GET /hang seems stuck: for 20s " + behind)
	g.pass(17500 * time.Millisecond)
	g.expect()
	g.pass(2500 * time.Millisecond)
	g.expect("WARN Lab/a GET /hang seems stuck: for 40s " + behind)
	if got, want := s.Notes(), "hi of b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	h.Release()
	wg.Wait()
	g.look()
	g.expect("INFO Lab/a GET /hang has ended after 40s")
	g.pass(time.Minute)
	g.expect()
}

// A handler that has answered has ended, even while its caller cannot go on yet.
func TestAHandlerHasEndedAlthoughItsCallerWaitsForItsTurn(t *testing.T) {
	h, busy := newHang(t), newHang(t)
	w := newWorld(t, scripted.New(handlers{
		"/call": func(c *call) (string, error) { return c.Fetch("b", "/hang") },
		"/hang": h.Here,
		"/busy": busy.Here,
		"/hi":   func(*call) (string, error) { return "hi", nil },
		"stack": func(*call) (string, error) { return "here", nil },
	}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/call", "after all") })
	<-h.In
	wg.Go(func() { w.want("a", "/busy", "after all") })
	<-busy.In
	g.look()
	g.pass(10 * time.Second)
	g.expect("WARN Lab/b GET /hang "+warn10+"\nhere", "WARN Lab/a GET /busy "+warn10+"\nhere")

	h.Release()
	w.want("b", "/hi", "hi") // which gets its turn when the other has ended
	g.look()
	g.expect("INFO Lab/b GET /hang has ended after 10s")
	busy.Release()
	wg.Wait()
	g.look()
	g.expect("INFO Lab/a GET /busy has ended after 12.5s")
}

func TestAHandlerThatGoesOnIsNoLongerStuck(t *testing.T) {
	h := newHang(t)
	again := newHang(t)
	w := newWorld(t, scripted.New(handlers{
		"/hang": func(c *call) (string, error) {
			h.Here(c) //nolint:errcheck // it has none
			c.Now()
			return again.Here(c)
		},
		"stack": func(*call) (string, error) { return "here", nil },
	}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/hang", "after all") })
	<-h.In
	g.look()
	g.pass(12500 * time.Millisecond)
	g.expect("WARN Lab/a GET /hang " + warn10 + "\nhere")
	h.Release()
	<-again.In
	g.look()
	g.expect("INFO Lab/a GET /hang goes on after 12.5s")
	g.pass(7500 * time.Millisecond)
	g.expect()
	g.pass(2500 * time.Millisecond)
	g.expect("WARN Lab/a GET /hang " + warn10 + "\nhere")
	again.Release()
	wg.Wait()
}

// The warning names every kind of event.
func TestEveryKindOfHandlerCanBeStuck(t *testing.T) {
	t.Parallel()
	const path = "/hang"
	for _, test := range []struct {
		what     string
		handlers func(h *scripted.Hang) handlers
		then     func(w *testWorld)
		answered bool // before it hangs
		want     string
	}{
		{"an alarm", func(h *scripted.Hang) handlers {
			return handlers{
				path:    func(c *call) (string, error) { return "after all", c.SetAlarm(time.Second) },
				"alarm": h.Here,
			}
		}, func(w *testWorld) {
			eventually(w.t, "the alarm is set", func() bool { return w.isSet("a") })
			w.moveOn(time.Second)
		}, true, "Lab/a alarm " + warn10},
		{"a constructor", func(h *scripted.Hang) handlers {
			return handlers{
				path:        func(*call) (string, error) { return "after all", nil },
				"construct": h.Here,
			}
		}, nil, false, "Lab/a constructor (for GET /hang) " + warn10},
		{"what goes on after the response", func(h *scripted.Hang) handlers {
			return handlers{
				path: func(c *call) (string, error) {
					return "after all", c.Background(func(c *call) error { _, err := h.Here(c); return err })
				},
			}
		}, nil, true, "Lab/a waitUntil " + warn10},
		{"a block", func(h *scripted.Hang) handlers {
			return handlers{
				path: func(c *call) (string, error) {
					if err := c.Plain(wire.MethodBlock); err != nil {
						return "", err
					}
					h.Here(c) //nolint:errcheck // it has none
					return "after all", c.Plain(wire.MethodUnblock)
				},
			}
		}, nil, false, "Lab/a GET /hang " + warn10},
		{"after a sleep", func(h *scripted.Hang) handlers {
			return handlers{
				path: func(c *call) (string, error) {
					if err := c.Sleep(time.Second); err != nil {
						return "", err
					}
					return h.Here(c)
				},
			}
		}, func(w *testWorld) {
			eventually(w.t, "it sleeps", func() bool { _, pending := w.world.Clock().Next(); return pending })
			if err := w.world.Clock().Resume(); err != nil {
				w.t.Error(err)
			}
		}, false, "Lab/a GET /hang " + warn10},
		{"a handler that another one has called", func(h *scripted.Hang) handlers {
			return handlers{
				path: func(c *call) (string, error) { return c.Fetch("b", "/b") },
				"/b": h.Here,
			}
		}, nil, false, "Lab/b GET /b " + warn10},
	} {
		t.Run(test.what, func(t *testing.T) {
			h := newHang(t)
			handlers := test.handlers(h)
			handlers["stack"] = func(*call) (string, error) { return "here", nil }
			w := newWorld(t, scripted.New(handlers))
			g := newGuard(w)
			var wg, asked sync.WaitGroup
			asked.Go(func() { w.want("a", path, "after all") })
			if test.then != nil {
				wg.Go(func() { test.then(w) })
			}
			<-h.In
			if test.answered { // the worker, which waited for the object, runs once more
				asked.Wait()
			}
			eventually(t, "nothing else runs", func() bool {
				return !slices.ContainsFunc(w.running(), func(ev *world.Event) bool {
					return ev.Object() == nil && ev.OnItsOwn()
				})
			})
			g.look()
			g.pass(10 * time.Second)
			g.expect("WARN " + test.want + "\nhere")
			h.Release()
			asked.Wait()
			wg.Wait()
		})
	}
}

func TestWhatWaitsIsNotStuck(t *testing.T) {
	block := func(f func(h *scripted.Hang, c *call) error) func(*scripted.Hang, *call) error {
		return func(h *scripted.Hang, c *call) error {
			return errors.Join(c.Plain(wire.MethodBlock), f(h, c), c.Plain(wire.MethodUnblock))
		}
	}
	sleep := func(_ *scripted.Hang, c *call) error { return c.Sleep(time.Second) }
	body := func(h *scripted.Hang, c *call) error { // as when a body is slow to come
		err := c.Plain(wire.MethodPause)
		h.Here(c) //nolint:errcheck // it has none
		return errors.Join(err, c.Plain(wire.MethodResume))
	}
	outside := func(h *scripted.Hang, c *call) error {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			h.Here(c) //nolint:errcheck // it has none
		}))
		defer server.Close()
		q := &wire.Subrequest{Event: c.Event, Request: wire.Request{Method: "GET", URL: server.URL}}
		_, err := scripted.Op[wire.Response](c, wire.MethodSubrequest, q)
		return err
	}
	several := func(h *scripted.Hang, c *call) error {
		fetched := make(chan error, 1)
		go func() { fetched <- outside(h, c) }()
		<-h.In
		err := errors.Join(c.Plain(wire.MethodPause), c.Plain(wire.MethodResume))
		c.Program.Note("back")
		return errors.Join(err, <-fetched)
	}
	another := func(_ *scripted.Hang, c *call) error { _, err := c.Fetch("b", "/hang"); return err }
	busy := []string{"WARN Lab/b GET /hang " + warn10 + "\nhere"}

	for _, test := range []struct {
		what    string
		handler func(*scripted.Hang, *call) error
		notes   string // what it notes before it waits
		sleeps  bool
		want    []string
	}{
		{"for the clock", sleep, "", true, nil},
		{"for the clock, with its turn", block(sleep), "", true, nil},
		{"for a body", body, "", false, nil},
		{"for a body, with its turn", block(body), "", false, nil},
		{"for the outside", outside, "", false, nil},
		{"for the outside, with its turn", block(outside), "", false, nil},
		{"for the outside in one of several goroutines, with its turn", block(several), "back", false, nil},
		{"for another object", another, "", false, busy},
		{"for another object, with its turn", block(another), "", false, busy},
	} {
		t.Run(test.what, func(t *testing.T) {
			h := newHang(t)
			s := scripted.New(handlers{
				"/wait": func(c *call) (string, error) { return "", test.handler(h, c) },
				"/hang": h.Here,
				"stack": func(*call) (string, error) { return "here", nil },
			})
			w := newWorld(t, s)
			g := newGuard(w)
			var wg sync.WaitGroup
			wg.Go(func() { w.want("a", "/wait", "") })
			eventually(t, "it waits", func() bool { return w.waiting("a") && s.Notes() == test.notes })
			if test.want != nil {
				<-h.In
			}
			g.look()
			g.pass(10 * time.Second)
			g.expect(test.want...)
			h.Release()
			if test.sleeps {
				w.awaitTimer(time.Second)
				w.moveOn(time.Second)
			}
			wg.Wait()
		})
	}
}

// waiting reports whether an event of the object waits for something, or one of the worker if name
// is empty.
func (w *testWorld) waiting(name string) bool {
	for _, ev := range w.running() {
		if o := ev.Object(); name == "" && o == nil || o != nil && o.String() == "Lab/"+name {
			return !ev.OnItsOwn()
		}
	}
	return false
}

func TestAHandlerThatAsksNowAndThenIsNotStuck(t *testing.T) {
	next, done := make(chan struct{}), make(chan struct{})
	w := newWorld(t, scripted.New(handlers{
		"/work": func(c *call) (string, error) {
			for range next {
				c.Now()
				done <- struct{}{}
			}
			return "", nil
		},
	}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/work", "") })
	for range 10 {
		next <- struct{}{}
		<-done
		g.pass(7500 * time.Millisecond)
	}
	g.expect()
	close(next)
	wg.Wait()
}

func TestAStuckWorkerIsNamed(t *testing.T) {
	h := newHang(t)
	w := newWorld(t, scripted.New(handlers{
		"worker": h.Here,
		"stack":  func(*call) (string, error) { return "here", nil },
	}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("", "/hang", "after all") })
	<-h.In
	g.look()
	g.pass(10 * time.Second)
	g.expect("WARN worker w GET /hang seems stuck: for 10s it has neither answered nor asked for anything\nhere")
	h.Release()
	wg.Wait()
}

func TestStuckWorkOfTheWorkerIsNamed(t *testing.T) {
	h := newHang(t)
	s := laterScript(func(c *call) error { _, err := h.Here(c); return err })
	s.Handlers["stack"] = func(*call) (string, error) { return "here", nil }
	w := newWorld(t, s)
	g := newGuard(w)
	w.want("", "/hang", "answered")
	<-h.In
	g.look()
	g.pass(10 * time.Second)
	g.expect("WARN worker w waitUntil seems stuck: for 10s it has neither ended nor asked for anything\nhere")
}

// A worker has no turn to give up, so it must not look stuck while bodies take long.
func TestAWorkerThatWaitsForBodiesIsNotStuck(t *testing.T) {
	h := newHang(t)
	w := newWorld(t, scripted.New(handlers{
		"worker": func(c *call) (string, error) {
			if _, err := c.Stream.Read(make([]byte, 1)); err != io.EOF {
				return "", fmt.Errorf("read body: got %w, want its end", err)
			}
			if err := c.Stream.Answer(&wire.Response{Status: 200, ContentLength: -1}, false); err != nil {
				return "", err
			}
			h.Here(c) //nolint:errcheck // it has none
			return "", c.Stream.CloseWrite()
		},
	}))
	g := newGuard(w)
	body, end := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, answer := w.send("", "/", body); status != 200 {
			t.Errorf("got %d %q, want a response", status, answer)
		}
	})
	eventually(t, "the worker reads", func() bool { return w.waiting("") })
	g.look()
	g.pass(time.Minute)
	end.Close()
	<-h.In
	eventually(t, "its response is on its way", func() bool { return w.waiting("") })
	g.look()
	g.pass(time.Minute)
	g.expect()
	h.Release()
	wg.Wait()
}

func TestAProgramThatDoesNotAnswerIsAskedForOneStackAtATime(t *testing.T) {
	h := newHang(t)
	asked := newHang(t)
	w := newWorld(t, scripted.New(handlers{"/hang": h.Here, "stack": asked.Here}))
	g := newGuard(w)
	g.timeout = time.Millisecond
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		wg.Go(func() { w.want(name, "/hang", "after all") })
		<-h.In
	}
	g.look()
	g.pass(10 * time.Second)
	const mute = "; its program does not answer either (has a debugger stopped it?)"
	g.expect("WARN Lab/a GET /hang "+warn10+mute, "WARN Lab/b GET /hang "+warn10+mute)
	<-asked.In
	if n := len(asked.In); n > 0 {
		t.Errorf("got %d further requests for a stack, want none", n)
	}
	asked.Release()
	h.Release()
	wg.Wait()
}

// An older SDK does not answer the request for a stack.
func TestAStuckHandlerIsNamedWithoutItsStackToo(t *testing.T) {
	h := newHang(t)
	w := newWorld(t, scripted.New(handlers{"/hang": h.Here}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/hang", "after all") })
	<-h.In
	g.look()
	g.pass(10 * time.Second)
	g.expect("WARN Lab/a GET /hang " + warn10 + "; where it stands is not known: unknown method 20")
	h.Release()
	wg.Wait()
}

func TestTheRunnerLooksForStuckHandlersByItself(t *testing.T) {
	h := newHang(t)
	asked := make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	w := newWorld(t, scripted.New(nil))
	w.host.stuckAfter = 4 * time.Millisecond
	w.swapIn(scripted.New(handlers{
		"/hang": h.Here,
		"stack": func(*call) (string, error) { once(); return "here", nil },
	}))
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/hang", "after all") })
	<-asked
	h.Release()
	wg.Wait()
}
