package store_test

import (
	"errors"
	"path/filepath"
	"testing"

	"devtool.internal/emulator/store"
)

func TestAnObjectThatStoresNothingLosesItsFile(t *testing.T) {
	sql := func(queries ...string) func(*store.Object) error {
		return func(o *store.Object) error {
			for _, query := range queries {
				cursor, err := o.Exec(query, nil)
				if err != nil {
					return err
				}
				cursor.Close()
			}
			return o.Commit()
		}
	}
	put := func(o *store.Object) error { return errors.Join(o.Put("", nil), o.Commit()) }
	for _, tt := range []struct {
		name  string
		do    func(*store.Object) error
		empty bool
	}{
		{"nothing", func(*store.Object) error { return nil }, true},
		{"a read", func(o *store.Object) error { _, _, err := o.Get("k"); return err }, true},
		{"a key, even empty", put, false},
		{"a key, then deleted", func(o *store.Object) error {
			_, err := o.Delete("")
			return errors.Join(put(o), err, o.DeleteAll(true), o.Commit())
		}, true},
		{"an alarm", func(o *store.Object) error { return errors.Join(o.SetAlarm(epoch), o.Commit()) }, false},
		{"an alarm, then deleted", func(o *store.Object) error {
			return errors.Join(o.SetAlarm(epoch), o.Commit(), o.DeleteAlarm(), o.Commit())
		}, true},
		{"an alarm that outlives the data", func(o *store.Object) error {
			return errors.Join(put(o), o.SetAlarm(epoch), o.DeleteAll(true), o.Commit())
		}, false},
		{"a table without rows", sql("CREATE TABLE t (a)"), false},
		{"a table, then dropped", sql("CREATE TABLE t (a); CREATE INDEX i ON t (a)", "DROP TABLE t"), true},
		{"a view", sql("CREATE VIEW v AS SELECT 1"), false},
		{"a virtual table", sql("CREATE VIRTUAL TABLE f USING fts5 (a)"), false},
		{"what the engine keeps of dropped tables", sql(
			"CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t DEFAULT VALUES",
			"DROP TABLE t"), true},
		{"everything, then deleted", func(o *store.Object) error {
			create := sql("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)",
				"CREATE VIRTUAL TABLE f USING fts5 (a)", "CREATE VIEW v AS SELECT * FROM t")
			return errors.Join(put(o), o.SetAlarm(epoch), create(o), o.DeleteAll(false), o.Commit())
		}, true},
		{"a key that is not committed", func(o *store.Object) error { return o.Put("k", nil) }, true},
		{"a deletion that is not committed", func(o *store.Object) error {
			return errors.Join(put(o), o.DeleteAll(false))
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "object.sqlite")
			for _, tidy := range []bool{false, true} { // a killed process leaves the file to be read
				o, err := store.OpenObject(path, "n", true)
				must(t, err)
				must(t, tt.do(o))
				if !tidy {
					must(t, o.Close())
					info, err := store.ReadObject(path)
					if err != nil || info.Empty != tt.empty {
						t.Errorf("ReadObject = %+v, %v, want Empty %t", info, err, tt.empty)
					}
					must(t, store.RemoveObject(path))
					continue
				}
				must(t, o.CloseOrRemove())
				must(t, o.CloseOrRemove())
			}
			if tt.empty {
				wantFiles(t, filepath.Dir(path))
			} else {
				wantFiles(t, filepath.Dir(path), "object.sqlite")
			}
		})
	}
}
