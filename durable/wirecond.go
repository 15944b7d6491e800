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
}

var _ parking = (*wireParking)(nil)

// lastToken is the last token given to a wait. Tokens of all connections are different.
var lastToken atomic.Uint64

func (h *wireHost) park(ctx context.Context) (parking, error) {
	p := &wireParking{host: h, token: lastToken.Add(1)}
	h.releaseTurn()
	// The clock may move as soon as the emulator has the question. So a timer that ends ctx must find
	// the wait from here on.
	p.done = h.waiting(ctx)
	var err error
	if p.stream, err = h.conn.Open(wire.MethodWait, &wire.Wait{Event: h.id, Token: p.token}, true); err != nil {
		p.done()
		h.retakeTurn() // the question was not sent
		return nil, fromWire(err)
	}
	h.keep(p.stream)
	return p, nil
}

func (p *wireParking) await(ctx context.Context, leave func() bool) error {
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
