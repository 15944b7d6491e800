package world

import (
	"context"
	"errors"
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
)

// A Delivery is an event on its way to a handler: of the worker, or of an object. Requests,
// alarms, cron triggers, background work and visits are all delivered by deliver.
type Delivery struct {
	Kind string // "fetch", "alarm": for people
	// Context ends when nobody waits for the event any longer. Its handler hears of that, but keeps
	// its turn until it has returned.
	Context context.Context

	// Program is the program in which the cause of the event runs. If it is nil, the event enters a
	// program as entry says.
	Program Program
	Entry   Entry

	// Object receives the event; nil stands for the worker.
	Object *Address
	// Instance is set for an event that a handler in this instance has begun itself. It takes the turn
	// only when its handler asks for it.
	Instance *Instance

	// Step is the one that the event joins. The sender has taken a hold on it for deliver.
	Step *clock.Step
	// Caller waits for the event, which holds the caller's step in its place; or nil.
	Caller  *Event
	Request *wire.Request // of a fetch
	Served  *Served       // notes the objects that an event of the worker asks, or nil

	// Began is called when the event has joined its step, or is nil.
	Began func(*Event)
	// Handle talks to the program, and returns when the handler has ended.
	Handle func(*Event, *Instance) error
	// Ended says what came of the event. It is called once: by complete, or when the event's
	// writes are committed or dropped; in any case while the event is part of its step. The event
	// is nil if it found no program.
	Ended func(ev *Event, err error)

	at time.Time // on the clock, when the event entered its program
}

// An Address is an object that an event is sent to.
type Address struct {
	ns *Namespace
	Identity
}

// Deliver takes an event to its handler and returns when the event is over, with what it failed
// with. The order matters:
//
//  1. The event enters a program, or stays in that of its cause.
//  2. It pins its object and joins its step. From here on it holds that step.
//  3. It waits for the object's turn, and has the instance constructed if there is none.
//  4. The handler runs.
//  5. What it wrote is committed, and the turn goes on.
//  6. What came of it is reported, still as part of the step.
//  7. The object is unpinned, for when it was last used is part of the step, too.
//  8. The event leaves its step, and the program.
//
// An event of the worker that the program did not take, because it was gone, goes to the next one.
func (w *World) Deliver(d *Delivery) error {
	for {
		err := w.deliverOnce(d)
		if u := (*Undelivered)(nil); !errors.As(err, &u) {
			return err
		}
	}
}

func (w *World) deliverOnce(d *Delivery) (err error) {
	handOver := sync.OnceFunc(d.Step.Done) // once the event has a hold of its own
	defer handOver()
	prog := d.Program
	switch {
	case prog == nil:
		prog, err = w.programs.Enter(d.Context, d.Entry)
		d.at = w.clock.Now()
		if err != nil {
			if d.Ended != nil {
				d.Ended(nil, err)
			}
			return err
		}
		defer w.programs.Leave(prog)
	case d.Caller == nil:
		w.programs.Stay(prog)
		defer w.programs.Leave(prog)
	}
	var o *object
	if d.Object != nil {
		o = d.Object.ns.pin(d.Object.Identity)
	}
	ev := w.newEvent(d.Context, prog, o, d.Kind)
	ev.request, ev.served = d.Request, d.Served
	defer ev.retire()
	if d.Caller != nil {
		d.Caller.served.add(o)
		defer ev.callFor(d.Caller)()
	} else {
		ev.join(d.Step)
	}
	handOver()

	var u *Undelivered
	ev.Complete = sync.OnceFunc(func() {
		if u == nil && d.Ended != nil {
			d.Ended(ev, err)
		}
		if o != nil {
			o.ns.unpin(o)
		}
	})
	defer ev.Complete()
	if d.Began != nil {
		d.Began(ev)
	}
	err = ev.run(d)
	if errors.As(err, &u) {
		d.Step.Add() // for the next try
	}
	return err
}

// run waits for the turn and runs the handler.
func (ev *Event) run(d *Delivery) error {
	handle := func(inst *Instance) error { return d.Handle(ev, inst) }
	switch o := ev.obj; {
	case o == nil:
		ev.w.running.add(ev)
		defer ev.w.running.remove(ev)
		return handle(workerInstance)
	case d.Instance != nil:
		return o.runIn(d.Instance, ev, handle)
	default:
		return o.deliver(ev, handle)
	}
}

// workerInstance stands for the instance where an event is the worker's.
var workerInstance = &Instance{ctx: context.Background()}

// deliver runs an event of the object: it waits for the turn, sees to it that there is an
// instance, and lets handle talk to it. The error is what the event failed with.
func (o *object) deliver(ev *Event, handle func(*Instance) error) error {
	if err := o.acquire(ev.ctx, &ev.ticket); err != nil {
		return o.describe(err)
	}
	inst, err := o.instanceFor(ev)
	if err == nil {
		return o.runIn(inst, ev, handle)
	}
	o.finish(ev) //nolint:errcheck // the constructor's error matters more
	return o.describe(err)
}

// runIn runs an event in an instance of the object, and ends its turn.
func (o *object) runIn(inst *Instance, ev *Event, handle func(*Instance) error) error {
	o.mu.Lock()
	ev.inst = inst
	o.mu.Unlock()
	ev.w.running.add(ev)
	err := handle(inst)
	ev.w.running.remove(ev)
	if err != nil && inst.prog.Lost() {
		o.abandon(inst, err)
	}
	if e := o.finish(ev); err == nil {
		err = e
	}
	return o.describe(err)
}

// describe says in err, if it came from a program, which object it is about.
func (o *object) describe(err error) error {
	if e := (*wire.Error)(nil); errors.As(err, &e) && e.ObjectID == "" {
		c := *e
		c.ObjectID = o.id.String()
		return &c
	}
	return err
}

// PublishFetch publishes what came of a request to an object. People want to know only when they
// ask for details: the worker's own request is published, too, and tells of a failure that nobody
// took care of.
func (ev *Event) PublishFetch(status int, took time.Duration, err error) {
	outcome := OutcomeOK
	switch {
	case err == nil && status == 0, IsCanceled(err): // the response has found nobody
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
