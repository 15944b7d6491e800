package client

import "time"

// SetSilence replaces how long c waits for an answer, and for a sign of life.
func (c *Client) SetSilence(after, alive time.Duration) { c.silentAfter, c.aliveWithin = after, alive }
