package world

import (
	"sync"
	"time"
)

// An aftermath counts the events that a reset from outside, or the loss of their program, has ended
// and that are not over yet. They hold no step, so nothing keeps the clock at that time. But an
// alarm among them counts its next retry from that time. So an advance waits for them first.
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

// awaitAftermath waits until the events are over that a reset or the loss of their program has
// ended.
func (w *World) awaitAftermath() {
	for _, ev := range w.alarmsUnderWay(Program.Lost) {
		w.aftermath.add(ev)
	}
	w.aftermath.await(w.waits.Aftermath)
}

// keepForLost makes the alarms that have been lost with the program of ev part of the step of ev,
// which was lost with it. An alarm that slept, or waited for its turn, has left its step.
// Otherwise time could pass before it counts its next retry.
func (w *World) keepForLost(ev *Event) {
	step := ev.currentStep()
	if step == nil || ev.staysInStep() { // then it was kept with all others
		return
	}
	for _, alarm := range w.alarmsUnderWay(func(p Program) bool { return p == ev.prog }) {
		if alarm != ev {
			alarm.stay(step)
		}
	}
}

// alarmsUnderWay returns the events of alarms that have entered a program that matches.
func (w *World) alarmsUnderWay(match func(Program) bool) (events []*Event) {
	for _, ns := range w.currentNamespaces() {
		ns.mu.Lock()
		for _, ev := range ns.running {
			if ev != nil && match(ev.prog) {
				events = append(events, ev)
			}
		}
		ns.mu.Unlock()
	}
	return events
}
