package durable

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"devtool.internal/durable/wire"
)

// timers returns a function that lets the next timer expire, in the order in which they were set.
// The function returns the answer of the program, or "withdrawn".
func (h handling) timers() (fire func() string) {
	var set []*wire.Stream
	h.on(wire.MethodTimer, func(s *wire.Stream) {
		h.mu.Lock()
		set = append(set, s)
		h.mu.Unlock()
		<-s.Context().Done()
	})
	return func() string {
		h.t.Helper()
		h.settle()
		h.mu.Lock()
		s := set[0]
		set = set[1:]
		h.mu.Unlock()
		if s.Answer(&wire.Empty{}, false) != nil {
			return "withdrawn"
		}
		b, _ := io.ReadAll(s)
		s.CloseWrite()
		h.settle()
		return map[string]string{"\x00": "nobody", "\x01": "goes on"}[string(b)]
	}
}

func expectExpired(t *testing.T, ctx context.Context) {
	t.Helper()
	if err, cause := ctx.Err(), context.Cause(ctx); err != context.DeadlineExceeded ||
		cause != context.DeadlineExceeded {
		t.Errorf("the context has ended with %v because of %v, want %v for both", err, cause, context.DeadlineExceeded)
	}
}

func TestATimeoutEndsTheContextWhenTheEmulatorSaysSo(t *testing.T) {
	inHandler(t, func(h handling) {
		fire := h.timers()
		ctx, cancel := WithTimeout(h.ctx, 90*time.Second)
		defer cancel()
		child, cancelChild := context.WithCancel(
			context.WithValue(ctx, "a", "b")) //nolint:staticcheck // any key will do
		defer cancelChild()
		h.expectSent("timer 1m30s")
		if err := ctx.Err(); err != nil {
			t.Errorf("the context has ended with %v before its time", err)
		}
		if _, has := ctx.Deadline(); has {
			t.Error("the context has a deadline, which other packages would compare with the real clock")
		}
		if got := fire(); got != "nobody" {
			t.Errorf("got %q, want that no goroutine goes on", got)
		}
		expectExpired(t, ctx)
		expectExpired(t, child)
		h.expectSent("data 1", "END")
	})
}

func TestWaitingGoroutinesGoOnWhenTheTimeIsUp(t *testing.T) {
	waits := map[string]func(h handling, ctx context.Context) error{
		"sleep": func(_ handling, ctx context.Context) error { return Sleep(ctx, time.Hour) },
		"fetch": func(h handling, ctx context.Context) error {
			_, err := h.env.Namespace("OBJECTS").
				GetByName("two").
				Fetch(h.request("GET", "http://a.test/", nil).WithContext(ctx))
			return err
		},
		"sleep with a context that comes from it": func(_ handling, ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			return Sleep(ctx, time.Hour)
		},
		"sleep with a longer timeout within it": func(_ handling, ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			ctx, cancelInner := WithTimeout(ctx, time.Hour)
			defer cancelInner()
			return Sleep(ctx, time.Hour)
		},
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			inHandler(t, func(h handling) {
				fire := h.timers()
				never := func(s *wire.Stream) { <-s.Context().Done() }
				h.on(wire.MethodSleep, never)
				h.on(wire.MethodSubrequest, never)
				resume := h.hold(wire.MethodResume)
				ctx, cancel := WithTimeout(h.ctx, time.Second)
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- wait(h, ctx) }()
				if got := fire(); got != "goes on" {
					t.Errorf("got %q, want that somebody goes on", got)
				}
				if len(done) > 0 {
					t.Error("the handler goes on without its turn")
				}
				resume()
				if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
				}
			})
		})
	}
}

