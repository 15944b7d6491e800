package world

import (
	"errors"
	"fmt"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// What the handler of an event may ask for. Each use of storage comes after what the handler has
// put by notices, and in the event's turn.

// listPage is about how many bytes of entries one answer to List carries.
const listPage = 1 << 20

// Use calls f with the storage of the event's object.
func (ev *Event) Use(f func(*store.Object) error) error {
	if ev.obj == nil {
		return errors.New("the worker has no storage; only objects do")
	}
	return ev.obj.use(ev, f)
}

// Write takes entries that the handler has put without waiting for an answer. They are stored when
// the event's object is next used, or when the event waits or ends.
func (ev *Event) Write(entries []wire.Entry) {
	ev.noticed.Lock()
	ev.puts = append(ev.puts, entries...)
	ev.noticed.Unlock()
}

// Get returns the value of a key.
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

// Put stores a value.
func (ev *Event) Put(key string, value []byte) error {
	return ev.Use(func(st *store.Object) error {
		if err := ev.limits().checkEntry(key, value); err != nil {
			return err
		}
		return st.Put(key, value)
	})
}

// Delete deletes a key, and reports whether it was there.
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

// GetMany returns the entries of keys, as far as they fit into one answer.
func (ev *Event) GetMany(keys []string) (answer *wire.Listed, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		answer, err = ev.limits().getMany(st, keys)
		return err
	})
	return answer, err
}

// PutMany stores all entries, or none.
func (ev *Event) PutMany(entries []wire.Entry) error {
	return ev.Use(func(st *store.Object) error { return ev.limits().putMany(st, entries) })
}

// PutEach stores entries one after the other, until one fails.
func (ev *Event) PutEach(entries []wire.Entry) error {
	return ev.Use(func(st *store.Object) error { return ev.limits().putEach(st, entries) })
}

// DeleteMany deletes keys, and returns how many of them were there.
func (ev *Event) DeleteMany(keys []string) (answer *wire.Deleted, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		answer, err = ev.limits().deleteMany(st, keys)
		return err
	})
	return answer, err
}

// List returns entries in the order of their keys, as far as they fit into one answer.
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

// DeleteAll deletes all that the object has stored. As on the platform no abort brings it back.
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

// Sync commits what was written.
func (ev *Event) Sync() error {
	return ev.Use(func(*store.Object) error { return ev.obj.commitOrReset(&ev.ticket) })
}

// SetAlarm sets the alarm of the event's object.
func (ev *Event) SetAlarm(at time.Time) error {
	return ev.Use(func(st *store.Object) error {
		o := ev.obj
		// The platform does not look for the handler while the object is being made.
		if class := o.ns.class; !handlesAlarms(ev.prog, class) && !o.constructing() {
			return fmt.Errorf("class %s has no Alarm method, so there is nothing that an alarm could call", class)
		}
		return o.setAlarm(st, at)
	})
}

// GetAlarm returns the alarm of the event's object. One that is running is as good as gone.
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

// DeleteAlarm deletes the alarm of the event's object.
func (ev *Event) DeleteAlarm() error {
	return ev.Use(func(st *store.Object) error { return st.DeleteAlarm() })
}

// Begin opens a transaction inside the one that may be open.
func (ev *Event) Begin() error {
	return ev.Use(func(st *store.Object) error { return ev.obj.begin(st) })
}

// Commit ends the innermost transaction.
func (ev *Event) Commit() error {
	return ev.Use(func(st *store.Object) error { return ev.obj.commitTransaction(ev, st) })
}

// Rollback undoes the innermost transaction and ends it.
func (ev *Event) Rollback() error {
	return ev.Use(func(st *store.Object) error { return ev.obj.rollbackTransaction(st) })
}

// Exec runs SQL, and returns its first rows.
func (ev *Event) Exec(query string, args []any) (rows *wire.Rows, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		rows, err = ev.exec(st, query, args)
		return err
	})
	return rows, err
}

// NextRows returns the rows after those that Exec or NextRows returned.
func (ev *Event) NextRows(cursor uint64) (rows *wire.Rows, err error) {
	err = ev.Use(func(st *store.Object) (err error) {
		rows, err = ev.nextRows(st, cursor)
		return err
	})
	return rows, err
}

// CloseRows closes a cursor. To close one again is no error.
func (ev *Event) CloseRows(cursor uint64) error {
	return ev.Use(func(*store.Object) error { return ev.closeRows(cursor) })
}

// DatabaseSize returns how many bytes the object's database has.
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

// Now returns the time of the clock.
func (ev *Event) Now() time.Time { return ev.w.clock.Now() }

// Block keeps the turn with the event until Unblock.
func (ev *Event) Block() error {
	if err := ev.endWrites(); err != nil {
		return err
	}
	return ev.obj.block(ev)
}

// Unblock undoes Block.
func (ev *Event) Unblock() error {
	if err := ev.endWrites(); err != nil {
		return err
	}
	return ev.obj.unblock(ev)
}

// endWrites commits what was written. As far as writes are concerned, Block and Unblock are the end
// of a turn: what was written before outlives a block that fails, and what a good block wrote a
// later abort. (Seen in workerd.)
func (ev *Event) endWrites() error {
	if ev.obj == nil {
		return errors.New("the worker has no turn to keep")
	}
	return ev.Sync()
}

// Abort resets the event's object. With dropAlarm, an alarm that is running is not tried again.
func (ev *Event) Abort(reason string, dropAlarm bool) {
	if ev.obj != nil {
		cause := &wire.Error{Message: reason, Remote: true}
		ev.obj.abort(ev.currentStep(), ev.instance(), cause, dropAlarm)
	}
}

// limits are those of the event's object.
func (ev *Event) limits() Limits { return ev.obj.ns.limits() }

// constructing reports whether the event that has the turn is constructing the object.
func (o *object) constructing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.turn != nil && o.turn.ev != nil && o.turn.ev.constructing
}
