package program

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

// dial returns a program that was not met yet, with the program's end of its connection.
func (w *testWorld) dial() (p *Program, questions <-chan *wire.Stream, theirs *wire.Conn) {
	ours, other := net.Pipe()
	p, questions = w.host.NewProgram(ours, nil, w.settings)
	theirs = wire.NewConn(other, wire.Program, wire.Callbacks{Serve: func(*wire.Stream) {}})
	w.t.Cleanup(func() { theirs.Close() })
	return p, questions, theirs
}

func introduction() *wire.Hello {
	return &wire.Hello{
		MinVersion: wire.MinVersion, MaxVersion: wire.MaxVersion, SDK: "test",
		Classes: []wire.Class{{Name: "Lab"}, {Name: "Mute"}},
	}
}

func TestAProgramThatIsReadyIsMet(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	p, questions, conn := w.dial()
	met := make(chan error, 1)
	go func() { met <- p.Meet(t.Context(), questions) }()
	var welcome wire.Welcome
	if err := conn.Call(t.Context(), wire.MethodHello, introduction(), &welcome); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-met:
		t.Fatalf("met with %v before the program was ready", err)
	default:
	}
	if err := conn.Call(t.Context(), wire.MethodReady, &wire.Ready{}, &wire.Empty{}); err != nil {
		t.Fatal(err)
	}
	if err := <-met; err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if p.Lost() {
		t.Error("the connection is closed")
	}
}

func TestAProgramThatCannotStartIsRefusedWithItsReason(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	p, questions, conn := w.dial()
	met := make(chan error, 1)
	go func() { met <- p.Meet(t.Context(), questions) }()
	if err := conn.Call(t.Context(), wire.MethodHello, introduction(), &wire.Welcome{}); err != nil {
		t.Fatal(err)
	}
	ready := &wire.Ready{Failure: "the worker's Handler panicked: not today", Detail: "goroutine 1"}
	refused := conn.Call(t.Context(), wire.MethodReady, ready, &wire.Empty{})
	if refused == nil || refused.Error() != ready.Failure {
		t.Errorf("the program gets %v, want its reason", refused)
	}
	err := <-met
	var shown *wire.Error
	if !errors.As(err, &shown) || shown.Message != ready.Failure || shown.Detail != ready.Detail {
		t.Errorf("got %#v, want the reason with the stack", err)
	}
	<-conn.Done()
}

func TestMeetSaysWhatAProgramHasNotDone(t *testing.T) {
	hello := func(t *testing.T, conn *wire.Conn) {
		if err := conn.Call(t.Context(), wire.MethodHello, introduction(), &wire.Welcome{}); err != nil {
			t.Error(err)
		}
	}
	for name, tt := range map[string]struct {
		do   func(t *testing.T, conn *wire.Conn, late func())
		want string
	}{
		"no introduction": {
			func(_ *testing.T, _ *wire.Conn, late func()) { late() },
			"start handler program: it did not introduce itself within 10s (does main call durable.Serve?)",
		},
		"not ready": {
			func(t *testing.T, conn *wire.Conn, late func()) { hello(t, conn); late() },
			"start handler program: it did not become ready within 10s (does the worker's Handler return?)",
		},
		"ready first": {
			func(t *testing.T, conn *wire.Conn, _ func()) {
				conn.Call(t.Context(), wire.MethodReady, &wire.Ready{}, &wire.Empty{}) //nolint:errcheck // Meet says it
			},
			brokenProtocol + ": it has asked a question (Ready, method 2) where another comes (Hello, method 1)",
		},
		"a second introduction": {
			func(t *testing.T, conn *wire.Conn, _ func()) {
				hello(t, conn)
				conn.Call(t.Context(), wire.MethodHello, introduction(), &wire.Welcome{}) //nolint:errcheck // as above
			},
			brokenProtocol + ": it has asked a question (Hello, method 1) where another comes (Ready, method 2)",
		},
		"it ends": {
			func(t *testing.T, conn *wire.Conn, _ func()) { hello(t, conn); conn.Close() },
			"the handler program has closed its connection",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, scripted.Memory())
			p, questions, conn := w.dial()
			ctx, late := context.WithCancelCause(t.Context())
			met := make(chan error, 1)
			go func() { met <- p.Meet(ctx, questions) }()
			tt.do(t, conn, func() { late(errLate) })
			if err := <-met; err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			<-conn.Done()
			late(nil)
		})
	}
}
