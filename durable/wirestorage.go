//go:build !js

package durable

import (
	"fmt"
	"slices"
	"time"

	"devtool.internal/durable/wire"
)

// A question to the emulator takes some ten microseconds, nearly all of it waiting. Handlers that
// put and get would spend their time with that. So puts are buffered and sent together as a notice
// (wire.MethodWrite), and a cache keeps what was put or got. That is no risk: what was not
// committed was never stored, and nobody else changes an object's storage while it is in memory.
// If the emulator does, it says so (wire.MethodForget).
//
// Buffer and cache serve an event that has its object's turn. The emulator is asked instead if
// some goroutine of the event has given the turn up, if the handler has returned or has reset its
// object, and if the client has gone.

// The limits of the buffer, in bytes.
const (
	maxBufferedPuts = 64 << 10 // of puts until the next question
	maxBufferedKey  = 2 << 10  // of a key
)

// holdsTurnLocked reports whether the event has its turn, so that its puts may be buffered and the
// cache is right. The caller holds h.mu until it has used the cache, so that no goroutine of the
// handler gives the turn up meanwhile.
func (h *wireHost) holdsTurnLocked() bool {
	return h.cache != nil && h.released == 0 && !h.over && h.ctx.Err() == nil
}

func (h *wireHost) get(key string) ([]byte, bool, error) {
	h.mu.Lock()
	holds := h.holdsTurnLocked()
	changes := 0
	if holds {
		r, known, n := h.cache.get(key)
		if known {
			h.mu.Unlock()
			return r.value, r.found, nil
		}
		changes = n
	}
	h.flushLocked()
	h.mu.Unlock()
	var v wire.Value
	if err := h.ask(wire.MethodGet, &wire.Get{Event: h.id, Key: key}, &v); err != nil {
		return nil, false, err
	}
	if holds {
		h.cache.learn(key, cached{v.Value, v.Found}, changes)
	}
	return v.Value, v.Found, nil
}

func (h *wireHost) put(key string, value []byte) error {
	h.mu.Lock()
	if !h.holdsTurnLocked() || !h.mayBuffer(key, value) {
		h.mu.Unlock() // the answer may have to wait for the turn, and so for other goroutines of the handler
		return h.change(wire.MethodPut, &wire.Put{Event: h.id, Key: key, Value: value}, &wire.Empty{})
	}
	h.cache.set(key, value)
	h.buffered = append(h.buffered, wire.Entry{Key: key, Value: value})
	h.bufferedSize += sizeOf(key, cached{value: value})
	full := h.bufferedSize >= maxBufferedPuts
	if full {
		h.flushLocked()
	}
	h.mu.Unlock()
	if !full {
		return nil
	}
	// An answer now and then keeps the handler from running far ahead of the emulator. The question
	// has no entries of its own. So a failure of an earlier put does not become this put's error,
	// but resets the object.
	return h.ask(wire.MethodWrite, &wire.PutMany{Event: h.id}, &wire.Empty{})
}

// mayBuffer reports whether no class's limits refuse an entry. The emulator is asked about the
// others, because a refusal must be the error of that put. A refused put of the buffer resets
// the object.
func (h *wireHost) mayBuffer(key string, value []byte) bool {
	n := len(key) + len(value)
	return n < maxBufferedPuts && n <= h.cache.maxEntry && len(key) <= maxBufferedKey
}

// flushLocked sends the buffered puts. It runs before every question, so that the emulator's
// answer takes them into account. The caller holds h.mu.
func (h *wireHost) flushLocked() {
	if len(h.buffered) == 0 {
		return
	}
	m := &wire.PutMany{Event: h.id, Entries: h.buffered}
	h.buffered, h.bufferedSize = nil, 0
	h.conn.Notify(wire.MethodWrite, m) //nolint:errcheck // the next question fails, too
}

// change is call for an operation that changes entries. The cache cannot follow it.
func (h *wireHost) change(m wire.Method, question, answer wire.Message) error {
	return h.cache.changed(func() error { return h.call(m, question, answer) })
}

func (h *wireHost) delete(key string) (bool, error) {
	var e wire.Existed
	err := h.change(wire.MethodDelete, &wire.Delete{Event: h.id, Key: key}, &e)
	return e.Existed, err
}

func (h *wireHost) getMany(keys []string) ([]Entry, error) {
	q := wire.Keys{Event: h.id, Keys: slices.Compact(slices.Sorted(slices.Values(keys)))}
	var entries []Entry
	for {
		var page wire.Listed
		if err := h.call(wire.MethodGetMany, &q, &page); err != nil {
			return nil, err
		}
		entries = appendEntries(entries, page.Entries)
		if !page.More || len(page.Entries) == 0 {
			return entries, nil
		}
		// The next page begins after the last entry of this one.
		next, _ := slices.BinarySearch(q.Keys, page.Entries[len(page.Entries)-1].Key)
		q.Keys = q.Keys[next+1:]
	}
}

