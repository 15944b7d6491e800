package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/store"
)

func numbers(t testing.TB, n int) *store.Object {
	t.Helper()
	o := newObject(t)
	query(t, o, "CREATE TABLE n (i INTEGER PRIMARY KEY, s TEXT)")
	for i := range n {
		query(t, o, "INSERT INTO n VALUES (?, ?)", float64(i+1), fmt.Sprint(i+1))
	}
	must(t, o.Commit())
	return o
}

func mustExec(t testing.TB, o *store.Object, sql string, args ...any) *store.Cursor {
	t.Helper()
	c, err := o.Exec(sql, args)
	must(t, err)
	return c
}

func wantNext(t testing.TB, c *store.Cursor, want ...any) {
	t.Helper()
	got, ok, err := c.Next()
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

func TestColumnNames(t *testing.T) {
	o := numbers(t, 1)
	tests := []struct {
		sql  string
		want []string
	}{
		{"SELECT i, s, i AS i, 1 + 1, '' AS ' ' FROM n", []string{"i", "s", "i", "1 + 1", " "}},
		{"SELECT * FROM n WHERE 0", []string{"i", "s"}},
		{"INSERT INTO n VALUES (7, 8) RETURNING *", []string{"i", "s"}},
		{"DELETE FROM n", []string{}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, mustExec(t, o, test.sql).ColumnNames()); diff != "" {
			t.Errorf("%s: names (-want +got):\n%s", test.sql, diff)
		}
	}

	// The statement is in the cache, and the table has another column by now.
	must(t, o.Rollback())
	wantRows(t, query(t, o, "SELECT * FROM n"), []any{int64(1), "1"})
	query(t, o, "ALTER TABLE n ADD COLUMN x DEFAULT 2.5")
	c := mustExec(t, o, "SELECT * FROM n")
	if diff := cmp.Diff([]string{"i", "s", "x"}, c.ColumnNames()); diff != "" {
		t.Errorf("names after ALTER TABLE (-want +got):\n%s", diff)
	}
	wantNext(t, c, int64(1), "1", 2.5)
}

func TestCursorsOfOneTextAreIndependent(t *testing.T) {
	o := numbers(t, 3)
	const sql = "SELECT i FROM n WHERE i >= ?"
	a, b := mustExec(t, o, sql, 1.0), mustExec(t, o, sql, 2.0)
	wantNext(t, a, int64(1))
	wantNext(t, b, int64(2))
	c := mustExec(t, o, sql, 3.0)
	wantNext(t, a, int64(2))
	wantNext(t, c, int64(3))
	wantNext(t, b, int64(3))
	wantNext(t, a, int64(3))
	for _, cursor := range []*store.Cursor{a, b, c} {
		if row, ok, err := cursor.Next(); ok || err != nil {
			t.Errorf("Next after the last row: %v, %t, %v", row, ok, err)
		}
	}
	if n := o.OpenCursors(); n != 0 {
		t.Errorf("%d cursors are open after their last rows", n)
	}
}

func TestCursorSeesWritesAndOutlivesCommit(t *testing.T) {
	o := numbers(t, 5)
	c := mustExec(t, o, "SELECT i FROM n")
	wantNext(t, c, int64(1))
	query(t, o, "DELETE FROM n WHERE i = 3")
	must(t, o.Put("k", nil))
	query(t, o, "INSERT INTO n VALUES (6, '')")
	must(t, o.Commit())
	rows, err := rest(c)
	must(t, err)
	wantRows(t, rows, []any{int64(2)}, []any{int64(4)}, []any{int64(5)}, []any{int64(6)})
}

func TestRowsOfAWriteOutliveCommit(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (a)")
	c := mustExec(t, o, "INSERT INTO t VALUES (1), (2) RETURNING a")
	wantNext(t, c, int64(1))
	must(t, o.Commit())
	must(t, o.Savepoint())
	must(t, o.Release())
	wantNext(t, c, int64(2))
}

func TestOpenCursorLocksItsTable(t *testing.T) {
	o := numbers(t, 3)
	c := mustExec(t, o, "SELECT i FROM n")
	wantRefused(t, o, "database table is locked: SQLITE_LOCKED", "DROP TABLE n")
	must(t, c.Close())
	query(t, o, "DROP TABLE n")
}

func TestCursorsEnd(t *testing.T) {
	tests := []struct {
		name string
		end  func(*store.Object, *store.Cursor) error
		want string // part of the error, or "" if the cursor ends without one
	}{
		{"Close", func(_ *store.Object, c *store.Cursor) error { return c.Close() }, ""},
		{"Rollback", func(o *store.Object, _ *store.Cursor) error { return o.Rollback() }, "rolled back"},
		{
			"DeleteAll", func(o *store.Object, _ *store.Cursor) error { return o.DeleteAll(false) },
			"SQLite query was canceled because the database was deleted.",
		},
		{
			"Close of the object", func(o *store.Object, _ *store.Cursor) error { return o.Close() },
			fs.ErrClosed.Error(),
		},
	}
	for _, test := range tests {
		for _, sql := range []string{"SELECT i FROM n", "UPDATE n SET s = '' RETURNING i"} {
			for _, dirty := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, dirty %t", test.name, strings.Fields(sql)[0], dirty), func(t *testing.T) {
					o := numbers(t, 5)
					if dirty {
						must(t, o.Put("k", nil))
					}
					c := mustExec(t, o, sql)
					finished := mustExec(t, o, "SELECT i FROM n WHERE i = 5")
					wantNext(t, finished, int64(5))
					wantNext(t, c, int64(1))
					must(t, test.end(o, c))
					for range 2 {
						_, ok, err := c.Next()
						if test.want == "" && (ok || err != nil) {
							t.Fatalf("Next: %t, %v, want the end", ok, err)
						} else if test.want != "" {
							wantOneLine(t, err, test.want)
						}
					}
					if _, ok, err := finished.Next(); ok || err != nil {
						t.Errorf("Next of a finished cursor: %t, %v, want the end", ok, err)
					}
					must(t, c.Close())
					must(t, c.Close())
					if n := o.OpenCursors(); n != 0 {
						t.Errorf("%d cursors are open", n)
					}
				})
			}
		}
	}
}

