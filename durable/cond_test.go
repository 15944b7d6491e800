package durable

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"devtool.internal/durable/wire"
)

// waitsForWake makes the emulation answer a Wait when a Wake has named its token.
func (e *emulation) waitsForWake() {
	waits := make(map[uint64]chan struct{})
	woken := func(token uint64) chan struct{} {
		e.mu.Lock()
		defer e.mu.Unlock()
		if waits[token] == nil {
			waits[token] = make(chan struct{})
		}
		return waits[token]
	}
	e.on(wire.MethodWait, func(s *wire.Stream) {
		var q wire.Wait
		mustDecode(s.Message, &q)
		select {
		case <-woken(q.Token):
			s.Answer(&wire.Empty{}, true)
		case <-s.Context().Done():
		}
	})
	e.woken = func(q *wire.Wake) {
		for _, token := range q.Tokens {
			close(woken(token))
		}
	}
}

func TestWaitEndsWithASignal(t *testing.T) {
	inHandler(t, func(h handling) {
		h.waitsForWake()
		var c Cond
		done := h.alongside(func() error { return c.Wait(h.ctx) })
		h.expectSent("wait")
		if finished, _ := h.finished(done); finished {
			t.Error("Wait has returned before a signal")
		}
		c.Signal()
		h.expectSent("notice wake 1") // at once; the answer of Wait brings the turn
		h.check(<-done)
		c.Signal() // nobody waits
		c.Broadcast()
		h.expectSent()
	})
}

func TestSignalWakesOneAndBroadcastAll(t *testing.T) {
	inHandler(t, func(h handling) {
		h.waitsForWake()
		var c Cond
		var done []<-chan error
		for range 4 {
			done = append(done, h.alongside(func() error { return c.Wait(h.ctx) }))
		}
		h.expectSent("wait", "wait", "wait", "wait")
		c.Signal()
		h.expectSent("notice wake 1")
		h.check(<-done[0]) // the one that has waited longest
		for _, d := range done[1:] {
			if finished, _ := h.finished(d); finished {
				t.Error("another Wait has returned, too")
			}
		}
		c.Broadcast()
		h.expectSent("notice wake 3") // in one notice
		for _, d := range done[1:] {
			h.check(<-d)
		}
	})
}

func TestPutsLeaveBeforeAWait(t *testing.T) {
	inHandler(t, func(h handling) {
		h.waitsForWake()
		var c Cond
		h.put("k", "v")
		done := h.alongside(func() error { return c.Wait(h.ctx) })
		h.expectSent("notice write k", "wait")
		c.Signal()
		h.check(<-done)
	}, withCache)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	why := errors.New("had enough")
	inHandler(t, func(h handling) {
		h.waitsForWake()
		resume := h.hold(wire.MethodResume)
		var c Cond
		ctx, cancel := context.WithCancelCause(h.ctx)
		first := h.alongside(func() error { return c.Wait(ctx) })
		second := h.alongside(func() error { return c.Wait(h.ctx) })
		h.expectSent("wait", "wait")
		cancel(why)
		h.expectSent("withdraw", "resume")
		if finished, _ := h.finished(first); finished {
			t.Error("Wait has returned without the turn")
		}
		resume()
		if err := <-first; err != why {
			t.Errorf("got %v, want %v", err, why)
		}
		if err := c.Wait(ctx); err != why {
			t.Errorf("with a context that has ended: got %v, want %v", err, why)
		}
		c.Signal() // it is not lost on the first one
		h.check(<-second)
		h.expectSent("notice wake 1")
	})
}

// A handler that was woken has been woken, even if its context ends before it has the turn.
func TestASignalIsNotLostOnAContextThatEndsAfterIt(t *testing.T) {
	inHandler(t, func(h handling) {
		release := make(chan struct{})
		h.on(wire.MethodWait, func(s *wire.Stream) {
			<-release
			s.Answer(&wire.Empty{}, true)
		})
		var c Cond
		ctx, cancel := context.WithCancel(h.ctx)
		done := h.alongside(func() error { return c.Wait(ctx) })
		h.expectSent("wait")
		c.Signal()
		h.expectSent("notice wake 1")
		cancel()
		h.expectSent()
		close(release)
		h.check(<-done)
	})
}

func TestASignalThatReachesAFailedWaitWakesAnother(t *testing.T) {
	inHandler(t, func(h handling) {
		release := make(chan struct{})
		h.on(wire.MethodWait, func(s *wire.Stream) {
			<-release
			s.Fail(&wire.Error{Message: "reset", Reset: true})
		})
		var c Cond
		first := h.alongside(func() error { return c.Wait(h.ctx) })
		h.waitsForWake()
		second := h.alongside(func() error { return c.Wait(h.ctx) })
		c.Signal()
		close(release)
		if err := <-first; err == nil {
			t.Error("the first Wait has not failed")
		}
		h.check(<-second)
		h.expectSent("wait", "wait", "notice wake 1", "notice wake 1")
	})
}

func TestAWaitEndsAtATimeout(t *testing.T) {
	inHandler(t, func(h handling) {
		h.waitsForWake()
		fire := h.timers()
		var c Cond
		ctx, cancel := WithTimeout(h.ctx, time.Minute)
		defer cancel()
		done := h.alongside(func() error { return c.Wait(ctx) })
		if got := fire(); got != "goes on" {
			t.Errorf("the program said %q, want that the handler goes on", got)
		}
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

func TestWaitIsForHandlersOfOneObject(t *testing.T) {
	var c Cond
	var errs []error
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		if p.state != nil && len(errs) == 0 {
			time.AfterFunc(time.Second, cancel) // of the bubble: the first object waits a second
		}
		errs = append(errs, c.Wait(ctx))
		cancel()
	})
	emulate(t, w, func(e *emulation) {
		e.waitsForWake()
		one, two := e.construct("Object", "one"), e.construct("Object", "two")
		for _, instance := range []uint64{one, two, 0} {
			e.fetch(instance, wire.Request{}).text()
		}
	})
	for i, want := range []string{"context canceled", "handlers of another object (", "of the worker"} {
		if got := errs[i]; got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%d: got %v, want an error with %q", i, got, want)
		}
	}
}

func TestAWaitThatItsHandlerLeftBehindEnds(t *testing.T) {
	left := make(chan error, 1)
	var c Cond
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) {
		go func() { left <- c.Wait(context.WithoutCancel(r.Context())) }()
		synctest.Wait()
	})
	emulate(t, w, func(e *emulation) {
		e.waitsForWake()
		e.fetch(e.construct("Object", "one"), wire.Request{}).text()
		if err := <-left; err == nil {
			t.Error("Wait has returned without an error after its handler")
		}
	})
}

func TestACondWorksOutsideOfHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Cond
		ctx, cancel := context.WithCancelCause(t.Context())
		wait := func(ctx context.Context) <-chan error {
			done := make(chan error, 1)
			go func() { done <- c.Wait(ctx) }()
			synctest.Wait()
			return done
		}
		first, second, third := wait(ctx), wait(t.Context()), wait(t.Context())
		why := errors.New("had enough")
		cancel(why)
		if err := <-first; err != why {
			t.Errorf("got %v, want %v", err, why)
		}
		if err := c.Wait(ctx); err != why {
			t.Errorf("with a context that has ended: got %v, want %v", err, why)
		}
		c.Signal()
		if err := <-second; err != nil || len(third) > 0 {
			t.Errorf("got %v, want that the second Wait alone returns", err)
		}
		c.Broadcast()
		if err := <-third; err != nil {
			t.Error(err)
		}
	})
}
