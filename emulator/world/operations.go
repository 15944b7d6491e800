package world

import (
	"context"
	"errors"
	"fmt"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// The operations that the handler of an event may ask for. Each use of storage is in the event's
// turn, after the entries that the handler has put by notices. The methods that use storage fail if
// the event is the worker's, is over, or its object was reset.

// listPage is the approximate limit of the entries in one answer, in bytes.
const listPage = 1 << 20

// Use calls f with the store of the event's object, in the event's turn, and returns f's error. If
// the event does not have the turn, it takes one for this call and commits.
func (ev *Event) Use(f func(*store.Object) error) error {
	if ev.obj == nil {
		return errors.New("the worker has no storage; only objects do")
	}
	return ev.obj.use(ev, f)
}

// Write takes entries that the handler has put by notices, without waiting for an answer. They are
// stored at the next use of the store, or when the event waits or ends. If that fails the object is
// reset. Write returns how many bytes of entries are not stored yet.
func (ev *Event) Write(entries []wire.Entry) (noted int) {
	ev.noticed.Lock()
	defer ev.noticed.Unlock()
	ev.puts = append(ev.puts, entries...)
	for _, e := range entries {
		ev.noted += len(e.Key) + len(e.Value) + entryCost
	}
	return ev.noted
}

// entryCost is what an entry costs besides its key and value, in bytes.
const entryCost = 40

// Get returns the value of a key, and whether there is one. It fails for a key beyond the limits.
func (ev *Event) Get(key string) (value []byte, found bool, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		if err := ev.limits().checkKey(key); err != nil {
			return err
		}
		value, found, err = st.Get(key)
		return err
	})
	return value, found, err
}

// Put stores a value. It fails for an entry beyond the limits.
func (ev *Event) Put(key string, value []byte) error {
	return ev.Use(func(st *store.Object) error {
		if err := ev.limits().checkEntry(key, value); err != nil {
			return err
		}
		return st.Put(key, value)
	})
}

// Delete deletes a key, and reports whether it existed.
func (ev *Event) Delete(key string) (existed bool, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		if err := ev.limits().checkKey(key); err != nil {
			return err
		}
		existed, err = st.Delete(key)
		return err
	})
	return existed, err
}

// GetMany returns the entries of keys, in their order. If they do not fit into one answer, it sets
// More.
func (ev *Event) GetMany(keys []string) (answer *wire.Listed, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		answer, err = ev.limits().getMany(st, keys)
		return err
	})
	return answer, err
}

// PutMany stores all entries or none, together with those of PutPart. It fails for more keys, or an
// entry, beyond the limits.
func (ev *Event) PutMany(entries []wire.Entry) error {
	ev.noticed.Lock()
	entries = append(ev.parts, entries...)
	ev.parts, ev.partSize = nil, 0
	ev.noticed.Unlock()
	return ev.Use(func(st *store.Object) error { return ev.limits().putMany(st, entries) })
}

// maxParts is how many bytes the keys and values of one PutMany may have together. The emulator has
// them in memory until the last one has come.
const maxParts = 512 << 20

// PutPart takes entries of the next PutMany. If they have more than maxParts together, it forgets
// all of them and returns an error.
func (ev *Event) PutPart(entries []wire.Entry) error {
	ev.noticed.Lock()
	defer ev.noticed.Unlock()
	for _, e := range entries {
		ev.partSize += len(e.Key) + len(e.Value)
	}
	if ev.partSize > maxParts {
		ev.parts, ev.partSize = nil, 0
		return fmt.Errorf("the entries of one call have more than %d MiB", maxParts>>20)
	}
	ev.parts = append(ev.parts, entries...)
	return nil
}

// PutEach stores entries one after the other, until one fails.
func (ev *Event) PutEach(entries []wire.Entry) error {
	return ev.Use(func(st *store.Object) error { return ev.limits().putEach(st, entries) })
}

// DeleteMany deletes keys, and returns how many of them existed.
func (ev *Event) DeleteMany(keys []string) (answer *wire.Deleted, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		answer, err = ev.limits().deleteMany(st, keys)
		return err
	})
	return answer, err
}

// List returns entries in the order of their keys. If they do not fit into one answer, it sets
// More.
func (ev *Event) List(q store.ListOptions) (answer *wire.Listed, err error) {
	err = ev.Use(func(st *store.Object) error {
		entries, more, err := st.List(q, listPage)
		if err != nil {
			return err
		}
		answer = &wire.Listed{Entries: make([]wire.Entry, len(entries)), More: more}
		for i, e := range entries {
			answer.Entries[i] = wire.Entry{Key: e.Key, Value: e.Value}
		}
		return nil
	})
	return answer, err
}

// DeleteAll deletes everything that the object has stored, and the alarm if the layout says so. It
// commits: as on the platform, no abort undoes it. It fails within a transaction.
func (ev *Event) DeleteAll() error {
	return ev.Use(func(st *store.Object) error {
		if ev.obj.transactions > 0 {
			return errors.New("everything can't be deleted within a transaction")
		}
		if err := st.DeleteAll(!ev.obj.ns.w.deleteAllDeletesAlarm.Load()); err != nil {
			return err
		}
		return ev.obj.commitOrReset(&ev.ticket)
	})
}

