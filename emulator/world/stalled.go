package world

import (
	"iter"
	"maps"
	"time"
)

// A handler that calls its own object while it keeps the turn waits for itself, and so do two
// blocks that call each other's objects. Only the clock ends that: after BlockLimit, the object is
// reset. So during an advance such events must leave their step, or it would never end. No single
// wait shows a circle, so the world looks for them while a step lasts.

// A waitKind says what can make an event's handler go on. Of several, the largest counts.
type waitKind int

const (
	// onClock means that only the clock can: the handler sleeps, or waits for an event or a turn
	// that waits for the clock itself. In a circle everything does: a limit of the clock ends it.
	onClock waitKind = iota
	// onSignal means that another event of the object can, by a Cond.
	onSignal
	// onWork means that the handler, or one that it waits for, is at work, or that the outside is.
	onWork
)

// dependsOn returns what can make the event's handler go on. It follows calls and turns, and adds
// the events that it finds to seen, with their progress.
func (ev *Event) dependsOn(seen map[*Event]int64) waitKind {
	if _, ok := seen[ev]; ok {
		return onClock // the others on the way decide
	}
	keeper, queued := ev.turnKeeper()
	ev.stepMu.Lock()
	seen[ev] = ev.progress
	outside := ev.outside+ev.yielded > 0 || ev.goesOnLocked()
	callees := make([]*Event, 0, len(ev.callees))
	for callee := range ev.callees {
		callees = append(callees, callee)
	}
	signals := ev.waits - len(ev.sleeps) - len(callees)
	waits := ev.waits
	for n := range ev.sleeps {
		outside = outside || n.due.Load()
	}
	ev.stepMu.Unlock()
	if outside || waits == 0 && !queued || queued && keeper == nil {
		return onWork
	}
	kind := onClock
	if signals > 0 {
		kind = onSignal
	}
	if queued {
		kind = max(kind, keeper.dependsOn(seen))
	}
	for _, callee := range callees {
		kind = max(kind, callee.dependsOn(seen))
	}
	return kind
}

// turnKeeper reports whether the event waits for its object's turn, and returns the event that
// keeps it, or nil if that is no event's.
func (ev *Event) turnKeeper() (keeper *Event, queued bool) {
	o := ev.obj
	if o == nil {
		return nil, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if ev.waiter == nil || o.turn == nil {
		return nil, false
	}
	return o.turn.ev, true
}

// releaseStalled takes events out of their step that only the clock can make go on, until ended is
// closed. An event must look the same twice, at an interval of Waits.Silence.
func (w *World) releaseStalled(ended <-chan struct{}) {
	tick := time.NewTicker(w.waits.Silence)
	defer tick.Stop()
	var before map[*Event]int64
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		now := w.stalled()
		if len(now) > 0 && maps.Equal(before, now) && respond(maps.Keys(now)) && maps.Equal(now, w.stalled()) {
			for ev := range now {
				ev.park()
			}
		}
		before = now
	}
}

// stalled returns the events that hold a step although only the clock can make them go on, and
// those by which they wait for it, each with its progress.
func (w *World) stalled() map[*Event]int64 {
	all := make(map[*Event]int64)
	events, _, _ := w.underWay.all()
	for _, ev := range events {
		if ev.currentStep() == nil {
			continue
		}
		seen := make(map[*Event]int64)
		if ev.dependsOn(seen) == onClock {
			maps.Copy(all, seen)
		}
	}
	return all
}

// respond reports whether the programs of events answer: everything that they had asked for has
// then arrived.
func respond(events iter.Seq[*Event]) bool {
	asked := make(map[Program]bool)
	for ev := range events {
		if !asked[ev.prog] && !respondsOften(ev.prog) {
			return false
		}
		asked[ev.prog] = true
	}
	return true
}
