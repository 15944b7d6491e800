package durable

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

// Handlers make their own errors, with any content. Content that does not fit the protocol must not
// cost the connection.
func TestAnyErrorOfAHandlerReachesTheEmulator(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want wire.Error
	}{
		{
			"flags of its own", &Error{Message: "later", Retryable: true, Overloaded: true},
			wire.Error{Message: "later", Remote: true, Retryable: true, Overloaded: true},
		},
		{
			"flags inside another error",
			fmt.Errorf("ask: %w", errors.Join(errors.New("one"), &Error{Message: "two", Overloaded: true})),
			wire.Error{Message: "ask: one\ntwo", Remote: true, Overloaded: true},
		},
		{
			"a reset of an object that it called", &Error{Message: "no", Reset: true, ObjectID: "0a"},
			wire.Error{Message: "no", Remote: true, Reset: true, ObjectID: "0a"},
		},
		{
			"an object id that is not text", &Error{Message: "no", ObjectID: "\xff\xfe", Retryable: true},
			wire.Error{Message: "no", Remote: true, Retryable: true},
		},
		{
			"a message that is not text", &Error{Message: "no \xff\x00"},
			wire.Error{Message: "no \xff\x00", Remote: true},
		},
		{"no message", &Error{}, wire.Error{Remote: true}},
		{
			"a nil pointer", (*fragile)(nil),
			wire.Error{
				Message: "the error is a nil *durable.fragile, which is not nil as an error: return nil itself",
				Remote:  true,
			},
		},
		{
			"a nil pointer to an Error", (*Error)(nil),
			wire.Error{
				Message: "the error is a nil *durable.Error, which is not nil as an error: return nil itself",
				Remote:  true,
			},
		},
		{
			"a nil pointer inside another error", fmt.Errorf("ask: %w", (*Error)(nil)),
			wire.Error{Message: "ask: <nil>", Remote: true},
		},
		{
			"a method that panics", &fragile{},
			wire.Error{
				Message: "the error is a *durable.fragile, whose Error method panicked: runtime error: invalid " +
					"memory address or nil pointer dereference",
				Remote: true,
			},
		},
		{
			"another method that panics", &fragile{text: new(string)},
			wire.Error{Remote: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := Worker{Classes: Classes{"Object": NewClass(func(context.Context, *State, *Env) (*probe, error) {
				return &probe{ring: func(context.Context, *probe, AlarmInfo) error { return tt.err }}, nil
			})}}
			emulate(t, w, func(e *emulation) {
				instance := e.construct("Object", "one")
				for range 2 { // the second shows that the connection lives
					err := e.ask(wire.MethodAlarm, &wire.Alarm{Event: e.newID(), Instance: instance})
					var got *wire.Error
					if !errors.As(err, &got) {
						t.Fatalf("got %v, want an *Error", err)
					}
					if diff := cmp.Diff(&tt.want, got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				}
			})
		})
	}
}

func TestAHandlerOfRequestsFailsWithItsOwnErrorByPanic(t *testing.T) {
	own := &Error{Message: "later", Retryable: true, Overloaded: true}
	for _, value := range []error{own, fmt.Errorf("wrapped: %w", own)} {
		emulate(t, withFetch(func(*probe, http.ResponseWriter, *http.Request) { panic(value) }), func(e *emulation) {
			got := e.fetch(e.construct("Object", "one"), wire.Request{}).failure()
			if !strings.Contains(got.Detail, "errors_test.go") {
				t.Errorf("the detail shows no stack: %q", got.Detail)
			}
			got.Detail = ""
			want := &wire.Error{Message: "panic: " + value.Error(), Remote: true, Retryable: true, Overloaded: true}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The methods of a fragile error panic: Error if it has no text, and Unwrap always.
type fragile struct{ text *string }

func (e *fragile) Error() string { return *e.text }
func (e *fragile) Unwrap() error { panic("no luck") }

func TestAPanicWithAnErrorThatPanicsFailsTheEventAlone(t *testing.T) {
	for _, value := range []error{&fragile{}, (*fragile)(nil), (*Error)(nil)} {
		emulate(t, withFetch(func(*probe, http.ResponseWriter, *http.Request) { panic(value) }), func(e *emulation) {
			instance := e.construct("Object", "one")
			for range 2 { // the second shows that the program lives
				got := e.fetch(instance, wire.Request{}).failure()
				const want = "panic: the error is a"
				if !strings.HasPrefix(got.Message, want) || !strings.Contains(got.Detail, "errors_test.go") {
					t.Errorf("%T: got %q with the detail %q, want %s… and a stack", value, got.Message, got.Detail,
						want)
				}
			}
		})
	}
}

func TestBlockConcurrencyWhileResetsTheObjectAlsoForAnErrorThatPanics(t *testing.T) {
	inHandler(t, func(h handling) {
		err := h.state.BlockConcurrencyWhile(h.ctx, func(context.Context) error { return (*fragile)(nil) })
		if err == nil {
			t.Error("it returned nil")
		}
		h.expectSent("block",
			"reset the error is a nil *durable.fragile, which is not nil as an error: return nil itself")
	})
}

// The emulator's answer to an operation may overtake what it sends to end the event.
func TestTheContextHasEndedOnceAnOperationHasFailedWithTheReset(t *testing.T) {
	for name, tt := range map[string]struct {
		other, remote bool
		want          string // the cause of its context
	}{
		"its own":           {want: "no more"},
		"of another object": {other: true, remote: true},
		"from outside":      {remote: true, want: "no more"},
	} {
		t.Run(name, func(t *testing.T) {
			var id string
			w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
				if id = p.state.ID.String(); tt.other {
					id = "another"
				}
				expectError(t, p.state.Storage.Sync(r.Context()), "sync: no more")
				if got := textOfCause(r.Context()); got != tt.want {
					t.Errorf("the context has ended with %q, want %q", got, tt.want)
				}
			})
			emulate(t, w, func(e *emulation) {
				e.on(wire.MethodSync, func(s *wire.Stream) {
					s.Fail(&wire.Error{Message: "no more", Reset: true, ObjectID: id, Remote: tt.remote})
				})
				e.fetch(e.construct("Object", "one"), wire.Request{}).text()
			})
		})
	}
}

func TestAResetThatAnotherObjectTellsOfEndsNoContext(t *testing.T) {
	var id string
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		id = p.state.ID.String()
		_, err := p.env.Namespace("OBJECTS").GetByName("two").Fetch(r) //nolint:bodyclose // it fails
		expectError(t, err, "no more")
		if got := textOfCause(r.Context()); got != "" {
			t.Errorf("the context has ended with %q", got)
		}
	})
	emulate(t, w, func(e *emulation) {
		e.on(wire.MethodSubrequest, func(s *wire.Stream) {
			s.Fail(&wire.Error{Message: "no more", Reset: true, ObjectID: id, Remote: true})
		})
		e.fetch(e.construct("Object", "one"), wire.Request{}).text()
	})
}

func textOfCause(ctx context.Context) string {
	if ctx.Err() == nil {
		return ""
	}
	return context.Cause(ctx).Error()
}
