package program

import (
	"context"
	"sync"
	"time"

	"devtool.internal/durable/wire"
)

// An attached program may stand in a debugger. Then nothing of it runs, and whatever
// bounds it in real time must not go on: the report of handlers that are stuck, the end of a step of an
// advance, and the limits on the clock, which runs meanwhile.

const (
	// pingTimeout is how long, in real time, a program may take to answer before it counts as standing.
	pingTimeout = 2 * time.Second
)

// A pulse tells whether a program runs, by asking it.
type pulse struct {
	conn    *wire.Conn
	timeout time.Duration

	// mu guards what follows.
	mu    sync.Mutex
	asked chan struct{} // closed when the question under way is answered; nil if none is
	stood time.Time     // when the program was last seen standing, or zero
}

// beats reports whether the program runs. It takes up to the timeout to find out that it does not.
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
		u.seenStanding()
		return false
	}
}

// ask asks one question. A program that stands may not even take it, and answers when it goes on.
func (u *pulse) ask(asked chan struct{}) {
	began := time.Now()
	u.conn.Call(context.Background(), wire.MethodPing, &wire.Empty{}, &wire.Empty{}) //nolint:errcheck // also an SDK that does not know the question answers it
	if time.Since(began) >= u.timeout {
		u.seenStanding()
	}
	u.mu.Lock()
	u.asked = nil
	u.mu.Unlock()
	close(asked)
}

func (u *pulse) seenStanding() {
	u.mu.Lock()
	u.stood = time.Now()
	u.mu.Unlock()
}

// stoodWithin reports whether the program was seen standing in the last d.
func (u *pulse) stoodWithin(d time.Duration) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.stood.IsZero() && time.Since(u.stood) < d
}

// Attached reports whether somebody else started the program.
func (p *Program) Attached() bool { return p.pulse != nil }

// Spared reports whether real time does not count for the program, because it stands in a debugger or
// has stood there in the last d.
func (p *Program) Spared(d time.Duration) bool {
	return p.Attached() && !p.Lost() && (!p.pulse.beats() || p.pulse.stoodWithin(d)) && !p.Lost()
}

// Responds reports whether the program runs: it has answered then.
func (p *Program) Responds() bool {
	if p.Attached() {
		return p.pulse.beats()
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	p.conn.Call(ctx, wire.MethodPing, &wire.Empty{}, &wire.Empty{}) //nolint:errcheck // as in ask
	return ctx.Err() == nil
}
