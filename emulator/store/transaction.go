package store

import (
	"fmt"
	"io/fs"
)

// Dirty reports whether an implicit transaction is open.
func (o *Object) Dirty() bool { return o.dirty }

// Changed reports whether the implicit transaction has changed rows or the schema. Dirty is also
// true after a statement without effect, such as CREATE TABLE IF NOT EXISTS of a table that exists.
// Writes that were undone to a savepoint do not count.
func (o *Object) Changed() bool {
	return o.dirty && (o.changed || o.db.changedRows() != o.counted)
}

// setChanged makes Changed return changed until there are further changes.
func (o *Object) setChanged(changed bool) { o.changed, o.counted = changed, o.db.changedRows() }

// Commit makes the writes since the last Commit or Rollback permanent. If it returns an error, it
// has made none of them permanent, and the object is as it was last committed. Without such writes
// it does nothing. While a savepoint is open, Commit fails and changes nothing.
func (o *Object) Commit() error {
	if n := len(o.savepoints); n > 0 && o.lost == nil && o.db != nil {
		return fmt.Errorf("commit: %d savepoints are open: release them first", n)
	}
	err := o.usable()
	if err == nil && o.dirty {
		err = o.db.commit()
	}
	if err != nil {
		if rollbackErr := o.Rollback(); rollbackErr != nil {
			err = fmt.Errorf("%w; %w", err, rollbackErr)
		}
		return fmt.Errorf("commit: %w", err)
	}
	o.committed = o.alarm
	o.dirty, o.alarmWritten = false, false
	return nil
}

// Rollback drops the writes since the last Commit or Rollback, ends the cursors and undoes the
// user's pragmas. Without such writes it only does the latter two.
func (o *Object) Rollback() error {
	if o.db == nil {
		return nil
	}
	o.endCursors(errCursorRolledBack)
	if err := o.dropWrites(); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	if err := o.restoreSettings(); err != nil {
		return fmt.Errorf("roll back: restore pragmas: %w", err)
	}
	return nil
}

func (o *Object) dropWrites() error {
	if !o.dirty {
		return nil
	}
	o.alarm = o.committed
	o.dirty, o.alarmWritten, o.lost, o.savepoints = false, false, nil, nil
	if !o.db.inTransaction() {
		return nil
	}
	o.interruptMu.Lock()
	defer o.interruptMu.Unlock()
	return o.db.exec("ROLLBACK")
}

// restoreSettings undoes pragmas, which are not part of a transaction. On the platform they end
// with the instance that set them, because the next instance opens the file again.
func (o *Object) restoreSettings() error {
	if !o.configured {
		return nil
	}
	for pragma, initial := range configuringPragmas {
		if err := o.db.execOnce("PRAGMA " + pragma + " = " + initial); err != nil {
			return err
		}
	}
	o.db.matchBlobs(true)
	o.configured = false
	return nil
}

// write runs a statement that changes data in the implicit transaction, and begins one if
// necessary.
func (o *Object) write(query string, args ...value) error {
	if err := o.begin(); err != nil {
		return err
	}
	return o.check(o.db.exec(query, args...))
}

func (o *Object) begin() error {
	if err := o.usable(); err != nil || o.dirty {
		return err
	}
	if err := o.db.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	o.dirty = true
	o.setChanged(false)
	return nil
}

// check returns the error of a write, and records it if SQLite has ended the transaction. A mere
// refusal, as of a value that is too long, leaves the transaction as it was before the write.
func (o *Object) check(err error) error {
	if err != nil && !o.db.inTransaction() {
		o.lost = err
	}
	return err
}

// usable returns why the object can neither be read nor written, or nil.
func (o *Object) usable() error {
	switch {
	case o.db == nil:
		return fmt.Errorf("%s: %w", o.path, fs.ErrClosed)
	case o.lost != nil:
		return fmt.Errorf("the transaction ended after an error: %w", o.lost)
	}
	return nil
}
