package world

import (
	"sync"

	"devtool.internal/clock"
)

// A line puts goroutines in order that would otherwise race: each waits for those that came before.
// The zero value is an empty line.
type line struct {
	mu   sync.Mutex
	last <-chan struct{} // closed when the last place is left; nil in an empty line
}

// A Place is where a goroutine stands in a line. A nil Place waits for nobody.
//
// It knows those before it by channels alone. So it does not keep all places in memory that there
// ever were.
type Place struct {
	before []<-chan struct{} // closed when the places before it are left; nil ones do not count
	left   chan struct{}     // closed by Leave
	once   sync.Once
}

// join returns the place at the end of l. Its goroutine also waits for others, the ends of lines.
func (l *line) join(others ...<-chan struct{}) *Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &Place{before: append(others, l.last), left: make(chan struct{})}
	l.last = p.left
	return p
}

// end returns a channel that is closed when the last place of l is left, or nil.
func (l *line) end() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Wait returns when the places before p have been left.
func (p *Place) Wait() {
	if p == nil {
		return
	}
	for _, left := range p.before {
		if left != nil {
			<-left
		}
	}
}

// Leave lets those behind p go on. A second call does nothing.
func (p *Place) Leave() {
	if p != nil {
		p.once.Do(func() { close(p.left) })
	}
}

// lineUp puts ev at the end of l, unless it is in such a line already: two ends may come together.
func (ev *Event) lineUp(l *line) {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	if ev.atEnd == nil {
		ev.atEnd = l.join()
	}
}

// placeAtEnd returns the event's place among those that ended together, or nil.
func (ev *Event) placeAtEnd() *Place {
	ev.stepMu.Lock()
	defer ev.stepMu.Unlock()
	return ev.atEnd
}

// leaveIfSending leaves the place at the end of each event that sends a part of its response: it
// may wait for its caller, and so for ever.
func leaveIfSending(events []*Event) {
	for _, ev := range events {
		if ev.sending.Load() {
			ev.placeAtEnd().Leave()
		}
	}
}

// LineUpLost lets the callers of the events of p, which is lost, learn of it in the order in which
// the events began. The program calls it when Lost returns true, and before it fails any event.
func (w *World) LineUpLost(p Program) {
	var order line
	events := w.running.in(p)
	for _, ev := range events {
		ev.lineUp(&order)
	}
	leaveIfSending(events)
}

// PlaceInTime returns the place of a timer among those that a running clock fires. The timer's
// function calls it. What goes on at the same time then does so in the order of the timers. It
// returns nil for a timer of an advance, where each timer is a step of its own.
func (w *World) PlaceInTime(step *clock.Step) *Place {
	if step != nil {
		return nil
	}
	return w.timers.join()
}
