package clock

import (
	"container/heap"
	"time"
)

// A Timer is a function that a clock will call once.
type Timer struct {
	// Constant after At.
	clock *Clock
	due   int64  // Unix ms
	order uint64 // how many timers were set before it
	// number is how many timers were set before it that are not maintenance. Their order alone may
	// decide a run, because the number of maintenance timers differs from run to run.
	number uint64

	// clock.mu guards what follows.
	f     func(*Step) // nil once the timer has fired or was stopped
	index int32       // its place in clock.timers, or clock.held, while f is set
	held  bool        // waits for an advance to begin

	// Constant after At, too; here they keep the struct small.
	maintenance bool
	first       bool // fires before other timers of the same instant
}

// At sets a timer: the clock calls f once, at or after due and never early. due is rounded up to a
// whole millisecond, and kept within the range of a JavaScript Date. Timers fire in the order of
// due, and at the same instant in the order in which they were set. A due that has already passed
// is no exception.
//
// f runs on the goroutine of the clock or of Advance and must not block. It starts its work
// elsewhere, and holds the Step it is given until that ends. The Step is nil while the clock runs
// by itself. f may set and stop timers and read the clock. It must not call Freeze, Resume, Advance
// or Close, which wait for it to return. If it panics, so does that goroutine.
func (c *Clock) At(due time.Time, f func(*Step)) *Timer { return c.add(due, f, Timer{}) }

// AtMaintenance is At for the emulator's own maintenance, which no user waits for. Next ignores
// such a timer.
func (c *Clock) AtMaintenance(due time.Time, f func(*Step)) *Timer {
	return c.add(due, f, Timer{maintenance: true})
}

// AtFirst is At for a timer that fires before all others of the same instant, whenever those were
// set. So a clock whose timers are set again after a restart, in another order, behaves the same. A
// Seed shuffles it all the same.
func (c *Clock) AtFirst(due time.Time, f func(*Step)) *Timer {
	return c.add(due, f, Timer{first: true})
}

// add sets a timer of the given kind.
func (c *Clock) add(due time.Time, f func(*Step), kind Timer) *Timer {
	t := &kind
	t.clock, t.due, t.f = c, millisUp(due), f
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numberLocked(t)
	heap.Push(&c.timers, t)
	if t.index == 0 {
		c.wakeUp()
	}
	return t
}

// numberLocked gives t its place among the timers that were set.
func (c *Clock) numberLocked(t *Timer) {
	t.order, t.number = c.set, c.numbered
	c.set++
	if !t.maintenance {
		c.numbered++
	}
}

// before reports whether t fires before o, which is due at the same instant. With a seed,
// maintenance comes last, and the seed alone decides the order of the other timers.
func (t *Timer) before(o *Timer) bool {
	seed := t.clock.seed
	switch {
	case seed == 0 || t.maintenance && o.maintenance:
		return t.order < o.order
	case t.maintenance || o.maintenance:
		return o.maintenance
	}
	return mix(mix(t.number)^seed) < mix(mix(o.number)^seed) // never equal, because mix is reversible
}

// mix spreads the bits of x over all of them. It is the finalizer of SplitMix64, by Steele, Lea and
// Flood.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Stop reports whether it kept t's function from being called. It may be called from anywhere, at
// any time and repeatedly. It does not wait for a function that is being called.
func (t *Timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.f == nil {
		return false
	}
	t.takeLocked()
	return true
}

// Due returns the time that t was set to, rounded as At does.
func (t *Timer) Due() time.Time {
	return fromMillis(t.due)
}

// takeLocked removes t from its clock's heap and returns its function, which t no longer refers to.
func (t *Timer) takeLocked() func(*Step) {
	from := &t.clock.timers
	if t.held {
		from = &t.clock.held
	}
	heap.Remove(from, int(t.index))
	f := t.f
	t.f = nil
	return f
}

// Next returns when the earliest pending timer that is not maintenance is due, which may be in the
// past. It returns false if there is none.
func (c *Clock) Next() (due time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first *Timer
	for _, timers := range []timerHeap{c.timers, c.held} {
		for _, t := range timers {
			if !t.maintenance && (first == nil || t.due < first.due) {
				first = t
			}
		}
	}
	if first == nil {
		return time.Time{}, false
	}
	return first.Due(), true
}

// A timerHeap holds the pending timers for container/heap. Each timer knows its place, so that a
// stopped one is removed at once.
type timerHeap []*Timer

var _ heap.Interface = (*timerHeap)(nil)

// first returns the timer that fires next, or nil if there is none.
func (h timerHeap) first() *Timer {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	if h[i].first != h[j].first && h[i].clock.seed == 0 {
		return h[i].first
	}
	return h[i].before(h[j])
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i), int32(j)
}

func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	t.index = int32(len(*h))
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return t
}
