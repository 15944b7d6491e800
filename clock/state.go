package clock

import (
	"fmt"
	"math"
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
	// Kept, unless it is empty, is the mode in which a later clock starts, if that is not Mode.
	Kept Mode `json:"kept,omitempty"`
	// Offset is virtual minus wall time, in nanoseconds, of a running clock. A frozen clock has
	// none. The largest and the smallest Duration mean that none fits: such a clock starts at At.
	Offset time.Duration `json:"offset"`
	// At is a virtual time that the clock has not passed. A frozen clock stands there; a running
	// one starts no earlier. The zero time sets no bound: a frozen clock then stands where a
	// running one would start.
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
	if c.kept != c.mode {
		s.Kept = c.kept
	}
	if c.rate != 1 {
		s.Rate = c.rate
	}
	switch {
	case c.mode == Frozen:
	case c.advancing, c.rate != 1:
		s.Offset = s.At.Sub(c.wall())
	default:
		s.Offset = c.base.Sub(c.anchor)
	}
	return s
}

// fits reports whether an offset is one that a time.Duration can hold.
func fits(offset time.Duration) bool { return offset != math.MaxInt64 && offset != math.MinInt64 }

// restore puts a new clock where s says, in the given mode or, if that is empty, in that which s
// keeps. s.At corrects an Offset that does not fit, or that was taken before the wall clock was set
// back.
func (c *Clock) restore(s State, mode Mode) {
	c.anchor = c.wall()
	c.base = c.anchor.Round(0).Add(s.Offset)
	c.kept, c.rate = Running, 1
	if s.Kept == Frozen || s.Kept == "" && s.Mode == Frozen {
		c.kept = Frozen
	}
	if s.Rate >= MinRate && s.Rate <= MaxRate {
		c.rate = s.Rate
	}
	if c.mode = c.kept; mode != "" {
		c.mode = mode
	}
	c.at = min(max(millis(c.base), minNow), maxNow)
	if !s.At.IsZero() {
		at := min(max(millis(s.At), minNow), maxNow)
		if s.Mode == Frozen || !fits(s.Offset) {
			c.at, c.base = at, fromMillis(at)
		}
		if ahead := at - c.at; ahead > 0 {
			c.at = at
			// A process that was killed may have left a lease. Real time will soon be there.
			if c.rate != 1 || ahead > lease.Milliseconds() {
				c.base = fromMillis(at)
			}
		}
	}
	// Until the next save, s is all that a later clock has.
	c.leased = c.needsLeaseLocked() || c.save != nil && !fits(s.Offset)
	c.horizon = c.at
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
