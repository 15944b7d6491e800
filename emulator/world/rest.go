package world

import (
	"context"
	"slices"
	"strings"
	"time"
)

// A rest says whether an event's handler can go on without anything that the test or the clock
// does.
type rest int

const (
	// busy means that the handler runs, or that the emulator is at work for it.
	busy rest = iota
	// quiet means that the handler waits, but its end of the wait is not visible here: a body or an
	// answer from outside may have come, or another goroutine of the handler may run. Such a
	// handler is at rest when it has asked for nothing for Waits.Silence of real time although its
	// program runs.
	quiet
	// fresh means that one goroutine of the handler has begun to wait for the clock or for another
	// event. The handler is at rest unless it has just started other goroutines: they get a moment.
	fresh
	// timed means that the handler has asked for no wait, but has a timer on the clock. It is at
	// rest if its goroutines are blocked.
	timed
	// resting means that the handler waits for its turn, or, in a visit, for the test, or that it
	// was found at rest and has made no progress since.
	resting
)

// restCounts is the part of a stepHolder that rest reads. It is guarded by stepMu.
type restCounts struct {
	// progress grows with everything that may have ended a rest, except that the event got its
	// turn. An event with its turn rests again only after it has asked for something.
	progress  int64
	silent    int64 // 1 more than the progress at which the handler was found at rest, or 0
	serving   int   // subrequests on their way to what they wait for, and waits that are about to end
	yielded   int   // waits for bodies and answers that the handler has begun by Pause
	streaming bool  // the head of the response has left, and a body follows
	several   bool  // more than one goroutine of the handler has asked for something at a time
	timers    map[*time.Time]struct{}
	told      map[*bool]struct{} // expired timers to which the handler has not reacted yet
}

// goesOnLocked reports whether the handler is about to go on, or the emulator is at work for it,
// although it counts as waiting.
func (h *stepHolder) goesOnLocked() bool { return h.serving > 0 || len(h.told) > 0 }

// Serving adds n to the number of subrequests of the handler that the emulator has taken and that
// do not wait yet, and of waits that it has ended although the handler does not know yet.
func (ev *Event) Serving(n int) {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	ev.serving += n
	ev.progress++
}

// Carried notes that a piece of a body has reached or left the handler.
func (ev *Event) Carried() {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	ev.progress++
}

// Yield is Pause at the handler's own request: the handler waits for a body or an answer, and asks
// for Retake when that is there.
func (ev *Event) Yield() error {
	err := ev.Pause(context.Background())
	if err == nil {
		ev.addYielded(1)
	}
	return err
}

// Retake undoes Yield.
func (ev *Event) Retake() error {
	ev.addYielded(-1)
	return ev.Resume(context.Background())
}

func (ev *Event) addYielded(n int) {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	ev.yielded = max(ev.yielded+n, 0) // a handler in the background begins with a Resume
	ev.progress++
}

// Timers returns how many timers the handler has.
func (ev *Event) Timers() int {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	return len(ev.timers)
}

// HoldTimer notes that the handler has a timer on the clock, until drop is called.
func (ev *Event) HoldTimer(due time.Time) (drop func()) {
	forget := remember(&ev.stepHolder, &ev.timers, &due)
	return func() {
		forget()
		ev.Carried()
	}
}

// rest returns whether the event's handler is at rest, and the progress of which that is true.
func (ev *Event) rest() (rest, int64) {
	queued, visiting := ev.place()
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	switch {
	case queued, visiting:
		return resting, ev.progress
	case ev.goesOnLocked():
		return busy, ev.progress
	case ev.waits+ev.outside+ev.yielded > 0 && ev.silent == ev.progress+1:
		return resting, ev.progress
	case ev.waits > 0 && !ev.several:
		return fresh, ev.progress
	case ev.waits > 0, ev.outside > 0, ev.yielded > 0:
		return quiet, ev.progress
	case len(ev.timers) > 0:
		return timed, ev.progress
	}
	return busy, ev.progress
}

// place reports whether the event is in its object's queue, and whether it is a visit in its
// object. The function of a visit is the test's own: the handler waits for it.
func (ev *Event) place() (queued, visiting bool) {
	if ev.obj == nil {
		return false, false
	}
	ev.obj.mu.Lock()
	defer ev.obj.mu.Unlock()
	return ev.waiter != nil, ev.kind == KindVisit && ev.inst != nil && !ev.constructing
}

// KindVisit is the kind of an event in which a test's own function looks into an object.
const KindVisit = "visit"

// foundSilent notes that the handler is at rest as long as it makes no progress.
func (ev *Event) foundSilent(progress int64) {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	ev.silent = progress + 1
}

// blocked reports whether all goroutines in a stack wait for another goroutine: then they do not go
// on by themselves. A goroutine in one of the further states counts as well. An empty stack does
// not say.
func blocked(stack string, further ...string) bool {
	for block := range strings.SplitSeq(strings.TrimSpace(stack), "\n\n") {
		state, _, _ := strings.Cut(block, "]")
		_, state, found := strings.Cut(state, " [")
		state, _, _ = strings.Cut(state, ",")
		state, _, _ = strings.Cut(state, " (")
		switch {
		case !found:
			return false
		case slices.Contains(further, state), state == "select", state == "semacquire",
			strings.HasPrefix(state, "chan "), strings.HasPrefix(state, "sync."):
		default:
			return false
		}
	}
	return true
}

// waitsForClock returns the events by which ev waits for the clock: their handlers sleep, or have
// timers and wait for nothing outside. It follows calls and turns.
func (ev *Event) waitsForClock() []*Event {
	sleepers, _ := ev.sleepers(make(map[*Event]bool))
	return sleepers
}

// sleepers is waitsForClock, and ends at events that it has seen. It also reports whether the
// outside may make ev go on.
func (ev *Event) sleepers(seen map[*Event]bool) (found []*Event, outside bool) {
	if ev == nil || seen[ev] {
		return nil, false
	}
	seen[ev] = true
	ev.stepMu.Lock()
	sleeps, timers := len(ev.sleeps) > 0, len(ev.timers) > 0
	outside = ev.outside+ev.yielded > 0
	next := make([]*Event, 0, len(ev.callees)+1)
	for callee := range ev.callees {
		next = append(next, callee)
	}
	ev.stepMu.Unlock()
	if o := ev.obj; o != nil {
		o.mu.Lock()
		if ev.waiter != nil && o.turn != nil {
			next = append(next, o.turn.ev)
		}
		o.mu.Unlock()
	}
	for _, e := range next {
		more, other := e.sleepers(seen)
		found, outside = append(found, more...), outside || other
	}
	if sleeps || timers && !outside {
		found = append(found, ev)
	}
	return found, outside
}

// until returns when the first sleep of the handler ends or, if it does not sleep, when its first
// timer is due.
func (ev *Event) until() (first time.Time) {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	earlier := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	for s := range ev.sleeps {
		earlier(s.timer.Due())
	}
	if len(ev.sleeps) == 0 {
		for due := range ev.timers {
			earlier(*due)
		}
	}
	return first
}

// root returns the first event in the chain of calls that led to ev. A caller belongs to the chain
// as long as the call lasts, even if it has the head of its response.
func (ev *Event) root() *Event {
	for {
		ev.stepMu.Lock()
		by := ev.calledBy
		ev.stepMu.Unlock()
		if by == nil {
			return ev
		}
		ev = by
	}
}
