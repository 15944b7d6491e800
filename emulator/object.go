package emulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// An object is a durable object that is in memory or has an event waiting. Its
// namespace keeps it only that long.
//
// Locks, in this order: store use (storeMu), then mu, then the namespace's mu. None
// is held while an event waits for its turn or for the program.
type object struct {
	ns *namespace
	id wire.ID

	// storeMu is held while the store is used, and while a turn is given up: an
	// event whose handler runs several goroutines may ask for both at once.
	storeMu sync.Mutex
	// store is nil until it is first used. Only the holder of the turn uses it.
	store *store.Object
	// lingers is set when the object was evicted and its file is still open.
	lingers bool
	// run is the alarm that is running, or nil.
	run *alarmRun
	// transactions counts those that the holder has open.
	transactions int

	// mu guards what follows.
	mu      sync.Mutex
	name    string
	hasName bool
	inst    *instance // nil when the object is not in memory
	holder  *event    // who has the turn
	queue   []*waiter // who waits for it, in order of arrival
	// parked is set while the holder sleeps, or waits for one that does, without
	// giving the turn up: those in the queue wait for the clock, too, and are in no step.
	parked bool

	// ns.mu guards what follows.
	pending  int // events that are queued or running, and visitors
	visitors int // administrations, which do not count as use
	// quiet, if somebody waits for it, is closed when only visitors are left.
	quiet    chan struct{}
	lastUsed time.Time
	idle     *clock.Timer
}

// An instance is an object in the memory of a program. ctx ends when it is reset.
type instance struct {
	number uint64
	prog   *program
	ctx    context.Context
	reset  context.CancelCauseFunc
}

// lives reports whether inst is there, was not reset, and its program is not lost.
func (inst *instance) lives() bool {
	return inst != nil && inst.ctx.Err() == nil && !inst.prog.lost()
}

// A waiter is an event's place in the queue. Several goroutines of one
// handler may wait at it.
type waiter struct {
	ev      *event
	granted chan struct{} // closed when the event has the turn, or err is set
	err     error
	count   int
}

// String names the object as people do: CLASS/NAME, or CLASS/ID without a name.
func (o *object) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hasName {
		return o.ns.class + "/" + o.name
	}
	return o.ns.class + "/" + o.id.String()
}

// deliver runs an event of the object: it waits for the turn, sees to it that
// there is an instance, lets handle talk to it, and ends the turn. The error is what
// the event failed with.
func (o *object) deliver(ev *event, handle func(*instance) error) error {
	if err := o.acquire(ev.ctx, ev); err != nil {
		return o.describe(err)
	}
	inst, err := o.instanceFor(ev)
	if err == nil {
		o.mu.Lock()
		ev.inst = inst
		o.mu.Unlock()
		ev.prog.register(ev)
		err = handle(inst)
		ev.prog.unregister(ev)
		if err != nil && inst.prog.lost() {
			o.abandon(inst, err)
		}
	}
	if e := o.finish(ev); err == nil {
		err = e
	}
	return o.describe(err)
}

