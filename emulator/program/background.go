package program

import (
	"context"
	"io"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/world"
)

// runInBackground delivers work that outlives its handler as an event of its own, of the same
// object or of the worker. The event lasts until the program ends the body of s. It takes its turn
// by Resume, as after a pause. It has its place in the queue from when the program asks: no later
// request overtakes it.
func (p *Program) runInBackground(s *wire.Stream) error {
	var q wire.Operation
	caller, err := p.asker(s, &q)
	if err != nil {
		return err
	}
	d := &world.Delivery{
		Kind: "waitUntil", Context: s.Context(), Program: p, Step: caller.HoldStep(), Cause: caller,
		Handle: func(ev *world.Event, inst *world.Instance) error {
			if err := ev.QueueUp(); err != nil {
				return err
			}
			if err := s.Answer(&wire.Background{Event: ev.Number()}, false); err != nil {
				return err
			}
			return p.awaitEnd(s, inst)
		},
		Ended: func(ev *world.Event, err error) {
			switch {
			case err == nil:
				s.CloseWrite() //nolint:errcheck // a lost program needs no answer
			case !ev.WasReset() && !p.Lost(): // else the reset or crash was logged
				p.host.logFailure(ev.Title()+" failed: "+err.Error(), err)
			}
		},
	}
	if o := caller.Object(); o != nil {
		d.Object, d.Instance = o.Address(), caller.Instance()
	}
	return p.w.Deliver(d)
}

// awaitEnd waits until the body of s, which is empty, ends, or inst is reset.
func (p *Program) awaitEnd(s *wire.Stream, inst *world.Instance) error {
	ended := make(chan error, 1)
	go func() {
		_, err := s.Read(make([]byte, 1))
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == io.EOF {
			return nil
		}
		return p.explain(err)
	case <-inst.Context().Done():
		cause := context.Cause(inst.Context())
		s.Fail(world.WireError(cause)) // ends the Read as well
		return cause
	}
}
