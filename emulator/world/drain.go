package world

import (
	"sync"
	"time"

	"devtool.internal/clock"
)

// A Drain watches the events of a program that is being replaced, or that ends. It finds events
// that only wait: in a Cond, for the clock, for a body or a client, or for each other. The
// platform cuts such events off when it replaces a program.
type Drain struct {
	w    *World
	prog Program
	// seen has what the last look has found of each event.
	seen map[*Event]sight
}

// Drain begins to watch the events in p.
func (w *World) Drain(p Program) *Drain { return &Drain{w: w, prog: p} }

// Waits in real time.
const (
	// briefly is how long a sleep may still take to count as work. A handler that tries something
	// again after a moment is not cut off. A stream that sleeps briefly between its pieces may go
	// on for tickingFor: it may be near its end, or have none.
	briefly    = 250 * time.Millisecond
	tickingFor = 2 * time.Second
	// quietFor is how long an event must have made no progress to count as waiting, if its wait is
	// one that only another event or the clock can end. bodyQuietFor is the same for other waits.
	quietFor     = 10 * time.Millisecond
	bodyQuietFor = 250 * time.Millisecond
)

// A sight is what a Drain has seen of an event.
type sight struct {
	idleness
	progress  int64
	since     time.Time // in real time; when the event was first seen with this progress
	ticks     time.Time // likewise, since when it was always seen streaming
	blocked   bool      // its goroutines wait, as its stack says
	hasLooked bool      // blocked is known
}

// waits reports whether the event has only waited for long enough.
func (s sight) waits(now time.Time) bool {
	switch s.idleness {
	case parked, behind:
		return now.Sub(s.since) >= quietFor
	case ticking:
		return now.Sub(s.ticks) >= tickingFor
	case still:
		return now.Sub(s.since) >= bodyQuietFor
	case unclear:
		return now.Sub(s.since) >= bodyQuietFor && s.blocked
	}
	return false
}

// streams reports whether the event may be a stream that ticks, also between two sleeps.
func (s sight) streams() bool { return s.idleness == ticking || s.idleness == unclear }

// An idleness says what an event's handler waits for.
type idleness int

const (
	// working means that the handler runs, or waits for something that will come soon.
	working idleness = iota
	// parked means that the handler waits in a Cond or for the clock.
	parked
	// ticking means that the handler sleeps briefly, and has sent the head of its response.
	ticking
	// behind means that the event waits for another event: for its turn, or for an answer.
	behind
	// still means that the handler waits for a body, or for a client that reads slowly.
	still
	// unclear means that the handler may also run: other goroutines of it may, or it has sent the
	// head of its response and has asked for no wait. Its stack says whether it runs.
	unclear
)

// Waiting is what a Drain has found.
type Waiting struct {
	// All says that all events in the program only wait. Entered counts those among them that no
	// other event has called.
	All     bool
	Entered int
	objects []*object // those of which all events in the program only wait, unless All is set
}

// Any reports whether anything was found.
func (w Waiting) Any() bool { return w.All || len(w.objects) > 0 }

// Look looks at the events in the program. Two looks are needed at least, because an event must
// have waited for a moment. During an advance it finds nothing: the advance may wake sleepers.
func (d *Drain) Look(now time.Time) (found Waiting) {
	if d.w.advancing.Load() {
		d.seen = nil
		return Waiting{}
	}
	frozen, soon := d.w.clock.Mode() == clock.Frozen, d.w.clock.Now()
	if !frozen {
		soon = soon.Add(time.Duration(float64(briefly) * d.w.clock.Rate()))
	}
	var events []*Event
	all, _, _ := d.w.underWay.all()
	seen := make(map[*Event]sight, len(d.seen))
	responds := sync.OnceValue(d.prog.Responds) // a stopped program would delay each question
	for _, ev := range all {
		if ev.prog != d.prog {
			continue
		}
		events = append(events, ev)
		s := d.sight(ev, now, soon, frozen)
		if s.idleness == unclear && !s.hasLooked && now.Sub(s.since) >= bodyQuietFor && responds() {
			s.blocked, s.hasLooked = blocked(d.prog.Stack(ev), "sleep"), true
		}
		seen[ev] = s
	}
	d.seen = seen
	waiting := d.waiting(events, now)
	for ev := range waiting {
		if by := ev.calling(); by == nil || by.prog != d.prog {
			found.Entered++
		}
	}
	if found.All = len(events) > 0 && len(waiting) == len(events); !found.All {
		found.objects = objectsOf(events, waiting)
	}
	return found
}

