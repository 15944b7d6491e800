package world

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// An object is a Durable Object that is in memory or pinned. Its namespace keeps it only that long.
//
// Locks, in this order: store use (storeMu), then mu, then the namespace's mu. None is held while
// an event waits for its turn or for the program.
type object struct {
	ns *Namespace
	id objectid.ID

	// storeMu is held while the store is used, and while a turn is given up: an event whose handler
	// runs several goroutines may ask for both at once.
	storeMu sync.Mutex
	// store is nil until it is first used. Only the holder of the turn uses it.
	store *store.Object
	// fileLost is set when the open file is no longer at its path (see missing.go).
	fileLost bool
	logLost  bool // its write-ahead log is
	// lingers is set when the object was evicted and its file is still open.
	lingers bool
	// run is the alarm that is running, or nil.
	run *alarmRun
	// transactions counts the open transactions of the event that has the turn.
	transactions int

	// mu guards what follows.
	mu    sync.Mutex
	name  string
	named bool      // its name is known
	inst  *Instance // nil if the object is not in memory
	turn  *ticket   // the ticket that has the turn, or nil
	queue []*waiter // for the turn, in order of arrival
	// occupancy says which version of the program the object is in.
	occupancy occupancy
	// parked is set while the event that has the turn keeps it and waits for the clock. The
	// tickets in the queue then wait for the clock, too, and hold no step.
	parked bool

	// ns.mu guards what follows.
	pending  int // pins: events that are queued or running, and visitors
	visitors int // pins of an Admin, which do not count as use
	// quiet, unless it is nil, is closed when only visitors are left.
	quiet    chan struct{}
	lastUsed time.Time // on the clock
	idle     *clock.Timer
}

// An Instance is an object in the memory of a program. ctx ends when the instance is reset.
type Instance struct {
	number uint64
	prog   Program
	ctx    context.Context
	reset  context.CancelCauseFunc
}

// IsWorker reports whether inst is the instance of the worker's events.
func (inst *Instance) IsWorker() bool { return inst == workerInstance }

// Number returns the number by which the program knows the instance; the worker's is 0.
func (inst *Instance) Number() uint64 { return inst.number }

// Context returns a context that ends when the instance is reset. Its cause is the error of the
// instance's events.
func (inst *Instance) Context() context.Context { return inst.ctx }

// lives reports whether inst is not nil, was not reset, and its program is not lost.
func (inst *Instance) lives() bool {
	return inst != nil && inst.ctx.Err() == nil && !inst.prog.Lost()
}

// String returns the object's name for people: CLASS/NAME, or CLASS/ID without a name.
func (o *object) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.named {
		return o.ns.class() + "/" + control.WriteName(o.name)
	}
	return o.ns.class() + "/" + o.id.String()
}

// abandon gives up an instance whose program is gone: uncommitted writes of the event that has the
// turn are dropped. Unlike reset it leaves the queue alone, which may have events of the next
// program.
func (o *object) abandon(inst *Instance, cause error) {
	err := WireError(cause)
	err.Reset, err.ObjectID = true, o.id.String()
	inst.reset(err)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inst == inst {
		o.inst = nil
	}
}

// finish ends the event's use of the object: its writes are committed, or dropped if the object was
// reset, and the turn goes to the next in the queue. The error says why nothing was committed. A
// second call does nothing.
func (o *object) finish(ev *Event) error {
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	o.mu.Lock()
	ev.over = true
	if w := ev.waiter; w != nil {
		o.dropWaiterLocked(w)
		w.err = errOver
		close(w.granted)
	}
	if ev.limit != nil {
		ev.limit.stop()
	}
	o.mu.Unlock()
	ev.closeCursors()
	return o.endTurn(&ev.ticket)
}

// endTurn ends the turn of t, an event's ticket, if t has the turn. It commits, unless the object
// was reset. storeMu is held.
func (o *object) endTurn(t *ticket) error {
	if !o.has(t) {
		return nil
	}
	var err error
	switch inst := t.instance(); {
	case inst == nil:
		err = o.rollback()
	case inst.ctx.Err() != nil:
		err = context.Cause(inst.ctx)
		o.rollback() //nolint:errcheck // the cause of the reset matters more
	default:
		if err = o.commitTurn(t, inst); err != nil {
			err = errors.Join(err, o.rollback())
		}
	}
	o.release()
	return err
}

// commitTurn commits the writes of t's event in its turn. It undoes transactions that the event
// left open.
func (o *object) commitTurn(t *ticket, inst *Instance) error {
	if t.isMain() {
		if err := o.takePuts(t.ev); err != nil {
			return err
		}
	}
	if err := o.endTransactions(inst); err != nil {
		o.reset(t, err)
		return err
	}
	return o.commitOrReset(t)
}

