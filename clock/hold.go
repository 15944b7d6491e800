package clock

import (
	"container/heap"
	"time"
)

// AtHeld is At for a timer that a running clock never fires by itself, however long it has been
// due. The timer fires in the next advance that gets that far, in its order among the others. Once
// an advance begins, even one that does not get that far, it is an ordinary timer.
func (c *Clock) AtHeld(due time.Time, f func(*Step)) *Timer {
	t := &Timer{clock: c, due: millisUp(due), f: f, held: true}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numberLocked(t)
	heap.Push(&c.held, t)
	return t
}

// releaseLocked makes all held timers ordinary ones.
func (c *Clock) releaseLocked() {
	for _, t := range c.held {
		t.held = false
		heap.Push(&c.timers, t)
	}
	c.held = nil
}
