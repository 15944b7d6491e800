package world

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"devtool.internal/durable/wire"
)

// A ticket is a claim to an object's turn. Each event has one. An Admin and an eviction take
// tickets of their own: they are not events and need no instance.
type ticket struct {
	stepHolder
	obj  *object // nil for an event of the worker, which needs no turn
	kind string  // "fetch", "alarm", "evict": for logs and messages
	ev   *Event  // the event that the ticket belongs to, or nil

	// obj.mu guards what follows.

	waiter *waiter // the ticket's place in the queue, or nil
}

// isMain reports whether t is its event's main ticket. Each other ticket of an event is for one use
// of the store by another goroutine of the handler.
func (t *ticket) isMain() bool { return t.ev != nil && t == &t.ev.ticket }

// instance returns the instance that the ticket's event runs in, or nil.
func (t *ticket) instance() *Instance {
	if t.ev == nil || t.obj == nil {
		return nil
	}
	t.obj.mu.Lock()
	defer t.obj.mu.Unlock()
	return t.ev.inst
}

// A waiter is a ticket's place in the queue. Several goroutines of one handler may share it.
type waiter struct {
	ticket  *ticket
	granted chan struct{} // closed when the ticket has the turn, or err is set
	err     error
	count   int // of goroutines that wait
}

// The reasons why a ticket gets no turn.
var (
	errOver = &wire.Error{Message: "the event is over: its handler has returned, or its object was reset"}
	// errHasTurn says that the event's main ticket has the turn already.
	errHasTurn = errors.New("the event has the turn itself")
)

// acquire waits until t has the turn, which another goroutine of the same handler may have taken
// already. If ctx ends first, t loses its place in the queue.
func (o *object) acquire(ctx context.Context, t *ticket) error {
	w, err := o.enqueue(ctx, t)
	if w == nil {
		return err
	}
	return o.await(ctx, w)
}

// enqueue is acquire up to the wait. If t does not have the turn yet, enqueue returns its place in
// the queue, and the caller calls await.
func (o *object) enqueue(ctx context.Context, t *ticket) (*waiter, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.enqueueLocked(ctx, t)
}

func (o *object) enqueueLocked(ctx context.Context, t *ticket) (*waiter, error) {
	if ev := t.ev; ev != nil && ev.inst != nil && ev.inst.ctx.Err() != nil {
		return nil, context.Cause(ev.inst.ctx)
	}
	if t.ev != nil && t.ev.over {
		return nil, errOver
	}
	if ctx.Err() != nil { // otherwise nobody would release the turn
		return nil, context.Cause(ctx)
	}
	if o.turn == nil {
		o.turn = t
	}
	if o.turn == t {
		return nil, nil
	}
	if t.ev != nil && o.turn == &t.ev.ticket {
		return nil, errHasTurn
	}
	w := t.waiter
	if w == nil {
		w = &waiter{ticket: t, granted: make(chan struct{})}
		t.waiter = w
		o.queue = append(o.queue, w)
		if o.parked {
			t.leave()
			o.ns.w.Go(func() { o.ns.w.nameFrozen(t.ev) }) // it takes the lock of other objects
		}
	}
	w.count++
	return w, nil
}

// yield passes the turn of ev to the next in the queue, and returns the place of ev at the end of
// the queue. It returns nil if nobody waits, or if ev does not have the turn or keeps it.
func (o *object) yield(ev *Event) *waiter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.turn != &ev.ticket || ev.blocked > 0 || len(o.queue) == 0 {
		return nil
	}
	w := &waiter{ticket: &ev.ticket, granted: make(chan struct{}), count: 1}
	ev.waiter = w
	o.queue = append(o.queue, w)
	o.releaseLocked()
	return w
}

// QueueUp takes the place of the event in the queue for its object's turn. So no event that comes
// later gets the turn first. The handler takes the turn by Resume. It does nothing for an event of
// the worker.
func (ev *Event) QueueUp() error {
	if ev.obj == nil {
		return nil
	}
	_, err := ev.obj.enqueue(context.Background(), &ev.ticket)
	return err
}

// await waits until the ticket whose place is w has the turn.
func (o *object) await(ctx context.Context, w *waiter) error {
	select {
	case <-w.granted:
		return w.err
	case <-ctx.Done():
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-w.granted:
		return w.err
	default:
	}
	if w.count--; w.count == 0 {
		o.dropWaiterLocked(w)
	}
	return context.Cause(ctx)
}

func (o *object) dropWaiterLocked(w *waiter) {
	w.ticket.waiter = nil
	o.queue = slices.DeleteFunc(o.queue, func(other *waiter) bool { return other == w })
}

// has reports whether t has the turn.
func (o *object) has(t *ticket) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.turn == t
}

// release passes the turn to the next in the queue.
func (o *object) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.releaseLocked()
}

func (o *object) releaseLocked() {
	o.parked = false
	if len(o.queue) == 0 {
		o.turn = nil
		return
	}
	w := o.queue[0]
	o.queue = o.queue[1:]
	w.ticket.waiter = nil
	o.turn = w.ticket
	close(w.granted)
	if !w.ticket.isMain() {
		return
	}
	// The event's other tickets must not wait for its main one, which may wait for them.
	o.queue = slices.DeleteFunc(o.queue, func(other *waiter) bool {
		if other.ticket.ev != w.ticket.ev {
			return false
		}
		other.ticket.waiter = nil
		other.err = errHasTurn
		close(other.granted)
		return true
	})
}

