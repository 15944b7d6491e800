package store_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/store"
)

func TestTablesAreThoseOfTheUser(t *testing.T) {
	o := newObject(t)
	tables, err := o.UserTables()
	must(t, err)
	if len(tables) != 0 {
		t.Errorf("a new object has %v, want none", tables)
	}
	must(t, o.Put("k", []byte("v")))
	c, err := o.Exec(`CREATE TABLE z (a INTEGER PRIMARY KEY AUTOINCREMENT);
		CREATE TABLE "A""b" (x); CREATE INDEX i ON "A""b" (x);
		CREATE VIEW v AS SELECT 1; CREATE VIRTUAL TABLE words USING fts5(text)`, nil)
	must(t, err)
	must(t, c.Close())
	tables, err = o.UserTables()
	must(t, err)
	want := []store.Table{
		{Name: `A"b`, SQL: `CREATE TABLE "A""b" (x)`},
		{Name: "words", SQL: "CREATE VIRTUAL TABLE words USING fts5(text)"},
		{Name: "z", SQL: "CREATE TABLE z (a INTEGER PRIMARY KEY AUTOINCREMENT)"},
	}
	if diff := cmp.Diff(want, tables); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, table := range tables {
		c, err := o.ReadTable(table.Name)
		must(t, err)
		if len(c.ColumnNames()) != 1 || c.More() {
			t.Errorf("%s: got columns %v and more %v, want one column and no row",
				table.Name, c.ColumnNames(), c.More())
		}
	}
	must(t, o.Close())
	if _, err := o.UserTables(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("UserTables() of a closed object = %v, want %v", err, fs.ErrClosed)
	}
}
