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

// A target is an object that an Admin works on. It stays pinned until release.
type target struct {
	*object
	path string
}

// target returns the object that which names, whether or not it exists.
func (a Admin) target(which control.Object) (target, error) {
	object, err := a.w.resolve(which)
	if err != nil {
		return target{}, err
	}
	return object.ns.target(object.Identity), nil
}

func (ns *Namespace) target(who Identity) target {
	o := ns.pin(who)
	ns.mu.Lock()
	o.visitors++
	ns.mu.Unlock()
	return target{o, store.ObjectPath(ns.dir, who.id.String())}
}

// release unpins the object.
func (t target) release() {
	t.ns.mu.Lock()
	t.visitors--
	t.ns.mu.Unlock()
	t.ns.release(t.object)
}

// describe returns the object in the form of the control API.
func (t target) describe() control.Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	return control.Object{Class: t.ns.class, Name: t.name, ID: t.id.String()}
}

// inMemory reports whether the object has an instance in a program that is not lost.
func (o *object) inMemory() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.inst.lives()
}

// running reports whether an event of the object is running or waiting.
func (t target) running() bool {
	t.ns.mu.Lock()
	defer t.ns.mu.Unlock()
	return t.pending > t.visitors
}

// awaitQuiet waits up to Waits.Quiet for the events of the object to end. If they do not, it
// returns the error of busy.
func (t target) awaitQuiet(ctx context.Context) error {
	t.ns.mu.Lock()
	if t.pending <= t.visitors {
		t.ns.mu.Unlock()
		return nil
	}
	if t.quiet == nil {
		t.quiet = make(chan struct{})
	}
	quiet := t.quiet
	t.ns.mu.Unlock()
	timer := time.NewTimer(t.ns.w.waits.Quiet)
	defer timer.Stop()
	select {
	case <-quiet:
		return nil
	case <-timer.C:
		return t.busy()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t target) busy() error {
	return &control.Error{
		Code: control.CodeRunning, Message: t.String() + " is running",
		Hint: "wait until its events are done",
	}
}

// hasFile reports whether the object has ever stored anything.
func (t target) hasFile() (bool, error) {
	_, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// exists returns an error if the object neither has a file nor is in memory.
func (t target) exists() error {
	found, err := t.hasFile()
	if err != nil || found || t.inMemory() {
		return err
	}
	return &control.Error{
		Code: control.CodeNoObject, Message: "there is no object " + t.String(),
		Hint: "`devtool objects list` shows which there are",
	}
}

// use calls f with the store in the object's turn, and commits.
func (t target) use(ctx context.Context, f func(*store.Object) error) error {
	ctx, cancel := t.boundWait(ctx)
	defer cancel()
	return t.administer(ctx, f)
}

// boundWait returns a context that bounds the wait for the object's turn.
func (t target) boundWait(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, t.ns.w.waits.Turn, &control.Error{
		Code:    control.CodeRunning,
		Message: fmt.Sprintf("%s is running, and its turn did not come within %s", t, t.ns.w.waits.Turn),
		Hint:    "the log of `devtool dev` may show what it does",
	})
}

// read is use for an object that must exist.
func (t target) read(ctx context.Context, f func(*store.Object) error) error {
	if err := t.exists(); err != nil {
		return err
	}
	return t.use(ctx, f)
}

// info returns what is known of the object without waiting for its turn.
func (t target) info() (control.ObjectInfo, error) {
	info := control.ObjectInfo{InMemory: t.inMemory(), Running: t.running()}
	found, err := t.hasFile()
	if err == nil && found {
		err = t.readFile(&info)
	}
	info.Object = t.describe()
	return info, err
}

// readFile fills in what the object's file says. It holds storeMu so that nobody opens the store
// meanwhile: the file must not be open twice in one process.
func (t target) readFile(info *control.ObjectInfo) (err error) {
	t.storeMu.Lock()
	defer t.storeMu.Unlock()
	if info.Size, err = store.FileSize(t.path); err != nil {
		return err
	}
	var at time.Time
	var set bool
	if t.store != nil {
		at, set = t.store.Committed()
	} else {
		read, err := store.ReadObject(t.path)
		if err != nil {
			return err
		}
		at, set = read.Alarm, read.HasAlarm
		t.mu.Lock()
		if read.HasName && !t.named {
			t.name, t.named = read.Name, true
		}
		t.mu.Unlock()
	}
	if set {
		info.Alarm = &at
	}
	return nil
}

// ListObjects lists the objects of all classes that have a file or are in memory.
func (a Admin) ListObjects(context.Context) (control.Objects, error) {
	answer := control.Objects{Now: a.w.clock.Now(), Objects: []control.ObjectInfo{}}
	namespaces := a.w.currentNamespaces()
	for _, ns := range namespaces {
		ids, err := ns.known()
		if err != nil {
			return control.Objects{}, err
		}
		for _, id := range ids {
			t := ns.target(Identity{id: id})
			info, err := t.info()
			if err != nil { // one bad file must not hide the others
				info.Problem = err.Error()
			}
			t.release()
			if info.Size == 0 && info.Problem == "" && !info.InMemory && !info.Running {
				continue // it is only pinned
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
	t, err := a.target(which)
	if err != nil {
		return control.ObjectDetails{}, err
	}
	defer t.release()
	details := control.ObjectDetails{File: t.path}
	err = t.read(ctx, func(s *store.Object) (err error) {
		details.Keys, err = s.CountKeys()
		return err
	})
	if err == nil {
		details.ObjectInfo, err = t.info()
	}
	return details, err
}

// EvictObject drops the instance of an object that is in memory and not running. The next event
// constructs the object again.
func (a Admin) EvictObject(ctx context.Context, which control.Object) (control.Evicted, error) {
	t, err := a.target(which)
	if err != nil {
		return control.Evicted{}, err
	}
	defer t.release()
	if err := t.exists(); err != nil {
		return control.Evicted{}, err
	}
	if err := t.awaitQuiet(ctx); err != nil {
		return control.Evicted{}, err
	}
	evicted := t.inMemory()
	t.ns.keep(t.object)
	ticket := &ticket{obj: t.object, kind: "evict"}
	defer ticket.retire() // it may have joined a step in the queue
	t.evict(ticket)
	t.ns.release(t.object)
	if t.inMemory() { // an event came first
		return control.Evicted{}, t.busy()
	}
	return control.Evicted{Object: t.describe(), Evicted: evicted}, nil
}

// AbortObject resets an object that is in memory, even while it runs, as its own State.Abort does.
func (a Admin) AbortObject(_ context.Context, which control.Object, q control.AbortRequest) (control.Object, error) {
	t, err := a.target(which)
	if err != nil {
		return control.Object{}, err
	}
	defer t.release()
	inst := t.live()
	if inst == nil {
		if err := t.exists(); err != nil {
			return control.Object{}, err
		}
		return control.Object{}, &control.Error{
			Code: control.CodeNotInMemory, Message: t.String() + " is not in memory", Hint: "there is nothing to abort",
		}
	}
	reason := cmp.Or(q.Reason, "the object was reset by `devtool objects abort`")
	a.w.log.Warn("aborted "+t.String(), "reason", reason)
	t.abort(nil, inst, &wire.Error{Message: reason, Remote: true}, q.DropAlarm)
	return t.describe(), nil
}

// live returns the instance that is in memory or under construction in a program that is not lost,
// or nil.
func (t target) live() *Instance {
	t.mu.Lock()
	defer t.mu.Unlock()
	inst := t.inst
	if inst == nil && t.turn != nil && t.turn.ev != nil {
		inst = t.turn.ev.inst
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
	t, err := a.target(which)
	if err != nil {
		return control.Object{}, err
	}
	defer t.release()
	if err := t.exists(); err != nil {
		return control.Object{}, err
	}
	if err := t.awaitQuiet(ctx); err != nil {
		return control.Object{}, err
	}
	ctx, cancel := t.boundWait(ctx)
	defer cancel()
	err = t.withTurn(ctx, func() error {
		if t.running() { // an event came meanwhile
			return t.busy()
		}
		if t.inMemory() && !force {
			return &control.Error{
				Code: control.CodeInMemory, Message: t.String() + " is in memory",
				Hint: "delete it with --force, and what it has in memory with it",
			}
		}
		t.dropInstance()
		return t.delete()
	})
	return t.describe(), err
}

// delete commits the deletion of all data before it removes the file. So a crash in between leaves
// an empty object, and never an alarm without an object.
func (t target) delete() error {
	s, err := t.open()
	if err == nil {
		if err = s.DeleteAll(false); err == nil {
			err = t.commit()
		}
	}
	if err != nil && !errors.Is(err, store.ErrCorrupt) { // a corrupt file can be deleted
		return errors.Join(err, t.rollback())
	}
	if err := t.closeStore(); err != nil {
		return err
	}
	if err := store.RemoveObject(t.path); err != nil {
		return err
	}
	if err := t.ns.index.Delete(t.id.String()); err != nil {
		return err
	}
	t.ns.unschedule(t.id)
	return nil
}

// CountObjects returns how many objects have a file or are in memory, and how many of them are in
// memory. It reads the names of all files, but does not open them.
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
