package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
)

// Types that can be classes, by what they handle.
type (
	mute    struct{}
	byValue struct{}
	byPtr   struct{}
	both    interface {
		http.Handler
		Alarmer
	}
)

func (byValue) ServeHTTP(http.ResponseWriter, *http.Request) {}
func (*byPtr) Alarm(context.Context, AlarmInfo) error        { return nil }

// class returns the class of the objects of type T. It cannot construct any.
func class[T any]() Class {
	return NewClass(func(context.Context, *State, *Env) (T, error) { panic("not called") })
}

func TestHelloSaysWhatTheClassesHandle(t *testing.T) {
	w := Worker{Classes: Classes{
		"Mute":           class[*mute](),
		"Value":          class[byValue](),
		"PointerToValue": class[*byValue](),
		"Pointer":        class[*byPtr](),
		"ValueOfPointer": class[byPtr](),
		"Handler":        class[http.Handler](),
		"Alarmer":        class[Alarmer](),
		"Both":           class[both](),
		"Any":            class[any](),
	}}
	emulate(t, w, func(e *emulation) {
		want := wire.Hello{
			MinVersion: wire.MinVersion,
			MaxVersion: wire.MaxVersion,
			SDK:        sdkVersion,
			Classes: []wire.Class{
				{Name: "Alarmer", Alarm: true},
				{Name: "Any"},
				{Name: "Both", Fetch: true, Alarm: true},
				{Name: "Handler", Fetch: true},
				{Name: "Mute"},
				{Name: "Pointer", Alarm: true},
				{Name: "PointerToValue", Fetch: true},
				{Name: "Value", Fetch: true},
				{Name: "ValueOfPointer"},
			},
		}
		if diff := cmp.Diff(want, e.hello); diff != "" {
			t.Errorf("hello (-want +got):\n%s", diff)
		}
	})
}

func TestHelloSaysWhetherTheWorkerTakesRequests(t *testing.T) {
	emulate(t, withFetch(nil), func(e *emulation) {
		if !e.hello.Fetch {
			t.Error("a worker with a Handler does not say that it has one")
		}
	})
}

func TestServeEndsWithTheReasonWhenTheProgramIsNotWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := connect(t, Worker{}, func(e *emulation) {
			e.fail(wire.MethodHello, &wire.Error{Message: "the program has no class Batcher"})
		})
		expectError(t, e.served(), "the program has no class Batcher")
	})
}

func TestServeEndsWithAnErrorWhenTheEmulatorGoesWithoutAWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := connect(t, Worker{}, func(e *emulation) { e.hold(wire.MethodHello) })
		e.open(wire.MethodFetch, &wire.Fetch{}, true) // waits for the welcome, and ends all the same
		e.settle()
		expectError(t, e.end(), "the emulator has gone")
	})
}

func TestEventsWaitForTheWelcome(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, p.env.Var("GREETING")) })
	synctest.Test(t, func(t *testing.T) {
		var welcome func()
		e := connect(t, w, func(e *emulation) { welcome = e.hold(wire.MethodHello) })
		x := e.fetch(0, wire.Request{})
		e.expectSent()
		welcome()
		if got, want := x.text(), "hello"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestServeEndsWithoutErrorWhenTheEmulatorHasGone(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "unix", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, reset} {
		if end == net.ErrClosed {
			end = &net.OpError{Op: "read", Net: "unix", Err: end}
		}
		t.Run(end.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := connect(t, Worker{})
				e.tap.mu.Lock()
				e.tap.readErr = end
				e.tap.mu.Unlock()
				if err := e.end(); err != nil {
					t.Errorf("serve ended with %v, want nil", err)
				}
			})
		})
	}
}

func TestServeEndsWithoutErrorWhenAWriteFindsTheEmulatorGone(t *testing.T) {
	pipe := &net.OpError{Op: "write", Net: "unix", Err: os.NewSyscallError("write", syscall.EPIPE)}
	for _, err := range []error{pipe, io.ErrClosedPipe} {
		if err := fmt.Errorf("write: %w", err); !isGone(err) {
			t.Errorf("isGone(%v) = false, want true", err)
		}
	}
}

func TestServeReportsAViolationOfTheProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := connect(t, Worker{})
		if _, err := e.raw.Write([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0}); err != nil {
			t.Fatal(err)
		}
		expectError(t, e.served(), "connection to the emulator: read frame: unknown kind 9")
	})
}

func TestLosingTheEmulatorEndsTheHandlersThatRun(t *testing.T) {
	ended := make(chan struct{})
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		defer close(ended)
		<-r.Context().Done()
		var gone *Error
		if _, err := p.state.Storage.Get(r.Context(), "k", new(any)); !errors.As(err, &gone) || !gone.Retryable {
			t.Errorf("Get returns %v, want a retryable *Error", err)
		} else {
			expectError(t, err, `get "k": the emulator has gone`)
		}
		if Now(r.Context()).IsZero() {
			t.Error("Now returns no time")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ended = make(chan struct{})
		e := connect(t, w)
		e.fetch(e.construct("Object", "one"), wire.Request{})
		e.settle()
		e.end()
		<-ended
	})
}

