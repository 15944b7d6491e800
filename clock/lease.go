package clock

import "time"

// A process can be killed at any moment, so a running clock saves a time ahead of its own, the
// horizon. A clock that starts from that State starts at the horizon or later, and so after all
// that the killed one has shown. A process that ends well saves the exact time.
//
// A clock is leased if real time does not say where it has been: its rate is not 1, or it is too
// far from real time for an Offset. It never shows a time after its horizon. If a later horizon
// can't be saved, it stands there, and goes on from there later.
//
// At a rate of 1, real time and the Offset say enough. The horizon then matters only if the real
// clock was set back while nothing ran. The next clock may be ahead by a part of a lease, and
// stands until real time has caught up.

// lease is how far ahead of the clock the horizon lies, in real time. After half of it, the clock
// saves a later one.
const lease = 2 * time.Second

// A SaveError says that a change was not made because the clock's State could not be saved.
type SaveError struct{ Err error }

func (e *SaveError) Error() string { return "the clock's time can't be saved: " + e.Err.Error() }
func (e *SaveError) Unwrap() error { return e.Err }

// Unsaved returns why the clock's last State could not be saved, or nil. While it returns an error,
// a clock at a rate other than 1 stands still at the end of its lease.
func (c *Clock) Unsaved() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsaved
}

// needsLeaseLocked reports whether a running clock needs a lease, where it has been anchored. The
// field leased keeps that until the next anchorLocked: renew may bring an Offset back that fits,
// but what was saved before has none.
func (c *Clock) needsLeaseLocked() bool {
	return c.save != nil && (c.rate != 1 || !fits(c.base.Sub(c.anchor)))
}

// saveLocked saves where the clock is; if it runs, with a horizon.
func (c *Clock) saveLocked() error {
	if c.save == nil || c.closed {
		return nil
	}
	s := c.stateLocked()
	horizon := c.at
	if c.mode == Running && !c.advancing {
		horizon = c.horizonAfter(c.readLocked())
		s.At = fromMillis(horizon)
	}
	return c.savedLocked(c.save(s), horizon)
}

// savedLocked notes the outcome of a save.
func (c *Clock) savedLocked(err error, horizon int64) error {
	c.unsaved = err
	if err != nil {
		return &SaveError{err}
	}
	c.horizon = horizon
	return nil
}

// horizonAfter returns the end of a lease, in Unix ms, that begins at v, which readLocked has
// returned.
func (c *Clock) horizonAfter(v time.Time) int64 {
	return max(c.at, min(millis(v)+millisOf(c.virtual(lease)), maxNow))
}

// renew saves a later horizon if the present one is near. It returns how long to wait before the
// next call, or 0 if the clock does not run. The caller holds firing, so nothing else saves or
// changes the position meanwhile. Readings need not wait for the save.
func (c *Clock) renew() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.save == nil || c.closed || c.advancing || c.mode != Running || c.at >= maxNow {
		return 0
	}
	v := c.readLocked()
	if c.unsaved != nil && c.at == c.horizon && c.leased {
		c.base, c.anchor = fromMillis(c.at), c.wall() // the time that it stood does not count
		v = c.base
	}
	if left := c.real(fromMillis(c.horizon).Sub(v)); c.unsaved == nil && left > lease/2 {
		return left - lease/2
	}
	s := c.stateLocked()
	horizon := c.horizonAfter(v)
	s.At = fromMillis(horizon)
	c.mu.Unlock()
	err := c.save(s)
	c.mu.Lock()
	c.savedLocked(err, horizon) //nolint:errcheck // Unsaved returns it
	return lease / 2
}
