package store_test

import (
	"errors"
	"path/filepath"
	"testing"

	"devtool.internal/emulator/store"
)

// No SQL may break the object or reach anything that is not the user's.
func FuzzExec(f *testing.F) {
	for _, sql := range []string{
		"SELECT * FROM t", "INSERT INTO t VALUES (1, ?) RETURNING a; DELETE FROM t",
		"", ";", "-- ", "/*", "SELECT 1;\x00", "\ufeffSELECT 1", " \v", "\vSELECT 1", " \vEXPLAIN SELECT 1",
		"DELETE FROM _cf_KV", "UPDATE _cf_METADATA SET value = 1",
		"ALTER TABLE t RENAME TO _cf_t", "ALTER TABLE _cf_KV RENAME TO k",
		"CREATE VIRTUAL TABLE f USING fts5(value, content=_cf_KV); INSERT INTO f (f) VALUES ('rebuild'); " +
			"SELECT * FROM f",
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM _cf_KV; END; INSERT INTO t VALUES (1, 2)",
		"PRAGMA writable_schema = ON", "PRAGMA optimize", "VACUUM", "BEGIN; COMMIT",
		"INSERT OR ROLLBACK INTO t VALUES (1, 1), (1, 1)", "SELECT * FROM sqlite_dbpage",
		"REPLACE INTO fts_data VALUES (1, x'00')", "SELECT * FROM fts ('\"')", "DROP TABLE t",
		"SELECT randomblob(9999999999)", "ATTACH '' AS a",
		"WITH c AS (SELECT 1) INSERT INTO fts SELECT * FROM c", "SELECT '\xff'",
		"PRAGMA defer_foreign_keys = 1", "REINDEX; ANALYZE",
	} {
		f.Add(sql, "argument", false)
		f.Add(sql, "argument", true)
	}
	path := filepath.Join(f.TempDir(), "object.sqlite")
	o, err := store.OpenObject(path, "name", true)
	must(f, err)
	f.Cleanup(func() { o.Close() })
	query(f, o, `CREATE TABLE t (a UNIQUE, b); INSERT INTO t VALUES (7, 8);
		CREATE VIRTUAL TABLE fts USING fts5(x); INSERT INTO fts VALUES ('a b')`)
	must(f, o.Put("key", []byte("value")))
	must(f, o.SetAlarm(epoch))
	must(f, o.Commit())

	f.Fuzz(func(t *testing.T, sql, argument string, bind bool) {
		var args []any
		if bind {
			args = []any{argument}
		}
		c, err := o.Exec(sql, args)
		if err == nil {
			for range 100 { // a query may have no end
				var ok bool
				if _, ok, err = c.Next(); err != nil || !ok {
					break
				}
			}
			must(t, c.Close())
		}
		if err != nil {
			if _, ok := errors.AsType[*store.SQLError](err); !ok {
				t.Errorf("error is a %T, want an *SQLError: %v", err, err)
			}
		}
		if _, _, err := o.Get("key"); err == nil { // else the SQL ended the transaction, by OR ROLLBACK
			wantValue(t, o, "key", "value")
			wantAlarm(t, o, epoch)
		}
		must(t, o.Rollback())
		entries, _, err := o.List(store.ListOptions{}, 1<<20)
		must(t, err)
		if len(entries) != 1 || entries[0].Key != "key" || string(entries[0].Value) != "value" {
			t.Errorf("entries are %q", entries)
		}
		wantAlarm(t, o, epoch)
		wantRows(t, query(t, o, "SELECT a, b, x FROM t, fts"), []any{int64(7), int64(8), "a b"})
	})
}
