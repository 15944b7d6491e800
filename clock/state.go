package clock

import (
	"fmt"
	"time"
)

// A Mode says whether a clock moves by itself.
type Mode string

const (
	Running Mode = "running"
	Frozen  Mode = "frozen"
)

// UnmarshalText accepts the two modes, and empty text as Running. It rejects other text, so that
// reading a damaged state file fails.
func (m *Mode) UnmarshalText(text []byte) error {
	switch Mode(text) {
	case Running, "":
		*m = Running
	case Frozen:
		*m = Frozen
	default:
		return fmt.Errorf("parse clock mode %q: want %q or %q", text, Running, Frozen)
	}
	return nil
}

// State is what a clock needs to go on after a restart. The zero State is that of a clock that runs
// at wall time. Any Mode but Frozen counts as Running.
type State struct {
	Mode Mode `json:"mode"`
	// Offset is virtual minus wall time, in nanoseconds, of a running clock. A frozen clock has
	// none.
	Offset time.Duration `json:"offset"`
	// At is the virtual time when the State was taken. A frozen clock stands there; a running one
	// starts no earlier. The zero time sets no bound: a frozen clock then stands where a running
	// one would start.
	At time.Time `json:"at"`
	// Rate is how much faster than real time the clock runs when it runs. A value out of bounds
	// counts as 1.
	Rate float64 `json:"rate,omitempty"`
}

// State returns what a later clock needs to go on from here. During an advance, its Mode is the one
// that the clock will go back to.
func (c *Clock) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stateLocked()
}

func (c *Clock) stateLocked() State {
	s := State{Mode: c.mode, At: fromMillis(c.nowLocked())}
	if c.rate != 1 {
		s.Rate = c.rate
	}
	switch {
	case c.mode == Frozen:
	case c.advancing:
		s.Offset = s.At.Sub(c.wall())
	case c.rate != 1:
		s.Offset = s.At.Sub(c.wall())
	default:
		s.Offset = c.base.Sub(c.anchor)
	}
	return s
}

func (c *Clock) saveLocked() {
	if c.save != nil && !c.closed {
		c.save(c.stateLocked())
	}
}

// restore puts a new clock where s says. s.At corrects an Offset that no longer fits: one too large
// for a time.Duration, or one taken before the wall clock was set back.
func (c *Clock) restore(s State) {
	c.anchor = c.wall()
	c.base = c.anchor.Round(0).Add(s.Offset)
	c.at = millis(c.base)
	c.mode, c.rate = Running, 1
	if s.Rate >= MinRate && s.Rate <= MaxRate {
		c.rate = s.Rate
	}
	if s.Mode == Frozen {
		c.mode = Frozen
	}
	if s.At.IsZero() {
		return
	}
	if at := min(max(millis(s.At), minNow), maxNow); c.mode == Frozen || at > c.at {
		c.at, c.base = at, fromMillis(at)
	}
}

const (
	// latest and earliest bound the platform's time, which is that of a JavaScript Date, in Unix
	// ms.
	latest   = 8_640_000_000_000_000
	earliest = -latest
	// minNow and maxNow bound the time of a clock, in Unix ms, so that its State can be saved. RFC
	// 3339 has only the years 1 to 9999. The zero time, a millisecond before minNow, means that
	// State.At sets no bound.
	minNow = -62_135_596_799_999
	maxNow = 253_402_300_799_999
)

// millis returns t in Unix ms, rounded down, and kept within the platform's time.
func millis(t time.Time) int64 {
	switch s := t.Unix(); {
	case s >= latest/1000:
		return latest
	case s < earliest/1000:
		return earliest
	}
	return t.UnixMilli()
}

// millisUp is millis, rounded up.
func millisUp(t time.Time) int64 {
	ms := millis(t)
	if ms < latest && fromMillis(ms).Before(t) {
		ms++
	}
	return ms
}

func fromMillis(ms int64) time.Time {
	return time.UnixMilli(ms).UTC()
}
