package world

import (
	"slices"
	"time"

	"devtool.internal/emulator/control"
)

// touch notes that an event has reached the object o.
func (fs *faults) touch(o *object, kind string) {
	if fs.count.Load() == 0 {
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i := range fs.waiting {
		if f := &fs.waiting[i]; f.is(o.ns, o.id) {
			f.touched = true
			f.ran = f.ran || kind == control.KindAlarm
		}
	}
}

// Faults returns the injected faults that have not struck yet, and why. With drop it removes them.
func (w *World) Faults(drop bool) control.Faults {
	fs := &w.faults
	fs.mu.Lock()
	waiting := slices.Clone(fs.waiting)
	if drop {
		fs.waiting = nil
		fs.count.Store(0)
	}
	fs.mu.Unlock()
	answer := control.Faults{Faults: make([]control.PendingFault, len(waiting))}
	for i, f := range waiting {
		answer.Faults[i] = control.PendingFault{Fault: f.Fault, Why: f.why()}
	}
	return answer
}

// why returns why the fault has not struck yet, as a clause for people.
func (f *fault) why() string {
	if f.again != nil {
		return "the alarm has run once, and its second run begins when the clock moves, also by 0s"
	}
	if f.Fault.Fault == control.FaultCrashBeforeCommit || f.Fault.Fault == control.FaultCrashAfterCommit {
		if f.touched {
			return "no event of the object has written anything since"
		}
		return "no event has reached the object since"
	}
	f.ns.mu.Lock()
	var pending alarm
	if a := f.ns.alarms[f.id]; a != nil {
		pending = *a
	}
	f.ns.mu.Unlock()
	switch {
	case pending.running:
		return "its alarm is still running"
	case pending.ns != nil:
		return "its alarm is due at " + pending.due.Format(time.RFC3339Nano) +
			", and the clock is at " + f.ns.w.clock.Now().Format(time.RFC3339Nano)
	case f.ran:
		return "no run of its alarm has succeeded since"
	case f.touched:
		return "the object has no alarm"
	}
	return "the object has no alarm, and no event has reached it since"
}