// events returns the object's events that may ask for operations.
func (o *object) events() []*Event {
	return o.ns.w.running.find(func(ev *Event) bool { return ev.obj == o })
}

// instanceFor returns the object's instance in the program of ev, which has the turn. It constructs
// one if there is none, and commits what the constructor has written: no failure of the event
// undoes that. (Seen in workerd.)
func (o *object) instanceFor(ev *Event) (*Instance, error) {
	o.mu.Lock()
	inst := o.inst
	o.mu.Unlock()
	if inst != nil && inst.prog == ev.prog && inst.ctx.Err() == nil {
		return inst, nil
	}
	inst, err := o.construct(ev)
	if err != nil {
		return nil, err
	}
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	return inst, o.commitTurn(&ev.ticket, inst)
}

// construct makes an instance of the object for ev, which has the turn.
func (o *object) construct(ev *Event) (*Instance, error) {
	if _, ok := ev.prog.Class(o.ns.class()); !ok {
		return nil, fmt.Errorf("the program has no class %q", o.ns.class())
	}
	inst := &Instance{number: ev.w.instances.Add(1), prog: ev.prog}
	inst.ctx, inst.reset = context.WithCancelCause(context.Background())

	o.mu.Lock()
	ev.inst, ev.constructing = inst, true
	ev.blocked++
	m := &wire.Construct{Event: ev.number, Instance: inst.number, Class: o.ns.class(), ID: o.id.String()}
	if o.named && len(o.name) <= maxKnownName {
		m.Name, m.HasName = o.name, true
	}
	o.mu.Unlock()
	_, m.Jurisdiction, _ = objectid.Parse(o.ns.uniqueKey, m.ID) // the id was checked when it was parsed
	limit := o.limit(ev, BlockLimit, errBlockLimit)
	ev.w.running.add(ev)
	err := ev.prog.Ask(inst, wire.MethodConstruct, m, nil)
	ev.w.running.remove(ev)
	limit.stop()
	all := err != nil && inst.ctx.Err() == nil && !ev.prog.Lost()
	if all {
		o.joinAll(inst, ev.currentStep())
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	ev.blocked--
	ev.constructing = false
	if err != nil {
		return nil, o.failConstructLocked(inst, err, all)
	}
	o.inst = inst
	return inst, nil
}

// maxKnownName is the longest name, in bytes, that an object knows of itself. Source: workerd's
// server.c++.
const maxKnownName = 1024

// A constructError is the failure of a constructor.
type constructError struct{ cause *wire.Error }

func (e *constructError) Error() string { return "construct: " + e.cause.Error() }
func (e *constructError) Unwrap() error { return e.cause }

// use calls f with the store on behalf of ev, which normally has the turn. If it does not, one
// goroutine of its handler asks while the handler waits elsewhere. The call then takes a turn of
// its own, and commits.
func (o *object) use(ev *Event, f func(*store.Object) error) error {
	o.storeMu.Lock()
	if !o.has(&ev.ticket) {
		o.storeMu.Unlock()
		return o.useBeside(ev, f)
	}
	defer o.storeMu.Unlock()
	if err := o.ready(ev); err != nil {
		return err
	}
	if err := o.takePuts(ev); err != nil {
		return err
	}
	return f(o.store)
}

// useBeside is use in a turn that the event takes for this call alone.
func (o *object) useBeside(ev *Event, f func(*store.Object) error) error {
	o.mu.Lock()
	if ev.over {
		o.mu.Unlock()
		return errOver
	}
	o.mu.Unlock()
	t := &ticket{obj: o, kind: ev.kind, ev: ev}
	defer t.retire() // it may have joined a step in the queue
	if err := o.acquire(context.Background(), t); err == errHasTurn {
		return o.use(ev, f)
	} else if err != nil {
		return err
	}
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	err := o.ready(ev)
	if err == nil {
		err = f(o.store)
		if o.store.Dirty() { // the program's cache does not know of these writes
			inst := ev.instance()
			inst.prog.Forget(inst)
		}
	}
	if e := o.endTurn(t); err == nil {
		err = e
	}
	return err
}

// ready opens the store for ev, unless the object was reset. storeMu is held.
func (o *object) ready(ev *Event) error {
	if inst := ev.instance(); inst.ctx.Err() != nil {
		return context.Cause(inst.ctx)
	}
	_, err := o.open()
	return err
}

// takePuts stores the entries that the handler of ev, which has the turn, has put by notices. The
// handler relies on that, so a failure resets the object. storeMu is held.
func (o *object) takePuts(ev *Event) error {
	ev.noticed.Lock()
	puts := ev.puts
	ev.puts, ev.noted = nil, 0
	ev.noticed.Unlock()
	if len(puts) == 0 {
		return nil
	}
	s, err := o.open()
	if err == nil {
		err = o.ns.limits().putEach(s, puts)
	}
	if err != nil {
		o.reset(&ev.ticket, err)
	}
	return err
}

// administer calls f with the store in the object's turn, without an instance, and commits. It
// stops waiting for the turn when ctx ends.
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
				inst.prog.Forget(inst)
			}
		}
		if err != nil {
			err = errors.Join(err, o.rollback())
		}
		return err
	})
}