func TestConstructorGetsTheObjectsNameAndBindings(t *testing.T) {
	id := objects.IDFromName("one")
	tests := []struct {
		name     string
		asked    wire.Construct
		wantName string
		wantOK   bool
	}{
		{"by name", wire.Construct{ID: id.String(), Name: "one", HasName: true}, "one", true},
		{"by the empty name", wire.Construct{ID: id.String(), HasName: true}, "", true},
		{"by id", wire.Construct{ID: id.String()}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := Worker{
				Classes: Classes{"Object": NewClass(func(_ context.Context, state *State, env *Env) (*mute, error) {
					if !state.ID.Equal(id) || state.ID.String() != id.String() {
						t.Errorf("id %s, want %s", state.ID, id)
					}
					if name, ok := state.ID.Name(); name != tt.wantName || ok != tt.wantOK {
						t.Errorf("name %q, %v; want %q, %v", name, ok, tt.wantName, tt.wantOK)
					}
					if got, want := env.Var("GREETING"), "hello"; got != want {
						t.Errorf("variable %q, want %q", got, want)
					}
					return nil, nil
				})},
			}
			emulate(t, w, func(e *emulation) {
				tt.asked.Class, tt.asked.Instance = "Object", 1
				e.check(e.ask(wire.MethodConstruct, &tt.asked))
			})
		})
	}
}

func TestConstructorLoadsFromStorage(t *testing.T) {
	var loaded string
	w := Worker{Classes: Classes{"Object": NewClass(func(ctx context.Context, state *State, _ *Env) (*mute, error) {
		_, err := state.Storage.Get(ctx, "k", &loaded)
		return &mute{}, err
	})}}
	emulate(t, w, func(e *emulation) {
		e.values["k"] = []byte(`J"stored"`)
		e.check(
			e.ask(wire.MethodConstruct,
				&wire.Construct{Event: 7, Instance: 1, Class: "Object", ID: objects.IDFromName("one").String()}),
		)
		e.expectSent("get k", "done construct")
		if got, want := loaded, "stored"; got != want {
			t.Errorf("loaded %q, want %q", got, want)
		}
	})
}

func TestConstructorThatFailsLeavesNoInstance(t *testing.T) {
	calls := 0
	w := Worker{Classes: Classes{"Object": NewClass(func(context.Context, *State, *Env) (byValue, error) {
		switch calls++; calls {
		case 1:
			return byValue{}, errors.New("storage is empty")
		case 2:
			panic("out of luck")
		}
		return byValue{}, nil
	})}}
	emulate(t, w, func(e *emulation) {
		construct := &wire.Construct{Event: 1, Instance: 5, Class: "Object", ID: objects.IDFromName("one").String()}
		for _, want := range []string{"storage is empty", "panic: out of luck"} {
			expectError(t, e.ask(wire.MethodConstruct, construct), want)
			expectError(t, e.fetch(5, wire.Request{}).failure(), "no instance 5")
		}
		e.check(e.ask(wire.MethodConstruct, construct))
		e.fetch(5, wire.Request{}).text()
	})
}

