package world

import (
	"cmp"
	"context"
	"net/url"
	"sync"

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
	// request is what a fetch is about. It is set before the program knows of the event.
	request *wire.Request
	// Complete ends the event's use of its object, and reports what came of it: once.
	Complete func()
	// ctx ends when nobody waits for the event any more. Its handler hears of it,
	// but keeps its turn until it has returned.
	ctx context.Context

	// served notes the objects that an event of the worker asks, or is nil.
	served *Served

	// noticed guards puts, what the handler has put and is not yet in the store. Each
	// use of the store comes after them.
	noticed sync.Mutex
	puts    []wire.Entry

	// obj.storeMu guards what follows.

	cursors    map[uint64]*store.Cursor // of SQL, that may have more rows
	lastCursor uint64

	// obj.mu guards what follows.

	// inst is the instance that the event runs in, from when it first has the turn.
	inst *Instance
	// over is set when the event has ended: it gets no further turn.
	over bool
	// blocked is positive while the event does not give its turn up, and limit
	// ends that.
	blocked int
	limit   *timeLimit
	// constructing is set while the instance is being made for this event.
	constructing bool
}

func (w *World) newEvent(ctx context.Context, prog Program, obj *object, kind string) *Event {
	ev := &Event{number: w.events.Add(1), w: w, prog: prog, ctx: ctx}
	ev.ticket.obj, ev.ticket.kind, ev.ticket.ev = obj, kind, ev
	return ev
}

// Number returns the number under which the handler's operations come.
func (ev *Event) Number() uint64 { return ev.number }

// Kind returns what the event is, for people: "fetch", "alarm".
func (ev *Event) Kind() string { return ev.kind }

// Context ends when nobody waits for the event any longer.
func (ev *Event) Context() context.Context { return ev.ctx }

// Request returns what a fetch is about, or nil.
func (ev *Event) Request() *wire.Request { return ev.request }

// Program returns the program that handles the event.
func (ev *Event) Program() Program { return ev.prog }

// Instance returns the instance that the event runs in, or nil.
func (ev *Event) Instance() *Instance { return ev.instance() }

// Caller returns the event whose handler waits for this one, or nil.
func (ev *Event) Caller() *Event { return ev.callerEvent() }

// Step returns the step that the event holds, or nil.
func (ev *Event) Step() *clock.Step { return ev.currentStep() }

// Operations returns how often the handler has asked for something.
func (ev *Event) Operations() int64 { return ev.operationCount() }

// Object returns the object that receives the event, or nil for an event of the worker.
func (ev *Event) Object() *object { return ev.obj }

// String names the event as logs and errors do.
func (ev *Event) String() string {
	if ev.obj == nil {
		return ev.kind
	}
	return ev.obj.String() + " " + ev.kind
}

// CarryBody counts the bodies that come and go for an event of the worker, which nothing pauses
// meanwhile.
func (ev *Event) CarryBody(n int) {
	if ev.obj == nil && (n > 0 || !ev.prog.Lost()) {
		ev.AwaitOutside(n)
	}
}

// Title names the event as String does, and what it is about.
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
