package world

import (
	"context"
	"errors"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
)

// A Delivery is an event on its way to a handler of the worker or of an object. Deliver takes all
// of them: requests, alarms, cron triggers, background work and visits.
type Delivery struct {
	Kind string // "fetch", "alarm": for logs and messages
	// Context ends when nobody waits for the event any more. The handler's context then ends, too,
	// but the handler keeps its turn until it returns.
	Context context.Context

	// Program is the program in which the cause of the event runs. If it is nil, the event enters a
	// program as Entry says. An event with a Caller may run in a newer program (see versions.go).
	Program Program
	Entry   Entry // how the event enters a program, if Program is nil or was replaced

	// Object receives the event; nil means the worker.
	Object *Address
	// Instance is set if a handler in this instance has begun the event itself. Such an event takes
	// the turn only when its handler asks for it.
	Instance *Instance

	// Step is the step that the event joins, or nil. The caller of Deliver has taken a hold on it,
	// which Deliver gives back.
	Step *clock.Step
	// Caller is the event that waits for this one, or nil. This event then holds the caller's step
	// in its place.
	Caller *Event
	// Cause is the event that has begun this one and does not wait for it, or nil.
	Cause   *Event
	Request *wire.Request // of a fetch, or nil
	Served  *Served       // notes the objects that an event of the worker calls, or nil

	// Began, unless it is nil, is called when the event has joined its step.
	Began func(*Event)
	// Handle calls the handler in the program, and returns when the handler has returned. It is
	// called in the turn of Object, unless Instance is set. The instance is the worker's if Object
	// is nil.
	Handle func(*Event, *Instance) error
	// Ended, unless it is nil, receives the event's error, or nil. It is called once, while the
	// event is part of its step: by Event.Complete, or when the event's writes are committed or
	// dropped. The event is nil if it has entered no program.
	Ended func(ev *Event, err error)
	// Told, unless it is nil, is called after Ended and tells the caller what Ended has found.
	Told func()
	// Place is where the event stands among those that the clock starts, or nil. Deliver leaves it
	// when the handler was called, or when the event waits for something.
	Place *Place

	at        time.Time // on the clock, when the event entered its program
	fromClock bool      // it is an alarm or a cron trigger
	launch    *launch   // until it has entered a program, or nil
}

// An Address names an object: its namespace and identity. Namespace.At makes one.
type Address struct {
	ns *Namespace
	Identity
}

// Deliver takes an event to its handler. It returns when the event is over, with the event's error.
// The order matters:
//
//  1. The event enters a program, or stays in its cause's.
//  2. It pins its object and joins its step. From here on it holds that step.
//  3. It waits until the object is in its program (see versions.go), and for the object's turn. If
//     there is no instance, one is constructed.
//  4. The handler runs.
//  5. Its writes are committed, and the turn goes to the next in the queue.
//  6. If a reset or the loss of its program has ended it, it waits for those that come before it.
//  7. Ended is called, still as part of the step.
//  8. The object is unpinned, also in the step: the time of its last use belongs there.
//  9. Told is called. The event leaves its step, and the program.
//
// An event of the worker whose program was gone before it took the event is delivered again, to the
// next program.
func (w *World) Deliver(d *Delivery) error {
	for {
		err := w.deliverOnce(d)
		if !isUndelivered(err) {
			return err
		}
	}
}

func (w *World) deliverOnce(d *Delivery) error {
	prog := d.Program
	w.underWay.enter()
	if d.Caller != nil {
		prog = w.versionFor(d)
	}
	switch {
	case prog == nil:
		var err error
		if prog, err = w.enter(d); err != nil {
			w.underWay.giveUp()
			return err
		}
		defer w.programs.Leave(prog)
	case d.Caller == nil || prog != d.Program:
		w.programs.Stay(prog)
		defer w.programs.Leave(prog)
	}
	ev := w.begin(d, prog)
	w.underWay.add(ev)
	w.land(d) // an advance finds it under way from here on
	defer w.underWay.remove(ev)
	defer ev.retire()
	if d.Caller != nil {
		d.Caller.served.add(ev.obj)
		defer ev.callFor(d.Caller)()
	} else if d.Step != nil {
		ev.join(d.Step)
	}
	d.Step.Done() // the event has a hold of its own

	defer ev.tell(d)
	if d.Began != nil {
		d.Began(ev)
	}
	ev.err = ev.run(d)
	if ev.err != nil && prog.Lost() {
		w.keepForLost(ev)
	}
	if isUndelivered(ev.err) {
		d.Step.Add() // for the next try
	}
	return ev.err
}

// tell completes the event and tells its caller, after the events before it that the same reset or
// loss has ended.
func (ev *Event) tell(d *Delivery) {
	place := ev.placeAtEnd()
	place.Wait()
	defer place.Leave()
	ev.start.Leave()
	ev.Complete()
	if d.Told != nil && !isUndelivered(ev.err) {
		d.Told()
	}
}

