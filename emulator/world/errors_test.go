package world

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

// A caller is an object whose requests to the object "callee" fail.
type caller struct {
	scripted.Caller
	w *world
}

// newCaller gives s a handler "/ask" that calls another handler of the object "callee", and starts
// a world of s.
func newCaller(t *testing.T, s *script) *caller {
	c := &caller{}
	s.handlers["/ask"] = func(call *call) (string, error) { return c.Relay(call.fetch) }
	c.w = newWorld(t, s)
	return c
}

// ask requests path of the object "callee", and returns the error that the caller gets, or nil.
func (c *caller) ask(path string) *wire.Error {
	c.w.t.Helper()
	return c.Ask(c.w.t, c.w.get, path)
}

func TestACallerGetsTheErrorOfTheObject(t *testing.T) {
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
			return "", &wire.Error{Message: "no luck there", Remote: true, ObjectID: labID("another")}
		},
		// The SDK does this when a function fails in BlockConcurrencyWhile.
		"/block": func(c *call) (string, error) {
			err := c.plain(wire.MethodBlock)
			return "", errors.Join(err, c.reset("not loaded"), errors.New("and this is what the handler says"))
		},
	} {
		s.handlers[path] = handler
	}
	c := newCaller(t, s)
	id := labID("callee")
	for _, tt := range scripted.CalleeErrors() {
		t.Run(tt.Name, func(t *testing.T) {
			c.w.want("callee", "/get", "") // it is in memory
			before := strings.Count(s.notes(), "construct:callee")
			scripted.WantError(t, c.ask(tt.Path), tt.Want)
			if err := c.ask("/get"); err != nil {
				t.Errorf("the next call: got %v, want it to work", err)
			}
			if got := strings.Count(s.notes(), "construct:callee") > before; got != tt.Constructs {
				t.Errorf("constructed again: %t, want %t", got, tt.Constructs)
			}
		})
	}
	t.Run("constructor", func(t *testing.T) {
		c.ask("/reset")
		for _, failing = range []string{"not yet", "still not"} { // each call tries again
			scripted.WantError(t, c.ask("/get"), wire.Error{Message: failing, Remote: true, Reset: true, ObjectID: id})
		}
		failing = ""
		if err := c.ask("/get"); err != nil {
			t.Errorf("got %v, want the constructor to have worked", err)
		}
	})
}

func TestACallerGetsTheErrorOfABlockThatTookTooLong(t *testing.T) {
	t.Parallel()
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
	var got *wire.Error
	var wg sync.WaitGroup
	wg.Go(func() { got = c.ask("/block") })
	eventually(t, "the handler blocks", func() bool { return s.notes() == "blocked" })
	c.w.moveOn(30 * time.Second)
	wg.Wait()
	scripted.WantError(t, got, wire.Error{
		Message:    errBlockLimit.Message,
		Remote:     true,
		Overloaded: true,
		Reset:      true,
		ObjectID:   labID("callee"),
	})
}

func TestACallerGetsTheErrorOfAFailedCommit(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/end": func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
	}
	c := newCaller(t, s)
	c.w.breakIndex()
	got := c.ask("/end")
	if got == nil || got.Message == "" {
		t.Fatalf("got %v, want an error with a message", got)
	}
	scripted.WantError(t, got, wire.Error{Message: got.Message, Remote: true, Reset: true, ObjectID: labID("callee")})
}

// A reset fails every event of the object: one that runs, one that has given its turn up, and those
// that have not begun.
func TestAResetFailsEveryEventOfTheObject(t *testing.T) {
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
			got := scripted.WireError(w.deliver("a", path))
			scripted.WantError(t, got, wire.Error{Message: "enough", Remote: true, Reset: true, ObjectID: labID("a")})
		})
	}
	ask("/sleep")
	eventually(t, "one sleeps", func() bool {
		return strings.Contains(s.notes(), "sleeps") && w.object("Lab", "a").turnIsFree()
	})
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

// deliver sends a request to an object of class Lab, past the worker, and returns the error that a
// caller would see. The caller is outside the program, so the program may end meanwhile.
func (w *world) deliver(name, path string) error {
	return w.deliverTo(objectid.FromName("w-Lab", "", name), name, path)
}

func (w *world) deliverTo(id objectid.ID, name, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var seen error
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
			seen = err
			if ev != nil {
				seen = CallerError(ev, err)
			}
		},
	})
	return seen
}

func TestACallerGetsAnErrorWhenTheProgramCrashes(t *testing.T) {
	s := memoryScript()
	s.handlers["/wait"] = func(c *call) (string, error) {
		s.note("waits")
		<-c.ctx.Done()
		return "", c.ctx.Err()
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() {
		got := scripted.WireError(w.deliver("a", "/wait"))
		if got == nil || !strings.HasPrefix(got.Message, "the handler program has closed its connection") {
			t.Errorf("got %v, want an error that names the crash", got)
			return
		}
		scripted.WantError(t, got, wire.Error{Message: got.Message, Retryable: true, Reset: true, ObjectID: labID("a")})
	})
	eventually(t, "the handler waits", func() bool { return strings.HasSuffix(s.notes(), "waits") })
	w.crash(memoryScript())
	wg.Wait()
	if err := w.deliver("a", "/get"); err != nil {
		t.Errorf("the next program: %v", err)
	}
}
