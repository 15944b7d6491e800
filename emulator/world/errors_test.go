package world

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
)

// A caller is an object whose requests to others fail, and what it is told.
type caller struct {
	w *world
	s *script

	mu   sync.Mutex
	told *wire.Error
}

// newCaller gives s a handler "/ask" that passes on what another handler of the object "callee"
// fails with, and starts a world of it.
func newCaller(t *testing.T, s *script) *caller {
	c := &caller{s: s}
	s.handlers["/ask"] = func(call *call) (string, error) {
		c.mu.Lock()
		ask := c.told
		c.mu.Unlock()
		text, err := call.fetch("callee", ask.Message)
		var told *wire.Error
		errors.As(err, &told)
		c.mu.Lock()
		c.told = told
		c.mu.Unlock()
		return text, nil
	}
	c.w = newWorld(t, s)
	return c
}

// ask has the object "caller" request path of the object "callee", and returns the error that
// it gets, or nil.
func (c *caller) ask(path string) *wire.Error {
	c.w.t.Helper()
	c.mu.Lock()
	c.told = &wire.Error{Message: path}
	c.mu.Unlock()
	if status, body := c.w.get("caller", "/ask"); status != 200 {
		c.w.t.Errorf("ask %s: got %d %q from the caller, want 200", path, status, body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told
}

// idOf returns the id of an object of class Lab.
func idOf(name string) string { return objectid.FromName("w-Lab", "", name).String() }

// expectTold compares what a caller was told with want, but for the stack.
func expectTold(t *testing.T, got *wire.Error, want wire.Error) {
	t.Helper()
	if got == nil {
		t.Error("got no error")
		return
	}
	c := *got
	c.Detail = ""
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestACallerIsToldWhyAnObjectFailed(t *testing.T) {
	s := memoryScript()
	construct := s.handlers["construct"]
	failing := ""
	for path, handler := range map[string]func(*call) (string, error){
		"construct": func(c *call) (string, error) {
			if c.object == "callee" && failing != "" {
				return "", errors.New(failing)
			}
			return construct(c)
		},
		"/error": func(*call) (string, error) { return "", errors.New("no luck") },
		"/panic": func(*call) (string, error) {
			return "", &wire.Error{Message: "panic: no luck", Remote: true, Detail: "goroutine 1"}
		},
		"/own": func(*call) (string, error) {
			return "", &wire.Error{Message: "later", Remote: true, Retryable: true, Overloaded: true}
		},
		"/of another": func(*call) (string, error) {
			return "", &wire.Error{Message: "no luck there", Remote: true, ObjectID: idOf("another")}
		},
		// As the SDK does it for a function that fails in BlockConcurrencyWhile.
		"/block": func(c *call) (string, error) {
			err := c.plain(wire.MethodBlock)
			return "", errors.Join(err, c.reset("not loaded"), errors.New("and this is what the handler says"))
		},
	} {
		s.handlers[path] = handler
	}
	c := newCaller(t, s)
	id := idOf("callee")
	tests := []struct {
		name, path string
		want       wire.Error
		constructs bool // the next event constructs the object anew
	}{
		{"error", "/error", wire.Error{Message: "no luck", Remote: true, ObjectID: id}, false},
		{"panic", "/panic", wire.Error{Message: "panic: no luck", Remote: true, ObjectID: id}, false},
		{"flags of its own", "/own", wire.Error{Message: "later", Remote: true, Retryable: true, Overloaded: true, ObjectID: id}, false},
		{"what another object failed with", "/of another", wire.Error{Message: "no luck there", Remote: true, ObjectID: idOf("another")}, false},
		{"a path that nothing handles", "/nowhere", wire.Error{Message: "no handler for /nowhere", Remote: true, ObjectID: id}, false},
		{"abort", "/reset", wire.Error{Message: "enough", Reset: true, ObjectID: id}, true},
		{"failure in a block", "/block", wire.Error{Message: "not loaded", Reset: true, ObjectID: id}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c.w.want("callee", "/get", "") // it is in memory
			before := strings.Count(s.notes(), "construct:callee")
			expectTold(t, c.ask(tt.path), tt.want)
			if told := c.ask("/get"); told != nil {
				t.Errorf("the next call: got %v, want it to work", told)
			}
			if got := strings.Count(s.notes(), "construct:callee") > before; got != tt.constructs {
				t.Errorf("constructed anew: %t, want %t", got, tt.constructs)
			}
		})
	}
	t.Run("constructor", func(t *testing.T) {
		c.ask("/reset")
		for _, failing = range []string{"not yet", "still not"} { // each call tries again
			expectTold(t, c.ask("/get"), wire.Error{Message: failing, Reset: true, ObjectID: id})
		}
		failing = ""
		if told := c.ask("/get"); told != nil {
			t.Errorf("got %v, want the constructor to have worked", told)
		}
	})
}

func TestACallerIsToldThatABlockTookTooLong(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/block": func(c *call) (string, error) {
			if err := c.plain(wire.MethodBlock); err != nil {
				return "", err
			}
			s.note("blocked")
			<-c.ctx.Done()
			return "", c.ctx.Err()
		},
	}
	c := newCaller(t, s)
	var told *wire.Error
	var wg sync.WaitGroup
	wg.Go(func() { told = c.ask("/block") })
	eventually(t, "the handler blocks", func() bool { return s.notes() == "blocked" })
	c.w.moveOn(30 * time.Second)
	wg.Wait()
	expectTold(t, told, wire.Error{Message: errBlockLimit.Message, Overloaded: true, Reset: true, ObjectID: idOf("callee")})
}

