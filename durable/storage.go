package durable

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"devtool.internal/durable/stored"
)

// A Storage has the data of one object: values by key, tables (see SQL), and an alarm. Its methods
// take the context of a handler of that object.
//
// Keys are UTF-8 text, ordered by their bytes. The empty text is a key, too. A value is anything
// that encoding/json can encode. A []byte and a time.Time (cut to milliseconds) are stored as
// themselves. A value is copied when it is put, and again when it is got.
type Storage struct {
	state *State
	db    database
}

func newStorage(state *State) *Storage { return &Storage{state: state} }

// on returns the invocation of ctx for an operation on keys. It rejects keys that are not UTF-8,
// because the platform's keys are text and would become others there.
func (s *Storage) on(ctx context.Context, keys ...string) (*invocation, error) {
	inv, err := s.state.invocation(ctx)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if !utf8.ValidString(key) {
			return nil, fmt.Errorf("key %q is not UTF-8 text", key)
		}
	}
	return inv, nil
}

// Get decodes the value of key into the value that v points to, and reports whether key has one.
// Without one it leaves v alone. It decodes as encoding/json does: entries of a map and fields of a
// struct stay if the stored value does not mention them.
func (s *Storage) Get(ctx context.Context, key string, v any) (found bool, err error) {
	inv, err := s.on(ctx, key)
	if err != nil {
		return false, fmt.Errorf("get %q: %w", key, err)
	}
	// This is an error without a value, too: otherwise it would appear only once there is one.
	if p := reflect.ValueOf(v); p.Kind() != reflect.Pointer || p.IsNil() {
		return false, fmt.Errorf("get %q into %T: need a pointer that is not nil", key, v)
	}
	b, found, err := inv.get(key)
	if err != nil {
		return false, fmt.Errorf("get %q: %w", key, err)
	}
	if !found {
		return false, nil
	}
	if err := stored.Decode(b, v); err != nil {
		return true, fmt.Errorf("get %q into %T: %w", key, v, err)
	}
	return true, nil
}

// Put stores v as the value of key. An integer beyond ±2^53 anywhere in v is an error, because a
// number on the platform does not hold it exactly. A float64 may have any size.
func (s *Storage) Put(ctx context.Context, key string, v any) error {
	inv, err := s.on(ctx, key)
	if err != nil {
		return fmt.Errorf("put %q: %w", key, err)
	}
	b, err := stored.Encode(v)
	if err != nil {
		return fmt.Errorf("put %q: store a %T: %w", key, v, err)
	}
	if err := inv.put(key, b); err != nil {
		return fmt.Errorf("put %q: %w", key, err)
	}
	return nil
}

// Delete removes key and reports whether it had a value.
func (s *Storage) Delete(ctx context.Context, key string) (existed bool, err error) {
	inv, err := s.on(ctx, key)
	if err == nil {
		existed, err = inv.delete(key)
	}
	if err != nil {
		return false, fmt.Errorf("delete %q: %w", key, err)
	}
	return existed, nil
}

// GetMany returns the entries of the keys that have a value, ordered by key, each once.
func (s *Storage) GetMany(ctx context.Context, keys []string) ([]Entry, error) {
	inv, err := s.on(ctx, keys...)
	var entries []Entry
	if err == nil {
		entries, err = inv.getMany(keys)
	}
	if err != nil {
		return nil, fmt.Errorf("get %d keys: %w", len(keys), err)
	}
	return entries, nil
}

// PutMany stores the value of each key, as Put does, either all of them or none.
func (s *Storage) PutMany(ctx context.Context, values map[string]any) error {
	keys := slices.AppendSeq(make([]string, 0, len(values)), maps.Keys(values))
	slices.Sort(keys)
	inv, err := s.on(ctx, keys...)
	if err != nil {
		return fmt.Errorf("put %d keys: %w", len(values), err)
	}
	entries := make([]Entry, 0, len(values))
	for _, key := range keys {
		b, err := stored.Encode(values[key])
		if err != nil {
			return fmt.Errorf("put %q: store a %T: %w", key, values[key], err)
		}
		entries = append(entries, Entry{Key: key, value: b})
	}
	if err := inv.putMany(entries); err != nil {
		return fmt.Errorf("put %d keys: %w", len(values), err)
	}
	return nil
}

