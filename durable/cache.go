package durable

import (
	"strings"
	"sync"

	"devtool.internal/durable/wire"
)

// A question to the emulator takes some ten microseconds, nearly all of it waiting. Handlers that
// put and get would spend their time with that, so a put is not asked but told (wire.MethodWrite),
// many together, and what was put or got is remembered. That is no risk: what was not committed was
// never stored, and nobody else changes an object's storage while it is in memory; where the
// emulator does, it says so (wire.MethodForget).
//
// It holds for an event that has its object's turn. One of which some goroutine has given it up asks, and
// so does one that is over, was reset, or whose client has gone.

// The bounds of what is kept here, in bytes.
const (
	maxTold       = 64 << 10  // of puts until the next question
	maxToldKey    = 2 << 10   // of a key
	maxRemembered = 256 << 10 // of the entries of one object
)

// A cache remembers entries of an object's storage.
type cache struct {
	maxEntry int // bytes that a key and its value may have together

	mu      sync.Mutex // guards what follows
	entries map[string]remembered
	size    int
	// changes counts what makes an answer that is under way too old to be remembered.
	changes int
	// changing counts the operations under way that change entries by themselves. Nothing is remembered
	// meanwhile: nobody knows whether it is older or newer than they are.
	changing int
}

// remembered is the value of a key, or that it has none.
type remembered struct {
	value []byte
	found bool
}

// get returns what is remembered of key. Otherwise the answer may be given to learn with
// changes.
func (c *cache) get(key string) (r remembered, known bool, changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, known = c.entries[key]
	return r, known, c.changes
}

// learn remembers an answer to the question that was asked at changes.
func (c *cache) learn(key string, r remembered, changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.setLocked(key, r)
	}
}

// set remembers what was put.
func (c *cache) set(key string, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.setLocked(key, remembered{value, true})
}

func (c *cache) setLocked(key string, r remembered) {
	if old, known := c.entries[key]; known {
		c.size -= sizeOf(key, old)
		delete(c.entries, key)
	}
	n := sizeOf(key, r)
	if c.changing > 0 || n > maxRemembered/4 {
		return
	}
	if c.size+n > maxRemembered {
		c.clearLocked()
	}
	if c.entries == nil {
		c.entries = make(map[string]remembered)
	}
	c.entries[strings.Clone(key)] = r // for key may be a piece of something large
	c.size += n
}

// sizeOf is about how much memory an entry takes.
func sizeOf(key string, r remembered) int { return len(key) + len(r.value) + 64 }

// clear forgets everything, as operations that change entries by themselves begin and end: begun of
// them, which is negative for an end, and 0 for a change that is none of the program's.
func (c *cache) clear(begun int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changing += begun
	c.changes++
	c.clearLocked()
}

func (c *cache) clearLocked() { c.entries, c.size = nil, 0 }

// changed runs an operation that changes entries by itself.
func (c *cache) changed(operation func() error) error {
	if c == nil {
		return operation()
	}
	c.clear(1)
	defer c.clear(-1)
	return operation()
}

// hasLocked reports whether the event has its turn, so that it may tell its puts and trust the
// cache. h.mu is held, and has to be until the cache was used: no goroutine of the handler gives the
// turn up meanwhile.
func (h *wireHost) hasLocked() bool {
	return h.cache != nil && h.away == 0 && !h.over && h.ctx.Err() == nil
}

func (h *wireHost) get(key string) ([]byte, bool, error) {
	h.mu.Lock()
	has := h.hasLocked()
	changes := 0
	if has {
		r, known, n := h.cache.get(key)
		if known {
			h.mu.Unlock()
			return r.value, r.found, nil
		}
		changes = n
	}
	h.tellLocked()
	h.mu.Unlock()
	var v wire.Value
	if err := h.ask(wire.MethodGet, &wire.Get{Event: h.id, Key: key}, &v); err != nil {
		return nil, false, err
	}
	if has {
		h.cache.learn(key, remembered{v.Value, v.Found}, changes)
	}
	return v.Value, v.Found, nil
}

// tellable reports whether no class's limits refuse an entry. The others are asked: their error is the
// put's, while one that was told and is refused resets the object.
func (c *cache) tellable(key string, value []byte) bool {
	n := len(key) + len(value)
	return n < maxTold && n <= c.maxEntry && len(key) <= maxToldKey
}

func (h *wireHost) put(key string, value []byte) error {
	h.mu.Lock()
	if !h.hasLocked() || !h.cache.tellable(key, value) {
		h.mu.Unlock() // the answer may have to wait for the turn, and so for other goroutines of the handler
		return h.change(wire.MethodPut, &wire.Put{Event: h.id, Key: key, Value: value}, &wire.Empty{})
	}
	h.cache.set(key, value)
	h.told = append(h.told, wire.Entry{Key: key, Value: value})
	h.toldSize += sizeOf(key, remembered{value: value})
	enough := h.toldSize >= maxTold
	if enough {
		h.tellLocked()
	}
	h.mu.Unlock()
	if !enough {
		return nil
	}
	// An answer now and then keeps the handler from running away from the emulator. The question has no
	// entries: those of earlier puts must not fail as if they were this one's, but reset the object.
	return h.ask(wire.MethodWrite, &wire.PutMany{Event: h.id}, &wire.Empty{})
}

// tellLocked tells the emulator what was put. It comes before every question, because the
// emulator answers as if it had known all along. h.mu is held.
func (h *wireHost) tellLocked() {
	if len(h.told) == 0 {
		return
	}
	m := &wire.PutMany{Event: h.id, Entries: h.told}
	h.told, h.toldSize = nil, 0
	h.conn.Notify(wire.MethodWrite, m) //nolint:errcheck // the next question fails, too
}

// giveUp notes that the question which follows gives the turn up, and tells what was put
// before.
func (h *wireHost) giveUp() {
	h.mu.Lock()
	h.tellLocked()
	h.away++
	h.mu.Unlock()
}

// back notes that a goroutine which had given the turn up has it again.
func (h *wireHost) back() {
	h.mu.Lock()
	h.away--
	h.mu.Unlock()
}

// handled is called when the handler has returned, or has reset its object. What its goroutines put from
// here on is asked, and refused.
func (h *wireHost) handled() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tellLocked()
	h.over = true
}