// withTurn calls f in the object's turn, without an instance and with storeMu held.
func (o *object) withTurn(ctx context.Context, f func() error) error {
	t := &ticket{obj: o, kind: "admin"}
	defer t.retire() // it may have joined a step in the queue
	if err := o.acquire(ctx, t); err != nil {
		return err
	}
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	err := f()
	o.release()
	return err
}

// Finish ends the event's use of its object: it commits the event's writes and passes the turn on.
// No response may leave before. The error says why the writes were dropped. The event asks for
// nothing more, so it no longer counts as running: its caller may go on before Handle returns.
func (ev *Event) Finish() error {
	ev.w.running.remove(ev)
	if ev.callerEvent() == nil { // otherwise its caller is still to go on
		ev.w.underWay.remove(ev)
	}
	if ev.obj == nil {
		return nil
	}
	return ev.obj.finish(ev)
}

// Pause commits the event's writes and gives the turn up, where the handler waits. If ctx has ended
// the turn stays, because the handler goes on already.
func (ev *Event) Pause(ctx context.Context) error {
	if ev.obj == nil {
		return nil
	}
	ev.setPaused(true)
	return ev.obj.pause(ctx, ev)
}

// Resume takes the turn again after Pause. If ctx ends first it returns the cause, without the
// turn.
func (ev *Event) Resume(ctx context.Context) error { return ev.resume(ctx, nil) }

// ResumeFor is Resume when callee, for which the handler has waited, is over. If the turn is not
// free, callee waits no longer for its caller to learn that: the place in the queue is certain.
func (ev *Event) ResumeFor(ctx context.Context, callee *Event) error {
	return ev.resume(ctx, callee.placeAtEnd())
}

func (ev *Event) resume(ctx context.Context, place *Place) error {
	if ev.obj == nil {
		return nil
	}
	w, err := ev.obj.enqueue(ctx, &ev.ticket)
	if w != nil {
		place.Leave()
		err = ev.obj.await(ctx, w)
	}
	if err == nil {
		ev.setPaused(false)
	}
	return err
}

// pause commits the event's writes and, unless the event is blocked, gives the turn up. It does
// nothing for an event that does not have the turn. If ctx has ended the handler goes on already,
// so the turn must stay.
func (o *object) pause(ctx context.Context, ev *Event) error {
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	if !o.has(&ev.ticket) {
		return nil
	}
	if inst := ev.instance(); inst.ctx.Err() != nil { // its writes will be dropped
		return context.Cause(inst.ctx)
	}
	if err := o.takePuts(ev); err != nil {
		return err
	}
	if err := o.commitOrReset(&ev.ticket); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if ev.blocked == 0 && ctx.Err() == nil {
		o.releaseLocked()
	}
	return nil
}

// maxNested is how deep blocks and transactions may be nested. Source: workerd's io-context.h.
const maxNested = 64

// errNested is in the platform's words.
var errNested = &wire.Error{Message: "blockConcurrencyWhile() calls are nested too deeply."}

// block makes ev keep the turn until unblock. It fails if ev has maxNested blocks already, one of
// which may be its constructor.
func (o *object) block(ev *Event) error {
	if err := o.acquire(context.Background(), &ev.ticket); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if ev.blocked >= maxNested {
		return errNested
	}
	ev.blocked++
	if ev.blocked == 1 {
		ev.limit = o.limit(ev, BlockLimit, errBlockLimit)
	}
	return nil
}

func (o *object) unblock(ev *Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ev.blocked == 0 {
		return fmt.Errorf("unblock without block")
	}
	if ev.blocked--; ev.blocked == 0 {
		ev.limit.stop()
	}
	return nil
}

// OnItsOwn reports whether only the handler itself keeps the event from ending. It has its object's
// turn, if it is an object's, and waits neither for the clock nor for another event nor for the
// outside.
func (ev *Event) OnItsOwn() bool {
	return !ev.atRest() && (ev.obj == nil || ev.obj.has(&ev.ticket))
}

// Circle returns the chain of events by which ev waits for itself, or nil. Each event waits for the
// next one, beginning with the one that ev waits for. The last one waits for the turn that ev
// keeps.
func (ev *Event) Circle() []*Event {
	if ev.obj == nil {
		return nil
	}
	ev.obj.mu.Lock()
	defer ev.obj.mu.Unlock()
	if ev.obj.turn != &ev.ticket || ev.blocked == 0 {
		return nil
	}
	for _, w := range ev.obj.queue {
		var chain []*Event
		for c := w.ticket.ev; c != nil; c = c.callerEvent() {
			if c == ev {
				return chain
			}
			chain = append([]*Event{c}, chain...)
		}
	}
	return nil
}

// Behind returns a clause for messages that says how many events wait for the object's turn, or
// empty if none does.
func (o *object) Behind() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch n := len(o.queue); n {
	case 0:
		return ""
	case 1:
		return ", and 1 event waits behind it"
	default:
		return fmt.Sprintf(", and %d events wait behind it", n)
	}
}
