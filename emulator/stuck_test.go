package emulator

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
)

// lines are the messages of a log.
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

// take returns what was logged since the last time.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// A guard is a lookout of w's program that looks when the test tells it to: no time
// has to pass.
type guard struct {
	*lookout
	t   *testing.T
	log *lines
}

func newGuard(w *world) *guard {
	g := &guard{lookout: newLookout(w.host.current, stuckAfter), t: w.t, log: &lines{}}
	g.lookout.log = slog.New(g.log)
	return g
}

// pass looks as often as the lookout does in d.
func (g *guard) pass(d time.Duration) {
	for range d / g.every {
		g.look()
	}
}

// expect compares what was logged since the last time with want.
func (g *guard) expect(want ...string) {
	g.t.Helper()
	if got := g.log.take(); !slices.Equal(got, want) {
		g.t.Errorf("got log\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A hang is what handlers hang in until it is released.
type hang struct {
	in      chan struct{} // gets one for each handler that hangs
	out     chan struct{}
	release func()
}

func newHang(t *testing.T) *hang {
	h := &hang{in: make(chan struct{}, 100), out: make(chan struct{})}
	h.release = sync.OnceFunc(func() { close(h.out) })
	t.Cleanup(h.release)
	return h
}

func (h *hang) here(*call) (string, error) {
	h.in <- struct{}{}
	<-h.out
	return "after all", nil
}

const warn10 = "seems stuck: for 10s it has kept its turn and asked for nothing"

func TestAStuckHandlerIsNamedWithItsStack(t *testing.T) {
	h := newHang(t)
	s := newScript(nil)
	var w *world
	s.handlers = map[string]func(*call) (string, error){
		"/hang?really": h.here,
		"/hi":          func(c *call) (string, error) { s.note("hi of %s", c.object); return "hi", nil },
		"stack": func(*call) (string, error) {
			return "goroutine 7 [chan receive]:\nmain.(*Lab).ServeHTTP(...)\n\t" + filepath.ToSlash(w.project) + "/lab.go:12 +0x1d\n", nil
		},
	}
	w = newWorld(t, s)
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/hang?really", "after all") })
	<-h.in
	const stack = "\ngoroutine 7 [chan receive]:\nmain.(*Lab).ServeHTTP(...)\n\tlab.go:12 +0x1d"

	g.look()
	g.pass(7500 * time.Millisecond)
	g.expect()
	g.pass(2500 * time.Millisecond)
	g.expect("WARN Lab/a GET /hang " + warn10 + stack)

	// Others go on, and those behind it wait.
	w.want("b", "/hi", "hi")
	for i := range 2 {
		wg.Go(func() { w.want("a", "/hi", "hi") })
		eventually(t, "the request waits", func() bool { return w.object("Lab", "a").queued() == i+1 })
	}
	g.pass(10 * time.Second)
	g.expect("WARN Lab/a GET /hang seems stuck: for 20s it has kept its turn and asked for nothing, and 2 events wait behind it" + stack)
	g.pass(17500 * time.Millisecond)
	g.expect()
	g.pass(2500 * time.Millisecond)
	g.expect("WARN Lab/a GET /hang seems stuck: for 40s it has kept its turn and asked for nothing, and 2 events wait behind it" + stack)
	if got, want := s.notes(), "hi of b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	h.release()
	wg.Wait()
	g.look()
	g.expect("INFO Lab/a GET /hang has ended after 40s")
	g.pass(time.Minute)
	g.expect()
}

func TestAHandlerThatGoesOnIsNoLongerStuck(t *testing.T) {
	h := newHang(t)
	again := newHang(t)
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/hang": func(c *call) (string, error) {
			h.here(c) //nolint:errcheck // it has none
			c.now()
			return again.here(c)
		},
		"stack": func(*call) (string, error) { return "here", nil },
	}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/hang", "after all") })
	<-h.in
	g.look()
	g.pass(12500 * time.Millisecond)
	g.expect("WARN Lab/a GET /hang " + warn10 + "\nhere")
	h.release()
	<-again.in
	g.look()
	g.expect("INFO Lab/a GET /hang goes on after 12.5s")
	g.pass(7500 * time.Millisecond)
	g.expect()
	g.pass(2500 * time.Millisecond)
	g.expect("WARN Lab/a GET /hang " + warn10 + "\nhere")
	again.release()
	wg.Wait()
}

// What hangs is named by what it is, whatever that is.
func TestEveryKindOfHandlerCanBeStuck(t *testing.T) {
	const path = "/hang"
	for _, test := range []struct {
		what     string
		handlers func(h *hang) map[string]func(*call) (string, error)
		then     func(w *world)
		answered bool // before it hangs
		want     string
	}{
		{"an alarm", func(h *hang) map[string]func(*call) (string, error) {
			return map[string]func(*call) (string, error){
				path:    func(c *call) (string, error) { return "after all", c.setAlarm(time.Second) },
				"alarm": h.here,
			}
		}, func(w *world) {
			eventually(w.t, "the alarm is set", func() bool { _, set := w.alarm("a"); return set })
			w.moveOn(time.Second)
		}, true, "Lab/a alarm " + warn10},
		{"a constructor", func(h *hang) map[string]func(*call) (string, error) {
			return map[string]func(*call) (string, error){
				path:        func(*call) (string, error) { return "after all", nil },
				"construct": h.here,
			}
		}, nil, false, "Lab/a constructor (for GET /hang) " + warn10},
		{"what goes on after the response", func(h *hang) map[string]func(*call) (string, error) {
			return map[string]func(*call) (string, error){
				path: func(c *call) (string, error) {
					return "after all", c.background(func(c *call) error { _, err := h.here(c); return err })
				},
			}
		}, nil, true, "Lab/a waitUntil " + warn10},
		{"a block", func(h *hang) map[string]func(*call) (string, error) {
			return map[string]func(*call) (string, error){
				path: func(c *call) (string, error) {
					if err := c.plain(wire.MethodBlock); err != nil {
						return "", err
					}
					h.here(c) //nolint:errcheck // it has none
					return "after all", c.plain(wire.MethodUnblock)
				},
			}
		}, nil, false, "Lab/a GET /hang " + warn10},
		{"after a sleep", func(h *hang) map[string]func(*call) (string, error) {
			return map[string]func(*call) (string, error){
				path: func(c *call) (string, error) {
					if err := c.sleep(time.Second); err != nil {
						return "", err
					}
					return h.here(c)
				},
			}
		}, func(w *world) {
			eventually(w.t, "it sleeps", func() bool { _, pending := w.clock.Next(); return pending })
			if err := w.clock.Resume(); err != nil {
				w.t.Error(err)
			}
		}, false, "Lab/a GET /hang " + warn10},
		{"a handler that another one has called", func(h *hang) map[string]func(*call) (string, error) {
			return map[string]func(*call) (string, error){
				path: func(c *call) (string, error) { return c.fetch("b", "/b") },
				"/b": h.here,
			}
		}, nil, false, "Lab/b GET /b " + warn10},
	} {
		t.Run(test.what, func(t *testing.T) {
			h := newHang(t)
			handlers := test.handlers(h)
			handlers["stack"] = func(*call) (string, error) { return "here", nil }
			w := newWorld(t, newScript(handlers))
			g := newGuard(w)
			var wg, asked sync.WaitGroup
			asked.Go(func() { w.want("a", path, "after all") })
			if test.then != nil {
				wg.Go(func() { test.then(w) })
			}
			<-h.in
			if test.answered { // the worker, which waited for the object, runs once more
				asked.Wait()
			}
			eventually(t, "nothing else runs", func() bool {
				return !slices.ContainsFunc(w.running(), func(ev *event) bool { return ev.obj == nil && ev.onItsOwn() })
			})
			g.look()
			g.pass(10 * time.Second)
			g.expect("WARN " + test.want + "\nhere")
			h.release()
			asked.Wait()
			wg.Wait()
		})
	}
}

func TestWhatWaitsIsNotStuck(t *testing.T) {
	block := func(f func(h *hang, c *call) error) func(*hang, *call) error {
		return func(h *hang, c *call) error {
			return errors.Join(c.plain(wire.MethodBlock), f(h, c), c.plain(wire.MethodUnblock))
		}
	}
	sleep := func(_ *hang, c *call) error { return c.sleep(time.Second) }
	body := func(h *hang, c *call) error { // as when a body is slow to come
		err := c.plain(wire.MethodPause)
		h.here(c) //nolint:errcheck // it has none
		return errors.Join(err, c.plain(wire.MethodResume))
	}
	outside := func(h *hang, c *call) error {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { h.here(c) })) //nolint:errcheck // it has none
		defer server.Close()
		q := &wire.Subrequest{Event: c.event, Request: wire.Request{Method: "GET", URL: server.URL}}
		_, err := op[wire.Response](c, wire.MethodSubrequest, q)
		return err
	}
	several := func(h *hang, c *call) error {
		fetched := make(chan error, 1)
		go func() { fetched <- outside(h, c) }()
		<-h.in
		err := errors.Join(c.plain(wire.MethodPause), c.plain(wire.MethodResume))
		c.s.note("back")
		return errors.Join(err, <-fetched)
	}
	another := func(_ *hang, c *call) error { _, err := c.fetch("b", "/hang"); return err }
	busy := []string{"WARN Lab/b GET /hang " + warn10 + "\nhere"}

	for _, test := range []struct {
		what    string
		handler func(*hang, *call) error
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
			s := newScript(map[string]func(*call) (string, error){
				"/wait": func(c *call) (string, error) { return "", test.handler(h, c) },
				"/hang": h.here,
				"stack": func(*call) (string, error) { return "here", nil },
			})
			w := newWorld(t, s)
			g := newGuard(w)
			var wg sync.WaitGroup
			wg.Go(func() { w.want("a", "/wait", "") })
			eventually(t, "it waits", func() bool { return w.waiting("a") && s.notes() == test.notes })
			if test.want != nil {
				<-h.in
			}
			g.look()
			g.pass(10 * time.Second)
			g.expect(test.want...)
			h.release()
			if test.sleeps {
				w.awaitSleepers(1)
				w.moveOn(time.Second)
			}
			wg.Wait()
		})
	}
}

