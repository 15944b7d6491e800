package world

import (
	"cmp"
	"slices"

	"devtool.internal/clock"
)

// reset discards the instance of t's event: the object loses its memory, and its events, also those
// in the queue, fail with cause. Uncommitted writes of the event that has the turn are dropped when
// it finishes.
func (o *object) reset(t *ticket, cause error) {
	o.resetIn(t.currentStep(), t.instance(), cause, byArrival)
}

// resetIn is reset as part of step: the events that it ends join that step, and so do their callers
// when they go on. It does nothing if inst is nil.
func (o *object) resetIn(step *clock.Step, inst *Instance, cause error, order resetOrder) {
	if inst == nil {
		return
	}
	o.joinAll(inst, step)
	defer o.endSleeps(inst)
	o.mu.Lock()
	defer o.mu.Unlock()
	if inst.ctx.Err() != nil {
		return
	}
	err := WireError(cause)
	err.Reset, err.ObjectID = true, o.id.String()
	ended := o.lineUpLocked(inst, order)
	inst.reset(err)
	leaveIfSending(ended)
	inst.prog.Destroy(inst)
	if o.inst == inst {
		o.inst = nil
	}
	o.failWaitingLocked(err)
}

// failWaitingLocked ends the wait of all events for the turn.
func (o *object) failWaitingLocked(err error) {
	var kept []*waiter
	for _, w := range o.queue {
		if w.ticket.ev == nil { // an administration or eviction needs no instance
			kept = append(kept, w)
			continue
		}
		w.ticket.waiter = nil
		w.err = err
		close(w.granted)
	}
	o.queue = kept
}

// A resetOrder is the order in which callers learn of a reset. (Seen in workerd.)
type resetOrder int

const (
	// byArrival is the order in which the events have arrived.
	byArrival resetOrder = iota
	// waitingFirst is byArrival for those that have not begun, and then for the others. It is the
	// order when a block fails.
	waitingFirst
)

// lineUpLocked puts the events that a reset of inst ends in the order in which their callers learn
// of it, and returns them.
func (o *object) lineUpLocked(inst *Instance, order resetOrder) (events []*Event) {
	for _, w := range o.queue {
		if ev := w.ticket.ev; ev != nil && ev.inst == nil {
			events = append(events, ev)
		}
	}
	begun := o.events()
	if o.turn != nil && o.turn.isMain() && !slices.Contains(begun, o.turn.ev) { // its commit has failed
		begun = append(begun, o.turn.ev)
	}
	slices.SortFunc(begun, func(a, b *Event) int { return cmp.Compare(a.number, b.number) })
	for _, ev := range begun {
		if ev.inst == inst {
			events = append(events, ev)
		}
	}
	if order == byArrival {
		slices.SortStableFunc(events, func(a, b *Event) int { return cmp.Compare(a.number, b.number) })
	}
	var callers line
	for _, ev := range events {
		ev.lineUp(&callers)
	}
	return events
}

// endSleeps ends the sleeps of all events of inst, which was reset.
func (o *object) endSleeps(inst *Instance) {
	for _, ev := range o.events() {
		if ev.instance() == inst {
			ev.endSleeps()
		}
	}
}

// abort is reset on behalf of a handler or an Admin. With dropAlarm, the running alarm is not
// retried.
func (o *object) abort(step *clock.Step, inst *Instance, cause error, order resetOrder, dropAlarm bool) {
	if dropAlarm {
		o.storeMu.Lock()
		if o.run != nil {
			o.run.dropped = true
		}
		o.storeMu.Unlock()
	}
	o.resetIn(step, inst, cause, order)
}

// failConstructLocked resets inst, whose constructor has failed with err, and returns the error of
// its event. With all, the events that wait for their turn fail, too (seen in workerd). They do not
// if the program was lost: they may be events of the next one.
func (o *object) failConstructLocked(inst *Instance, err error, all bool) error {
	e := WireError(err)
	e.Reset, e.ObjectID = true, o.id.String()
	failure := &constructError{e}
	if all {
		o.lineUpLocked(inst, byArrival)
		o.failWaitingLocked(failure)
	}
	inst.reset(e)
	return failure
}