func TestDestroyForgetsTheInstance(t *testing.T) {
	emulate(t, withFetch(func(*probe, http.ResponseWriter, *http.Request) {}), func(e *emulation) {
		instance := e.construct("Object", "one")
		e.fetch(instance, wire.Request{}).text()
		e.check(e.ask(wire.MethodDestroy, &wire.Destroy{Instance: instance}))
		want := fmt.Sprintf("no instance %d", instance)
		if got := e.fetch(instance, wire.Request{}).failure().Message; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestEventsWithoutAHandlerFail(t *testing.T) {
	id := objects.IDFromName("one").String()
	w := Worker{Classes: Classes{
		"Mute": NewClass(func(context.Context, *State, *Env) (*mute, error) { return &mute{}, nil }),
		"Zero": {},
	}}
	tests := []struct {
		name    string
		method  wire.Method
		message wire.Message
		want    string
	}{
		{
			"request to a worker without a Handler",
			wire.MethodFetch,
			&wire.Fetch{},
			"the worker takes no requests: durable.Worker has no Handler",
		},
		{
			"request to an object without ServeHTTP",
			wire.MethodFetch,
			&wire.Fetch{Instance: 1},
			"*durable.mute takes no requests: it has no ServeHTTP method",
		},
		{"request to no object", wire.MethodFetch, &wire.Fetch{Instance: 2}, "no instance 2"},
		{
			"alarm of an object without Alarm",
			wire.MethodAlarm,
			&wire.Alarm{Instance: 1},
			"*durable.mute handles no alarms: it has no Alarm method",
		},
		{"alarm of no object", wire.MethodAlarm, &wire.Alarm{Instance: 2}, "no instance 2"},
		{
			"unknown class",
			wire.MethodConstruct,
			&wire.Construct{Class: "Nope", ID: id},
			`class "Nope" is not one of the program's`,
		},
		{
			"class without constructor",
			wire.MethodConstruct,
			&wire.Construct{Class: "Zero", ID: id},
			`class "Zero" is not one of the program's`,
		},
		{
			"malformed id",
			wire.MethodConstruct,
			&wire.Construct{Class: "Mute", ID: id[2:]},
			objectid.ErrMalformed.Error(),
		},
		{
			"id that is not hex",
			wire.MethodConstruct,
			&wire.Construct{Class: "Mute", ID: strings.Repeat("x", 64)},
			objectid.ErrMalformed.Error(),
		},
		{"unknown method", 99, &wire.Empty{}, "unknown method 99"},
		{"alarm that does not decode", wire.MethodAlarm, &wire.Empty{}, "decode *wire.Alarm: message ends too early"},
		{"request that does not decode", wire.MethodFetch, &wire.Empty{}, "decode *wire.Fetch: message ends too early"},
		{
			"construct that does not decode",
			wire.MethodConstruct,
			&wire.Empty{},
			"decode *wire.Construct: message ends too early",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			emulate(t, w, func(e *emulation) {
				e.check(e.ask(wire.MethodConstruct, &wire.Construct{Instance: 1, Class: "Mute", ID: id}))
				expectError(t, e.ask(tt.method, tt.message), tt.want)
			})
		})
	}
}

func TestCancelOfAnEventThatIsOverDoesNothing(t *testing.T) {
	emulate(t, withFetch(func(*probe, http.ResponseWriter, *http.Request) {}), func(e *emulation) {
		x := e.fetch(0, wire.Request{})
		x.text()
		x.cancel()
		e.fetch(0, wire.Request{}).text()
	})
}

func TestAlarmGetsItsTimeAndRetries(t *testing.T) {
	var got []AlarmInfo
	w := Worker{Classes: Classes{"Object": NewClass(func(context.Context, *State, *Env) (Alarmer, error) {
		return &probe{ring: func(_ context.Context, _ *probe, info AlarmInfo) error {
			got = append(got, info)
			return nil
		}}, nil
	})}}
	emulate(t, w, func(e *emulation) {
		instance := e.construct("Object", "one")
		for retries := range uint64(2) {
			e.check(e.ask(wire.MethodAlarm, &wire.Alarm{
				Event:      e.newID(),
				Instance:   instance,
				Scheduled:  1_900_000_000_123,
				RetryCount: retries,
			}))
		}
		e.expectSent("done alarm", "done alarm")
	})
	scheduled := time.Date(2030, 3, 17, 17, 46, 40, 123_000_000, time.UTC)
	want := []AlarmInfo{{ScheduledTime: scheduled}, {ScheduledTime: scheduled, RetryCount: 1, IsRetry: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// misbehave is a name to look for in a stack.
func misbehave(value any) { panic(value) }

func TestHandlersFailureIsDescribedToTheEmulator(t *testing.T) {
	id := strings.Repeat("a", 64)
	tests := []struct {
		name      string
		handler   func() error
		want      wire.Error
		wantStack bool
	}{
		{"error", func() error { return errors.New("no luck") }, wire.Error{Message: "no luck", Remote: true}, false},
		{
			"panic",
			func() error { misbehave("no luck"); return nil },
			wire.Error{Message: "panic: no luck", Remote: true},
			true,
		},
		{
			"panic with an error",
			func() error { misbehave(io.ErrNoProgress); return nil },
			wire.Error{Message: "panic: " + io.ErrNoProgress.Error(), Remote: true},
			true,
		},
		{
			"panic with a number",
			func() error { misbehave(42); return nil },
			wire.Error{Message: "panic: 42", Remote: true},
			true,
		},
		{
			"http.ErrAbortHandler",
			func() error { misbehave(http.ErrAbortHandler); return nil },
			wire.Error{Message: "panic: net/http: abort Handler", Remote: true},
			false,
		},
		{
			"what another object failed with",
			func() error {
				return fmt.Errorf("ask: %w",
					&Error{Message: "too much", Retryable: true, Overloaded: true, Reset: true, ObjectID: id})
			},
			wire.Error{
				Message: "ask: too much", Remote: true, Retryable: true, Overloaded: true, Reset: true, ObjectID: id,
			},
			false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := Worker{Classes: Classes{"Object": NewClass(func(context.Context, *State, *Env) (*probe, error) {
				return &probe{ring: func(context.Context, *probe, AlarmInfo) error { return tt.handler() }}, nil
			})}}
			emulate(t, w, func(e *emulation) {
				err := e.ask(wire.MethodAlarm, &wire.Alarm{Event: e.newID(), Instance: e.construct("Object", "one")})
				var got *wire.Error
				if !errors.As(err, &got) {
					t.Fatalf("got %v, want an *Error", err)
				}
				if has := strings.Contains(got.Detail, "durable.misbehave"); has != tt.wantStack {
					t.Errorf("detail shows where it happened: %v, want %v\n%s", has, tt.wantStack, got.Detail)
				}
				got.Detail = ""
				if diff := cmp.Diff(&tt.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
