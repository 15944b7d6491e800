package program

import (
	"context"
	"sync"
	"time"

	"devtool.internal/durable/wire"
)

// A debugger may stop an attached program. Then nothing of it runs, and no limit in real time may
// count: neither the report of stuck handlers, nor the end of an advance's step, nor the limits on
// the clock, which may run meanwhile.

const (
	// pingTimeout is how long, in real time, a program may take to answer before it counts as
	// stopped.
	pingTimeout = 2 * time.Second
)

// A pulse finds out whether a program runs, by asking it.
type pulse struct {
	conn    *wire.Conn
	timeout time.Duration

	// mu guards what follows.
	mu      sync.Mutex
	asked   chan struct{} // closed when the question under way is answered; nil if none is
	stopped time.Time     // when the program was last seen stopped, or zero
}

// beats reports whether the program runs. It waits for an answer until the timeout.
func (u *pulse) beats() bool {
	u.mu.Lock()
	asked := u.asked
	if asked == nil {
		asked = make(chan struct{})
		u.asked = asked
		go u.ask(asked)
	}
	u.mu.Unlock()
	timer := time.NewTimer(u.timeout)
	defer timer.Stop()
	select {
	case <-asked:
		return true
	case <-timer.C:
		u.markStopped()
		return false
	}
}

// ask asks one question, and closes asked when the answer is there. A stopped program may not even
// read the question, and answers when it goes on.
func (u *pulse) ask(asked chan struct{}) {
	began := time.Now()
	// An SDK that does not know the method answers with an error, which is an answer, too.
	u.conn.Call(context.Background(), wire.MethodPing, &wire.Empty{}, &wire.Empty{}) //nolint:errcheck // see above
	if time.Since(began) >= u.timeout {
		u.markStopped()
	}
	u.mu.Lock()
	u.asked = nil
	u.mu.Unlock()
	close(asked)
}

// markStopped notes that the program is stopped now.
func (u *pulse) markStopped() {
	u.mu.Lock()
	u.stopped = time.Now()
	u.mu.Unlock()
}

// stoppedWithin reports whether the program was seen stopped within the last d of real time.
func (u *pulse) stoppedWithin(d time.Duration) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.stopped.IsZero() && time.Since(u.stopped) < d
}

// Attached reports whether the program is an attached one: the runner has not started it.
func (p *Program) Attached() bool { return p.pulse != nil }

// Spared reports whether real time does not count for the program: a debugger stops it, or has
// stopped it within the last d of real time. It may take pingTimeout.
func (p *Program) Spared(d time.Duration) bool {
	return p.Attached() && !p.Lost() && (!p.pulse.beats() || p.pulse.stoppedWithin(d)) && !p.Lost()
}

// Responds reports whether the program has answered a ping within pingTimeout.
func (p *Program) Responds() bool {
	if p.Attached() {
		return p.pulse.beats()
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	p.conn.Call(ctx, wire.MethodPing, &wire.Empty{}, &wire.Empty{}) //nolint:errcheck // as in pulse.ask
	return ctx.Err() == nil
}
