package program

import (
	"fmt"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/world"
)

// wait makes an event wait for another event of its object. It notes the wait before any later
// message of the program is looked at (see operations), so that no Wake comes too early.
func (p *Program) wait(s *wire.Stream) {
	var q wire.Wait
	ev, err := p.asker(s, &q)
	if err == nil {
		err = p.beginWait(ev, s, q.Token)
	}
	if err != nil {
		s.Fail(world.WireError(err))
	}
}

// beginWait begins a wait that answers s when it ends.
func (p *Program) beginWait(ev *world.Event, s *wire.Stream, token uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits[token] != nil {
		return fmt.Errorf("token %d waits already", token)
	}
	c, err := ev.BeginWait()
	if err != nil {
		return err
	}
	p.waits[token] = c
	go func() {
		err := c.Await(s.Context())
		p.mu.Lock()
		delete(p.waits, token)
		p.mu.Unlock()
		reply(s, &wire.Empty{}, err)
	}()
	return nil
}

// wake ends waits. A wait that has ended already is ignored.
func (p *Program) wake(q *wire.Wake) {
	waits := make([]*world.CondWait, 0, len(q.Tokens))
	p.mu.Lock()
	for _, token := range q.Tokens {
		if c := p.waits[token]; c != nil {
			waits = append(waits, c)
		}
	}
	p.mu.Unlock()
	for _, c := range waits {
		c.Wake()
	}
}
