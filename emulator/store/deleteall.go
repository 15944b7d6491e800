package store

import (
	"fmt"
	"strings"
)

// DeleteAll removes all user data: every key, and every table, view, trigger and index of the user.
// The object's name stays, and so does the alarm if keepAlarm. It removes nothing if it fails. It
// ends all cursors in any case.
//
// Here it is part of the transaction like any other write, and can be rolled back. For handlers it
// can't: the caller commits right after it (world.Event.DeleteAll), because storage.deleteAll() in
// workerd removes the file. A process that is killed before that commit leaves everything, and one
// that is killed after it an object that stores nothing.
func (o *Object) DeleteAll(keepAlarm bool) error {
	if err := o.deleteAll(keepAlarm); err != nil {
		return fmt.Errorf("delete all: %w", err)
	}
	return nil
}

func (o *Object) deleteAll(keepAlarm bool) error {
	o.endCursors(errCursorDeleted)
	return o.atomically(func() error {
		err := o.dropUserTables()
		if err == nil {
			err = o.write("DELETE FROM _cf_KV")
		}
		if err == nil && !keepAlarm {
			err = o.writeAlarm(alarm{}, value{})
		}
		return err
	})
}

// dropUserTables reads the schema again after each step, because dropping one thing drops others: a
// table its indexes and triggers, a virtual table its shadow tables. Tables with a root page come
// last, because others depend on them.
func (o *Object) dropUserTables() error {
	// Tables may refer to each other in a circle. Once all tables are gone, so are the violations.
	if err := o.check(o.db.execOnce("PRAGMA defer_foreign_keys=ON")); err != nil {
		return err
	}
	for {
		var kind, name string
		err := o.db.each(`SELECT type, name FROM sqlite_schema
			WHERE type <> 'index' AND lower(substr(name, 1, 4)) <> '_cf_' AND lower(substr(name, 1, 7)) <> 'sqlite_'
			ORDER BY type = 'table', rootpage LIMIT 1`,
			func(r row) bool { kind, name = r.text(0), r.text(1); return false })
		if err != nil {
			return o.check(err)
		}
		if kind == "" {
			return o.check(o.db.execOnce("PRAGMA defer_foreign_keys=OFF"))
		}
		if err := o.check(o.db.execOnce("DROP " + kind + " " + quoteName(name))); err != nil {
			return fmt.Errorf("drop %s %q: %w", kind, name, err)
		}
		o.changed = true
	}
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
