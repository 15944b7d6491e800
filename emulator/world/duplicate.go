package world

import (
	"slices"

	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/control"
)

// A duplicate is the second run of an alarm that has succeeded, which control.FaultDuplicateAlarm
// injects. At-least-once delivery permits it: the platform delivers an alarm again if it did not
// learn that the handler had returned.
//
// A duplicate is an alarm of its own, whose field again is set. It has the scheduled time of the
// first run and no counted failures. Neither the object's file nor Namespace.alarms knows of it, so
// the alarm that the first run has set stays the object's. The fault keeps the duplicate until it
// has ended, with its retries.

// duplicate makes a duplicate of a, which has succeeded, if such a fault waits for its object. The
// end of the run arms it.
func (a *alarm) duplicate(o *object) {
	w := a.ns.w
	if !w.faults.keepAgain(o, a) {
		return
	}
	w.log.Warn("injected fault "+control.FaultDuplicateAlarm, "object", o.String())
}

func (fs *faults) keepAgain(o *object, a *alarm) bool {
	if fs.count.Load() == 0 {
		return false
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	i := fs.findLocked(o, []string{control.FaultDuplicateAlarm})
	if i < 0 {
		return false
	}
	fs.waiting[i].again = &alarm{
		ns: a.ns, id: a.id, name: a.name, named: a.named, at: a.at, due: a.ns.w.clock.Now(), order: a.order,
		again: true, missed: true,
	}
	return true
}

// againOf returns the duplicates of an object that have not ended.
func (fs *faults) againOf(ns *Namespace, id objectid.ID) (list []*alarm) {
	if fs.count.Load() == 0 {
		return nil
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.waiting {
		if f.again != nil && f.is(ns, id) {
			list = append(list, f.again)
		}
	}
	return list
}

// endAgain forgets a duplicate.
func (fs *faults) endAgain(a *alarm) {
	fs.remove(func(f fault) bool { return f.again == a })
}

// dropAgain forgets the duplicates of an object, which is deleted.
func (fs *faults) dropAgain(ns *Namespace, id objectid.ID) {
	fs.remove(func(f fault) bool { return f.again != nil && f.is(ns, id) })
}

// isPendingLocked reports whether a is still to run: it is its object's alarm, or a duplicate that
// was not dropped. ns.mu is held.
func (a *alarm) isPendingLocked() bool {
	if a.again {
		return slices.Contains(a.ns.w.faults.againOf(a.ns, a.id), a)
	}
	return a.ns.alarms[a.id] == a
}

// nextLocked returns the object's duplicate, or else its alarm, or nil. ns.mu is held.
func (ns *Namespace) nextLocked(id objectid.ID) *alarm {
	if again := ns.w.faults.againOf(ns, id); len(again) > 0 {
		return again[0]
	}
	return ns.alarms[id]
}
