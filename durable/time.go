package durable

import (
	"context"
	"time"
)

// Now returns the time of the emulator's clock, in UTC and whole milliseconds. Outside
// of a handler, where ctx belongs to no event, it is the real time.
func Now(ctx context.Context) time.Time {
	if ev := eventOf(ctx); ev != nil {
		// Without an emulator there is nobody left to mind a wrong time.
		if t, err := ev.now(); err == nil {
			return t
		}
	}
	return time.Now().UTC().Truncate(time.Millisecond)
}

// Sleep waits for d of the emulator's clock and gives the object's turn up
// meanwhile. It returns early, with the reason, when ctx ends. Outside of a handler it
// waits for d of the real time.
func Sleep(ctx context.Context, d time.Duration) error {
	if ev := eventOf(ctx); ev != nil {
		return ev.sleep(ctx, d)
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
