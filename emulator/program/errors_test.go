package program

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

// A caller is an object whose requests to others fail, and what it is told.
type caller struct {
	w *testWorld
	s *script

	mu   sync.Mutex
	told *wire.Error
}

// newCaller gives s a handler "/ask" that passes on what another handler of the object "callee"
// fails with, and starts a world of it.
func newCaller(t *testing.T, s *script) *caller {
	c := &caller{s: s}
	s.Handlers["/ask"] = func(call *call) (string, error) {
		c.mu.Lock()
		ask := c.told
		c.mu.Unlock()
		text, err := call.Fetch("callee", ask.Message)
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
	s := scripted.Memory()
	construct := s.Handlers["construct"]
	failing := ""
	for path, handler := range (handlers{
		"construct": func(c *call) (string, error) {
			if c.Object == "callee" && failing != "" {
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
			err := c.Plain(wire.MethodBlock)
			return "", errors.Join(err, c.Reset("not loaded"), errors.New("and this is what the handler says"))
		},
		"/status": func(c *call) (string, error) {
			c.Stream.Answer(&wire.Response{Status: 42}, true) //nolint:errcheck // the caller sees it
			return "", nil
		},
	}) {
		s.Handlers[path] = handler
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
		{"a status that is none", "/status", wire.Error{Message: "the handler answered with status 42; it must be from 200 to 999"}, false},
		{"abort", "/reset", wire.Error{Message: "enough", Reset: true, ObjectID: id}, true},
		{"failure in a block", "/block", wire.Error{Message: "not loaded", Reset: true, ObjectID: id}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c.w.want("callee", "/get", "") // it is in memory
			before := strings.Count(s.Notes(), "construct:callee")
			expectTold(t, c.ask(tt.path), tt.want)
			if told := c.ask("/get"); told != nil {
				t.Errorf("the next call: got %v, want it to work", told)
			}
			if got := strings.Count(s.Notes(), "construct:callee") > before; got != tt.constructs {
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

func asTold(err error) *wire.Error {
	var e *wire.Error
	errors.As(err, &e)
	return e
}

func TestACallerIsToldThatTheProgramCrashed(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/wait"] = func(c *call) (string, error) {
		s.Note("waits")
		<-c.Context.Done()
		return "", c.Context.Err()
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
	eventually(t, "the handler waits", func() bool { return strings.HasSuffix(s.Notes(), "waits") })
	w.crash(scripted.Memory())
	wg.Wait()
	if err := w.deliver("a", "/get"); err != nil {
		t.Errorf("the next program: %v", err)
	}
}

func TestACallerIsToldThatANewVersionDidNotWait(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/wait"] = func(c *call) (string, error) {
		s.Note("waits")
		<-c.Context.Done()
		return "", c.Context.Err()
	}
	w := newWorld(t, s)
	w.host.drainLimit = time.Millisecond
	var wg sync.WaitGroup
	wg.Go(func() {
		expectTold(t, asTold(w.deliver("a", "/wait")), wire.Error{
			Message: "Durable Object reset because its code was updated.", Retryable: true, Reset: true, ObjectID: idOf("a"),
		})
	})
	eventually(t, "the handler waits", func() bool { return strings.HasSuffix(s.Notes(), "waits") })
	w.swapIn(scripted.Memory())
	wg.Wait()
}

// What is wrong with the question is no failure of an object.
func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	s := scripted.Memory()
	var q wire.Subrequest
	s.Handlers["/ask"] = func(c *call) (string, error) {
		q.Event = c.Event
		_, err := scripted.Op[wire.Response](c, wire.MethodSubrequest, &q)
		if err == nil {
			return "", nil
		}
		return "", &wire.Error{Message: "told: " + err.Error()}
	}
	w := newWorld(t, s)
	tests := []struct{ binding, id, want string }{
		{"NONE", idOf("a"), `no class is bound as "NONE"`},
		{"LAB", "", objectid.ErrMalformed.Error()},
		{"LAB", strings.Repeat("0", 64), objectid.ErrForeign.Error()},
		{"MUTE", idOf("a"), objectid.ErrForeign.Error()},
	}
	for _, tt := range tests {
		q = wire.Subrequest{Binding: tt.binding, ID: tt.id, Request: wire.Request{Method: "GET", URL: "http://lab/get"}}
		if _, body := w.get("caller", "/ask"); !strings.Contains(body, "told: "+tt.want) {
			t.Errorf("%s %s: got %q, want it to say %q", tt.binding, tt.id, body, tt.want)
		}
	}
}

func TestAVariableThatIsNotTextIsRefusedByName(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	hello := wire.Encode(&wire.Hello{
		MinVersion: wire.MinVersion, MaxVersion: wire.MaxVersion, Classes: []wire.Class{{Name: "Lab"}, {Name: "Mute"}},
	})
	for _, v := range []wire.Var{{Name: "GREETING", Value: "h\xffi"}, {Name: "GREETING\xff", Value: "hi"}} {
		c := w.settings
		c.Welcome.Vars = []wire.Var{{Name: "GOOD", Value: "grüße"}, v}
		p := &Program{classes: make(map[string]wire.Class)}
		_, err := p.welcome(hello, c)
		if err == nil || !strings.Contains(err.Error(), "is not UTF-8 text") || !strings.Contains(err.Error(), "variable \"GREETING") {
			t.Errorf("%q: got %v, want an error that names the variable", v.Name, err)
		}
	}
}