// waiting reports whether an event of the object, or of the worker for no name, waits for something other
// than its turn, which it may get at any time.
func (w *world) waiting(name string) bool {
	for _, ev := range w.running() {
		if name == "" && ev.obj == nil || ev.obj != nil && ev.obj == w.object("Lab", name) {
			return ev.atRest()
		}
	}
	return false
}

func TestAHandlerThatAsksNowAndThenIsNotStuck(t *testing.T) {
	next, done := make(chan struct{}), make(chan struct{})
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/work": func(c *call) (string, error) {
			for range next {
				c.now()
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
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"worker": h.here,
		"stack":  func(*call) (string, error) { return "here", nil },
	}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("", "/hang", "after all") })
	<-h.in
	g.look()
	g.pass(10 * time.Second)
	g.expect("WARN worker w GET /hang seems stuck: for 10s it has neither answered nor asked for anything\nhere")
	h.release()
	wg.Wait()
}

// A worker has no turn to give up, so it must not look stuck while bodies take long.
func TestAWorkerThatWaitsForBodiesIsNotStuck(t *testing.T) {
	h := newHang(t)
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"worker": func(c *call) (string, error) {
			if _, err := c.stream.Read(make([]byte, 1)); err != io.EOF {
				return "", fmt.Errorf("read body: got %w, want its end", err)
			}
			if err := c.stream.Answer(&wire.Response{Status: 200, ContentLength: -1}, false); err != nil {
				return "", err
			}
			h.here(c) //nolint:errcheck // it has none
			return "", c.stream.CloseWrite()
		},
	}))
	g := newGuard(w)
	body, end := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		resp, err := w.server.Client().Post(w.server.URL, "text/plain", body)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the worker reads", func() bool { return w.waiting("") })
	g.look()
	g.pass(time.Minute)
	end.Close()
	<-h.in
	eventually(t, "its response is on its way", func() bool { return w.waiting("") })
	g.look()
	g.pass(time.Minute)
	g.expect()
	h.release()
	wg.Wait()
}

