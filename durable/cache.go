//go:build !js

package durable

import (
	"strings"
	"sync"
)

// maxCached is how many bytes the cached entries of one object may take.
const maxCached = 256 << 10

// A cache keeps entries of an object's storage. See wirestorage.go for when it is used.
type cache struct {
	maxEntry int // bytes that a key and its value may have together

	mu      sync.Mutex // guards what follows
	entries map[string]cached
	size    int
	// changes counts changes after which an answer that is under way is too old to be cached.
	changes int
	// changing counts the operations under way that change entries by themselves. Nothing is cached
	// meanwhile, because an answer may come from before or after such an operation.
	changing int
}

// cached is the value of a key, or the knowledge that it has none.
type cached struct {
	value []byte
	found bool
}

// get returns what is cached for key. If nothing is, the caller may give the emulator's answer to
// learn, together with changes.
func (c *cache) get(key string) (r cached, known bool, changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, known = c.entries[key]
	return r, known, c.changes
}

// learn caches the answer to a question that was asked at changes.
func (c *cache) learn(key string, r cached, changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.setLocked(key, r)
	}
}

// set caches what was put.
func (c *cache) set(key string, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.setLocked(key, cached{value, true})
}

func (c *cache) setLocked(key string, r cached) {
	if old, known := c.entries[key]; known {
		c.size -= sizeOf(key, old)
		delete(c.entries, key)
	}
	n := sizeOf(key, r)
	if c.changing > 0 || n > maxCached/4 {
		return
	}
	if c.size+n > maxCached {
		c.clearLocked()
	}
	if c.entries == nil {
		c.entries = make(map[string]cached)
	}
	c.entries[strings.Clone(key)] = r // key may be a piece of something large
	c.size += n
}

// sizeOf returns about how many bytes of memory an entry takes.
func sizeOf(key string, r cached) int { return len(key) + len(r.value) + 64 }

// clear empties the cache. An operation that changes entries by itself passes 1 when it begins and
// -1 when it ends. A change from outside the program passes 0.
func (c *cache) clear(begun int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changing += begun
	c.changes++
	c.clearLocked()
}

func (c *cache) clearLocked() { c.entries, c.size = nil, 0 }

// changed runs an operation that changes entries by itself. c may be nil.
func (c *cache) changed(operation func() error) error {
	if c == nil {
		return operation()
	}
	c.clear(1)
	defer c.clear(-1)
	return operation()
}
