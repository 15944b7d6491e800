package world

import (
	"sync"
	"time"
)

// An aftermath counts the events that a reset from outside has ended and that are not over yet.
// They hold no step, so nothing keeps the clock at the time of the reset. But an alarm among them
// counts its next retry from that time. So an advance waits for them first.
type aftermath struct {
	mu      sync.Mutex
	events  int
	settled chan struct{} // closed when events becomes 0; nil if nobody waits
}

// add counts an event until it retires. It leaves out an event whose caller waits: such an event is
// over only when the caller has its turn back, which may need the clock.
func (a *aftermath) add(ev *Event) {
	if ev.callerEvent() != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if ev.endsSoon(a.done) {
		a.events++
	}
}

func (a *aftermath) done() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events--
	if a.events == 0 && a.settled != nil {
		close(a.settled)
		a.settled = nil
	}
}

// await waits until all these events are over, or limit has passed in real time.
func (a *aftermath) await(limit time.Duration) {
	a.mu.Lock()
	if a.events == 0 {
		a.mu.Unlock()
		return
	}
	if a.settled == nil {
		a.settled = make(chan struct{})
	}
	settled := a.settled
	a.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-settled:
	case <-timer.C:
	}
}
