package durable

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

func withScheduled(scheduled func(context.Context, ScheduledEvent, *Env) error) Worker {
	return Worker{Scheduled: scheduled}
}

func TestHelloSaysWhetherTheWorkerHandlesCronTriggers(t *testing.T) {
	emulate(t, Worker{}, func(e *emulation) {
		if e.hello.Scheduled {
			t.Error("a worker without a Scheduled handler says that it has one")
		}
	})
	emulate(t, withScheduled(func(context.Context, ScheduledEvent, *Env) error { return nil }), func(e *emulation) {
		if !e.hello.Scheduled {
			t.Error("a worker with a Scheduled handler does not say that it has one")
		}
	})
}

func TestTheScheduledHandlerGetsItsTrigger(t *testing.T) {
	var got ScheduledEvent
	var greeting string
	var now time.Time
	w := withScheduled(func(ctx context.Context, event ScheduledEvent, env *Env) error {
		got, greeting, now = event, env.Var("GREETING"), Now(ctx)
		return nil
	})
	emulate(t, w, func(e *emulation) {
		due := time.Date(2030, 1, 2, 3, 0, 0, 0, time.UTC)
		e.check(
			e.ask(wire.MethodScheduled, &wire.Scheduled{Event: e.newID(), Cron: "0 3  * * *", Time: due.UnixMilli()}))
		if diff := cmp.Diff(ScheduledEvent{Cron: "0 3  * * *", ScheduledTime: due}, got); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
		if greeting != "hello" || !now.Equal(e.now) {
			t.Errorf("got variable %q and time %s, want hello and %s", greeting, now, e.now)
		}
	})
}

func TestTheScheduledHandlersErrorFailsTheRun(t *testing.T) {
	for name, test := range map[string]struct {
		handler func(context.Context, ScheduledEvent, *Env) error
		want    string
	}{
		"error": {func(context.Context, ScheduledEvent, *Env) error { return errors.New("no luck") }, "no luck"},
		"panic": {func(context.Context, ScheduledEvent, *Env) error {
			misbehave("no luck")
			return nil
		}, "panic: no luck"},
		"no handler": {nil, "the worker has no Scheduled handler"},
	} {
		t.Run(name, func(t *testing.T) {
			emulate(t, withScheduled(test.handler), func(e *emulation) {
				err := e.ask(wire.MethodScheduled, &wire.Scheduled{Event: e.newID()})
				var failed *wire.Error
				if !errors.As(err, &failed) || failed.Message != test.want || !failed.Remote {
					t.Errorf("got %#v, want %q of the handler", err, test.want)
				}
			})
		})
	}
}

func TestTheScheduledHandlersContextEndsWithTheEvent(t *testing.T) {
	begun := make(chan context.Context, 1)
	w := withScheduled(func(ctx context.Context, _ ScheduledEvent, _ *Env) error {
		begun <- ctx
		return Sleep(ctx, time.Minute)
	})
	emulate(t, w, func(e *emulation) {
		e.hold(wire.MethodSleep)
		s := e.open(wire.MethodScheduled, &wire.Scheduled{Event: e.newID()}, true)
		kept := <-begun
		if kept.Err() != nil {
			t.Fatal("the context has ended while the handler runs")
		}
		s.Cancel()
		e.settle()
		if kept.Err() == nil {
			t.Error("the context goes on although the run was canceled")
		}
		if _, err := s.Await(context.Background()); err == nil {
			t.Error("the run succeeded, want the context's error")
		}
	})
}
