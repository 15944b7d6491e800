//go:build !js

package durable

import (
	"context"
	"sync/atomic"

	"devtool.internal/durable/wire"
)

// A wireParking is a wait that the emulator knows by its token.
type wireParking struct {
	host   *wireHost
	token  uint64
	stream *wire.Stream
	done   func() // the wait is over (see wireHost.waiting)
	err    error  // why the emulator does not know the wait, or nil
}

var _ parking = (*wireParking)(nil)

// lastToken is the last token given to a wait. Tokens of all connections are different.
var lastToken atomic.Uint64

// park must not wait, because Cond.mu is held. So await returns its error.
func (h *wireHost) park(ctx context.Context) parking {
	p := &wireParking{host: h, token: lastToken.Add(1)}
	h.releaseTurn()
	// The clock may move as soon as the emulator has the question. So a timer that ends ctx must
	// find the wait from here on.
	p.done = h.waiting(ctx)
	p.stream, p.err = h.conn.Open(wire.MethodWait, &wire.Wait{Event: h.id, Token: p.token}, true)
	if p.err == nil {
		h.keep(p.stream)
	}
	return p
}

func (p *wireParking) await(ctx context.Context, leave func() bool) error {
	if p.err != nil { // the question was not sent
		p.done()
		p.host.retakeTurn()
		return p.host.failed(p.err)
	}
	left, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		if leave() {
			cancel(context.Cause(ctx))
		}
	})
	defer stop()
	_, err := p.stream.Await(left)
	p.done()
	p.host.forget(p.stream)
	return p.host.afterWait(left, err)
}

// wake sends at once, because what calls Signal may have nothing else to send.
func (h *wireHost) wake(parkings []parking) {
	m := new(wire.Wake)
	for _, p := range parkings {
		m.Tokens = append(m.Tokens, p.(*wireParking).token)
	}
	h.conn.NotifyAtOnce(wire.MethodWake, m) //nolint:errcheck // the emulator has gone, and the waits with it
}