func appendEntries(entries []Entry, page []wire.Entry) []Entry {
	for _, e := range page {
		entries = append(entries, Entry{Key: e.Key, value: e.Value})
	}
	return entries
}

// maxPart is how many bytes of entries travel together. So a frame has room for them, also for the
// largest entry.
const maxPart = 4 << 20

// putMany sends entries that do not fit into one frame before the others. The emulator stores all
// of them at the end.
func (h *wireHost) putMany(entries []Entry) error {
	for _, e := range entries { // before the emulator has parts that nothing follows
		if n := len(e.Key) + len(e.value); n > wire.MaxPayload-maxPart {
			return fmt.Errorf("key and value of %d bytes, the limit is %d", n, wire.MaxPayload-maxPart)
		}
	}
	h.putting.Lock() // the parts of two calls must not mix
	defer h.putting.Unlock()
	m := &wire.PutMany{Event: h.id}
	size := 0
	for _, e := range entries {
		if size > maxPart {
			if err := h.call(wire.MethodPutPart, m, &wire.Empty{}); err != nil {
				return err
			}
			m.Entries, size = nil, 0
		}
		m.Entries = append(m.Entries, wire.Entry{Key: e.Key, Value: e.value})
		size += len(e.Key) + len(e.value)
	}
	return h.change(wire.MethodPutMany, m, &wire.Empty{})
}

func (h *wireHost) deleteMany(keys []string) (int, error) {
	var d wire.Deleted
	err := h.change(wire.MethodDeleteMany, &wire.Keys{Event: h.id, Keys: keys}, &d)
	return int(d.Deleted), err
}

// list asks again as long as there are more entries than fit into one answer. The event keeps its
// turn meanwhile, so the pages belong together.
func (h *wireHost) list(o ListOptions) ([]Entry, error) {
	q := wire.List{
		Event:         h.id,
		Start:         o.Start,
		HasStart:      o.Start != "",
		StartAfter:    o.StartAfter,
		HasStartAfter: o.StartAfter != "",
		End:           o.End,
		HasEnd:        o.End != "",
		Prefix:        o.Prefix,
		Reverse:       o.Reverse,
		Limit:         uint64(o.Limit),
	}
	var entries []Entry
	for {
		var page wire.Listed
		if err := h.call(wire.MethodList, &q, &page); err != nil {
			return nil, err
		}
		entries = appendEntries(entries, page.Entries)
		if !page.More || len(page.Entries) == 0 || len(entries) == o.Limit {
			return entries, nil
		}
		last := page.Entries[len(page.Entries)-1].Key
		if o.Reverse {
			q.End, q.HasEnd = last, true
		} else {
			q.Start, q.HasStart = "", false
			q.StartAfter, q.HasStartAfter = last, true
		}
		if o.Limit > 0 {
			q.Limit = uint64(o.Limit - len(entries))
		}
	}
}

func (h *wireHost) deleteAll() error {
	return h.change(wire.MethodDeleteAll, h.op(), &wire.Empty{})
}

// sync gives the turn up, if another event waits for it. The answer comes with the turn.
func (h *wireHost) sync() error {
	h.releaseTurn()
	err := h.ask(wire.MethodSync, h.op(), &wire.Empty{})
	h.retakeTurn()
	return err
}

func (h *wireHost) getAlarm() (time.Time, bool, error) {
	var a wire.AlarmTime
	if err := h.call(wire.MethodGetAlarm, h.op(), &a); err != nil || !a.Set {
		return time.Time{}, false, err
	}
	return time.UnixMilli(a.Time).UTC(), true, nil
}

func (h *wireHost) setAlarm(t time.Time) error {
	return h.call(wire.MethodSetAlarm, &wire.SetAlarm{Event: h.id, Time: t.UnixMilli()}, &wire.Empty{})
}

func (h *wireHost) deleteAlarm() error { return h.do(wire.MethodDeleteAlarm) }

func (h *wireHost) exec(query string, args []any) (rows, error) {
	var m wire.Rows
	err := h.call(wire.MethodExec, &wire.Exec{Event: h.id, Query: query, Args: args}, &m)
	return fromRows(&m), err
}

func (h *wireHost) nextRows(cursor uint64) (rows, error) {
	var m wire.Rows
	err := h.call(wire.MethodNextRows, &wire.Cursor{Event: h.id, Cursor: cursor}, &m)
	return fromRows(&m), err
}

func (h *wireHost) closeRows(cursor uint64) error {
	return h.call(wire.MethodCloseRows, &wire.Cursor{Event: h.id, Cursor: cursor}, &wire.Empty{})
}

func (h *wireHost) databaseSize() (int64, error) {
	var size wire.Size
	err := h.call(wire.MethodDatabaseSize, h.op(), &size)
	return int64(size.Bytes), err
}
