package clock

import (
	"container/heap"
	"time"
)

// AtByHand is At for a timer that a running clock passes over, however long it has been due. It fires in the next
// advance that gets that far, in its order among the others; from the beginning of an advance on, whether or not that
// gets there, it is a timer like any other.
func (c *Clock) AtByHand(due time.Time, f func(*Step)) *Timer {
	t := &Timer{clock: c, due: millisUp(due), f: f, held: true}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numberLocked(t)
	heap.Push(&c.held, t)
	return t
}

// releaseLocked makes all timers that were held timers like any other.
func (c *Clock) releaseLocked() {
	for _, t := range c.held {
		t.held = false
		heap.Push(&c.timers, t)
	}
	c.held = nil
}
