package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// An Admin reads and changes objects from outside, on behalf of users. It never constructs an
// object. It takes an object's turn like an event, so it sees committed data and interrupts no
// handler's transaction. It does not count as use: an idle object is evicted when it would have
// been without it.
//
// The control API serves it while an emulator runs, emulator.Offline while none does. An error that
// the caller can do something about is a *control.Error.
type Admin struct{ w *World }

// A pinnedObject is an object that an Admin works on. It stays in its namespace until release.
type pinnedObject struct{ *object }

// pin pins the object that which names and returns it, whether or not it exists.
func (a Admin) pin(which control.Object) (pinnedObject, error) {
	object, err := a.w.resolve(which)
	if err != nil {
		return pinnedObject{}, err
	}
	return object.ns.pinForAdmin(object.Identity), nil
}

func (ns *Namespace) pinForAdmin(who Identity) pinnedObject {
	o := ns.pin(who)
	ns.mu.Lock()
	o.visitors++
	ns.mu.Unlock()
	return pinnedObject{o}
}

// release unpins the object.
func (p pinnedObject) release() {
	p.ns.mu.Lock()
	p.visitors--
	p.ns.mu.Unlock()
	p.ns.release(p.object)
}

// describe returns the object in the form of the control API.
func (p pinnedObject) describe() control.Object {
	p.mu.Lock()
	defer p.mu.Unlock()
	return control.Object{Class: p.ns.class(), Name: p.name, ID: p.id.String()}
}

// inMemory reports whether the object has an instance in a program that is not lost.
func (o *object) inMemory() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.inst.lives()
}

// running reports whether an event of the object is running or waiting.
func (p pinnedObject) running() bool {
	p.ns.mu.Lock()
	defer p.ns.mu.Unlock()
	return p.pending > p.visitors
}

