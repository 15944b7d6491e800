package durable

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"devtool.internal/durable/wire"
)

func TestNowIsTheEmulatorsTime(t *testing.T) {
	inHandler(t, func(h handling) {
		h.now = time.Date(1999, 12, 31, 23, 59, 59, 7_900_000, time.UTC)
		want := time.Date(1999, 12, 31, 23, 59, 59, 7_000_000, time.UTC)
		if got := Now(h.ctx); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestNowOutsideOfAHandlerIsTheRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1_999_999) // of the bubble: it takes no time
		want := time.Date(2000, 1, 1, 0, 0, 0, 1_000_000, time.UTC)
		if got := Now(t.Context()); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestSleepWaitsForTheEmulator(t *testing.T) {
	inHandler(t, func(h handling) {
		wake := h.hold(wire.MethodSleep)
		slept := make(chan error, 1)
		go func() { slept <- Sleep(h.ctx, 90*time.Minute) }()
		h.expectSent("sleep 1h30m0s")
		if len(slept) > 0 {
			t.Error("Sleep has returned before the emulator woke it up")
		}
		wake()
		h.check(<-slept)
		h.expectSent() // the answer brings the turn
	})
}

func TestSleepThatNeedNotWaitKeepsTheTurn(t *testing.T) {
	inHandler(t, func(h handling) {
		ended, cancel := context.WithCancel(h.ctx)
		cancel()
		for _, d := range []time.Duration{0, -time.Second} {
			h.check(Sleep(h.ctx, d))
		}
		for _, d := range []time.Duration{0, -time.Second, time.Hour} {
			if err := Sleep(ended, d); err != context.Canceled {
				t.Errorf("Sleep(%s) with a context that has ended: %v, want %v", d, err, context.Canceled)
			}
		}
		h.expectSent()
	})
}

func TestCanceledSleepHasItsTurnBeforeTheHandlerGoesOn(t *testing.T) {
	why := errors.New("had enough")
	inHandler(t, func(h handling) {
		h.on(wire.MethodSleep, func(s *wire.Stream) { <-s.Context().Done() })
		resume := h.hold(wire.MethodResume)
		ctx, cancel := context.WithCancelCause(h.ctx)
		slept := make(chan error, 1)
		go func() { slept <- Sleep(ctx, time.Hour) }()
		h.expectSent("sleep 1h0m0s")
		cancel(why)
		h.expectSent("withdraw", "resume")
		if len(slept) > 0 {
			t.Error("Sleep has returned without the turn")
		}
		resume()
		if err := <-slept; err != why {
			t.Errorf("got %v, want %v", err, why)
		}
	})
}

func TestSleepFailsWithTheEmulatorsError(t *testing.T) {
	inHandler(t, func(h handling) {
		h.fail(wire.MethodSleep, &wire.Error{Message: "disk full", Reset: true})
		err := Sleep(h.ctx, time.Second)
		var failed *Error
		if !errors.As(err, &failed) || !failed.Reset {
			t.Errorf("got %v, want the emulator's error", err)
		}
		h.expectSent("sleep 1s")
	})
}

func TestCanceledSleepFailsIfItGetsNoTurn(t *testing.T) {
	inHandler(t, func(h handling) {
		h.fail(wire.MethodResume, &wire.Error{Message: "the object was reset", Reset: true})
		ctx, cancel := context.WithCancel(h.ctx)
		h.on(wire.MethodSleep, func(s *wire.Stream) {
			cancel()
			<-s.Context().Done()
		})
		expectError(t, Sleep(ctx, time.Second), "the object was reset")
	})
}

func TestSleepOutsideOfAHandlerTakesRealTime(t *testing.T) {
	for _, d := range []time.Duration{-time.Second, 0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			if err := Sleep(t.Context(), d); err != nil {
				t.Error(err)
			}
			if got, want := time.Since(start), max(d, 0); got != want {
				t.Errorf("slept for %s, want %s", got, want)
			}
		})
	}
}

func TestSleepOutsideOfAHandlerEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := fmt.Errorf("had enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
		defer cancel()
		if err := Sleep(ctx, time.Hour); err != why {
			t.Errorf("got %v, want %v", err, why)
		}
	})
}

func TestSleepAfterTheHandlerHasReturnedSaysSo(t *testing.T) {
	var kept context.Context
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) { kept = r.Context() })
	emulate(t, w, func(e *emulation) {
		e.fetch(e.construct("Object", "one"), wire.Request{}).text()
		e.settle()
		err := Sleep(kept, time.Second)
		expectError(t, err, "the event is over, its handler has returned: context canceled")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v is no context.Canceled", err)
		}
	})
}
