package world

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// faults are the failures that users inject, to test how handlers and their callers react. Each
// fault waits for the next event of its object that it can strike. It strikes as part of that
// event, in the object's turn and in the event's step. It takes the way of the real failure: a
// commit that fails, an alarm that fails or is left in the file. So a run with faults can be
// repeated like any other.
type faults struct {
	// count is len(waiting), so that events take no lock while there are no faults.
	count atomic.Int32

	// mu guards what follows. No other lock is taken while it is held.
	mu      sync.Mutex
	waiting []fault // in the order in which they were injected
}

type fault struct {
	ns *Namespace
	id objectid.ID
	control.Fault

	touched bool // an event has reached the object since
	ran     bool // an alarm of the object has run since
	// again is the second run of an alarm, which waits or is under way, or nil.
	again *alarm
}

// maxFaults bounds how many faults wait at once.
const maxFaults = 10_000

// The errors of events that a fault has struck. All but the first look like the error of a crashed
// program.
var (
	errFailAlarm = &wire.Error{
		Message: "injected fault " + control.FaultFailAlarm + ": the alarm failed before its handler was called",
		Remote:  true,
	}
	errCrashBefore = &wire.Error{
		Message: "injected fault " + control.FaultCrashBeforeCommit +
			": what was written is lost, and the object was reset",
		Reset: true, Retryable: true,
	}
	errCrashAfter = &wire.Error{
		Message: "injected fault " + control.FaultCrashAfterCommit +
			": what was written is stored, and the object was reset",
		Reset: true, Retryable: true,
	}
)

// add makes f wait. It fails if maxFaults wait already.
func (fs *faults) add(f fault) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.waiting) >= maxFaults {
		return &control.Error{
			Code:    control.CodeTooManyFaults,
			Message: fmt.Sprintf("%d faults wait already, and that is the limit", maxFaults),
			Hint:    "drop them, or let some strike first",
		}
	}
	fs.waiting = append(fs.waiting, f)
	fs.count.Store(int32(len(fs.waiting)))
	return nil
}

// take removes the first waiting fault of the object that has one of the kinds, and returns its
// kind, or "" if none waits.
func (fs *faults) take(o *object, kinds ...string) string {
	if fs.count.Load() == 0 {
		return ""
	}
	fs.mu.Lock()
	kind := ""
	if i := fs.findLocked(o, kinds); i >= 0 {
		kind = fs.waiting[i].Fault.Fault
		fs.waiting = slices.Delete(fs.waiting, i, i+1)
		fs.count.Store(int32(len(fs.waiting)))
	}
	fs.mu.Unlock()
	if kind != "" {
		o.ns.w.log.Warn("injected fault "+kind, "object", o.String())
	}
	return kind
}

func (fs *faults) findLocked(o *object, kinds []string) int {
	return slices.IndexFunc(fs.waiting, func(f fault) bool {
		return f.is(o.ns, o.id) && f.again == nil && slices.Contains(kinds, f.Fault.Fault)
	})
}

// is reports whether f waits for that object.
func (f *fault) is(ns *Namespace, id objectid.ID) bool { return f.ns == ns && f.id == id }

// remove removes the waiting faults that match.
func (fs *faults) remove(match func(fault) bool) {
	if fs.count.Load() == 0 {
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.waiting = slices.DeleteFunc(fs.waiting, match)
	fs.count.Store(int32(len(fs.waiting)))
}

// alarmFault returns the injected error of the alarm of o, which is about to run, or nil.
func (o *object) alarmFault() error {
	if o.ns.w.faults.take(o, control.FaultFailAlarm) == "" {
		return nil
	}
	return errFailAlarm
}

// commitFaults returns the injected errors of the next commit of o: before replaces the commit,
// after follows it. At most one is not nil. A commit without changes is spared: constructors create
// tables IF NOT EXISTS. storeMu is held.
func (o *object) commitFaults() (before, after error) {
	if !o.uncommitted() || o.ns.w.faults.count.Load() == 0 || !o.store.Changed() {
		return nil, nil
	}
	switch o.ns.w.faults.take(o, control.FaultCrashBeforeCommit, control.FaultCrashAfterCommit) {
	case control.FaultCrashBeforeCommit:
		return errCrashBefore, nil
	case control.FaultCrashAfterCommit:
		return nil, errCrashAfter
	}
	return nil, nil
}

// InjectFault makes the fault q wait for its object, which need not exist yet, and returns the
// fault with the object's full name. A fault that is unknown or cannot strike is a *control.Error,
// and so is one too many.
func (w *World) InjectFault(q control.Fault) (control.Fault, error) {
	if !slices.Contains(control.KnownFaults, q.Fault) {
		return control.Fault{}, &control.Error{
			Code: control.CodeBadRequest, Message: fmt.Sprintf("there is no fault %q", q.Fault),
			Hint: "the faults are " + strings.Join(control.KnownFaults, ", "),
		}
	}
	if q.Name == "" && q.ID == "" {
		return control.Fault{}, badRequest("say which object the fault is for: by class and either name or id")
	}
	p, err := Admin{w}.pin(q.Object)
	if err != nil {
		return control.Fault{}, err
	}
	defer p.release()
	ofAlarm := q.Fault == control.FaultFailAlarm || q.Fault == control.FaultDuplicateAlarm
	if ofAlarm && !p.ns.takesAlarms() {
		return control.Fault{}, badRequest("class %s has no Alarm method, so no alarm of it can go wrong", p.ns.class())
	}
	injected := control.Fault{Object: p.describe(), Fault: q.Fault}
	return injected, w.faults.add(fault{ns: p.ns, id: p.id, Fault: injected})
}
