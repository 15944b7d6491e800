package world

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
	"devtool.internal/internal/safefile"
)

// A Namespace is the objects of one class, with their files, alarms and idle timers.
type Namespace struct {
	w         *World
	name      atomic.Pointer[string] // of the class; a migration may change it
	uniqueKey string
	dir       string // of the objects' files
	index     *store.Index
	keyValue  atomic.Bool // its objects have no SQL, and key-value limits

	indexLogGone bool // the log has said so; only CheckFiles uses it

	// mu guards what follows.
	mu      sync.Mutex
	objects map[objectid.ID]*object // in memory or pinned
	alarms  map[objectid.ID]*alarm
	running map[objectid.ID]*Event // of objects of which any alarm is running; nil outside a program
	retired bool                   // the class is deleted, so no object is opened any more
	place   *safefile.Place        // of dir, or nil before the first CheckFiles
}

// class returns the name of the class in the program.
func (ns *Namespace) class() string { return *ns.name.Load() }

// openNamespace opens the namespace of a class.
func (w *World) openNamespace(class Class) (*Namespace, error) {
	ns := &Namespace{
		w:         w,
		uniqueKey: class.UniqueKey,
		dir:       class.Dir,
		objects:   make(map[objectid.ID]*object),
		alarms:    make(map[objectid.ID]*alarm),
		running:   make(map[objectid.ID]*Event),
	}
	ns.name.Store(&class.Name)
	index, err := store.OpenIndex(ns.dir)
	if err != nil {
		return nil, err
	}
	ns.index = index
	if index.Rebuilt() {
		w.log.Info("rebuilt the alarm index of " + ns.class() + " from its objects' files")
	}
	for _, err := range index.Skipped() {
		w.log.Warn("rebuild alarm index of "+ns.class(), "err", err)
	}
	return ns, nil
}

// pin returns the object, and keeps it until unpin or release. The object remembers a known name.
func (ns *Namespace) pin(who Identity) *object {
	ns.mu.Lock()
	o := ns.objects[who.id]
	if o == nil {
		o = &object{ns: ns, id: who.id}
		ns.objects[who.id] = o
	}
	o.pending++
	ns.mu.Unlock()
	if who.Named {
		o.mu.Lock()
		o.name, o.named = who.Name, true // only one name leads to the id
		o.mu.Unlock()
	}
	return o
}

// keep pins an object that is pinned already once more.
func (ns *Namespace) keep(o *object) {
	ns.mu.Lock()
	o.pending++
	ns.mu.Unlock()
}

// unpin undoes pin after a use of the object: its idle time begins now.
func (ns *Namespace) unpin(o *object) {
	ns.mu.Lock()
	o.lastUsed = ns.w.clock.Now()
	ns.mu.Unlock()
	ns.release(o)
}

// release undoes pin without a use of the object.
func (ns *Namespace) release(o *object) {
	// Held to the end: an empty object must still be empty when it is forgotten.
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	o.mu.Lock()
	empty := o.inst == nil && o.store == nil
	o.lingers = o.lingers && o.inst == nil
	o.mu.Unlock()

	ns.mu.Lock()
	defer ns.mu.Unlock()
	o.pending--
	if o.quiet != nil && o.pending <= o.visitors {
		close(o.quiet)
		o.quiet = nil
	}
	if o.pending > 0 {
		return
	}
	if empty {
		delete(ns.objects, o.id)
		if o.idle != nil {
			o.idle.Stop()
			o.idle = nil
		}
		return
	}
	if o.lingers && ns.w.advancing.Load() {
		return // the end of the advance closes the file
	}
	if o.lastUsed.IsZero() {
		o.lastUsed = ns.w.clock.Now()
	}
	if o.idle == nil {
		o.idle = ns.w.clock.AtMaintenance(o.lastUsed.Add(ns.w.idleTime()), o.checkIdle)
	}
}

// idleTime returns how long, on the clock, an object stays in memory without an event. A fast clock
// passes idleLimit while a client sends its next request.
func (w *World) idleTime() time.Duration {
	if w.advancing.Load() || w.clock.Mode() == clock.Frozen {
		return w.idleLimit
	}
	return max(w.idleLimit, time.Duration(w.clock.Rate()*float64(w.waits.Idle)))
}

// restartIdling starts the idle time of all objects now, because the clock has gone back.
func (ns *Namespace) restartIdling() {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	now := ns.w.clock.Now()
	for _, o := range ns.objects {
		o.lastUsed = now
	}
	ns.rearmIdleLocked()
}