func TestAProgramThatDoesNotAnswerIsAskedForOneStackAtATime(t *testing.T) {
	h := newHang(t)
	asked := newHang(t)
	w := newWorld(t, newScript(map[string]func(*call) (string, error){"/hang": h.here, "stack": asked.here}))
	g := newGuard(w)
	g.timeout = time.Millisecond
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		wg.Go(func() { w.want(name, "/hang", "after all") })
		<-h.in
	}
	g.look()
	g.pass(10 * time.Second)
	const mute = "; its program does not answer either (has a debugger stopped it?)"
	g.expect("WARN Lab/a GET /hang "+warn10+mute, "WARN Lab/b GET /hang "+warn10+mute)
	<-asked.in
	if n := len(asked.in); n > 0 {
		t.Errorf("got %d further questions, want none", n)
	}
	asked.release()
	h.release()
	wg.Wait()
}

// An SDK need not know what a stack is.
func TestAStuckHandlerIsNamedWithoutItsStackToo(t *testing.T) {
	h := newHang(t)
	w := newWorld(t, newScript(map[string]func(*call) (string, error){"/hang": h.here}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/hang", "after all") })
	<-h.in
	g.look()
	g.pass(10 * time.Second)
	g.expect("WARN Lab/a GET /hang " + warn10 + "; where it stands is not known: unknown method 20")
	h.release()
	wg.Wait()
}

func TestAnEventThatWaitsForItselfIsNamedAtOnce(t *testing.T) {
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/a": func(c *call) (string, error) {
			if err := c.plain(wire.MethodBlock); err != nil {
				return "", err
			}
			return c.fetch("b", "/b")
		},
		"/b":    func(c *call) (string, error) { return c.fetch("a", "/last") },
		"/last": func(*call) (string, error) { return "last", nil },
	}))
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, body := w.get("a", "/a"); status != 500 || !strings.Contains(body, "BlockConcurrencyWhile") {
			t.Errorf("got %d %q, want the reset", status, body)
		}
	})
	eventually(t, "it waits for itself", func() bool { o := w.object("Lab", "a"); return o != nil && o.queued() == 1 })
	g.look()
	g.expect("WARN Lab/a GET /a waits for itself: in its constructor, a transaction or BlockConcurrencyWhile it has called Lab/b GET /b, which has called Lab/a GET /last, which waits for the turn that Lab/a keeps; the object is reset when that has lasted for 30s of the clock, which is frozen: `devtool time advance 30s` gets there")
	g.pass(time.Minute)
	g.expect()
	w.moveOn(30 * time.Second)
	wg.Wait()
	g.look()
	g.expect()
}

