package store

import (
	"errors"
	"fmt"
)

// errNoSavepoint is a mistake of the caller.
var errNoSavepoint = errors.New("no savepoint is open")

// savepoint is the part of a savepoint that the engine does not restore.
type savepoint struct {
	alarm        alarm
	alarmWritten bool
	changed      bool
}

// Savepoint opens a savepoint inside the open ones, and begins the implicit transaction if
// necessary. Commit is refused until each is released; Rollback and Close drop them with everything
// else.
func (o *Object) Savepoint() error {
	if err := o.write("SAVEPOINT user"); err != nil {
		return fmt.Errorf("open savepoint: %w", err)
	}
	o.savepoints = append(o.savepoints, savepoint{o.alarm, o.alarmWritten, o.Changed()})
	return nil
}

// Release ends the innermost savepoint. Its writes stay, as part of the enclosing savepoint or of
// the transaction.
func (o *Object) Release() error {
	err := o.checkSavepoint()
	if err == nil {
		err = o.write("RELEASE user")
	}
	if err != nil {
		return fmt.Errorf("release savepoint: %w", err)
	}
	o.savepoints = o.savepoints[:len(o.savepoints)-1]
	return nil
}

// RollbackTo undoes the writes since the innermost savepoint was opened: keys, tables and the
// alarm, and AlarmChanged with it. As in SQL, the savepoint stays open until Release. A cursor
// fails at its next row if the schema changes back under it.
func (o *Object) RollbackTo() error {
	err := o.checkSavepoint()
	if err == nil {
		err = o.write("ROLLBACK TO user")
	}
	if err != nil {
		return fmt.Errorf("roll back to savepoint: %w", err)
	}
	last := o.savepoints[len(o.savepoints)-1]
	o.alarm, o.alarmWritten = last.alarm, last.alarmWritten
	o.setChanged(last.changed)
	o.statements.clear()
	return nil
}

// atomically makes the writes of f permanent as a whole or, if f fails, not at all. It is for
// operations of the store that take several statements, and nests inside the user's savepoints.
func (o *Object) atomically(f func() error) error {
	if err := o.write("SAVEPOINT atomically"); err != nil {
		return err
	}
	changed := o.Changed()
	err := f()
	if err == nil {
		return o.write("RELEASE atomically")
	}
	if o.lost != nil { // the savepoint is gone with the transaction
		return err
	}
	for _, query := range []string{"ROLLBACK TO atomically", "RELEASE atomically"} {
		if undoErr := o.write(query); undoErr != nil {
			return fmt.Errorf("%w; undo it: %w", err, undoErr)
		}
	}
	o.setChanged(changed)
	return err
}

// checkSavepoint returns an error unless a savepoint is open and the object is usable.
func (o *Object) checkSavepoint() error {
	if err := o.usable(); err != nil {
		return err
	}
	if len(o.savepoints) == 0 {
		return errNoSavepoint
	}
	return nil
}