// open returns the store, and opens it if it is closed. storeMu is held.
func (o *object) open() (*store.Object, error) {
	if err := o.dropLost(); err != nil {
		return nil, err
	}
	if o.store == nil {
		if err := context.Cause(o.ns.w.ctx); err != nil { // nobody would close it again
			return nil, err
		}
		if err := o.ns.w.lostCause(); err != nil {
			return nil, err
		}
		if o.ns.isRetired() {
			return nil, fmt.Errorf("class %s was deleted by a migration", o.ns.class())
		}
		o.mu.Lock()
		name, named := o.name, o.named
		o.mu.Unlock()
		s, err := store.OpenObject(o.path(), name, named)
		if err != nil {
			return nil, err
		}
		s.SetLimits(o.ns.w.limits.SQL)
		o.store = s
		if recorded, ok := s.Name(); ok && !named && o.ns.leadsTo(recorded, o.id) {
			o.mu.Lock()
			o.name, o.named = recorded, true
			o.mu.Unlock()
		}
	}
	o.ns.w.stores.touch(o)
	return o.store, nil
}

// path returns the path of the object's file.
func (o *object) path() string { return store.ObjectPath(o.ns.dir, o.id.String()) }

// closeStore closes the file if it is open, and removes it if the object stores nothing. storeMu is
// held. No event has the turn, or the caller has it.
//
// The object is pinned, or else still in its namespace. So an event that begins meanwhile finds
// this object, waits for storeMu, and creates the file again.
func (o *object) closeStore() error {
	if o.store == nil {
		return nil
	}
	s := o.store
	o.store, o.fileLost, o.logLost = nil, false, false
	o.ns.w.stores.forget(o)
	return s.CloseOrRemove()
}

// closeUnused is closeStore for callers that can only log an error.
func (o *object) closeUnused() {
	if err := o.closeStore(); err != nil {
		o.ns.w.log.Error("close "+o.String(), "err", err)
	}
}

func (o *object) rollback() error {
	o.transactions = 0
	if o.store == nil {
		return nil
	}
	return o.store.Rollback()
}

// commit commits the writes of the turn. storeMu is held.
func (o *object) commit() error {
	if !o.uncommitted() {
		return nil
	}
	if err := o.ns.w.lostCause(); err != nil {
		return err
	}
	if o.store.AlarmChanged() {
		return o.commitWithAlarm()
	}
	return o.store.Commit()
}

// commitWithAlarm commits writes that have changed the alarm. storeMu is held.
//
// The index must never show a later alarm than the object's file, or a crash between the two writes
// would lose the alarm. So an earlier alarm goes into the index before the commit; a later one, or
// a deletion, after it.
func (o *object) commitWithAlarm() error {
	s := o.store
	at, set, err := s.Alarm()
	if err != nil {
		return err
	}
	ns := o.ns
	id := o.id.String()
	who := Identity{id: o.id}
	who.Name, who.Named = s.Name()
	order := ns.w.alarmOrder.Add(1)
	old, had := s.Committed()
	early := set && (!had || at.Before(old))
	if early {
		if err := ns.index.Set(id, at, order, who.Name, who.Named); err != nil {
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
		err = ns.index.Set(id, at, order, who.Name, who.Named)
	}
	if err != nil { // the object's file is right, and the index errs on the safe side
		ns.w.log.Error("write alarm index", "object", o.String(), "err", err)
	}
	if o.run != nil {
		o.run.changed = true
	}
	ns.schedule(who, at, set, order)
	return nil
}

// constraintsViolated is what a commit that violates a deferred constraint says. The words are the
// platform's.
const constraintsViolated = "Durable Object was reset and rolled back to its last known good state " +
	"because the application left the database in a state where constraints were violated"

// uncommitted reports whether a commit would write anything to disk. storeMu is held.
func (o *object) uncommitted() bool { return o.store != nil && o.store.Dirty() && o.transactions == 0 }

// commitOrReset commits the writes in the turn of t, an event's ticket. If that fails it resets the
// object, because its handlers rely on writes that are not stored. storeMu is held.
func (o *object) commitOrReset(t *ticket) error {
	before, after := o.commitFaults()
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
	if e := (*store.SQLError)(nil); errors.As(err, &e) { // a deferred constraint
		err = fmt.Errorf("%s: %w", constraintsViolated, e)
	}
	o.reset(t, err)
	return err
}
