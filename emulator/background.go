package emulator

import (
	"context"
	"errors"
	"io"

	"devtool.internal/durable/wire"
)

// runInBackground makes an event out of work that outlives the handler that has begun it.
// The event lasts until the program ends the body of s; it takes its turn by Resume, as
// after a pause.
func (p *program) runInBackground(s *wire.Stream) error {
	var q wire.Operation
	if err := wire.Decode(s.Message, &q); err != nil {
		return err
	}
	caller, err := p.event(q.Event)
	if err != nil {
		return err
	}
	o := caller.obj
	if o == nil {
		return errors.New("the worker has no object that could be kept in memory")
	}
	p.e.host.stay(p)
	defer p.e.host.leave(p)
	o.ns.keep(o)
	ev := p.e.newEvent(s.Context(), p, o, "waitUntil")
	ev.join(caller.currentStep())
	defer ev.retire()
	defer o.ns.unpin(o) // before the step may end: when an object was last used is part of it
	o.mu.Lock()
	inst := caller.inst
	ev.inst = inst
	o.mu.Unlock()

	p.register(ev)
	err = s.Answer(&wire.Background{Event: ev.number}, false)
	if err == nil {
		err = p.awaitEnd(s, inst)
	}
	p.unregister(ev)
	if err != nil && p.lost() {
		o.abandon(inst, err)
	}
	if e := o.finish(ev); err == nil {
		err = e
	}
	if err != nil {
		if inst.ctx.Err() == nil && !p.lost() { // else it was said already
			p.e.logFailure(ev.String()+" failed: "+err.Error(), err)
		}
		return err
	}
	return s.CloseWrite()
}

// awaitEnd waits until the body of s, which has nothing but an end, is there, or inst is
// reset.
func (p *program) awaitEnd(s *wire.Stream, inst *instance) error {
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
	case <-inst.ctx.Done():
		cause := context.Cause(inst.ctx)
		s.Fail(asWire(cause)) // which ends the Read as well
		return cause
	}
}
