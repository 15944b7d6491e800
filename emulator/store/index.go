package store

import (
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

const indexFile = "metadata.sqlite"

var indexSchema = []string{
	`CREATE TABLE _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, actor_name TEXT, ` +
		`set_order INTEGER) WITHOUT ROWID`,
}

// Alarm is an entry of an Index: the pending alarm of one object.
type Alarm struct {
	ID      string    // of the object
	At      time.Time // UTC, in whole milliseconds
	Order   int64     // alarms of the same time fire in this order
	Name    string    // of the object, if HasName
	HasName bool
}

// Index is the list of pending alarms of a namespace. It only saves opening every object's file at
// start: the objects' files hold the truth, and the index can be rebuilt from them at any time. An
// Index is safe for concurrent use.
//
// Each Set and Delete is committed when it returns.
type Index struct {
	rebuilt bool
	skipped []error

	mu sync.Mutex
	db *database // nil when closed
}

// OpenIndex opens the index of the namespace in the folder dir, and makes the folder if only that
// is missing. It creates a missing index and fills it from the objects' files, if there are any. It
// moves a damaged one aside to metadata.sqlite.damaged-N first. No object of the namespace may be
// open meanwhile.
//
// Only the index knows the order in which alarms were set. After a rebuild, alarms of the same time
// have the same Order, and fire by id.
func OpenIndex(dir string) (*Index, error) {
	x, err := openIndex(dir)
	if err != nil {
		return nil, fmt.Errorf("open alarm index: %w", err)
	}
	return x, nil
}

// Reopen opens a closed index of the namespace in the folder dir again, as OpenIndex does.
func (x *Index) Reopen(dir string) error {
	again, err := OpenIndex(dir)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.db = again.db
	return nil
}

// Rebuilt reports whether OpenIndex built the index from the objects' files.
func (x *Index) Rebuilt() bool { return x.rebuilt }

// Skipped returns an error for each object file that a rebuild could not read. The index lacks the
// alarm of such an object, if it had one.
func (x *Index) Skipped() []error { return slices.Clone(x.skipped) }

// MergeGoneLog writes the write-ahead log into the file if somebody has deleted or moved the log:
// what it holds would be lost when this process is killed. It reports whether the log is gone.
func (x *Index) MergeGoneLog() (gone bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.db == nil || !logGone(x.db.path) {
		return false, nil
	}
	return true, x.db.mergeLog()
}

// Set records the alarm of an object in place of any other, cut to milliseconds. If hasName is
// false, it keeps a name that is already recorded. The caller counts order.
func (x *Index) Set(id string, at time.Time, order int64, name string, hasName bool) error {
	ns, err := nanoseconds(at)
	if err == nil {
		var stored value
		if hasName {
			stored = text(name)
		}
		err = x.exec(`INSERT INTO _cf_ALARM (actor_id, scheduled_time, actor_name, set_order) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (actor_id) DO UPDATE SET scheduled_time = excluded.scheduled_time,
				actor_name = coalesce(excluded.actor_name, actor_name), set_order = excluded.set_order`,
			text(id), integer(ns), stored, integer(order))
	}
	if err != nil {
		return fmt.Errorf("index alarm of object %s: %w", id, err)
	}
	return nil
}

// Delete removes the alarm of an object, if there is one.
func (x *Index) Delete(id string) error {
	if err := x.exec("DELETE FROM _cf_ALARM WHERE actor_id = ?1", text(id)); err != nil {
		return fmt.Errorf("remove alarm of object %s from index: %w", id, err)
	}
	return nil
}

// All returns the pending alarms ordered by time, order of setting and id.
func (x *Index) All() ([]Alarm, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var alarms []Alarm
	err := x.usableLocked()
	if err == nil {
		err = x.db.each(`SELECT actor_id, scheduled_time, coalesce(set_order, 0), actor_name
			FROM _cf_ALARM ORDER BY 2, 3, 1`,
			func(r row) bool {
				alarms = append(alarms, Alarm{
					ID:      r.text(0),
					At:      fromNanoseconds(r.integer(1)),
					Order:   r.integer(2),
					Name:    r.text(3),
					HasName: !r.null(3),
				})
				return true
			})
	}
	if err != nil {
		return nil, fmt.Errorf("list alarms: %w", err)
	}
	return alarms, nil
}

// Close closes the file. A second Close does nothing.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.db == nil {
		return nil
	}
	err := x.db.close()
	x.db = nil
	if err != nil {
		return fmt.Errorf("close alarm index: %w", err)
	}
	return nil
}

func (x *Index) exec(query string, args ...value) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.usableLocked(); err != nil {
		return err
	}
	return x.db.exec(query, args...)
}

func (x *Index) usableLocked() error {
	if x.db == nil {
		return fs.ErrClosed
	}
	return nil
}
