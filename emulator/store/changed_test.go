package store_test

import (
	"errors"
	"testing"

	"devtool.internal/emulator/store"
)

func TestChangedKnowsStatementsWithoutEffect(t *testing.T) {
	sql := func(q string) func(*store.Object) error {
		return func(o *store.Object) error {
			c, err := o.Exec(q, nil)
			if err == nil {
				c.Close()
			}
			return err
		}
	}
	undone := func(f func(*store.Object) error) func(*store.Object) error {
		return func(o *store.Object) error {
			return errors.Join(o.Savepoint(), f(o), o.RollbackTo(), o.Release())
		}
	}
	put := func(o *store.Object) error { return o.Put("new", nil) }
	for _, test := range []struct {
		name string
		call func(*store.Object) error
		want bool
	}{
		{"a table that exists", sql("CREATE TABLE IF NOT EXISTS t (a)"), false},
		{"all that exists", sql("CREATE TABLE IF NOT EXISTS t (a); CREATE INDEX IF NOT EXISTS i ON t (a)"), false},
		{"a view that exists", sql("CREATE VIEW IF NOT EXISTS v AS SELECT 1"), false},
		{"a virtual table that exists", sql("CREATE VIRTUAL TABLE IF NOT EXISTS f USING fts5 (x)"), false},
		{"drop nothing", sql("DROP TABLE IF EXISTS none"), false},
		{"update nothing", sql("UPDATE t SET a = 1 WHERE a = 7"), false},
		{"delete nothing", sql("DELETE FROM t WHERE a = 7"), false},
		{"insert nothing", sql("INSERT INTO t SELECT a FROM t WHERE a = 7"), false},
		{"insert or ignore", sql("INSERT OR IGNORE INTO u VALUES (1)"), false},
		{"a pragma", sql("PRAGMA defer_foreign_keys = ON"), false},
		{"a query", sql("SELECT * FROM t"), false},
		{"a savepoint", undone(func(*store.Object) error { return nil }), false},
		{"an undone put", undone(put), false},
		{"an undone table", undone(sql("CREATE TABLE n (a)")), false},
		{"an undone wipe", undone(func(o *store.Object) error { return o.DeleteAll(false) }), false},
		{"undo in an undone part", undone(undone(put)), false},

		{"a table", sql("CREATE TABLE IF NOT EXISTS n (a)"), true},
		{"a table and then nothing", sql("CREATE TABLE n (a); CREATE TABLE IF NOT EXISTS n (a)"), true},
		{"an index", sql("CREATE INDEX n ON t (a)"), true},
		{"a virtual table", sql("CREATE VIRTUAL TABLE n USING fts5 (x)"), true},
		{"fill a virtual table", sql("INSERT INTO f VALUES ('x')"), true},
		{"rename a column", sql("ALTER TABLE u RENAME COLUMN a TO b"), true},
		{"drop a table", sql("DROP TABLE t"), true},
		{"statistics", sql("ANALYZE"), true},
		{"an index again", sql("REINDEX i"), true},
		{"insert", sql("INSERT INTO t VALUES (2)"), true},
		{"insert by a trigger", sql("INSERT INTO w VALUES (2)"), true},
		{"insert with rows", sql("INSERT INTO t VALUES (2) RETURNING a"), true},
		{"delete everything", sql("DELETE FROM t"), true},
		{"put the same", func(o *store.Object) error { return o.Put("k", nil) }, true},
		{"set an alarm", func(o *store.Object) error { return o.SetAlarm(epoch) }, true},
		{"delete all", func(o *store.Object) error { return o.DeleteAll(false) }, true},
		{
			"put, and undo another",
			func(o *store.Object) error { return errors.Join(put(o), undone(sql("DROP TABLE t"))(o)) }, true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newObject(t)
			must(t, o.Put("k", nil))
			query(t, o, "CREATE TABLE t (a); CREATE INDEX i ON t (a); CREATE TABLE u (a UNIQUE)")
			query(t, o, "CREATE VIEW v AS SELECT 1")
			query(t, o, "CREATE VIRTUAL TABLE f USING fts5 (x); INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)")
			query(t, o, "CREATE VIEW w AS SELECT a FROM t")
			query(t, o, "CREATE TRIGGER n INSTEAD OF INSERT ON w BEGIN INSERT INTO t VALUES (new.a); END")
			query(t, o, "ANALYZE")
			must(t, o.Commit())
			if o.Changed() {
				t.Error("Changed() = true after Commit")
			}
			must(t, test.call(o))
			if got := o.Changed(); got != test.want {
				t.Errorf("Changed() = %t, want %t", got, test.want)
			}
			must(t, o.Rollback())
			if o.Changed() {
				t.Error("Changed() = true after Rollback")
			}
		})
	}
}
