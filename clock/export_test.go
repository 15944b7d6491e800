package clock

// Elapsed gives tests both clocks' differences separately, because a test cannot make a time.Time
// whose two clocks disagree.
var Elapsed = elapsed

// Renew does what the clock's goroutine does when half of the lease has passed.
func (c *Clock) Renew() {
	c.firing.Lock()
	defer c.firing.Unlock()
	c.renew()
}