// DeleteMany removes the keys and returns how many of them had a value.
func (s *Storage) DeleteMany(ctx context.Context, keys []string) (deleted int, err error) {
	inv, err := s.on(ctx, keys...)
	if err == nil {
		deleted, err = inv.deleteMany(keys)
	}
	if err != nil {
		return 0, fmt.Errorf("delete %d keys: %w", len(keys), err)
	}
	return deleted, nil
}

// ListOptions select the entries that List returns. The zero value of a field restricts nothing.
type ListOptions struct {
	Start      string // first key, included
	StartAfter string // like Start, but not included; only one of the two may be set
	End        string // last key, not included
	Prefix     string // prefix of the keys
	Reverse    bool   // from the last to the first; Start and End keep their meaning
	Limit      int    // maximum number of entries
}

// An Entry is a key with its value.
type Entry struct {
	Key   string
	value []byte
}

// Decode decodes the entry's value into the value that v points to, as Storage.Get does.
func (e Entry) Decode(v any) error {
	if err := stored.Decode(e.value, v); err != nil {
		return fmt.Errorf("decode value of %q into %T: %w", e.Key, v, err)
	}
	return nil
}

// List returns the entries that o selects, ordered by key.
func (s *Storage) List(ctx context.Context, o ListOptions) ([]Entry, error) {
	inv, err := s.on(ctx, o.Start, o.StartAfter, o.End, o.Prefix)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	if o.Start != "" && o.StartAfter != "" {
		return nil, errors.New("list: both Start and StartAfter are set")
	}
	if o.Limit < 0 {
		return nil, fmt.Errorf("list: limit %d is negative", o.Limit)
	}
	entries, err := inv.list(o)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	return entries, nil
}

// DeleteAll removes everything that the object has stored. With a compatibility date of 2026-02-24
// or later that includes the alarm. It commits by itself, together with what the handler has
// written before. So nothing undoes it, and a crash right after it leaves an object that stores
// nothing, or only its alarm. It fails within a transaction.
func (s *Storage) DeleteAll(ctx context.Context) error {
	return s.do(ctx, "delete all", func(inv *invocation) error {
		s.state.mu.Lock()
		inside := s.state.txn != nil && s.state.txn.inv == inv
		s.state.mu.Unlock()
		if inside {
			return errors.New("everything can't be deleted within a transaction")
		}
		return inv.deleteAll()
	})
}

// Sync returns when everything that was written before is committed. As on the platform, it gives
// the turn up, even if nothing was written: the events that wait for the turn go first.
func (s *Storage) Sync(ctx context.Context) error {
	return s.do(ctx, "sync", (*invocation).sync)
}

// GetAlarm returns the time of the object's alarm, and whether one is set. While the alarm's
// handler runs, none is set unless the handler sets one. While a failed alarm waits for its next
// try, its time is the one that SetAlarm was called with.
func (s *Storage) GetAlarm(ctx context.Context) (t time.Time, set bool, err error) {
	inv, err := s.state.invocation(ctx)
	if err == nil {
		t, set, err = inv.getAlarm()
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("get alarm: %w", err)
	}
	return t, set, nil
}

// lastAlarm is the last time whose nanoseconds since 1970 fit into 64 bits. The platform stores
// alarms so.
var lastAlarm = time.UnixMilli(math.MaxInt64 / int64(time.Millisecond)).UTC()

// SetAlarm sets the object's only alarm to t, cut to milliseconds. It replaces an alarm that is
// set. A time in the past means now. The object's type must implement Alarmer.
func (s *Storage) SetAlarm(ctx context.Context, t time.Time) error {
	if t.Before(time.UnixMilli(1)) {
		return fmt.Errorf("set alarm: %s is not after 1970", t.UTC().Format(time.RFC3339))
	}
	if t.After(lastAlarm) {
		return fmt.Errorf("set alarm: %s is too late: alarms can be set up to %s",
			t.UTC().Format(time.RFC3339), lastAlarm.Format(time.RFC3339))
	}
	return s.do(ctx, "set alarm", func(inv *invocation) error { return inv.setAlarm(t) })
}

// DeleteAlarm removes the object's alarm, if one is set. It does not stop an alarm's handler that
// is running, but if that fails it is not tried again.
func (s *Storage) DeleteAlarm(ctx context.Context) error {
	return s.do(ctx, "delete alarm", (*invocation).deleteAlarm)
}

func (s *Storage) do(ctx context.Context, verb string, f func(*invocation) error) error {
	inv, err := s.state.invocation(ctx)
	if err == nil {
		err = f(inv)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	return nil
}
