package durable

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

func TestBlockConcurrencyWhileBlocksBeforeAndUnblocksAfter(t *testing.T) {
	inHandler(t, func(h handling) {
		block, unblock := h.hold(wire.MethodBlock), h.hold(wire.MethodUnblock)
		result := make(chan error, 1)
		go func() {
			result <- h.state.BlockConcurrencyWhile(h.ctx, func(ctx context.Context) error {
				return Sleep(ctx, time.Second)
			})
		}()
		h.expectSent("block") // and nothing before it is answered
		block()
		h.expectSent("sleep 1s", "unblock")
		if len(result) > 0 {
			t.Error("it has returned before the object is unblocked")
		}
		unblock()
		h.check(<-result)
	})
}

func TestBlockConcurrencyWhileNests(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.BlockConcurrencyWhile(h.ctx, func(ctx context.Context) error {
			return h.state.BlockConcurrencyWhile(ctx, func(context.Context) error { return nil })
		}))
		h.expectSent("block", "block", "unblock", "unblock")
	})
}

func TestBlockConcurrencyWhileResetsTheObjectWhenItFails(t *testing.T) {
	why := errors.New("no schema")
	inHandler(t, func(h handling) {
		err := h.state.BlockConcurrencyWhile(h.ctx, func(context.Context) error { return why })
		if !errors.Is(err, why) {
			t.Errorf("got %v, want %v", err, why)
		}
		h.expectSent("block", "reset no schema")

		h.fail(wire.MethodReset, &wire.Error{Message: "the event is over"})
		if err = h.state.BlockConcurrencyWhile(h.ctx, func(context.Context) error { return why }); !errors.Is(err,
			why) {
			t.Errorf("when reset fails: got %v, want %v", err, why)
		}
	})
}

func TestBlockConcurrencyWhileResetsTheObjectWhenItPanics(t *testing.T) {
	var logged strings.Builder
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		p.state.BlockConcurrencyWhile(r.Context(), func(context.Context) error { misbehave("no luck"); return nil })
	})
	emulate(t, w, func(e *emulation) {
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		expectError(t, x.failure(), "panic: no luck")
		e.expectSent("block", "reset panic in BlockConcurrencyWhile: no luck", "fail panic: no luck")
	})
	// The error of the reset has no stack.
	if got := logged.String(); !strings.Contains(got, "panic in BlockConcurrencyWhile: no luck") ||
		!strings.Contains(got, "durable.misbehave(") {
		t.Errorf("logged %q, want the panic with its stack", got)
	}
}

func TestBlockConcurrencyWhileFailsWhenTheEmulatorRefuses(t *testing.T) {
	inHandler(t, func(h handling) {
		h.fail(wire.MethodUnblock, &wire.Error{Message: "took more than 30 s", Reset: true})
		err := h.state.BlockConcurrencyWhile(h.ctx, func(context.Context) error { return nil })
		expectError(t, err, "took more than 30 s")
		h.fail(wire.MethodBlock, &wire.Error{Message: "the object was reset"})
		err = h.state.BlockConcurrencyWhile(h.ctx, func(context.Context) error {
			t.Error("it runs all the same")
			return nil
		})
		expectError(t, err, "the object was reset")
	})
}

func TestBlockConcurrencyWhileNeedsAContextOfItsObject(t *testing.T) {
	inHandler(t, func(h handling) {
		never := func(context.Context) error { t.Error("it runs all the same"); return nil }
		err := h.state.BlockConcurrencyWhile(context.Background(), never)
		expectError(t, err, "the context is not a handler's: pass on the context that the handler was called with")
		other := &State{ID: objects.IDFromName("two")}
		err = other.BlockConcurrencyWhile(h.ctx, never)
		expectError(t, err, "the context belongs to another event than one of object "+other.ID.String())
		h.expectSent()
	})
}

func TestConstructorMayBlockConcurrency(t *testing.T) {
	w := Worker{Classes: Classes{"Object": NewClass(func(ctx context.Context, state *State, _ *Env) (*mute, error) {
		return nil, state.BlockConcurrencyWhile(ctx, func(ctx context.Context) error {
			return state.Storage.Put(ctx, "made", true)
		})
	})}}
	emulate(t, w, func(e *emulation) {
		e.check(
			e.ask(wire.MethodConstruct,
				&wire.Construct{Instance: 1, Class: "Object", ID: objects.IDFromName("one").String()}),
		)
		e.expectSent("block", "put made", "unblock", "done construct")
	})
}
