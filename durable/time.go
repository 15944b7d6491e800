package durable

import (
	"context"
	"time"
)

// Now returns the time of the emulator's clock, in UTC and whole milliseconds. Outside a handler,
// where ctx belongs to no event, it returns the real time.
func Now(ctx context.Context) time.Time {
	if inv := invocationOf(ctx); inv != nil {
		// Without an emulator the program is about to end, so the real time does no harm.
		if t, err := inv.now(); err == nil {
			return t
		}
	}
	return time.Now().UTC().Truncate(time.Millisecond)
}

// Sleep waits for d of the emulator's clock and gives the object's turn up meanwhile. If ctx ends
// earlier, Sleep returns the cause: after a reset of the object its reason, an *Error. Sleeps that
// end at the same time go on in the order in which they began. Outside a handler it waits for d of
// real time.
func Sleep(ctx context.Context, d time.Duration) error {
	if inv := invocationOf(ctx); inv != nil {
		return inv.sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// WithTimeout is context.WithTimeout on the emulator's clock. The context ends with
// context.DeadlineExceeded when d has passed there, and with ctx. A Sleep or a request to another
// object that waits at that time goes on at that very time. Code that is busy finds the context
// ended.
//
// The context has no Deadline, because other packages, such as net, would compare it with the
// real time. Outside a handler WithTimeout is context.WithTimeout.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	inv := invocationOf(ctx)
	if inv == nil {
		return context.WithTimeout(ctx, d)
	}
	e := newExpiry(ctx)
	timed, cancel := context.WithCancel(e)
	switch {
	case d <= 0:
		e.end(context.DeadlineExceeded)
	case timed.Err() == nil:
		inv.timer(timed, d, func() { e.end(context.DeadlineExceeded) })
	}
	return timed, func() {
		cancel()
		e.release()
	}
}

// WithDeadline is WithTimeout until the time t of the emulator's clock.
func WithDeadline(ctx context.Context, t time.Time) (context.Context, context.CancelFunc) {
	if invocationOf(ctx) == nil {
		return context.WithDeadline(ctx, t)
	}
	return WithTimeout(ctx, t.Sub(Now(ctx)))
}
