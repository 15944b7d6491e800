package world

import (
	"cmp"
	"slices"
	"sync"
)

// underWay are the events that have begun and whose handlers, and the callers of these, may go on.
// An event of running is one of them, but also an event that waits for its first turn, or whose
// caller does not have its answer yet.
type underWay struct {
	mu      sync.Mutex // guards what follows
	events  map[*Event]struct{}
	entries int    // deliveries that wait for a program, or enter it
	begun   uint64 // how many deliveries there were
}

// enter counts a delivery that begins. The caller calls add, or giveUp.
func (u *underWay) enter() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.entries++
	u.begun++
}

// giveUp undoes enter for a delivery that has ended without an event.
func (u *underWay) giveUp() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.entries--
}

// add makes the event of a delivery one of u.
func (u *underWay) add(ev *Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.entries--
	if u.events == nil {
		u.events = make(map[*Event]struct{})
	}
	u.events[ev] = struct{}{}
}

func (u *underWay) remove(ev *Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.events, ev)
}

// all returns the events, in the order in which they began, how many deliveries have no event yet,
// and how many deliveries there were.
func (u *underWay) all() (events []*Event, entries int, begun uint64) {
	u.mu.Lock()
	events = make([]*Event, 0, len(u.events))
	for ev := range u.events {
		events = append(events, ev)
	}
	entries, begun = u.entries, u.begun
	u.mu.Unlock()
	slices.SortFunc(events, func(a, b *Event) int { return cmp.Compare(a.number, b.number) })
	return events, entries, begun
}
