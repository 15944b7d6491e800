package world

import (
	"slices"
	"time"

	"devtool.internal/clock"
)

// Stranded are the events in a program, each of which is stranded: it waits in a Cond, for a time
// of the clock that is too far away, or for another event that is stranded. A program that is being
// drained has nothing else that could end these waits.
type Stranded struct {
	Entered  int     // the events that no other event has called
	progress []int64 // of all events
}

// Same reports whether no event has gone on from one look to the other.
func (s Stranded) Same(other Stranded) bool { return slices.Equal(s.progress, other.progress) }

// Stranded returns the events in p if all of them are stranded for limit of real time, or else
// none. A handler that reads the response of a stranded event cannot be told from one that
// computes: the caller has to look again later, and compare.
func (w *World) Stranded(p Program, limit time.Duration) (s Stranded) {
	if w.advancing.Load() {
		return Stranded{}
	}
	frozen, far := w.clock.Mode() == clock.Frozen, w.clock.Now()
	if !frozen {
		far = far.Add(time.Duration(float64(limit) * w.clock.Rate()))
	}
	events, _, _ := w.underWay.all()
	for _, ev := range events {
		if ev.prog != p {
			continue
		}
		progress, stranded := ev.stranded(far, frozen)
		if !stranded {
			return Stranded{}
		}
		if ev.root() == ev {
			s.Entered++
		}
		s.progress = append(s.progress, progress)
	}
	return s
}

// stranded reports whether the event waits in a Cond, for a time of the clock after far, or for
// another event, and for nothing else. With a frozen clock each time is far.
func (ev *Event) stranded(far time.Time, frozen bool) (progress int64, stranded bool) {
	queued, visiting := ev.place()
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	// The bodies that an event of the worker carries are those of its callees, or wait for them.
	if queued || visiting || ev.several || ev.serving > 0 || ev.yielded > 0 || ev.outside > ev.bodies {
		return 0, false
	}
	soon := func(t time.Time) bool { return !frozen && !t.After(far) }
	for s := range ev.sleeps {
		if soon(s.timer.Due()) {
			return 0, false
		}
	}
	for due := range ev.timers {
		if soon(*due) {
			return 0, false
		}
	}
	return ev.progress, ev.waits > 0 || len(ev.callees) > 0
}
