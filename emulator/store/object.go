// Package store keeps the state of objects on disk: one SQLite file for each object, and one index of pending alarms
// for each namespace.
//
//	<state>/v3/do/<worker>-<Class>/<id>.sqlite       Object: the truth about one object
//	<state>/v3/do/<worker>-<Class>/metadata.sqlite   Index: who is to be woken when, derived from the former
//
// Files and tables are laid out as workerd lays them out; how values are encoded is the caller's business. An object's
// file holds
//
//	_cf_KV(key TEXT PRIMARY KEY, value BLOB)            key-value storage; keys compare as bytes
//	_cf_METADATA(key INTEGER PRIMARY KEY, value BLOB)   1: alarm in ns since 1970, or NULL; 1000: the object's name
//
// beside the tables of its user.
//
// # Transactions
//
// All writes between two commits are one implicit transaction: the first one begins it, reads see it, and the engine
// decides when Commit or Rollback ends it. After Commit the writes survive the death of any process (kill -9); of an
// uncommitted transaction nothing does. A commit appends to the write-ahead log and never waits for the disk
// (synchronous=OFF). That is enough against crashes of programs, which the system's cache outlives; a power cut may cost
// what was written last, or the file. For state on a developer's machine we take that: waiting costs some milliseconds
// with each object that is woken and again when it is evicted (measured: 90 alarms a second instead of 650).
//
// # SQL
//
// Exec runs the SQL of the object's user in the same transaction. What it may do is decided by a rule that the engine asks
// while it prepares a statement (authorizer.go), so that it can neither reach the tables above nor end the transaction;
// the store's own statements run without a rule. Savepoint, Release and RollbackTo nest inside the transaction, for keys,
// tables and the alarm alike.
//
// # Files
//
// An open file is locked against every other connection, and its log's index is kept in memory. Closing merges the log
// into the file, so that a file that is not open stands alone and can be copied. While a file is open, this process must
// not open it by other means: on POSIX systems, closing any descriptor of a file drops all locks on it.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Keys of _cf_METADATA. workerd uses the low numbers; those from 1000 up are ours.
const (
	alarmKey = 1
	nameKey  = 1000
)

var objectSchema = []string{
	"CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
	"CREATE TABLE IF NOT EXISTS _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)",
}

// Object is the open database of one object. It is not safe for concurrent use: the object's turn guards it. Only
// Interrupt may be called at any time.
//
// When the disk fails in the middle of a transaction and SQLite gives the transaction up, every call returns that
// error until Rollback or Close, so that no half of a transaction can be committed. After Close, every call returns
// an error that is fs.ErrClosed.
type Object struct {
	path    string
	name    string
	hasName bool

	// interrupting keeps Interrupt away from Rollback and Close.
	interrupting sync.Mutex
	db           *database // nil when closed
	committed    alarm

	// The implicit transaction.
	dirty        bool
	alarm        alarm // as reads see it
	alarmWritten bool
	lost         error // why SQLite gave it up, or nil
	savepoints   []savepoint

	// SQL of the user.
	limits     Limits
	rule       userRule
	ran        bool // there was any
	configured bool // a pragma has changed how SQL is run from then on
	statements statements
	cursors    map[*Cursor]struct{} // that may have more rows
}

// OpenObject opens the file at path, and makes it, with its folders, when there is none. The name is recorded in a
// file that has none yet; a recorded one stays.
//
// It fails with ErrLocked when another process, or another Object, has the file open, and with ErrCorrupt when the file
// cannot be read.
func OpenObject(path string, name string, hasName bool) (*Object, error) {
	o := &Object{path: path, cursors: map[*Cursor]struct{}{}}
	if err := o.open(name, hasName); err != nil {
		if o.db != nil {
			o.db.close()
		}
		return nil, fmt.Errorf("open object: %w", err)
	}
	return o, nil
}

