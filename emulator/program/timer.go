package program

import (
	"context"
	"fmt"
	"io"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/world"
)

// startTimer sets a timer that a handler does not wait for: s is answered when the timer is due.
// The timer is set before any later question of the program is served (see manner). So the clock
// can't go past it, whatever the event waits for next.
func (p *Program) startTimer(s *wire.Stream) {
	var q wire.Sleep
	ev, err := p.asker(s, &q)
	if err == nil && ev.Timers() >= wire.MaxTimers {
		err = fmt.Errorf("the event has %d timers, which is the limit", wire.MaxTimers)
	}
	if err != nil {
		s.Fail(world.WireError(err))
		return
	}
	c := p.w.Clock()
	due := c.Now().Add(time.Duration(q.Duration))
	drop := ev.HoldTimer(due)
	timer := c.At(due, func(step *clock.Step) {
		step.Add()
		place := p.w.PlaceInTime(step)
		p.w.Go(func() {
			defer step.Done()
			drop()
			ev.Expire(step, func() (goesOn, known bool) { return answerTimer(s, place) })
		})
	})
	context.AfterFunc(s.Context(), func() {
		drop()
		timer.Stop()
	})
}

// answerTimer answers s, whose timer is due, when those before place have been answered. It reads
// the program's reply: whether the handler goes on. known is false if no reply came.
func answerTimer(s *wire.Stream, place *world.Place) (goesOn, known bool) {
	b := make([]byte, 1)
	place.Wait()
	err := s.Answer(&wire.Empty{}, false)
	place.Leave()
	if err == nil {
		_, err = io.ReadFull(s, b)
	}
	s.CloseWrite() //nolint:errcheck // the program may have withdrawn the timer
	return b[0] != 0, err == nil
}

// cancel tells the handler of s that its caller no longer waits. If the caller holds a step, the
// event joins that step, so that the handler's end belongs to it. If a reset has ended the event,
// and the caller waits no longer because of that, the handler learns the reason.
func cancel(ev *world.Event, s *wire.Stream) {
	if caller := ev.Caller(); caller != nil {
		ev.StopWaiting(caller.Step())
	}
	if ev.WasReset() {
		s.WithdrawFor(context.Cause(ev.Instance().Context()))
		return
	}
	s.Cancel()
}
