package world

import (
	"cmp"
	"context"
	"net/url"
	"sync"
	"sync/atomic"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// An Event is one delivery to the worker or to an instance of an object.
type Event struct {
	ticket
	number uint64
	w      *World
	prog   Program
	// request is that of a fetch, or nil. It is set before the program knows of the event.
	request   *wire.Request
	completed sync.Once
	ended     func(*Event, error) // Delivery.Ended
	err       error               // what the handler ended with, for ended
	// ctx ends when nobody waits for the event any more. The handler keeps its turn until it
	// returns.
	ctx context.Context

	fromClock bool // an alarm or a cron trigger has led to it
	// named is set when the log has said that the event waits for the frozen clock.
	named atomic.Bool

	// sending is set while a part of the response is on its way to the caller.
	sending atomic.Bool

	// served notes the objects that an event of the worker calls, or is nil.
	served *Served

	// noticed guards what follows. puts are entries that the handler has put by notices and that
	// are not yet in the store: each use of the store stores them first. parts are entries of the
	// next PutMany.
	noticed  sync.Mutex
	puts     []wire.Entry
	noted    int // bytes of puts
	parts    []wire.Entry
	partSize int // bytes of parts

	// obj.storeMu guards what follows.

	cursors    map[uint64]*store.Cursor // of SQL that may have more rows
	lastCursor uint64

	// obj.mu guards what follows.

	// inst is the instance that the event runs in, once it has had the turn, or nil.
	inst *Instance
	// over is set when the event has ended: it gets no further turn.
	over bool
	// blocked is positive while the event keeps its turn where it waits: in a constructor or block.
	// limit bounds how long.
	blocked int
	limit   *timeLimit
	// arrived is set when the event counts as a user of the object (see occupancy).
	arrived bool
	// constructing is set while the instance is constructed for this event.
	constructing bool

	// stepMu guards what follows.

	// atEnd is the place of the event among those that a reset, or the loss of their program, has
	// ended together, or nil.
	atEnd *Place
}

func (w *World) newEvent(ctx context.Context, prog Program, obj *object, kind string) *Event {
	ev := &Event{number: w.events.Add(1), w: w, prog: prog, ctx: ctx}
	ev.ticket.obj, ev.ticket.kind, ev.ticket.ev = obj, kind, ev
	return ev
}

// Number returns the event's number, which the handler's operations carry.
func (ev *Event) Number() uint64 { return ev.number }

// Kind returns the kind of the event for logs and messages: "fetch", "alarm".
func (ev *Event) Kind() string { return ev.kind }

// Context returns a context that ends when nobody waits for the event any more.
func (ev *Event) Context() context.Context { return ev.ctx }

// Request returns the request of a fetch, or nil.
func (ev *Event) Request() *wire.Request { return ev.request }

// Program returns the program that handles the event.
func (ev *Event) Program() Program { return ev.prog }

// Instance returns the instance that the event runs in, or nil.
func (ev *Event) Instance() *Instance { return ev.instance() }

// WasReset reports whether the instance that the event runs in was reset. An event of the worker
// has none.
func (ev *Event) WasReset() bool {
	inst := ev.instance()
	return inst != nil && inst.ctx.Err() != nil
}

// Caller returns the event whose handler waits for this one, or nil.
func (ev *Event) Caller() *Event { return ev.callerEvent() }

// Step returns the step that the event holds, or nil.
func (ev *Event) Step() *clock.Step { return ev.currentStep() }

// Operations returns how many operations the handler has asked for.
func (ev *Event) Operations() int64 { return ev.operationCount() }

// Object returns the object that receives the event, or nil for an event of the worker.
func (ev *Event) Object() *object { return ev.obj }

// String returns the event's name in logs and errors: "CLASS/NAME KIND".
func (ev *Event) String() string {
	if ev.obj == nil {
		return ev.kind
	}
	return ev.obj.String() + " " + ev.kind
}

// CarryBody adds n to the number of bodies under way for an event of the worker. Such an event is
// not paused, but waits for the outside meanwhile.
func (ev *Event) CarryBody(n int) {
	if ev.obj == nil && (n > 0 || !ev.prog.Lost()) {
		ev.carry(n)
	}
}

// Send calls send, which sends a part of the event's response to the caller, and returns its error.
// If the object was reset, Send returns the cause.
func (ev *Event) Send(send func() error) error {
	ev.sending.Store(true)
	defer ev.sending.Store(false)
	if inst := ev.instance(); inst != nil && inst.ctx.Err() != nil {
		return context.Cause(inst.ctx)
	}
	if ev.prog.Lost() { // what has arrived may still wait for the caller
		ev.placeAtEnd().Leave()
	}
	return send()
}

// Title returns the event's name like String, with the method and path of a request.
func (ev *Event) Title() string {
	what := ev.kind
	if ev.request != nil {
		what = ev.request.Method + " " + ev.request.URL
		if u, err := url.Parse(ev.request.URL); err == nil {
			what = ev.request.Method + " " + cmp.Or(u.Path, "/")
		}
	}
	if ev.obj == nil {
		return "worker " + ev.w.name + " " + what
	}
	ev.obj.mu.Lock()
	constructing := ev.constructing
	ev.obj.mu.Unlock()
	if constructing {
		what = "constructor (for " + what + ")"
	}
	return ev.obj.String() + " " + what
}
