package world

import (
	"fmt"
	"slices"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// Limits bound what objects may store. 0 means no limit where the field says so.
type Limits struct {
	Entry int          // bytes of key and value together
	Key   int          // bytes of a key, 0 for any number
	Value int          // bytes of a value, 0 for any number
	Keys  int          // keys in one call, 0 for any number
	SQL   store.Limits // of SQL statements and databases
}

// The profiles. ProductionLimits is the default: what passes here must not fail when it is
// deployed. Source: the platform's limits for SQLite-backed objects, and workerd's own.
var (
	// ProductionLimits are those of the platform, and the default.
	ProductionLimits = Limits{Entry: 2 << 20, Keys: 128, SQL: store.ProductionLimits}
	// LocalLimits are those of workerd on a laptop.
	LocalLimits = Limits{Entry: 8 << 20, SQL: store.LocalLimits}
)

// keyValueLimits are the production limits of objects without SQL.
var keyValueLimits = Limits{Entry: 2 << 20, Key: 2048, Value: 128 << 10, Keys: 128}

// limits returns the limits of the namespace's objects.
func (ns *Namespace) limits() Limits {
	if ns.keyValue.Load() && ns.w.limits == ProductionLimits {
		return keyValueLimits
	}
	return ns.w.limits
}

func (l Limits) checkKey(key string) error {
	if l.Key > 0 && len(key) > l.Key {
		return fmt.Errorf("a key of %d bytes, the limit is %d", len(key), l.Key)
	}
	return nil
}

func (l Limits) checkEntry(key string, value []byte) error {
	if err := l.checkKey(key); err != nil {
		return err
	}
	if l.Value > 0 && len(value) > l.Value {
		return fmt.Errorf("a value of %d bytes, the limit is %d", len(value), l.Value)
	}
	if n := len(key) + len(value); n > l.Entry {
		return fmt.Errorf("key and value are %d bytes together, the limit is %d (%d MiB)", n, l.Entry, l.Entry>>20)
	}
	return nil
}

func (l Limits) checkCount(n int) error {
	if l.Keys > 0 && n > l.Keys {
		return fmt.Errorf("%d keys in one call, the limit is %d", n, l.Keys)
	}
	return nil
}

func (l Limits) checkKeys(keys []string) error {
	err := l.checkCount(len(keys))
	for i := 0; i < len(keys) && err == nil; i++ {
		err = l.checkKey(keys[i])
	}
	return err
}

// getMany returns the entries of keys, in their order, until the answer is full.
func (l Limits) getMany(st *store.Object, keys []string) (*wire.Listed, error) {
	if err := l.checkKeys(keys); err != nil {
		return nil, err
	}
	answer := &wire.Listed{}
	size := 0
	for _, key := range keys {
		if size > listPage {
			answer.More = true
			break
		}
		value, found, err := st.Get(key)
		if err != nil {
			return nil, err
		}
		if found {
			answer.Entries = append(answer.Entries, wire.Entry{Key: key, Value: value})
			size += len(key) + len(value)
		}
	}
	return answer, nil
}

// putMany stores all entries or none: it checks all entries first, and a failing disk undoes the
// whole transaction.
func (l Limits) putMany(st *store.Object, entries []wire.Entry) error {
	if err := l.checkCount(len(entries)); err != nil {
		return err
	}
	for _, e := range entries {
		if err := l.checkEntry(e.Key, e.Value); err != nil {
			return fmt.Errorf("%q: %w", e.Key, err)
		}
	}
	return l.putEach(st, entries)
}

// putEach stores the entries one after the other, until one fails.
func (l Limits) putEach(st *store.Object, entries []wire.Entry) error {
	for _, e := range entries {
		if err := l.checkEntry(e.Key, e.Value); err != nil {
			return err
		}
		if err := st.Put(e.Key, e.Value); err != nil {
			return err
		}
	}
	return nil
}

func (l Limits) deleteMany(st *store.Object, keys []string) (*wire.Deleted, error) {
	if err := l.checkKeys(keys); err != nil {
		return nil, err
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	answer := &wire.Deleted{}
	for _, key := range keys {
		existed, err := st.Delete(key)
		if err != nil {
			return nil, err
		}
		if existed {
			answer.Deleted++
		}
	}
	return answer, nil
}