// abandon gives up an instance whose program is gone: what the holder of its turn has
// not committed is dropped. Unlike reset it leaves the queue alone, which may hold
// events of the program that comes next.
func (o *object) abandon(inst *instance, cause error) {
	err := asWire(cause)
	err.Reset, err.ObjectID = true, o.id.String()
	inst.reset(err)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inst == inst {
		o.inst = nil
	}
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

// acquire waits until ev has the turn. It has it already when another goroutine of
// its handler has taken it. When ctx ends first, the place in the queue is lost.
func (o *object) acquire(ctx context.Context, ev *event) error {
	o.mu.Lock()
	if ev.inst != nil && ev.inst.ctx.Err() != nil {
		defer o.mu.Unlock()
		return context.Cause(ev.inst.ctx)
	}
	if ev.over {
		o.mu.Unlock()
		return errOver
	}
	if ctx.Err() != nil { // nobody would give the turn back
		o.mu.Unlock()
		return context.Cause(ctx)
	}
	if o.holder == nil {
		o.holder = ev
	}
	if o.holder == ev {
		o.mu.Unlock()
		return nil
	}
	if ev.standsFor != nil && ev.standsFor == o.holder {
		o.mu.Unlock()
		return errHasTurn
	}
	w := ev.waiter
	if w == nil {
		w = &waiter{ev: ev, granted: make(chan struct{})}
		ev.waiter = w
		o.queue = append(o.queue, w)
		if o.parked {
			ev.leave()
		}
	}
	w.count++
	o.mu.Unlock()

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

var errOver = &wire.Error{Message: "the event is over: its handler has returned, or its object was reset"}

func (o *object) dropWaiterLocked(w *waiter) {
	w.ev.waiter = nil
	for i := range o.queue {
		if o.queue[i] == w {
			o.queue = append(o.queue[:i], o.queue[i+1:]...)
			return
		}
	}
}

// releaseLocked hands the turn to the next in the queue.
func (o *object) releaseLocked() {
	o.parked = false
	if len(o.queue) == 0 {
		o.holder = nil
		return
	}
	w := o.queue[0]
	o.queue = o.queue[1:]
	w.ev.waiter = nil
	o.holder = w.ev
	close(w.granted)

	// What its other goroutines ask for must not wait for it: it may wait for them.
	o.queue = slices.DeleteFunc(o.queue, func(other *waiter) bool {
		if other.ev.standsFor != w.ev {
			return false
		}
		other.ev.waiter = nil
		other.err = errHasTurn
		close(other.granted)
		return true
	})
}

// errHasTurn is why an event which stands for another need not wait for the turn.
var errHasTurn = errors.New("the event has the turn itself")

// pause commits what was written and, unless the event is blocked, gives the turn up.
// It does nothing for an event that does not have the turn. When ctx has ended, whoever
// asked has been told to go on and the turn must stay.
func (o *object) pause(ctx context.Context, ev *event) error {
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	if !o.holds(ev) {
		return nil
	}
	if inst := ev.instance(); inst.ctx.Err() != nil { // what it wrote is to be dropped
		return context.Cause(inst.ctx)
	}
	if err := o.takePuts(ev); err != nil {
		return err
	}
	if err := o.commitOrReset(ev); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if ev.blocked == 0 && ctx.Err() == nil {
		o.releaseLocked()
	}
	return nil
}

func (o *object) holds(ev *event) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.holder == ev
}

// finish ends the event's part in the object: what it wrote is committed, or dropped if
// the object was reset, and the turn goes on. The error says why nothing was
// committed. Doing it again does nothing.
func (o *object) finish(ev *event) error {
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	o.mu.Lock()
	holds := o.holder == ev
	ev.over = true
	if w := ev.waiter; w != nil {
		o.dropWaiterLocked(w)
		w.err = errOver
		close(w.granted)
	}
	inst := ev.inst
	if ev.limit != nil {
		ev.limit.stop()
	}
	o.mu.Unlock()
	ev.closeCursors()
	if !holds {
		return nil
	}
	var err error
	switch {
	case inst == nil:
		err = o.rollback()
	case inst.ctx.Err() != nil:
		err = context.Cause(inst.ctx)
		o.rollback() //nolint:errcheck // why it was reset matters more
	default:
		if err = o.takePuts(ev); err == nil {
			if err = o.endTransactions(inst); err != nil {
				o.reset(ev, err)
			} else {
				err = o.commitOrReset(ev)
			}
		}
		if err != nil {
			err = errors.Join(err, o.rollback())
		}
	}
	o.mu.Lock()
	o.releaseLocked()
	o.mu.Unlock()
	return err
}

// reset discards the event's instance: it loses its memory, its events and those that
// wait for it fail with cause. What the holder of the turn has not committed
// is dropped when that event finishes.
func (o *object) reset(ev *event, cause error) { o.resetIn(ev.currentStep(), ev, cause) }

// resetIn is reset as part of step: what it ends is, and what their callers make of that.
func (o *object) resetIn(step *clock.Step, ev *event, cause error) {
	o.joinAll(ev.instance(), step)
	defer o.endNaps(ev.instance())
	o.mu.Lock()
	defer o.mu.Unlock()
	inst := ev.inst
	if inst == nil || inst.ctx.Err() != nil {
		return
	}
	err := asWire(cause)
	err.Reset, err.ObjectID = true, o.id.String()
	inst.reset(err)
	inst.prog.destroy(inst)
	if o.inst == inst {
		o.inst = nil
	}
	var kept []*waiter
	for _, w := range o.queue {
		if w.ev.prog == nil { // it does not need the instance
			kept = append(kept, w)
			continue
		}
		w.ev.waiter = nil
		w.err = err
		close(w.granted)
	}
	o.queue = kept
}

// endNaps ends the Sleeps of all events of inst, which was reset.
func (o *object) endNaps(inst *instance) {
	if inst == nil {
		return
	}
	for _, ev := range inst.prog.eventsOf(o) {
		if ev.instance() == inst {
			ev.endNaps()
		}
	}
}

// abort is reset on behalf of a handler. With dropAlarm, the alarm that is running is not
// tried again.
func (o *object) abort(ev *event, cause error, dropAlarm bool) {
	if dropAlarm {
		o.storeMu.Lock()
		if o.run != nil {
			o.run.dropped = true
		}
		o.storeMu.Unlock()
	}
	o.reset(ev, cause)
}

// instanceFor returns the object's instance in the program of ev, which has the turn. If
// there is none it is constructed.
func (o *object) instanceFor(ev *event) (*instance, error) {
	o.mu.Lock()
	inst := o.inst
	o.mu.Unlock()
	if inst != nil && inst.prog == ev.prog && inst.ctx.Err() == nil {
		return inst, nil
	}
	if _, ok := ev.prog.classes[o.ns.class]; !ok {
		return nil, fmt.Errorf("the program has no class %q", o.ns.class)
	}
	inst = &instance{number: ev.prog.instances.Add(1), prog: ev.prog}
	inst.ctx, inst.reset = context.WithCancelCause(context.Background())

	o.mu.Lock()
	ev.inst, ev.constructing = inst, true
	ev.blocked++
	m := &wire.Construct{Event: ev.number, Instance: inst.number, Class: o.ns.class, ID: o.id.String()}
	if o.hasName && len(o.name) <= maxKnownName {
		m.Name, m.HasName = o.name, true
	}
	o.mu.Unlock()
	_, m.Jurisdiction, _ = wire.ParseIDIn(o.ns.uniqueKey, m.ID) // which has been checked
	limit := o.limit(ev, blockLimit, errBlockLimit, o.ns.e.blockGrace)
	ev.prog.register(ev)
	_, err := ev.prog.ask(inst, wire.MethodConstruct, m)
	ev.prog.unregister(ev)
	limit.stop()

	o.mu.Lock()
	defer o.mu.Unlock()
	ev.blocked--
	ev.constructing = false
	if err != nil {
		e := asWire(err)
		e.Reset, e.ObjectID = true, o.id.String()
		inst.reset(e)
		return nil, &constructError{e}
	}
	o.inst = inst
	return inst, nil
}

// maxKnownName is how long a name may be, in bytes, that an object knows of itself. Source:
// workerd's server.c++.
const maxKnownName = 1024

// A constructError is the failure of a constructor.
type constructError struct{ cause *wire.Error }

func (e *constructError) Error() string { return "construct: " + e.cause.Error() }
func (e *constructError) Unwrap() error { return e.cause }

// joinAll makes the events that a reset of inst ends part of step: what their callers make
// of it is what happens at that time.
func (o *object) joinAll(inst *instance, step *clock.Step) {
	if step == nil || inst == nil {
		return
	}
	events := inst.prog.eventsOf(o)
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.queue {
		if w.ev.prog != nil {
			w.ev.join(step)
		}
	}
	for _, ev := range events {
		if ev.inst == inst {
			ev.join(step)
		}
	}
}

// use calls f with the store, on behalf of ev. Normally ev has the turn. If not, a
// goroutine of a handler asks while its handler waits elsewhere: the call then takes
// the turn for itself, and commits.
func (o *object) use(ev *event, f func(*store.Object) error) error {
	o.storeMu.Lock()
	if !o.holds(ev) {
		o.storeMu.Unlock()
		o.mu.Lock()
		if ev.over {
			o.mu.Unlock()
			return errOver
		}
		other := &event{prog: ev.prog, obj: o, kind: ev.kind, ctx: ev.ctx, inst: ev.inst, standsFor: ev}
		o.mu.Unlock()
		defer other.retire() // it may have joined a step in the queue
		if err := o.acquire(context.Background(), other); err == errHasTurn {
			return o.use(ev, f)
		} else if err != nil {
			return err
		}
		err := o.use(other, func(s *store.Object) error {
			err := f(s)
			if s.Dirty() { // the event that had the turn knows nothing of it
				other.inst.prog.forget(other.inst)
			}
			return err
		})
		if e := o.finish(other); err == nil {
			err = e
		}
		return err
	}
	defer o.storeMu.Unlock()
	o.mu.Lock()
	inst := ev.inst
	o.mu.Unlock()
	if inst.ctx.Err() != nil {
		return context.Cause(inst.ctx)
	}
	s, err := o.open()
	if err != nil {
		return err
	}
	if err := o.takePuts(ev); err != nil {
		return err
	}
	return f(s)
}

// takePuts stores what the handler of ev, which has the turn, has put by notices. The handler
// believes that to be done: where it fails the object is reset. storeMu is held.
func (o *object) takePuts(ev *event) error {
	ev.noticed.Lock()
	puts := ev.puts
	ev.puts = nil
	ev.noticed.Unlock()
	if len(puts) == 0 {
		return nil
	}
	s, err := o.open()
	if err == nil {
		err = o.ns.limits().putEach(s, puts)
	}
	if err != nil {
		o.reset(ev, err)
	}
	return err
}

// administer calls f with the store without an instance, when it is the object's
// turn, and commits. It gives up waiting when ctx ends.
func (o *object) administer(ctx context.Context, f func(*store.Object) error) error {
	return o.withTurn(ctx, func() error {
		s, err := o.open()
		if err == nil {
			err = f(s)
		}
		if err == nil && s.Dirty() {
			err = o.commit()
			o.mu.Lock()
			inst := o.inst
			o.mu.Unlock()
			if inst != nil {
				inst.prog.forget(inst)
			}
		}
		if err != nil {
			err = errors.Join(err, o.rollback())
		}
		return err
	})
}

// withTurn calls f with storeMu held, without an instance, when it is the object's turn.
func (o *object) withTurn(ctx context.Context, f func() error) error {
	ev := &event{obj: o, kind: "admin"}
	defer ev.retire() // it may have joined a step in the queue
	if err := o.acquire(ctx, ev); err != nil {
		return err
	}
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	err := f()
	o.mu.Lock()
	o.releaseLocked()
	o.mu.Unlock()
	return err
}

// open returns the store. storeMu is held.
func (o *object) open() (*store.Object, error) {
	if o.store == nil {
		if err := context.Cause(o.ns.e.ctx); err != nil { // nobody would close it again
			return nil, err
		}
		o.mu.Lock()
		name, hasName := o.name, o.hasName
		o.mu.Unlock()
		s, err := store.OpenObject(store.ObjectPath(o.ns.dir, o.id.String()), name, hasName)
		if err != nil {
			return nil, err
		}
		s.SetLimits(o.ns.e.limits.SQL)
		o.store = s
		if recorded, ok := s.Name(); ok && !hasName {
			o.mu.Lock()
			o.name, o.hasName = recorded, true
			o.mu.Unlock()
		}
	}
	o.ns.e.stores.touch(o)
	return o.store, nil
}

// closeStore closes the file if it is open. storeMu is held, and no event has the turn
// or it is the caller's.
func (o *object) closeStore() error {
	if o.store == nil {
		return nil
	}
	s := o.store
	o.store = nil
	o.ns.e.stores.forget(o)
	return s.Close()
}

// closeUnused is closeStore where nobody waits for the file.
func (o *object) closeUnused() {
	if err := o.closeStore(); err != nil {
		o.ns.e.log.Error("close "+o.String(), "err", err)
	}
}

func (o *object) rollback() error {
	o.transactions = 0
	if o.store == nil {
		return nil
	}
	return o.store.Rollback()
}

// commit commits what the holder of the turn wrote. storeMu is held.
//
// The index must not show an alarm later than the object's file does, or a
// crash between the two writes would lose it: an earlier alarm goes into the index
// before the commit, a later one and a deletion after it.
func (o *object) commit() error {
	if !o.uncommitted() {
		return nil
	}
	s := o.store
	if !s.AlarmChanged() {
		return s.Commit()
	}
	at, set, err := s.Alarm()
	if err != nil {
		return err
	}
	ns := o.ns
	id := o.id.String()
	name, hasName := s.Name()
	order := ns.e.alarmOrder.Add(1)
	old, had := s.Committed()
	early := set && (!had || at.Before(old))
	if early {
		if err := ns.index.Set(id, at, order, name, hasName); err != nil {
			return err
		}
	}
	if err := s.Commit(); err != nil {
		return err
	}
	switch {
	case !set:
		err = ns.index.Delete(id)
	case !early:
		err = ns.index.Set(id, at, order, name, hasName)
	}
	if err != nil { // the object's file is right, and the index errs on the safe side
		ns.e.log.Error("write alarm index", "object", o.String(), "err", err)
	}
	if o.run != nil {
		o.run.changed = true
	}
	ns.schedule(o.id, name, hasName, at, set, order)
	return nil
}

// uncommitted reports whether there is anything that a commit would bring to disk. storeMu is held.
func (o *object) uncommitted() bool { return o.store != nil && o.store.Dirty() && o.transactions == 0 }

// commitOrReset commits what the holder of the turn, ev, wrote. If that fails the object is
// reset: what its handlers believe to be stored is not. storeMu is held.
func (o *object) commitOrReset(ev *event) error {
	before, after := o.crashesAtCommit()
	err := before
	if err == nil {
		err = o.commit()
	}
	if err == nil {
		err = after
	}
	if err == nil {
		return nil
	}
	if e := (*store.SQLError)(nil); errors.As(err, &e) { // a deferred constraint; the words are the platform's
		err = fmt.Errorf("Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: %w", e) //nolint:staticcheck // see above
	}
	o.reset(ev, err)
	return err
}

// park takes those that wait for the turn out of their step, if ev has it.
func (o *object) park(ev *event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.holder == ev {
		o.parked = true
		for _, w := range o.queue {
			w.ev.leave()
		}
	}
}

// unpark undoes park.
func (o *object) unpark(ev *event, step *clock.Step) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.holder == ev && o.parked {
		o.parked = false
		for _, w := range o.queue {
			w.ev.join(step)
		}
	}
}