// Whoever waits for a turn that is only kept for long does not wait for himself.
func TestWaitingForABlockIsNoCircle(t *testing.T) {
	h := newHang(t)
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/a": func(c *call) (string, error) {
			if err := c.plain(wire.MethodBlock); err != nil {
				return "", err
			}
			if err := c.sleep(time.Second); err != nil {
				return "", err
			}
			return "", c.plain(wire.MethodUnblock)
		},
		"/b":    func(c *call) (string, error) { return c.fetch("a", "/last") },
		"/last": h.here,
	}))
	h.release()
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/a", "") })
	w.awaitSleepers(1)
	wg.Go(func() { w.want("b", "/b", "after all") })
	eventually(t, "the other waits", func() bool { return w.object("Lab", "a").queued() == 1 })
	g.look()
	g.pass(time.Minute)
	g.expect()
	w.moveOn(time.Second)
	wg.Wait()
}

// A turn that one of a handler's goroutines has, and no block keeps, may still be given up.
func TestATurnThatIsNotKeptIsNoCircle(t *testing.T) {
	h := newHang(t)
	called := make(chan struct{})
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/a": func(c *call) (string, error) {
			fetched := make(chan error, 1)
			go func() { _, err := c.fetch("b", "/b"); fetched <- err }()
			<-called
			err := c.plain(wire.MethodResume)
			h.here(c) //nolint:errcheck // it has none
			return "", errors.Join(err, c.plain(wire.MethodPause), <-fetched)
		},
		"/b":    func(c *call) (string, error) { close(called); <-h.in; return c.fetch("a", "/last") },
		"/last": func(*call) (string, error) { return "", nil },
	}
	w := newWorld(t, s)
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/a", "") })
	eventually(t, "the turn is wanted", func() bool { o := w.object("Lab", "a"); return o != nil && o.queued() == 1 })
	g.look()
	g.expect()
	h.release()
	wg.Wait()
}

func TestTheEmulatorLooksOutByItself(t *testing.T) {
	h := newHang(t)
	asked := make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	w := newWorld(t, newScript(nil))
	w.host.stuckAfter = 4 * time.Millisecond
	w.swapIn(newScript(map[string]func(*call) (string, error){
		"/hang": h.here,
		"stack": func(*call) (string, error) { once(); return "here", nil },
	}))
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/hang", "after all") })
	<-asked
	h.release()
	wg.Wait()
}
