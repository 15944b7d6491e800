package store

import (
	"errors"
	"fmt"
)

// errNoSavepoint is a mistake of the caller.
var errNoSavepoint = errors.New("no savepoint is open")

// savepoint is what the object itself remembers of one; the engine remembers the data.
type savepoint struct {
	alarm        alarm
	alarmWritten bool
}

// Savepoint opens a savepoint in the implicit transaction, which it begins if need be, inside those that are open.
// Commit is refused until each is released; Rollback and Close drop them with everything else.
func (o *Object) Savepoint() error {
	if err := o.write("SAVEPOINT user"); err != nil {
		return fmt.Errorf("open savepoint: %w", err)
	}
	o.savepoints = append(o.savepoints, savepoint{o.alarm, o.alarmWritten})
	return nil
}

// Release ends the innermost savepoint. What was written since it was opened stays, as part of the savepoint around it
// or of the transaction.
func (o *Object) Release() error {
	err := o.endable()
	if err == nil {
		err = o.write("RELEASE user")
	}
	if err != nil {
		return fmt.Errorf("release savepoint: %w", err)
	}
	o.savepoints = o.savepoints[:len(o.savepoints)-1]
	return nil
}

// RollbackTo takes back what was written since the innermost savepoint was opened: keys, tables and the alarm, and
// AlarmChanged with it. As in SQL the savepoint stays open, until Release. A cursor fails at its next row if the schema
// changes back under it.
func (o *Object) RollbackTo() error {
	err := o.endable()
	if err == nil {
		err = o.write("ROLLBACK TO user")
	}
	if err != nil {
		return fmt.Errorf("roll back to savepoint: %w", err)
	}
	last := o.savepoints[len(o.savepoints)-1]
	o.alarm, o.alarmWritten = last.alarm, last.alarmWritten
	o.statements.clear()
	return nil
}

// whole makes what f writes stay as a whole, or, if it fails, not at all. It is for what the object itself does in
// several statements, and nests inside the savepoints of the user.
func (o *Object) whole(f func() error) error {
	if err := o.write("SAVEPOINT whole"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		return o.write("RELEASE whole")
	}
	if o.lost != nil { // and the savepoint with it
		return err
	}
	for _, query := range []string{"ROLLBACK TO whole", "RELEASE whole"} {
		if undoErr := o.write(query); undoErr != nil {
			return fmt.Errorf("%w; undo it: %w", err, undoErr)
		}
	}
	return err
}

func (o *Object) endable() error {
	if err := o.usable(); err != nil {
		return err
	}
	if len(o.savepoints) == 0 {
		return errNoSavepoint
	}
	return nil
}