// Sync commits the writes of the turn, unless a transaction is open, and lets the events that wait
// for the turn go first, unless the event is blocked. (Seen in workerd.) If there are any, Sync
// returns the function that waits until the event has its turn again.
func (ev *Event) Sync() (wait func() error, err error) {
	var w *waiter
	err = ev.Use(func(*store.Object) error {
		if err := ev.obj.commitOrReset(&ev.ticket); err != nil {
			return err
		}
		w = ev.obj.yield(ev)
		return nil
	})
	if w == nil {
		return nil, err
	}
	return func() error { return ev.obj.await(context.Background(), w) }, nil
}

// SetAlarm sets the alarm of the event's object. A past time means now. It fails if the class has
// no Alarm method.
func (ev *Event) SetAlarm(at time.Time) error {
	return ev.Use(func(st *store.Object) error {
		o := ev.obj
		// The platform does not check for the method while it constructs the object.
		if class := o.ns.class(); !handlesAlarms(ev.prog, class) && !o.constructing() {
			return fmt.Errorf("class %s has no Alarm method, so there is nothing that an alarm could call", class)
		}
		return o.setAlarm(st, at)
	})
}

// GetAlarm returns the alarm of the event's object, and whether one is set. A running alarm is not.
func (ev *Event) GetAlarm() (at time.Time, set bool, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		if o := ev.obj; o.run != nil && !o.run.changed && !st.AlarmChanged() {
			return nil
		}
		at, set, err = st.Alarm()
		return err
	})
	return at, set, err
}

// DeleteAlarm deletes the alarm of the event's object, if one is set.
func (ev *Event) DeleteAlarm() error {
	return ev.Use(func(st *store.Object) error { return st.DeleteAlarm() })
}

// Begin opens a transaction, inside the innermost open one if there is one.
func (ev *Event) Begin() error {
	return ev.Use(func(st *store.Object) error { return ev.obj.begin(st) })
}

// Commit ends the innermost transaction. It fails if none is open.
func (ev *Event) Commit() error {
	return ev.Use(func(st *store.Object) error { return ev.obj.commitTransaction(ev, st) })
}

// Rollback undoes the innermost transaction and ends it. It fails if none is open.
func (ev *Event) Rollback() error {
	return ev.Use(func(st *store.Object) error { return ev.obj.rollbackTransaction(st) })
}

// Exec runs SQL and returns the first rows. Other rows wait in a cursor for NextRows. Errors of the
// SQL are *store.SQLError.
func (ev *Event) Exec(query string, args []any) (rows *wire.Rows, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		rows, err = ev.exec(st, query, args)
		return err
	})
	return rows, err
}

// NextRows returns the next rows of a cursor of Exec. It fails if the cursor has been read to its
// end or closed.
func (ev *Event) NextRows(cursor uint64) (rows *wire.Rows, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		rows, err = ev.nextRows(st, cursor)
		return err
	})
	return rows, err
}

// CloseRows closes a cursor. Closing one again is no error.
func (ev *Event) CloseRows(cursor uint64) error {
	return ev.Use(func(*store.Object) error { return ev.closeRows(cursor) })
}

// DatabaseSize returns the size of the object's database in bytes. It fails if the class has no
// SQL.
func (ev *Event) DatabaseSize() (bytes int64, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		if ev.obj.ns.keyValue.Load() {
			return errNoSQL
		}
		bytes, err = st.DatabaseSize()
		return err
	})
	return bytes, err
}

// Block makes the event keep its turn until Unblock, for BlockLimit at most. It waits until the
// event has the turn, and commits earlier writes.
func (ev *Event) Block() error {
	if err := ev.endWrites(); err != nil {
		return err
	}
	return ev.obj.block(ev)
}

// Unblock undoes Block, after a commit. It fails without Block.
func (ev *Event) Unblock() error {
	if err := ev.endWrites(); err != nil {
		return err
	}
	return ev.obj.unblock(ev)
}

// endWrites commits the writes so far. For writes, Block and Unblock are the end of a turn: writes
// before a block survive its failure, and writes of a successful block survive a later abort. (Seen
// in workerd.)
func (ev *Event) endWrites() error {
	if ev.obj == nil {
		return errors.New("the worker has no turn to keep")
	}
	return ev.Use(func(*store.Object) error { return ev.obj.commitOrReset(&ev.ticket) })
}

// Abort resets the event's object: its events fail with reason. With dropAlarm, a running alarm is
// not retried. It does nothing for an event of the worker.
func (ev *Event) Abort(reason string, dropAlarm, ofBlock bool) {
	if ev.obj != nil {
		order := byArrival
		if ofBlock {
			order = waitingFirst
		}
		cause := &wire.Error{Message: reason, Remote: true}
		ev.obj.abort(ev.currentStep(), ev.instance(), cause, order, dropAlarm)
	}
}

// limits returns the limits of the event's object.
func (ev *Event) limits() Limits { return ev.obj.ns.limits() }

// constructing reports whether the event that has the turn is constructing the object.
func (o *object) constructing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.turn != nil && o.turn.ev != nil && o.turn.ev.constructing
}