// The emulator may let the time pass as soon as it knows of a wait, before the handler's goroutine
// has run again.
func TestATimeoutFindsAWaitThatHasJustBegun(t *testing.T) {
	inHandler(t, func(h handling) {
		fire := h.timers()
		h.waitsForWake()
		ctx, cancel := WithTimeout(h.ctx, time.Second)
		defer cancel()
		p := invocationOf(h.ctx).park(ctx)
		if got := fire(); got != "goes on" {
			t.Errorf("got %q, want that somebody goes on", got)
		}
		if err := p.await(ctx, func() bool { return true }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// The goroutine that goes on may be faster than the answer to the emulator.
func TestATimeoutFindsAWaitThatEndsAtOnce(t *testing.T) {
	inHandler(t, func(h handling) {
		fire := h.timers()
		ctx, cancel := WithTimeout(h.ctx, time.Second)
		defer cancel()
		done := invocationOf(h.ctx).host.(*wireHost).waiting(ctx)
		ctx.Value(expiryKey{}).(*expiry).AfterFunc(done)
		if got := fire(); got != "goes on" {
			t.Errorf("got %q, want that somebody goes on", got)
		}
	})
}

func TestATimeoutLeavesOtherGoroutinesAsleep(t *testing.T) {
	inHandler(t, func(h handling) {
		fire := h.timers()
		wake := h.hold(wire.MethodSleep)
		ctx, cancel := WithTimeout(h.ctx, time.Second)
		defer cancel()
		slept := make(chan error, 1)
		go func() { slept <- Sleep(context.WithoutCancel(ctx), time.Hour) }()
		h.expectSent("timer 1s", "sleep 1h0m0s")
		if got := fire(); got != "nobody" {
			t.Errorf("got %q, want that no goroutine goes on", got)
		}
		expectExpired(t, ctx)
		h.expectSent("data 1", "END")
		wake()
		h.check(<-slept)
	})
}

func TestATimeoutThatIsNotNeededIsWithdrawn(t *testing.T) {
	inHandler(t, func(h handling) {
		fire := h.timers()
		ctx, cancel := WithTimeout(h.ctx, time.Second)
		h.expectSent("timer 1s")
		cancel()
		h.expectSent("withdraw")
		if err := ctx.Err(); err != context.Canceled {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		if got := fire(); got != "withdrawn" {
			t.Errorf("got %q, want a timer that was withdrawn", got)
		}
		if err := ctx.Err(); err != context.Canceled {
			t.Errorf("after its time: got %v, want %v still", err, context.Canceled)
		}
	})
}

func TestATimeoutEndsWithItsParent(t *testing.T) {
	why := errors.New("had enough")
	inHandler(t, func(h handling) {
		h.timers()
		parent, cancelParent := context.WithCancelCause(h.ctx)
		ctx, cancel := WithTimeout(parent, time.Second)
		defer cancel()
		h.expectSent("timer 1s")
		cancelParent(why)
		h.expectSent("withdraw")
		if err, cause := ctx.Err(), context.Cause(ctx); err != context.Canceled || cause != why {
			t.Errorf("got %v because of %v, want %v because of %v", err, cause, context.Canceled, why)
		}
		late, cancelLate := WithTimeout(parent, time.Second)
		defer cancelLate()
		if err, cause := late.Err(), context.Cause(late); err != context.Canceled || cause != why {
			t.Errorf("of a context that had ended: got %v because of %v, want %v because of %v", err, cause,
				context.Canceled, why)
		}
		h.expectSent()
	})
}

func TestATimeoutThatIsOverNeedsNoEmulator(t *testing.T) {
	inHandler(t, func(h handling) {
		for _, d := range []time.Duration{0, -time.Second} {
			ctx, cancel := WithTimeout(h.ctx, d)
			expectExpired(t, ctx)
			cancel()
		}
		h.expectSent()
	})
}

func TestTheEndOfTheHandlerWithdrawsItsTimeouts(t *testing.T) {
	var kept context.Context
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) {
		kept, _ = WithTimeout(r.Context(), time.Hour) //nolint:govet // that is the point
	})
	emulate(t, w, func(e *emulation) {
		e.on(wire.MethodTimer, func(s *wire.Stream) { <-s.Context().Done() })
		e.fetch(0, wire.Request{}).text()
		e.expectSent("timer 1h0m0s", "reply 200 +0 END", "withdraw")
		if err := kept.Err(); err != context.Canceled {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
}

func TestADeadlineIsOnTheEmulatorsClock(t *testing.T) {
	inHandler(t, func(h handling) {
		h.timers()
		_, cancel := WithDeadline(h.ctx, Now(h.ctx).Add(time.Minute))
		defer cancel()
		h.expectSent("now", "now", "timer 1m0s")
	})
}

func TestATimeoutOutsideOfAHandlerTakesRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		for _, with := range []func() (context.Context, context.CancelFunc){
			func() (context.Context, context.CancelFunc) { return WithTimeout(t.Context(), time.Minute) },
			func() (context.Context, context.CancelFunc) {
				return WithDeadline(t.Context(), time.Now().Add(time.Minute))
			},
		} {
			ctx, cancel := with()
			defer cancel()
			<-ctx.Done()
			expectExpired(t, ctx)
		}
		if got, want := time.Since(start), 2*time.Minute; got != want {
			t.Errorf("it took %s, want %s", got, want)
		}
	})
}