// rearmIdle sets the idle timers of all objects again, because idleTime has changed.
func (w *World) rearmIdle() {
	for _, ns := range w.currentNamespaces() {
		ns.mu.Lock()
		ns.rearmIdleLocked()
		ns.mu.Unlock()
	}
}

func (ns *Namespace) rearmIdleLocked() {
	limit := ns.w.idleTime()
	for _, o := range ns.objects {
		if o.idle != nil && o.idle.Stop() {
			o.idle = ns.w.clock.AtMaintenance(o.lastUsed.Add(limit), o.checkIdle)
		}
	}
}

// checkIdle evicts the object if it has been idle for long enough, or else sets the timer again. So
// an object needs one timer, however many events it gets.
func (o *object) checkIdle(step *clock.Step) {
	ns := o.ns
	ns.mu.Lock()
	defer ns.mu.Unlock()
	o.idle = nil
	if o.pending > 0 {
		return // unpin sets the next timer
	}
	due := o.lastUsed.Add(ns.w.idleTime())
	if due.After(ns.w.clock.Now()) {
		o.idle = ns.w.clock.AtMaintenance(due, o.checkIdle)
		return
	}
	o.pending++
	t := &ticket{obj: o, kind: "evict"}
	t.join(step)
	ns.w.Go(func() {
		defer t.retire()
		o.evict(t)
		ns.unpin(o)
	})
}

// evict drops the instance and closes the file, unless another event is pending. The caller has
// pinned o.
//
// An advance may come back to the object soon. So during one a file stays open if its connection is
// as good as a fresh one (see closeLingering).
func (o *object) evict(t *ticket) {
	if o.acquire(context.Background(), t) != nil {
		return
	}
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	o.ns.mu.Lock()
	alone := o.pending-o.visitors == 1
	o.ns.mu.Unlock()
	if alone {
		if o.dropInstance() {
			o.ns.w.Publish(Happening{Event: t.kind, Object: o.String(), Outcome: control.OutcomeOK, Detail: true})
		}
		if o.lingers = o.store != nil && o.store.Fresh() && o.ns.w.advancing.Load(); !o.lingers {
			o.closeUnused()
		}
	}
	o.release()
}

// dropInstance drops the instance, and reports whether there was one. The caller has the turn.
func (o *object) dropInstance() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inst == nil {
		return false
	}
	o.inst.prog.Destroy(o.inst)
	o.inst = nil
	return true
}

// close closes all files. No event may be running any more.
func (ns *Namespace) close() error {
	ns.mu.Lock()
	objects := make([]*object, 0, len(ns.objects))
	for _, o := range ns.objects {
		objects = append(objects, o)
	}
	ns.mu.Unlock()
	var first error
	for _, o := range objects {
		o.storeMu.Lock()
		if err := o.closeStore(); err != nil && first == nil {
			first = err
		}
		o.storeMu.Unlock()
	}
	if err := ns.index.Close(); err != nil && first == nil {
		first = err
	}
	ns.forgetPlace()
	return first
}

// compareDue compares two alarms by the order in which they fire: by time, then by the order in
// which they were set.
func compareDue(dueA time.Time, orderA int64, dueB time.Time, orderB int64) int {
	return cmp.Or(dueA.Compare(dueB), cmp.Compare(orderA, orderB))
}

// loadAlarms sets the timers of the alarms in the indexes.
func (w *World) loadAlarms(namespaces []*Namespace) error {
	var all []*alarm
	for _, ns := range namespaces {
		pending, err := ns.index.All()
		if err != nil {
			return err
		}
		for _, p := range pending {
			id, _, err := objectid.Parse(ns.uniqueKey, p.ID)
			if err != nil {
				w.log.Warn("alarm index of "+ns.class()+" names a foreign object", "id", p.ID)
				continue
			}
			if p.HasName && !ns.leadsTo(p.Name, id) {
				p.Name, p.HasName = "", false
			}
			all = append(all, &alarm{
				ns: ns, id: id, name: p.Name, named: p.HasName, at: p.At, due: p.At, order: p.Order,
			})
		}
	}
	slices.SortFunc(all, func(a, b *alarm) int { return compareDue(a.due, a.order, b.due, b.order) })
	for _, a := range all {
		if a.order > w.alarmOrder.Load() {
			w.alarmOrder.Store(a.order)
		}
	}
	w.armLoaded(all)
	return nil
}

// defaultIdleLimit is how long an object stays in memory without an event, on the clock. Source:
// workerd's server.c++.
const defaultIdleLimit = 10 * time.Second