// enter enters a program for d. If there is none, d has ended.
func (w *World) enter(d *Delivery) (Program, error) {
	prog, err := w.programs.Enter(d.Context, d.Entry)
	d.at = w.clock.Now()
	if err != nil {
		w.land(d)
		d.Place.Leave()
		if d.Ended != nil {
			d.Ended(nil, err)
		}
		if d.Told != nil {
			d.Told()
		}
		d.Step.Done()
	}
	return prog, err
}

// land ends the launch of d. An advance that has begun since then has given it a step.
func (w *World) land(d *Delivery) {
	if step := w.launches.land(d.launch); step != nil {
		d.Step = step
	}
}

// begin makes the event of d, and pins its object until the event is complete.
func (w *World) begin(d *Delivery, prog Program) *Event {
	var o *object
	if d.Object != nil {
		o = d.Object.ns.pin(d.Object.Identity)
		w.faults.touch(o, d.Kind)
	}
	ev := w.newEvent(d.Context, prog, o, d.Kind)
	ev.request, ev.served, ev.ended = d.Request, d.Served, d.Ended
	ev.fromClock = d.fromClock || d.Caller != nil && d.Caller.fromClock || d.Cause != nil && d.Cause.fromClock
	if ev.start = d.Place; ev.start != nil {
		time.AfterFunc(w.waits.Start, ev.start.Leave)
	}
	return ev
}

// Complete ends the event's use of its object and calls Delivery.Ended. Further calls do nothing.
func (ev *Event) Complete() { ev.completed.Do(ev.complete) }

func (ev *Event) complete() {
	if ev.ended != nil && !isUndelivered(ev.err) {
		ev.ended(ev, ev.err)
	}
	if ev.obj != nil {
		ev.obj.depart(ev)
		ev.obj.ns.unpin(ev.obj)
	}
}

// run waits for the turn and runs the handler. It returns the event's error.
//
// The stack of a goroutine that serves a request is deepest below run. So what needs a large frame
// is done before, in functions that have returned.
func (ev *Event) run(d *Delivery) error {
	switch {
	case ev.obj == nil:
		ev.w.running.add(ev)
		defer ev.w.running.remove(ev)
		return d.Handle(ev, workerInstance)
	case d.Instance != nil:
		if a := ev.obj.arrive(ev); a != nil && ev.obj.giveUp(a) { // the cause has ended meanwhile
			return errOver
		}
		return ev.runIn(d.Instance, d)
	}
	o := ev.obj
	if err := ev.takeFirstTurn(); err != nil {
		return o.describe(err)
	}
	inst, err := o.instanceFor(ev)
	if err == nil {
		return ev.runIn(inst, d)
	}
	o.finish(ev) //nolint:errcheck // the constructor's error matters more
	return o.describe(err)
}

// workerInstance is the instance of the worker's events.
var workerInstance = &Instance{ctx: context.Background()}

// runIn runs the handler in an instance of the event's object, and ends the turn.
func (ev *Event) runIn(inst *Instance, d *Delivery) error {
	o := ev.obj
	o.mu.Lock()
	ev.inst = inst
	o.mu.Unlock()
	ev.w.running.add(ev)
	err := d.Handle(ev, inst)
	ev.w.running.remove(ev)
	if err != nil && inst.prog.Lost() {
		o.abandon(inst, err)
	}
	if e := o.finish(ev); err == nil {
		err = e
	}
	return o.describe(err)
}

// describe adds the object's id to an error that came from a program.
func (o *object) describe(err error) error {
	if e := (*wire.Error)(nil); errors.As(err, &e) && e.ObjectID == "" {
		c := *e
		c.ObjectID = o.id.String()
		return &c
	}
	return err
}

// PublishFetch publishes the outcome of a request to an object. status is 0 if there was no
// response; took is real time. It is a detail: the worker's own request is published, too, and
// shows a failure that no handler has dealt with.
func (ev *Event) PublishFetch(status int, took time.Duration, err error) {
	if w := ev.w; w.inDetail == nil || w.inDetail() {
		ev.publishFetch(status, took, err)
	}
}

// publishFetch is apart from PublishFetch because of its large frame: the stack of a goroutine that
// serves a request grows only if it is called.
func (ev *Event) publishFetch(status int, took time.Duration, err error) {
	outcome := OutcomeOK
	switch {
	case err == nil && status == 0, IsCanceled(err): // nobody received the response
		outcome = OutcomeCanceled
	case err != nil:
		outcome = OutcomeError
	}
	ev.w.Publish(Happening{
		Event:   ev.kind,
		Object:  ev.obj.String(),
		About:   requestLine(ev.request),
		Outcome: outcome,
		Status:  status,
		Took:    took,
		Err:     err,
		Detail:  true,
	})
}