// awaitQuiet waits up to Waits.Quiet for the events of the object to end. If they do not, it
// returns the error of busy.
func (p pinnedObject) awaitQuiet(ctx context.Context) error {
	p.ns.mu.Lock()
	if p.pending <= p.visitors {
		p.ns.mu.Unlock()
		return nil
	}
	if p.quiet == nil {
		p.quiet = make(chan struct{})
	}
	quiet := p.quiet
	p.ns.mu.Unlock()
	timer := time.NewTimer(p.ns.w.waits.Quiet)
	defer timer.Stop()
	select {
	case <-quiet:
		return nil
	case <-timer.C:
		return p.busy()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p pinnedObject) busy() error {
	return &control.Error{
		Code: control.CodeRunning, Message: p.String() + " is running",
		Hint: "wait until its events are done",
	}
}

// hasFile reports whether the object has a file. It may store nothing.
func (p pinnedObject) hasFile() (bool, error) {
	_, err := os.Lstat(p.path()) // a damaged one may be anything
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// exists returns an error if the object neither has a file nor is in memory.
func (p pinnedObject) exists() error {
	found, err := p.hasFile()
	if err != nil || found || p.inMemory() {
		return err
	}
	return p.missing()
}

func (p pinnedObject) missing() error {
	return &control.Error{
		Code: control.CodeNoObject, Message: "there is no object " + p.String(),
		Hint: "`devtool objects list` shows which there are",
	}
}

// use calls f with the store in the object's turn, and commits.
func (p pinnedObject) use(ctx context.Context, f func(*store.Object) error) error {
	ctx, cancel := p.boundWait(ctx)
	defer cancel()
	return p.administer(ctx, f)
}

// boundWait returns a context that bounds the wait for the object's turn.
func (p pinnedObject) boundWait(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, p.ns.w.waits.Turn, &control.Error{
		Code:    control.CodeRunning,
		Message: fmt.Sprintf("%s is running, and its turn did not come within %s", p, p.ns.w.waits.Turn),
		Hint:    "the log of `devtool dev` may show what it does",
	})
}

// read is use for an object that must exist: it stores something or is in memory.
func (p pinnedObject) read(ctx context.Context, f func(*store.Object) error) error {
	if err := p.exists(); err != nil {
		return err
	}
	return p.use(ctx, func(s *store.Object) error {
		empty, err := s.IsEmpty()
		if err == nil && empty && !p.inMemory() {
			if err = p.closeStore(); err == nil { // which removes the file
				err = p.missing()
			}
		}
		if err != nil {
			return err
		}
		return f(s)
	})
}

// info returns what is known of the object without waiting for its turn, and whether it stores
// anything. If its file can't be read, the index of alarms has the alarm and the name.
func (p pinnedObject) info() (info control.ObjectInfo, stores bool, err error) {
	info = control.ObjectInfo{InMemory: p.inMemory(), Running: p.running()}
	stores, err = p.readFile(&info)
	info.Object = p.describe()
	if err != nil {
		p.ns.mu.Lock()
		defer p.ns.mu.Unlock()
		if a := p.ns.alarms[p.id]; a != nil {
			at := a.at
			info.Alarm, info.Name = &at, cmp.Or(info.Name, a.name)
		}
	}
	return info, stores, err
}

// readFile fills in what the object's file says, if there is one, and reports whether the object
// stores anything. It holds storeMu so that nobody opens the store meanwhile: the file must not be
// open twice in one process. It removes a file that stores nothing, which a killed process has
// left.
func (p pinnedObject) readFile(info *control.ObjectInfo) (stores bool, err error) {
	p.storeMu.Lock()
	defer p.storeMu.Unlock()
	if found, err := p.hasFile(); err != nil || !found {
		return false, err
	}
	if info.Size, err = store.FileSize(p.path()); err != nil {
		return false, err
	}
	var at time.Time
	var set, empty bool
	if p.store != nil {
		at, set = p.store.Committed()
		empty, err = p.store.IsEmpty()
		empty = empty && err == nil // its event has the error
	} else {
		read, err := store.ReadObject(p.path())
		if err != nil {
			return false, err
		}
		if read.Empty && p.ns.w.lostCause() == nil {
			info.Size = 0
			return false, store.RemoveObject(p.path())
		}
		at, set = read.Alarm, read.HasAlarm
		p.mu.Lock()
		if read.HasName && !p.named && p.ns.leadsTo(read.Name, p.id) {
			p.name, p.named = read.Name, true
		}
		p.mu.Unlock()
	}
	if set {
		info.Alarm = &at
	}
	return !empty, nil
}

// ListObjects lists the objects of all classes that store something or are in memory.
func (a Admin) ListObjects(context.Context) (control.Objects, error) {
	answer := control.Objects{Now: a.w.clock.Now(), Objects: []control.ObjectInfo{}}
	namespaces := a.w.currentNamespaces()
	for _, ns := range namespaces {
		ids, err := ns.known()
		if err != nil {
			return control.Objects{}, err
		}
		for _, id := range ids {
			p := ns.pinForAdmin(Identity{id: id})
			info, stores, err := p.info()
			if err != nil { // one bad file must not hide the others
				info.Problem = err.Error()
			}
			p.release()
			if !stores && err == nil && !info.InMemory && !info.Running {
				continue // it is only pinned, or its file is about to be removed
			}
			answer.Objects = append(answer.Objects, info)
		}
	}
	slices.SortFunc(answer.Objects, func(a, b control.ObjectInfo) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return answer, nil
}

// known returns the ids of the objects that have a file or are in memory.
func (ns *Namespace) known() ([]objectid.ID, error) {
	files, err := store.Objects(ns.dir)
	if err != nil {
		return nil, err
	}
	var ids []objectid.ID
	seen := make(map[objectid.ID]bool)
	for _, file := range files {
		if id, _, err := objectid.Parse(ns.uniqueKey, file); err == nil { // others belong to no object of this class
			ids = append(ids, id)
			seen[id] = true
		}
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for id := range ns.objects {
		if !seen[id] {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// ShowObject returns the details of an object, which must exist.
func (a Admin) ShowObject(ctx context.Context, which control.Object) (control.ObjectDetails, error) {
	p, err := a.pin(which)
	if err != nil {
		return control.ObjectDetails{}, err
	}
	defer p.release()
	details := control.ObjectDetails{File: p.path()}
	err = p.read(ctx, func(s *store.Object) (err error) {
		details.Keys, err = s.CountKeys()
		return err
	})
	if err == nil {
		details.ObjectInfo, _, err = p.info()
	}
	return details, err
}

// EvictObject drops the instance of an object that is in memory and not running. The next event
// constructs the object again.
func (a Admin) EvictObject(ctx context.Context, which control.Object) (control.Evicted, error) {
	p, err := a.pin(which)
	if err != nil {
		return control.Evicted{}, err
	}
	defer p.release()
	if err := p.exists(); err != nil {
		return control.Evicted{}, err
	}
	if err := p.awaitQuiet(ctx); err != nil {
		return control.Evicted{}, err
	}
	evicted := p.inMemory()
	p.ns.keep(p.object)
	ticket := &ticket{obj: p.object, kind: "evict"}
	defer ticket.retire() // it may have joined a step in the queue
	p.evict(ticket)
	p.ns.release(p.object)
	if p.inMemory() { // an event came first
		return control.Evicted{}, p.busy()
	}
	return control.Evicted{Object: p.describe(), Evicted: evicted}, nil
}

// AbortObject resets an object that is in memory, even while it runs, as its own State.Abort does.
func (a Admin) AbortObject(_ context.Context, which control.Object, q control.AbortRequest) (control.Object, error) {
	p, err := a.pin(which)
	if err != nil {
		return control.Object{}, err
	}
	defer p.release()
	inst := p.live()
	if inst == nil {
		if err := p.exists(); err != nil {
			return control.Object{}, err
		}
		return control.Object{}, &control.Error{
			Code: control.CodeNotInMemory, Message: p.String() + " is not in memory", Hint: "there is nothing to abort",
		}
	}
	reason := cmp.Or(q.Reason, "the object was reset by `devtool objects abort`")
	a.w.log.Warn("aborted "+p.String(), "reason", reason)
	p.abort(nil, inst, &wire.Error{Message: reason, Remote: true}, byArrival, q.DropAlarm)
	return p.describe(), nil
}

// live returns the instance that is in memory or under construction in a program that is not lost,
// or nil.
func (p pinnedObject) live() *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	inst := p.inst
	if inst == nil && p.turn != nil && p.turn.ev != nil {
		inst = p.turn.ev.inst
	}
	if !inst.lives() {
		return nil
	}
	return inst
}

// DeleteObject deletes an object's data, alarm and file. It refuses an object that is in memory,
// unless force is set, because its memory may be worth more than its data. It refuses a running
// object always, because its handler would go on without its data.
func (a Admin) DeleteObject(ctx context.Context, which control.Object, force bool) (control.Object, error) {
	p, err := a.pin(which)
	if err != nil {
		return control.Object{}, err
	}
	defer p.release()
	if err := p.exists(); err != nil {
		return control.Object{}, err
	}
	if err := p.awaitQuiet(ctx); err != nil {
		return control.Object{}, err
	}
	ctx, cancel := p.boundWait(ctx)
	defer cancel()
	err = p.withTurn(ctx, func() error {
		if p.running() { // an event came meanwhile
			return p.busy()
		}
		if p.inMemory() && !force {
			return &control.Error{
				Code: control.CodeInMemory, Message: p.String() + " is in memory",
				Hint: "delete it with --force, and what it has in memory with it",
			}
		}
		p.dropInstance()
		return p.delete()
	})
	return p.describe(), err
}

// delete commits the deletion of all data before it removes the file. So a crash in between leaves
// an empty object, and never an alarm without an object.
func (p pinnedObject) delete() error {
	s, err := p.open()
	if err == nil {
		if err = s.DeleteAll(false); err == nil {
			err = p.commit()
		}
	}
	if err != nil && !errors.Is(err, store.ErrCorrupt) { // a corrupt file can be deleted
		return errors.Join(err, p.rollback())
	}
	if err := p.closeStore(); err != nil {
		return err
	}
	if err := store.RemoveObject(p.path()); err != nil {
		return err
	}
	if err := p.ns.index.Delete(p.id.String()); err != nil {
		return err
	}
	p.ns.unschedule(p.id)
	p.ns.w.faults.dropAgain(p.ns, p.id)
	return nil
}

// CountObjects returns how many objects have a file or are in memory, and how many of them are in
// memory. It reads the names of all files, but does not open them. So it counts an object without
// data whose file a killed process has left.
func (w *World) CountObjects() (all, inMemory int, err error) {
	for _, ns := range w.currentNamespaces() {
		ids, err := ns.known()
		if err != nil {
			return all, inMemory, err
		}
		all += len(ids)
		for _, id := range ids {
			ns.mu.Lock()
			o := ns.objects[id]
			ns.mu.Unlock()
			if o != nil && o.inMemory() {
				inMemory++
			}
		}
	}
	return all, inMemory, nil
}