func TestCursorFailsOnceTheTransactionIsLost(t *testing.T) {
	o := numbers(t, 5)
	c := mustExec(t, o, "SELECT i FROM n")
	must(t, o.FillDisk(2))
	if err := o.Put("big", make([]byte, 1<<20)); !errors.Is(err, store.ErrFull) {
		t.Fatalf("Put: %v, want ErrFull", err)
	}
	if _, ok, err := c.Next(); ok || err == nil {
		t.Errorf("Next: %t, %v, want an error", ok, err)
	}
}

func TestRowCounts(t *testing.T) {
	o := numbers(t, 3)
	c := mustExec(t, o, "SELECT i FROM n")
	for step, want := range []int64{1, 2, 3, 3, 3} {
		if got := c.RowsRead(); got != want {
			t.Errorf("after %d rows RowsRead() = %d, want %d", step, got, want)
		}
		_, _, err := c.Next()
		must(t, err)
	}
	if got := c.RowsWritten(); got != 0 {
		t.Errorf("RowsWritten() = %d after a query, want 0", got)
	}

	query(t, o, `CREATE TABLE t (a UNIQUE, b); CREATE TABLE log (a UNIQUE);
		CREATE TRIGGER r AFTER DELETE ON t BEGIN INSERT INTO log VALUES (old.a); END`)
	tests := []struct {
		sql  string
		want int64
	}{
		{"INSERT INTO t VALUES (1, 1), (2, 2)", 4},
		{"CREATE INDEX i ON t (b)", 0},
		{"INSERT INTO t VALUES (3, 3) RETURNING a", 3},
		{"EXPLAIN INSERT INTO t VALUES (4, 4)", 0},
		{"UPDATE t SET b = 5", 3},
		{"DELETE FROM t WHERE a < 3", 2},
		{"DELETE FROM t WHERE 0", 0},
		{"DROP INDEX i; INSERT INTO t VALUES (4, 4)", 2},
	}
	for _, test := range tests {
		c := mustExec(t, o, test.sql)
		if got := c.RowsWritten(); got != test.want {
			t.Errorf("%s: RowsWritten() = %d, want %d", test.sql, got, test.want)
		}
		must(t, c.Close())
	}
}

func TestStatementsAreKeptByRecentUse(t *testing.T) {
	o := newObject(t)
	text := func(i int) string { return fmt.Sprintf("SELECT %d -- %s", i, strings.Repeat("x", 90_000)) }
	query(t, o, text(0))
	for i := range 30 {
		query(t, o, text(i))
		query(t, o, text(0))
	}
	n, size := o.CachedStatements()
	if n != 11 || size > 1<<20 {
		t.Errorf("%d statements of %d bytes are kept, want 11 that fit into 1 MiB", n, size)
	}
	c := mustExec(t, o, text(0)) // it was used last, so it is still in the cache
	if got, _ := o.CachedStatements(); got != n-1 {
		t.Errorf("%d statements are kept while one of them is in use, want %d", got, n-1)
	}
	must(t, c.Close())
	if got, _ := o.CachedStatements(); got != n {
		t.Errorf("%d statements are kept after its use, want %d", got, n)
	}
	must(t, o.DeleteAll(true))
	if n, size := o.CachedStatements(); n != 0 || size != 0 {
		t.Errorf("%d statements of %d bytes are kept after DeleteAll", n, size)
	}
}
