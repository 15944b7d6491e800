package durable

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

func TestAbortEndsTheHandlerAfterItsDeferredCalls(t *testing.T) {
	for _, tt := range []struct {
		reason string
		o      AbortOptions
		want   string
	}{
		{"enough", AbortOptions{}, "reset enough"},
		{"", AbortOptions{}, "reset Application called abort() to reset Durable Object."},
		{"enough", AbortOptions{DropAlarm: true}, "reset enough, drop alarm"},
	} {
		deferred := false
		w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
			defer func() {
				deferred = true
				if v := recover(); v != nil {
					t.Errorf("abort can be recovered as %v", v)
				}
			}()
			p.state.Abort(r.Context(), tt.reason, tt.o)
			t.Error("abort has returned")
		})
		emulate(t, w, func(e *emulation) {
			x := e.fetch(e.construct("Object", "one"), wire.Request{})
			if _, err := x.Await(context.Background()); err == nil {
				t.Error("the event has not failed")
			}
			if !deferred {
				t.Error("the deferred call has not run")
			}
			e.expectSent(tt.want, "fail "+endedGoroutine)
		})
	}
}

func TestWaitUntilRunsAsAnEventOfItsOwn(t *testing.T) {
	var handlersEvent *invocation
	ran := make(chan struct{})
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		handlersEvent = invocationOf(r.Context())
		err := p.state.WaitUntil(r.Context(), func(ctx context.Context) error {
			if inv := invocationOf(ctx); inv == handlersEvent || inv.state != p.state {
				t.Error("it has not an event of its own of the same object")
			}
			err := p.state.Storage.Put(ctx, "k", 1)
			close(ran)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	emulate(t, w, func(e *emulation) {
		resume := e.hold(wire.MethodResume)
		ended := make(chan error, 1)
		e.on(wire.MethodBackground, func(s *wire.Stream) {
			s.Answer(&wire.Background{Event: 77}, false)
			_, err := s.Read(make([]byte, 1))
			ended <- err
			s.CloseWrite()
		})
		e.fetch(e.construct("Object", "one"), wire.Request{}).text()
		e.settle()
		sent := e.tap.take()
		slices.Sort(sent) // the handler does not wait for the work, nor the work for it
		if want := []string{"background", "reply 200 +0 END", "resume"}; !slices.Equal(sent, want) {
			t.Errorf("got %q, want %q", sent, want)
		}
		resume()
		<-ran
		if err := <-ended; err == nil || err.Error() != "EOF" {
			t.Errorf("the event ended with %v, want the end of its body", err)
		}
		e.expectSent("put k", "END")
	})
}

func TestAFailureOfWaitUntilReachesTheEmulator(t *testing.T) {
	for name, fail := range map[string]func() error{
		"no luck":        func() error { return errors.New("no luck") },
		"panic: no luck": func() error { panic("no luck") },
		endedGoroutine:   nil,
	} {
		w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
			p.state.WaitUntil(r.Context(), func(ctx context.Context) error {
				if fail == nil {
					p.state.Abort(ctx, "", AbortOptions{})
				}
				return fail()
			})
		})
		emulate(t, w, func(e *emulation) {
			ended := make(chan error, 1)
			e.on(wire.MethodBackground, func(s *wire.Stream) {
				s.Answer(&wire.Background{Event: 77}, false)
				_, err := s.Read(make([]byte, 1))
				ended <- err
			})
			e.fetch(e.construct("Object", "one"), wire.Request{}).text()
			expectError(t, <-ended, name)
		})
	}
}

func TestWaitUntilIsCutShortWhenTheObjectIsReset(t *testing.T) {
	ended := make(chan error, 1)
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		p.state.WaitUntil(r.Context(), func(ctx context.Context) error {
			ended <- Sleep(ctx, time.Hour)
			return nil
		})
	})
	emulate(t, w, func(e *emulation) {
		streams := make(chan *wire.Stream, 1)
		e.on(wire.MethodSleep, func(s *wire.Stream) { <-s.Context().Done() })
		e.on(wire.MethodBackground, func(s *wire.Stream) {
			s.Answer(&wire.Background{Event: 77}, false)
			streams <- s
			<-s.Context().Done()
		})
		e.fetch(e.construct("Object", "one"), wire.Request{}).text()
		(<-streams).Fail(&wire.Error{Message: "reset", Reset: true})
		if err := <-ended; err == nil {
			t.Error("the sleep goes on")
		}
	})
}