func TestACallerIsToldThatWritesCouldNotBeCommitted(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/end": func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
	}
	c := newCaller(t, s)
	c.w.breakIndex()
	told := c.ask("/end")
	if told == nil || told.Message == "" {
		t.Fatalf("got %v, want an error with a message", told)
	}
	expectTold(t, told, wire.Error{Message: told.Message, Reset: true, ObjectID: idOf("callee")})
}

// At a reset everybody who waits for the object is told, whether his event runs, has given
// the turn up, or has not begun.
func TestAResetFailsAllThatIsInFlight(t *testing.T) {
	s := memoryScript()
	release := make(chan struct{})
	s.handlers["/sleep"] = func(c *call) (string, error) {
		s.note("sleeps")
		return "", c.sleep(time.Hour)
	}
	s.handlers["/abort"] = func(c *call) (string, error) {
		s.note("holds")
		<-release
		return "", c.reset("enough")
	}
	w := newWorld(t, s)
	w.want("a", "/count", "1")
	var wg sync.WaitGroup
	ask := func(path string) {
		wg.Go(func() {
			expectTold(t, asTold(w.deliver("a", path)), wire.Error{Message: "enough", Reset: true, ObjectID: idOf("a")})
		})
	}
	ask("/sleep")
	eventually(t, "one sleeps", func() bool { return strings.Contains(s.notes(), "sleeps") && w.object("Lab", "a").holderIsNil() })
	ask("/abort")
	eventually(t, "one holds the turn", func() bool { return strings.Contains(s.notes(), "holds") })
	ask("/get")
	ask("/get")
	eventually(t, "two wait", func() bool {
		o := w.object("Lab", "a")
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.queue) == 2
	})
	close(release)
	wg.Wait()
	w.want("a", "/count", "1") // a new instance
}

// deliver sends a request to an object of class Lab, past the worker, and returns what the
// caller is told. The program may end meanwhile, which a caller inside of it would not see.
func (w *world) deliver(name, path string) error {
	return w.deliverTo(objectid.FromName("w-Lab", "", name), name, path)
}

func (w *world) deliverTo(id objectid.ID, name, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var told error
	w.Deliver(&Delivery{ //nolint:errcheck // Ended has it
		Kind: "fetch", Context: ctx, Entry: Impatient,
		Object:  w.namespaces["Lab"].At(Identity{id, name, true}),
		Request: &wire.Request{Method: "GET", URL: "http://lab" + path},
		Handle: func(ev *Event, inst *Instance) error {
			run := ev.Program().(*scriptRun)
			c := &call{run: run, event: ev.Number(), instance: inst.Number(), path: path}
			if _, err := run.run(inst, c, run.handlers[path]); err != nil {
				return err
			}
			return ev.Finish()
		},
		Ended: func(ev *Event, err error) {
			told = err
			if ev != nil {
				told = CallerError(ev, err)
			}
		},
	})
	return told
}

func asTold(err error) *wire.Error {
	var e *wire.Error
	errors.As(err, &e)
	return e
}

func TestACallerIsToldThatTheProgramCrashed(t *testing.T) {
	s := memoryScript()
	s.handlers["/wait"] = func(c *call) (string, error) {
		s.note("waits")
		<-c.ctx.Done()
		return "", c.ctx.Err()
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() {
		got := asTold(w.deliver("a", "/wait"))
		if got == nil || !strings.HasPrefix(got.Message, "the handler program has closed its connection") {
			t.Errorf("got %v, want an error that tells of the crash", got)
			return
		}
		expectTold(t, got, wire.Error{Message: got.Message, Retryable: true, Reset: true, ObjectID: idOf("a")})
	})
	eventually(t, "the handler waits", func() bool { return strings.HasSuffix(s.notes(), "waits") })
	w.crash(memoryScript())
	wg.Wait()
	if err := w.deliver("a", "/get"); err != nil {
		t.Errorf("the next program: %v", err)
	}
}
