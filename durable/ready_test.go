package durable

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"devtool.internal/durable/wire"
	"devtool.internal/internal/inside"
)

func TestHandlerIsCalledOnceWithTheConfigurationBeforeTheFirstEvent(t *testing.T) {
	calls := 0
	w := Worker{Handler: func(env *Env) http.Handler {
		calls++
		greeting := env.Var("GREETING")
		return answerWith(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, greeting) })(env)
	}}
	synctest.Test(t, func(t *testing.T) {
		var ready func()
		e := connect(t, w, func(e *emulation) { ready = e.hold(wire.MethodReady) })
		if calls != 1 {
			t.Errorf("called %d times before the program is ready, want once", calls)
		}
		ready()
		for range 2 {
			if got, want := e.fetch(0, wire.Request{}).text(), "hello"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if calls != 1 || e.ready != (wire.Ready{}) {
			t.Errorf("called %d times, ready %+v; want once and no failure", calls, e.ready)
		}
	})
}

func TestAProgramWithoutAHandlerIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := connect(t, Worker{})
		if e.hello.Fetch || e.ready != (wire.Ready{}) {
			t.Errorf("hello %+v, ready %+v; want no requests and no failure", e.hello, e.ready)
		}
	})
}

//go:noinline
func failToStart(value any) { panic(value) }

func TestAProgramWhoseHandlerFailsSaysWhyAndEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		handler    func(*Env) http.Handler
		want       string
		wantDetail string
	}{
		"nil": {
			func(*Env) http.Handler { return nil },
			"the worker's Handler returned nil: return an http.Handler, or leave Handler out of durable.Worker", "",
		},
		"a panic": {
			func(*Env) http.Handler { failToStart("not today"); return nil },
			"the worker's Handler panicked: not today", "durable.failToStart(",
		},
		"a panic with an error that panics": {
			func(*Env) http.Handler { failToStart((*fragile)(nil)); return nil },
			"the worker's Handler panicked: the error is a nil *durable.fragile, " +
				"which is not nil as an error: return nil itself", "durable.failToStart(",
		},
		"a binding that is not there": {
			func(env *Env) http.Handler { return env.Namespace("NONE").GetByName("one") },
			"the worker's Handler panicked: durable: no class is bound as \"NONE\" in durable_objects.bindings " +
				"(bound are: OBJECTS, OTHERS)", "durable.(*Env).Namespace(",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := connect(t, Worker{Handler: tt.handler})
				expectError(t, e.served(), tt.want)
				if e.ready.Failure != tt.want || !strings.Contains(e.ready.Detail, tt.wantDetail) ||
					tt.wantDetail == "" && e.ready.Detail != "" {
					t.Errorf("got %q with the detail %q", e.ready.Failure, e.ready.Detail)
				}
			})
		})
	}
}

func TestServeEndsWithTheReasonWhenTheEmulatorRefusesAReadyProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := connect(t, Worker{}, func(e *emulation) {
			e.fail(wire.MethodReady, &wire.Error{Message: "another program has taken its place"})
		})
		expectError(t, e.served(), "another program has taken its place")
	})
}

// A test's own function may be the Handler, and call t.Fatal.
func TestAHandlerThatEndsItsGoroutineEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		m := newMemory()
		conn := wire.NewConn(ours, wire.Emulator, wire.Callbacks{Serve: m.serve})
		w := Worker{Handler: func(*Env) http.Handler { runtime.Goexit(); return nil }}
		go inside.Serve(theirs, w, inside.Options{})
		<-conn.Done()
		const want = "the worker's Handler ended its goroutine: something in it calls runtime.Goexit"
		if m.ready.Failure != want {
			t.Errorf("got %q, want %q", m.ready.Failure, want)
		}
	})
}

func TestInsideServeFailsWithTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		m := newMemory()
		conn := wire.NewConn(ours, wire.Emulator, wire.Callbacks{Serve: m.serve})
		w := Worker{Handler: func(*Env) http.Handler { panic("not today") }}
		_, err := inside.Serve(theirs, w, inside.Options{})
		expectError(t, err, "the worker's Handler panicked: not today")
		<-conn.Done()
	})
}
