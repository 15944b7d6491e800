package world

import (
	"sync"

	"devtool.internal/clock"
)

// Alarms and cron triggers that run when an advance begins are part of its first step, with all
// that they have called or started. Otherwise the clock would pass hours while they work. The first
// step has no timer: it holds the clock where it stands until they have ended, or wait for the
// clock. Requests from outside are no part of it, as of no step.
//
// An event joins that step in one of three ways: adopt puts it there, it is on its way and finds
// the step in its launch, or it inherits the step of its cause.

// launches are the events that the clock has begun outside of a step, and that have entered no
// program yet.
type launches struct {
	mu      sync.Mutex
	pending map[*launch]struct{}
}

// A launch is such an event.
type launch struct {
	step *clock.Step // with a hold for the event, or nil; launches.mu guards it
}

func (l *launches) add() *launch {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := &launch{}
	if l.pending == nil {
		l.pending = make(map[*launch]struct{})
	}
	l.pending[one] = struct{}{}
	return one
}

// land ends a launch, and returns the step that the event is to join, with a hold for it, or nil.
// Later calls, and one for a nil launch, return nil.
func (l *launches) land(one *launch) *clock.Step {
	if one == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, one)
	step := one.step
	one.step = nil
	return step
}

// adopt makes all launches part of step.
func (l *launches) adopt(step *clock.Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for one := range l.pending {
		step.Add()
		one.step = step
	}
}

// adoptRunning makes what the clock has begun by itself part of step, the first of an advance.
func (w *World) adoptRunning(step *clock.Step) {
	w.launches.adopt(step)
	// A pass may meet an event while it passes its step on. The next one then finds the other.
	for changed := true; changed; {
		changed = false
		events, _, _ := w.underWay.all()
		for _, ev := range events {
			changed = ev.fromClock && ev.adopt(step) || changed
		}
	}
}

// adopt makes the event hold step if its handler may go on without the clock, and reports whether
// it did not before.
func (ev *Event) adopt(step *clock.Step) bool {
	if o := ev.obj; o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if ev.waiter != nil && o.parked { // it waits behind one that waits for the clock
			return false
		}
	}
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	goesOn := ev.waits == 0 || ev.goesOnLocked()
	for n := range ev.sleeps {
		goesOn = goesOn || n.due.Load()
	}
	if ev.retired || ev.step != nil || !goesOn && !ev.several {
		return false
	}
	step.Add()
	ev.step, ev.last = step, step
	if !goesOn { // one of its goroutines may
		ev.w.Go(func() { ev.leaveWhenSilent(step) })
	}
	return true
}