// sight returns what a look at now sees of the event, and what earlier looks have found. soon and
// frozen are as in Event.idleness.
func (d *Drain) sight(ev *Event, now, soon time.Time, frozen bool) sight {
	s := sight{since: now, ticks: now}
	s.idleness, s.progress = ev.idleness(soon, frozen)
	switch was, again := d.seen[ev]; {
	case !again:
	case was.idleness == s.idleness && was.progress == s.progress:
		return was
	case s.streams() && was.streams(): // between two sleeps
		s.ticks = was.ticks
	}
	return s
}

// waiting returns those of the events that only wait, as do all events that they wait for.
func (d *Drain) waiting(events []*Event, now time.Time) map[*Event]bool {
	waiting := make(map[*Event]bool, len(events))
	for _, ev := range events {
		if d.seen[ev].waits(now) {
			waiting[ev] = true
		}
	}
	for before := -1; before != len(waiting); {
		before = len(waiting)
		for ev := range waiting {
			for _, other := range ev.waitsFor() {
				if !waiting[other] {
					delete(waiting, ev)
				}
			}
		}
	}
	return waiting
}

// objectsOf returns the objects of which all events wait.
func objectsOf(events []*Event, waiting map[*Event]bool) (objects []*object) {
	busy := make(map[*object]bool)
	for _, ev := range events {
		busy[ev.obj] = busy[ev.obj] || !waiting[ev]
	}
	delete(busy, nil) // the worker's events
	for o, is := range busy {
		if !is {
			objects = append(objects, o)
		}
	}
	return objects
}

// Cut resets the objects that were found, with this error. It returns how many there are.
func (d *Drain) Cut(found Waiting, cause error) int {
	for _, o := range found.objects {
		o.mu.Lock()
		inst := o.inst
		o.mu.Unlock()
		if inst != nil && inst.prog == d.prog {
			o.abort(nil, inst, cause, byArrival, false)
		}
	}
	return len(found.objects)
}

// idleness returns what the event's handler waits for. A sleep that ends by soon is brief, unless
// the clock is frozen.
func (ev *Event) idleness(soon time.Time, frozen bool) (idleness, int64) {
	queued, visiting := ev.place()
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	ends := func(t time.Time) bool { return !frozen && !t.After(soon) }
	switch {
	case queued:
		return behind, ev.progress
	// The bodies that an event of the worker carries are those of its callees, or wait for them.
	case visiting, ev.goesOnLocked(), ev.outside > ev.bodies:
		return working, ev.progress
	}
	brief := false
	for s := range ev.sleeps {
		brief = brief || ends(s.timer.Due())
	}
	for due := range ev.timers {
		brief = brief || ends(*due)
	}
	if brief && !ev.streaming {
		return working, ev.progress
	}
	switch {
	case ev.several:
		return unclear, ev.progress
	case len(ev.callees) > 0 && ev.waits > 0:
		return behind, ev.progress
	case ev.waits > 0 && brief:
		return ticking, ev.progress
	case ev.waits > 0:
		return parked, ev.progress
	case ev.yielded > 0:
		return still, ev.progress
	case ev.streaming, ev.bodies > 0, len(ev.callees) > 0:
		return unclear, ev.progress
	}
	return working, ev.progress
}

// Stream notes that the head of the event's response has left and that a body follows.
func (ev *Event) Stream() {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	ev.streaming = true
	ev.progress++
}

// waitsFor returns the events that ev waits for: those that it has called, and the one that has the
// turn that it wants.
func (ev *Event) waitsFor() (others []*Event) {
	ev.stepMu.Lock()
	for callee := range ev.callees {
		others = append(others, callee)
	}
	ev.stepMu.Unlock()
	if o := ev.obj; o != nil {
		o.mu.Lock()
		if ev.waiter != nil && o.turn != nil && o.turn.ev != nil && o.turn.ev != ev {
			others = append(others, o.turn.ev)
		}
		o.mu.Unlock()
	}
	return others
}

// calling returns the event that has called ev and has not ended the call, or nil.
func (ev *Event) calling() *Event {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	return ev.calledBy
}
