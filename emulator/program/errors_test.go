package program

import (
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
	w *testWorld
}

// newCaller gives s a handler "/ask" that calls another handler of the object "callee", and starts
// a world of s.
func newCaller(t *testing.T, s *script) *caller {
	c := &caller{}
	s.Handlers["/ask"] = func(call *call) (string, error) { return c.Relay(call.Fetch) }
	c.w = newWorld(t, s)
	return c
}

// ask requests path of the object "callee", and returns the error that the caller gets, or nil.
func (c *caller) ask(path string) *wire.Error {
	c.w.t.Helper()
	return c.Ask(c.w.t, c.w.get, path)
}

func TestACallerGetsTheErrorOfTheObject(t *testing.T) {
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
			return "", &wire.Error{Message: "no luck there", Remote: true, ObjectID: scripted.LabID("another")}
		},
		// The SDK does this when a function fails in BlockConcurrencyWhile.
		"/block": func(c *call) (string, error) {
			err := c.Plain(wire.MethodBlock)
			return "", errors.Join(err, c.Reset("not loaded"), errors.New("and this is what the handler says"))
		},
		"/status": func(c *call) (string, error) {
			c.Stream.Answer(&wire.Response{Status: 600}, true) //nolint:errcheck // the caller sees it
			return "", nil
		},
	}) {
		s.Handlers[path] = handler
	}
	c := newCaller(t, s)
	id := scripted.LabID("callee")
	tests := append(scripted.CalleeErrors(), scripted.CalleeError{
		Name: "an invalid status",
		Path: "/status",
		Want: wire.Error{Message: "the handler answered with status 600; it must be from 200 to 599"},
	})
	for _, tt := range tests {
		t.Run(tt.Name, func(t *testing.T) {
			c.w.want("callee", "/get", "") // it is in memory
			before := strings.Count(s.Notes(), "construct:callee")
			scripted.WantError(t, c.ask(tt.Path), tt.Want)
			if err := c.ask("/get"); err != nil {
				t.Errorf("the next call: got %v, want it to work", err)
			}
			if got := strings.Count(s.Notes(), "construct:callee") > before; got != tt.Constructs {
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

// waitForEnd returns a handler that notes "waits" and lasts until its program ends.
func waitForEnd(s *script) scripted.Handler {
	return func(c *call) (string, error) {
		s.Note("waits")
		<-c.Context.Done()
		return "", c.Context.Err()
	}
}

func TestACallerGetsAnErrorWhenTheProgramCrashes(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/wait"] = waitForEnd(s)
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() {
		got := scripted.WireError(w.deliver("a", "/wait"))
		if got == nil || !strings.HasPrefix(got.Message, "the handler program has closed its connection") {
			t.Errorf("got %v, want an error that names the crash", got)
			return
		}
		scripted.WantError(t, got, wire.Error{
			Message:   got.Message,
			Retryable: true,
			Reset:     true,
			ObjectID:  scripted.LabID("a"),
		})
	})
	eventually(t, "the handler waits", func() bool { return strings.HasSuffix(s.Notes(), "waits") })
	w.crash(scripted.Memory())
	wg.Wait()
	if err := w.deliver("a", "/get"); err != nil {
		t.Errorf("the next program: %v", err)
	}
}

func TestACallerGetsAnErrorWhenTheDrainLimitExpires(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/wait"] = waitForEnd(s)
	w := newWorld(t, s)
	w.host.drainLimit = time.Millisecond
	var wg sync.WaitGroup
	wg.Go(func() {
		scripted.WantError(t, scripted.WireError(w.deliver("a", "/wait")), wire.Error{
			Message:   "Durable Object reset because its code was updated.",
			Retryable: true,
			Reset:     true,
			ObjectID:  scripted.LabID("a"),
		})
	})
	eventually(t, "the handler waits", func() bool { return strings.HasSuffix(s.Notes(), "waits") })
	w.swapIn(scripted.Memory())
	wg.Wait()
}

// A wrong id is an error of the request, not of an object.
func TestAWrongAddressIsRefused(t *testing.T) {
	s := scripted.Memory()
	var q wire.Subrequest
	s.Handlers["/ask"] = func(c *call) (string, error) {
		q.Event = c.Event
		_, err := scripted.Op[wire.Response](c, wire.MethodSubrequest, &q)
		if err == nil {
			return "", nil
		}
		return "", &wire.Error{Message: "refused: " + err.Error()}
	}
	w := newWorld(t, s)
	tests := []struct{ binding, id, want string }{
		{"NONE", scripted.LabID("a"), `no class is bound as "NONE"`},
		{"LAB", "", objectid.ErrMalformed.Error()},
		{"LAB", strings.Repeat("0", 64), objectid.ErrForeign.Error()},
		{"MUTE", scripted.LabID("a"), objectid.ErrForeign.Error()},
	}
	for _, tt := range tests {
		q = wire.Subrequest{Binding: tt.binding, ID: tt.id, Request: wire.Request{Method: "GET", URL: "http://lab/get"}}
		if _, body := w.get("caller", "/ask"); !strings.Contains(body, "refused: "+tt.want) {
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
		if err == nil || !strings.Contains(err.Error(), "is not UTF-8 text") ||
			!strings.Contains(err.Error(), "variable \"GREETING") {
			t.Errorf("%q: got %v, want an error that names the variable", v.Name, err)
		}
	}
}

func TestAMissingClassSuggestsOneThatNoBindingNames(t *testing.T) {
	for _, test := range []struct {
		bound, known []string
		want         string
	}{
		{[]string{"Limitr"}, []string{"Limiter"}, `registers Limiter. Did you mean "Limiter"?`},
		{[]string{"Limitr", "Limitr", "room"}, []string{"Limiter", "Room"}, `. Did you mean "Limiter" and "Room"?`},
		{[]string{"Limiter", "Limiter2"}, []string{"Limiter"}, "registers Limiter"},
		{[]string{"Limiter"}, []string{"Queue"}, "registers Queue"},
		{[]string{"Limiter"}, nil, "registers no class at all"},
	} {
		var c Settings
		for _, class := range test.bound {
			c.Welcome.Bindings = append(c.Welcome.Bindings, wire.Binding{Name: strings.ToUpper(class), Class: class})
		}
		if err := missingClasses(c, test.known); err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%q of %q: got %v, want an error that ends with %q", test.bound, test.known, err, test.want)
		}
	}
}