func (o *Object) open(name string, hasName bool) error {
	_, err := os.Stat(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = createObject(o.path, name, hasName)
	} else if err != nil {
		err = explainFile(o.path, err)
	}
	if err != nil {
		return err
	}

	if o.db, err = openDatabase(o.path); err != nil {
		return err
	}
	if err := o.db.useWAL(); err != nil {
		return err
	}
	info, complete, err := readInfo(o.db)
	if err == nil && !complete {
		err = o.db.execAll(objectSchema...)
	}
	if err != nil {
		return err
	}
	if hasName && !info.HasName {
		if err := recordName(o.db, name); err != nil {
			return err
		}
		info.Name, info.HasName = name, true
	}
	o.name, o.hasName = info.Name, info.HasName
	o.committed = alarm{at: info.Alarm, set: info.HasAlarm}
	o.alarm = o.committed
	o.SetLimits(ProductionLimits)
	if err := o.db.allowQuotedText(); err != nil {
		return err
	}
	return o.db.askRule()
}

// Configured reports whether a PRAGMA has changed how SQL is run from then on, which the file does not remember.
func (o *Object) Configured() bool { return o.configured }

// Fresh reports whether the object is as one that was just opened, but for what is stored: no SQL of the user has run, of
// which the engine would remember something, such as the last_insert_rowid.
func (o *Object) Fresh() bool { return !o.ran }

// createObject makes the file of an object that holds nothing. The name goes in at once, because the first write to a
// new log waits for the disk.
func createObject(path, name string, hasName bool) error {
	image, err := newImage(func(d *database) error {
		if err := d.execAll(objectSchema...); err != nil || !hasName {
			return err
		}
		return recordName(d, name)
	})
	if err != nil {
		return err
	}
	return placeFile(path, image)
}

func recordName(d *database, name string) error {
	return d.exec("INSERT INTO _cf_METADATA (key, value) VALUES (?1, ?2)", integer(nameKey), text(name))
}

// Close drops what is not committed and closes the file, leaving no other files beside it. A second Close does nothing.
func (o *Object) Close() error {
	if o.db == nil {
		return nil
	}
	o.endCursors(errCursorClosed)
	rollbackErr := o.Rollback()
	o.interrupting.Lock()
	err := o.db.close()
	o.db = nil
	o.interrupting.Unlock()
	if err == nil {
		err = rollbackErr
	}
	if err != nil {
		return fmt.Errorf("close object: %w", err)
	}
	return nil
}

// Name returns the name that is recorded in the file, and whether there is one.
func (o *Object) Name() (string, bool) { return o.name, o.hasName }

// Get returns a copy of the value of a key, and whether there is one.
func (o *Object) Get(key string) (value []byte, found bool, err error) {
	if err := o.usable(); err != nil {
		return nil, false, fmt.Errorf("get %.80q: %w", key, err)
	}
	err = o.db.each("SELECT value FROM _cf_KV WHERE key = ?1", func(r row) bool {
		value, found = r.blob(0), true
		return false
	}, text(key))
	if err != nil {
		return nil, false, fmt.Errorf("get %.80q: %w", key, err)
	}
	return value, found, nil
}

// Put sets the value of a key. Keys are byte strings: any, also the empty one and one that is not UTF-8, is kept as it
// is. Size limits are the caller's.
func (o *Object) Put(key string, value []byte) error {
	err := o.write("INSERT INTO _cf_KV (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
		text(key), blob(value))
	if err != nil {
		return fmt.Errorf("put %.80q: %w", key, err)
	}
	return nil
}

// Delete removes a key and reports whether it existed. Deleting a missing key begins no transaction.
func (o *Object) Delete(key string) (existed bool, err error) {
	err = o.usable()
	if err == nil {
		err = o.db.each("SELECT 1 FROM _cf_KV WHERE key = ?1", func(row) bool { existed = true; return false }, text(key))
	}
	if err == nil && existed {
		err = o.write("DELETE FROM _cf_KV WHERE key = ?1", text(key))
	}
	if err != nil {
		return false, fmt.Errorf("delete %.80q: %w", key, err)
	}
	return existed, nil
}
