//go:build !js

package durable

// The emulator decides which handler has the turn of an object. But when it resets an object, or
// when the connection ends, all handlers of the instance go on at once: with errors, but they run
// deferred functions and use the fields of the object. So each instance also has a lock here. The
// handler with the turn holds it, and a handler that goes on without a turn has to wait for it.
// Handlers of a healthy object never wait: a handler that gives the turn up releases the instance
// before the emulator learns of it.

// releaseTurn notes that the next question gives the turn up. It sends the buffered puts first.
func (h *wireHost) releaseTurn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flushLocked()
	h.released++
	h.away++
	h.releaseLocked()
}

// retakeTurn notes that a goroutine which had given the turn up has it again.
func (h *wireHost) retakeTurn() {
	h.mu.Lock()
	h.released--
	h.mu.Unlock()
	h.comeBack()
}

// comeBack takes the instance for a goroutine that has released it, with the turn or without.
func (h *wireHost) comeBack() {
	h.mu.Lock()
	h.away--
	h.mu.Unlock()
	h.hold()
}

// hold takes the instance for the handler, unless the handler has it, has returned, or another of
// its goroutines waits.
func (h *wireHost) hold() {
	if h.inv.state == nil {
		return
	}
	h.holding.Lock()
	defer h.holding.Unlock()
	if !h.wants() {
		return
	}
	h.inv.state.running.Lock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds = true
	if h.away > 0 || h.returned { // meanwhile
		h.releaseLocked()
	}
}

// wants reports whether the handler should hold the instance and does not.
func (h *wireHost) wants() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.holds && h.away == 0 && !h.returned
}

// leave releases the instance for good. Goroutines that the handler has left behind run without it.
func (h *wireHost) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.returned = true
	h.releaseLocked()
}

func (h *wireHost) releaseLocked() {
	if h.holds {
		h.holds = false
		h.inv.state.running.Unlock()
	}
}
