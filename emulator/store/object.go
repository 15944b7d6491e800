// Package store keeps the state of objects on disk: one SQLite file for each object, and one index
// of pending alarms for each namespace.
//
//	<state>/v3/do/<worker>-<Class>/<id>.sqlite       Object: the truth about one object
//	<state>/v3/do/<worker>-<Class>/metadata.sqlite   Index: pending alarms, derived from the former
//
// Files and tables have workerd's layout; the caller encodes the values. An object's file holds
// these tables and the user's own:
//
//	_cf_KV(key TEXT PRIMARY KEY, value BLOB)            key-value storage; keys compare as bytes
//	_cf_METADATA(key INTEGER PRIMARY KEY, value BLOB)   1: alarm in ns since 1970, or NULL;
//	                                                    1000: the object's name
//
// # Transactions
//
// All writes between two commits are one implicit transaction. The first write begins it, reads see
// its writes, and the emulator ends it with Commit or Rollback. Committed writes survive the death
// of any process (kill -9); nothing of an uncommitted transaction does.
//
// A commit appends to the write-ahead log and never waits for the disk (synchronous=OFF). So it
// survives crashes of programs, because the system's cache does. A power cut may lose the latest
// writes, or the file. We accept that for state on a developer's machine: waiting costs some
// milliseconds each time an object wakes and again when it is evicted (measured: 90 alarms a second
// instead of 650).
//
// # SQL
//
// Exec runs the user's SQL in the same transaction. The engine asks a rule (authorizer.go) about
// each action while it prepares a statement. So the user's SQL can neither reach the tables above
// nor end the transaction. The store's own statements run without a rule. Savepoint, Release and
// RollbackTo nest inside the transaction, for keys, tables and the alarm alike.
//
// # Files
//
// An open file is locked against every other connection, and the index of its log is in memory.
// Closing merges the log into the file, so a closed file is complete and can be copied. While a
// file is open, this process must not open it by other means: on POSIX systems, closing any
// descriptor of a file drops all locks on it.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Keys of _cf_METADATA. workerd uses the low numbers; keys from 1000 up are ours.
const (
	alarmKey = 1
	nameKey  = 1000
)

var objectSchema = []string{
	"CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
	"CREATE TABLE IF NOT EXISTS _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)",
}

// Object is the open database of one object. It is not safe for concurrent use: the object's turn
// guards it. Only Interrupt and Moved may be called at any time.
//
// When the disk fails and SQLite ends the transaction, every call returns that error until Rollback
// or Close. So half a transaction can never be committed. After Close, every call returns an error
// that is fs.ErrClosed.
type Object struct {
	path    string
	file    fs.FileInfo // what path named when it was opened
	name    string
	hasName bool

	// interruptMu prevents an Interrupt during Rollback and Close.
	interruptMu sync.Mutex
	db          *database // nil when closed
	committed   alarm

	// The implicit transaction.
	dirty        bool
	changed      bool  // part of what Changed reports
	counted      int64 // the rows that the connection had changed when changed was set
	alarm        alarm // as reads see it
	alarmWritten bool
	lost         error // why SQLite ended it, or nil
	savepoints   []savepoint

	// The user's SQL.
	limits     Limits
	rule       userRule
	ran        bool // some has run
	configured bool // a pragma has changed how later SQL runs
	statements statements
	cursors    map[*Cursor]struct{} // the ones that may have more rows
}

// OpenObject opens the file at path. It creates a missing file, but not its folder, which OpenIndex
// makes: a folder that was deleted or moved away does not come back. It records the name in a file
// that has none; a recorded name stays.
//
// It fails with ErrLocked if another process, or another Object, has the file open, and with
// ErrCorrupt if the file can't be read.
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
	file, err := inspect(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = createObject(o.path, name, hasName); err == nil {
			file, err = inspect(o.path)
		}
	}
	if err != nil {
		return err
	}

	o.file = file
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
	if err := o.db.imitateBuild(); err != nil {
		return err
	}
	return o.db.useRule()
}

// Moved reports whether the object's path no longer names the open file: somebody has deleted,
// moved or replaced it. What is committed from then on is lost. It may be called at any time.
func (o *Object) Moved() bool {
	now, err := os.Lstat(o.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(o.file, now)
}

// LogGone reports whether somebody has deleted or moved the write-ahead log of the open file. What
// it holds is lost unless MergeLog succeeds or the object is closed. It may be called at any time.
func (o *Object) LogGone() bool { return logGone(o.path) }

// MergeLog writes the log into the file. It fails while a transaction is open.
func (o *Object) MergeLog() error { return o.db.mergeLog() }

// Configured reports whether a PRAGMA has changed how later SQL runs. The file does not record such
// changes.
func (o *Object) Configured() bool { return o.configured }

// Fresh reports whether no SQL of the user has run since the object was opened. After SQL has run,
// the engine remembers values such as last_insert_rowid, which a newly opened object must not see.
func (o *Object) Fresh() bool { return !o.ran }

// createObject creates the file of an empty object. It writes the name at once, because the first
// write to a new log waits for the disk.
func createObject(path, name string, hasName bool) error {
	image, err := emptyObject()
	if err == nil && hasName {
		image, err = newImage(image, func(d *database) error { return recordName(d, name) })
	}
	if err != nil {
		return err
	}
	return placeFile(path, image)
}

var emptyObject = emptyImage(objectSchema)

func recordName(d *database, name string) error {
	return d.exec("INSERT INTO _cf_METADATA (key, value) VALUES (?1, ?2)", integer(nameKey), text(name))
}

// Close drops uncommitted writes and closes the file. It leaves no other files beside it. A second
// Close does nothing.
func (o *Object) Close() error {
	if o.db == nil {
		return nil
	}
	o.endCursors(errCursorClosed)
	rollbackErr := o.Rollback()
	o.interruptMu.Lock()
	err := o.db.close()
	o.db = nil
	o.interruptMu.Unlock()
	if err == nil {
		err = rollbackErr
	}
	if err != nil {
		return fmt.Errorf("close object: %w", err)
	}
	return nil
}

// Name returns the name recorded in the file, and whether there is one.
func (o *Object) Name() (string, bool) { return o.name, o.hasName }

// Get returns a copy of a key's value, and whether there is one.
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

// Put sets the value of a key. A key is any byte string, including the empty one and one that is
// not UTF-8. The caller checks sizes.
func (o *Object) Put(key string, value []byte) error {
	err := o.write(`INSERT INTO _cf_KV (key, value) VALUES (?1, ?2)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
		text(key), blob(value))
	if err != nil {
		return fmt.Errorf("put %.80q: %w", key, err)
	}
	return nil
}

// Delete removes a key and reports whether it existed. Deleting a missing key begins no
// transaction.
func (o *Object) Delete(key string) (existed bool, err error) {
	err = o.usable()
	if err == nil {
		err = o.db.each("SELECT 1 FROM _cf_KV WHERE key = ?1",
			func(row) bool { existed = true; return false }, text(key))
	}
	if err == nil && existed {
		err = o.write("DELETE FROM _cf_KV WHERE key = ?1", text(key))
	}
	if err != nil {
		return false, fmt.Errorf("delete %.80q: %w", key, err)
	}
	return existed, nil
}
