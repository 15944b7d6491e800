package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// maxSnapshot is the approximate limit of the keys, values and rows of one snapshot, in bytes.
const maxSnapshot = 64 << 20

// SnapshotObject returns everything that an object stores. It reads in one turn, so the snapshot is
// consistent.
func (a Admin) SnapshotObject(ctx context.Context, which control.Object) (control.Snapshot, error) {
	p, err := a.pin(which)
	if err != nil {
		return control.Snapshot{}, err
	}
	defer p.release()
	stored := control.Snapshot{Entries: []control.StoredEntry{}, Tables: []control.StoredTable{}}
	var failed error
	err = p.read(ctx, func(s *store.Object) error {
		failed = p.readAll(s, &stored)
		return nil // an error would roll back, which ends the cursors of waiting handlers
	})
	if err = cmp.Or(err, failed); err != nil {
		return control.Snapshot{}, err
	}
	details := control.ObjectDetails{Keys: int64(len(stored.Entries)), File: p.path()}
	if details.ObjectInfo, _, err = p.info(); err != nil {
		return control.Snapshot{}, err
	}
	details.Alarm = stored.Alarm // as read in the turn
	stored.ObjectDetails = details
	return stored, nil
}

// readAll fills in what the store holds. The caller has the object's turn.
func (p pinnedObject) readAll(s *store.Object, stored *control.Snapshot) error {
	at, set, err := s.Alarm()
	if err != nil {
		return err
	}
	if set {
		stored.Alarm = &at
	}
	entries, more, err := s.List(store.ListOptions{}, maxSnapshot)
	if err != nil {
		return err
	}
	if more {
		return p.tooLarge()
	}
	left := maxSnapshot
	for _, e := range entries {
		entry := control.StoredEntry{Entry: describeEntry(e.Key, e.Value), Stored: e.Value}
		stored.Entries = append(stored.Entries, entry)
		left -= len(e.Key) + len(e.Value)
	}
	tables, err := s.UserTables()
	if err != nil {
		return err
	}
	for _, table := range tables {
		read, size, err := readTable(s, table, left)
		if err != nil {
			return err
		}
		if left -= size; left <= 0 {
			return p.tooLarge()
		}
		stored.Tables = append(stored.Tables, read)
	}
	return nil
}

// readTable reads the rows of a table, and stops after maxBytes bytes. For a table that SQLite
// can't read it sets Problem, so that it does not hide the other tables.
func readTable(s *store.Object, table store.Table, maxBytes int) (read control.StoredTable, size int, err error) {
	read = control.StoredTable{Name: table.Name, SQL: table.SQL, Columns: []string{}, Rows: [][]control.SQLValue{}}
	cursor, err := s.ReadTable(table.Name)
	if err == nil {
		defer cursor.Close()
		read.Columns = append(read.Columns, cursor.ColumnNames()...)
		var rows [][]control.SQLValue
		if rows, size, err = readRows(cursor, math.MaxInt, maxBytes); err == nil {
			read.Rows = rows
		}
	}
	if wrong := (*store.SQLError)(nil); errors.As(err, &wrong) {
		read.Problem, err = wrong.Error(), nil
	}
	return read, size, err
}

func (p pinnedObject) tooLarge() error {
	return &control.Error{
		Code:    control.CodeTooLarge,
		Message: fmt.Sprintf("%s stores more than %d MiB, which is the most for one snapshot", p, maxSnapshot>>20),
		Hint:    "read it in parts: `devtool objects get` and `devtool objects sql`",
	}
}
