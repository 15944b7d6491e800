package emulator

import (
	"context"
	"io"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
)

// startTimer sets a timer that a handler does not wait for: when its time has come, s is
// answered. It is set before any later question is looked at (see manner), so the clock can't
// go past it, whatever the event waits for next.
func (p *program) startTimer(s *wire.Stream) {
	var q wire.Sleep
	err := wire.Decode(s.Message, &q)
	var ev *event
	if err == nil {
		ev, err = p.event(q.Event)
	}
	if err != nil {
		s.Fail(asWire(err))
		return
	}
	c := p.e.clock
	timer := c.At(c.Now().Add(time.Duration(q.Duration)), func(step *clock.Step) {
		step.Add()
		p.e.background.Go(func() {
			defer step.Done()
			ev.expire(s, step)
		})
	})
	context.AfterFunc(s.Context(), func() { timer.Stop() })
}

// expire tells the program that the time of a timer has come. What its handler makes of that is
// part of step, as far as something that it has waited for is withdrawn.
func (ev *event) expire(s *wire.Stream, step *clock.Step) {
	waits := ev.waits.Load()
	if step != nil {
		if waits > 0 {
			ev.unpark(step)
		} else {
			ev.join(step)
		}
	}
	goesOn := make([]byte, 1)
	err := s.Answer(&wire.Empty{}, false)
	if err == nil {
		_, err = io.ReadFull(s, goesOn)
	}
	s.CloseWrite() //nolint:errcheck // the program may have withdrawn the timer
	switch {
	case step == nil:
	case err == nil && goesOn[0] != 0 && waits <= 1: // all of the handler goes on
	case waits == 0:
		ev.leave()
	case err == nil && goesOn[0] == 0:
		ev.park()
	default: // some of it, or it has withdrawn the timer, perhaps because it goes on
		ev.leaveWhenSilent(step)
	}
}

// cancel tells the handler, which was asked by s, that nobody waits for it any more. Where its
// caller has stopped waiting as part of a step, so does the handler.
func (ev *event) cancel(s *wire.Stream) {
	if caller := ev.caller.Load(); caller != nil {
		ev.stopWaiting(caller.currentStep())
	}
	s.Cancel()
}

// stopWaiting makes the event, which its caller has canceled in step, part of that, if it waits. It may be called more than
// once.
func (ev *event) stopWaiting(step *clock.Step) {
	if step == nil || ev.waits.Load() == 0 || !ev.canceled.CompareAndSwap(false, true) {
		return
	}
	ev.unpark(step)
	ev.prog.e.background.Go(func() { ev.leaveWhenSilent(step) })
}
