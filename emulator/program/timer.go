package program

import (
	"context"
	"io"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/world"
)

// startTimer sets a timer that a handler does not wait for: when its time has come, s is
// answered. It is set before any later question is looked at (see manner), so the clock can't
// go past it, whatever the event waits for next.
func (p *Program) startTimer(s *wire.Stream) {
	var q wire.Sleep
	ev, err := p.asker(s, &q)
	if err != nil {
		s.Fail(world.WireError(err))
		return
	}
	c := p.w.Clock()
	timer := c.At(c.Now().Add(time.Duration(q.Duration)), func(step *clock.Step) {
		step.Add()
		p.w.Go(func() {
			defer step.Done()
			ev.Expire(step, func() (goesOn, known bool) { return answerTimer(s) })
		})
	})
	context.AfterFunc(s.Context(), func() { timer.Stop() })
}

// answerTimer answers s, as the timer's time has come, and reads what the program says of it.
func answerTimer(s *wire.Stream) (goesOn, known bool) {
	b := make([]byte, 1)
	err := s.Answer(&wire.Empty{}, false)
	if err == nil {
		_, err = io.ReadFull(s, b)
	}
	s.CloseWrite() //nolint:errcheck // the program may have withdrawn the timer
	return b[0] != 0, err == nil
}

// cancel tells the handler, which was asked by s, that nobody waits for it any more. Where its
// caller has stopped waiting as part of a step, so does the handler.
func cancel(ev *world.Event, s *wire.Stream) {
	if caller := ev.Caller(); caller != nil {
		ev.StopWaiting(caller.Step())
	}
	s.Cancel()
}
