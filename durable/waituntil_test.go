package durable

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"devtool.internal/durable/wire"
)

// background answers the program's next questions for an event in the background with event 77. It
// returns how that event ends: io.EOF, or the failure.
func (e *emulation) background() <-chan error {
	ended := make(chan error, 1)
	e.on(wire.MethodBackground, func(s *wire.Stream) {
		s.Answer(&wire.Background{Event: 77}, false)
		_, err := s.Read(make([]byte, 1))
		ended <- err
		s.CloseWrite()
	})
	return ended
}

func TestWaitUntilInTheWorkerRunsBesideTheHandler(t *testing.T) {
	var handlers, own *invocation
	var outlives error
	returned, ran := make(chan struct{}), make(chan struct{})
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		handlers = invocationOf(r.Context())
		err := WaitUntil(r.Context(), func(ctx context.Context) error {
			defer close(ran)
			<-returned
			own, outlives = invocationOf(ctx), ctx.Err()
			q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://objects/later", nil)
			if err != nil {
				return err
			}
			_, err = p.env.Namespace("OBJECTS").GetByName("one").Fetch(q)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	emulate(t, w, func(e *emulation) {
		ended := e.background()
		e.answerWith(wire.Response{Status: http.StatusNoContent})
		e.fetch(0, wire.Request{}).text()
		close(returned)
		<-ran
		expectError(t, <-ended, "EOF")
		if own == handlers || own.state != nil || outlives != nil {
			t.Errorf("it runs in %p with %v, want an event of the worker's own that goes on", own, outlives)
		}
		if !slices.Contains(e.tap.take(), "subrequest GET http://objects/later +0") {
			t.Error("its request to an object was not sent")
		}
	})
}

func TestWaitUntilInAnObjectTakesTheTurn(t *testing.T) {
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		err := WaitUntil(r.Context(), func(ctx context.Context) error { return p.state.Storage.Put(ctx, "k", 1) })
		if err != nil {
			t.Error(err)
		}
	})
	emulate(t, w, func(e *emulation) {
		ended := e.background()
		resume := e.hold(wire.MethodResume)
		e.fetch(e.construct("Object", "one"), wire.Request{}).text()
		e.settle()
		sent := e.tap.take()
		slices.Sort(sent)
		if want := []string{"background", "reply 200 +0 END", "resume"}; !slices.Equal(sent, want) {
			t.Errorf("got %q before it has the turn, want %q", sent, want)
		}
		resume()
		expectError(t, <-ended, "EOF")
		e.expectSent("put k", "END")
	})
}

func TestAFailureOfWaitUntilInTheWorkerReachesTheEmulator(t *testing.T) {
	for want, fail := range map[string]func() error{
		"no luck":        func() error { return errors.New("no luck") },
		"panic: no luck": func() error { panic("no luck") },
	} {
		w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) {
			if err := WaitUntil(r.Context(), func(context.Context) error { return fail() }); err != nil {
				t.Error(err)
			}
		})
		emulate(t, w, func(e *emulation) {
			ended := e.background()
			e.fetch(0, wire.Request{}).text()
			expectError(t, <-ended, want)
		})
	}
}

func TestWaitUntilNeedsTheContextOfAHandler(t *testing.T) {
	err := WaitUntil(context.Background(), func(context.Context) error { t.Error("it runs"); return nil })
	expectError(t, err,
		"wait until: the context is not a handler's: pass on the context that the handler was called with")
}
