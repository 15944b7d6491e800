package emulator

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// An event is one delivery to the worker or to an instance of an object.
type event struct {
	number uint64
	prog   *program
	obj    *object // nil for an event of the worker
	kind   string  // "fetch", "alarm": for people
	// request is what a fetch is about. It is set before the program knows of the event.
	request *wire.Request
	// ctx ends when nobody waits for the event any more. Its handler is told then,
	// but keeps its turn until it has returned.
	ctx context.Context

	// stepMu guards step, the step of the clock that this event is part of: one
	// that it holds up until it is finished or waits for the clock. It is nil
	// for what the outside has caused. It guards what its handler waits for, too.
	stepMu  sync.Mutex
	step    *clock.Step
	last    *clock.Step         // the last one that it was part of
	retired bool                // it is part of none any more
	naps    map[*nap]struct{}   // the Sleeps that the handler waits for
	callees map[*event]struct{} // the events of other objects that it waits for

	// served notes the objects that an event of the worker asks, or is nil.
	served *served

	caller   atomic.Pointer[event] // whose handler waits for this event, or nil
	canceled atomic.Bool           // that handler waits no more, and the event has joined its step

	// operations counts what the handler has asked for, and waits how many of its
	// goroutines sleep or wait for an event of another object.
	operations atomic.Int64
	waits      atomic.Int64
	// paused is set from where the handler would give its turn up until it goes on, and
	// outside counts what else it may wait for that is not its own doing: answers from the
	// outside and, in the worker, bodies.
	paused  atomic.Bool
	outside atomic.Int64

	// noticed guards puts, what the handler has put and is not yet in the store. Each
	// use of the store comes after them.
	noticed sync.Mutex
	puts    []wire.Entry

	// obj.storeMu guards what follows.

	cursors    map[uint64]*store.Cursor // of SQL, that may have more rows
	lastCursor uint64

	// standsFor is the event for which this one takes the turn once, while that one waits
	// for it in another goroutine; or nil.
	standsFor *event

	// obj.mu guards what follows.

	// inst is the instance that the event runs in, from when it first has the turn.
	inst *instance
	// over is set when the event has ended: it gets no further turn.
	over bool
	// waiter is the event's place in the queue for the turn, or nil.
	waiter *waiter
	// blocked is positive while the event does not give its turn up, and limit
	// ends that.
	blocked int
	limit   *timeLimit
	// constructing is set while the instance is being made for this event.
	constructing bool
}

func (e *Emulator) newEvent(ctx context.Context, prog *program, obj *object, kind string) *event {
	return &event{number: e.events.Add(1), prog: prog, obj: obj, kind: kind, ctx: ctx}
}

// instance returns the instance that the event runs in, or nil.
func (ev *event) instance() *instance {
	if ev.obj == nil {
		return nil
	}
	ev.obj.mu.Lock()
	defer ev.obj.mu.Unlock()
	return ev.inst
}

// String names the event as logs and errors do.
func (ev *event) String() string {
	if ev.obj == nil {
		return ev.kind
	}
	return ev.obj.String() + " " + ev.kind
}

// carry counts the bodies that come and go for an event of the worker, which nothing pauses
// meanwhile.
func (ev *event) carry(n int64) {
	if ev.obj == nil && (n > 0 || !ev.prog.lost()) {
		ev.outside.Add(n)
	}
}

// join makes the event part of step, in place of the one it was part of. It does nothing for
// an event that has retired: nobody would take it out again.
func (ev *event) join(step *clock.Step) {
	step.Add()
	ev.stepMu.Lock()
	old := step
	if !ev.retired {
		old, ev.step = ev.step, step
	}
	if step != nil {
		ev.last = step
	}
	ev.stepMu.Unlock()
	old.Done()
}

// retire takes the event out of its step for good: it is over. What it has canceled, and has not heard of that yet, stays
// in the step.
func (ev *event) retire() {
	ev.stepMu.Lock()
	old := ev.step
	ev.step, ev.retired = nil, true
	callees := slices.Collect(maps.Keys(ev.callees))
	ev.stepMu.Unlock()
	for _, callee := range callees {
		if callee.ctx.Err() != nil {
			callee.stopWaiting(old)
		}
	}
	old.Done()
}

// keep puts v into set, which mu guards and which may be nil, until the returned function is called.
func keep[T comparable](mu *sync.Mutex, set *map[T]struct{}, v T) (release func()) {
	mu.Lock()
	defer mu.Unlock()
	if *set == nil {
		*set = make(map[T]struct{})
	}
	(*set)[v] = struct{}{}
	return func() {
		mu.Lock()
		defer mu.Unlock()
		delete(*set, v)
	}
}

// leave takes the event out of its step: it waits for the clock, or for an event that
// has joined the step for it.
func (ev *event) leave() { ev.join(nil) }

// currentStep returns the step that the event is part of, or nil. It can't end as
// long as the event does not leave it.
func (ev *event) currentStep() *clock.Step {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	return ev.step
}

// lastStep returns the step that the event is part of or, when it has left for an event
// that may have joined for it, was. That one may be over: to join it is without effect.
func (ev *event) lastStep() *clock.Step {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	return ev.last
}

// woken ends the wait of one of the handler's goroutines, which goes on as part of step. One whose program
// is gone does not go on: it must not look like one that ran (see underWay).
func (ev *event) woken(step *clock.Step) {
	if ev.prog.lost() {
		return
	}
	if ev.waits.Add(-1) > 0 && step != nil {
		ev.prog.e.background.Go(func() { ev.leaveWhenSilent(step) })
	}
}

// silence is how long, in real time, a handler with goroutines that still wait asks for
// nothing before it counts as waiting for the clock with all of them, if its program
// has run meanwhile.
const silence = 10 * time.Millisecond

// leaveWhenSilent takes the event out of step when its handler has come to rest. It is for
// handlers of which several goroutines wait at once: when one goes on, nothing
// tells that it is done and the handler waits for the others.
func (ev *event) leaveWhenSilent(step *clock.Step) {
	tick := time.NewTicker(silence)
	defer tick.Stop()
	for last := int64(-1); ; <-tick.C {
		n := ev.operations.Load()
		// On a busy machine the program may not have run at all meanwhile: when it has answered, all that it
		// had asked for is here. One that stands in a debugger may yet ask for more.
		rests := n == last && (ev.prog.beats() || !ev.prog.byHand()) && ev.operations.Load() == n
		if ev.currentStep() != step {
			return
		}
		if rests {
			ev.park()
			return
		}
		last = n
	}
}

// pause commits what the event's object wrote and gives the object's turn up, unless ctx
// has ended: then the program goes on already.
func (ev *event) pause(ctx context.Context) error {
	if ev.obj == nil {
		return nil
	}
	ev.paused.Store(true)
	return ev.obj.pause(ctx, ev)
}

// resume takes the turn again. It gives up when ctx ends.
func (ev *event) resume(ctx context.Context) error {
	if ev.obj == nil {
		return nil
	}
	err := ev.obj.acquire(ctx, ev)
	if err == nil {
		ev.paused.Store(false)
	}
	return err
}
