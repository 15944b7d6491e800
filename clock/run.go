package clock

import "time"

// maxWait bounds how long the goroutine waits before it reads the clock again. A real timer may
// stand while a laptop sleeps, as the monotonic clock does. So maxWait is how late timers can be
// after it wakes.
const maxWait = 10 * time.Second

// run is the clock's own goroutine. It fires timers as they fall due while the clock runs.
func (c *Clock) run() {
	alarm := time.NewTimer(maxWait)
	defer alarm.Stop()
	for {
		var rings <-chan time.Time
		if wait := c.fireDue(); wait > 0 {
			alarm.Reset(min(wait, maxWait))
			rings = alarm.C
		}
		select {
		case <-rings:
		case <-c.wake:
		case <-c.closing:
			return
		}
	}
}

// fireDue fires all timers that are due and returns how long the next one has to wait. It returns 0
// if none will fire before the goroutine is woken. It may also wait for a renewal of the lease.
func (c *Clock) fireDue() time.Duration {
	for {
		fired, wait := c.fireFirst()
		if !fired {
			return wait
		}
	}
}

func (c *Clock) fireFirst() (fired bool, wait time.Duration) {
	c.firing.Lock()
	defer c.firing.Unlock()
	renewal := c.renew()
	f, wait := c.takeDue()
	switch {
	case f != nil:
	case wait == 0 || renewal == 0:
		return false, max(wait, renewal)
	default:
		return false, min(wait, renewal)
	}
	f(nil)
	return true, 0
}

// takeDue takes the function of the first timer if that is due. Otherwise it returns how long the
// timer has to wait.
func (c *Clock) takeDue() (f func(*Step), wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.timers.first()
	if t == nil || t.due > maxNow || c.mode != Running || c.advancing || c.closed {
		return nil, 0
	}
	v := c.readLocked()
	switch {
	case t.due <= c.at:
		return t.takeLocked(), 0
	case c.leased && t.due > c.horizon: // a renewal comes first
		return nil, 0
	}
	return nil, max(c.real(t.Due().Sub(v)), 1)
}
