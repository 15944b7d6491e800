package store_test

import (
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/emulator/store"
)

// userSchema has one of everything that can prevent a removal.
var userSchema = []string{
	`CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT,
		child INTEGER REFERENCES child DEFERRABLE INITIALLY DEFERRED)`,
	`CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parent)`,
	`CREATE INDEX child_parent ON child (parent)`,
	`CREATE VIEW both AS SELECT * FROM parent JOIN child`,
	`CREATE VIEW broken AS SELECT * FROM no_such_table`,
	`CREATE TRIGGER refuse BEFORE DELETE ON child BEGIN SELECT raise(ABORT, 'never'); END`,
	`CREATE TABLE "odd "" name; --" (x)`,
	`CREATE TABLE "select" (x) `,
	`CREATE TABLE [_cfoo] (x)`,
	`CREATE VIRTUAL TABLE words USING fts5(word)`,
	`CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)`,
	`INSERT INTO parent VALUES (1, 1)`,
	`INSERT INTO child VALUES (1, 1)`,
	`INSERT INTO words VALUES ('hello')`,
	`ANALYZE`,
}

func filled(t *testing.T) *store.Object {
	t.Helper()
	o, err := store.OpenObject(filepath.Join(t.TempDir(), "object.sqlite"), "name", true)
	must(t, err)
	t.Cleanup(func() { o.Close() })
	if _, err := o.Pragma("foreign_keys=ON"); err != nil {
		t.Fatal(err)
	}
	for _, statement := range userSchema {
		must(t, o.RunSQL(statement))
	}
	must(t, o.Put("k", []byte("v")))
	must(t, o.SetAlarm(epoch))
	must(t, o.Commit())
	return o
}

func tables(t *testing.T, o *store.Object) string {
	t.Helper()
	names, err := o.Tables()
	must(t, err)
	return strings.Join(names, " ")
}

const ownTables = "_cf_KV _cf_METADATA"

func TestDeleteAllRemovesAllUserData(t *testing.T) {
	for _, keepAlarm := range []bool{false, true} {
		o := filled(t)
		must(t, o.DeleteAll(keepAlarm))
		wantMissing(t, o, "k")
		if got := tables(t, o); got != ownTables {
			t.Errorf("tables are %q, want %q", got, ownTables)
		}
		if got := o.AlarmChanged(); got == keepAlarm {
			t.Errorf("AlarmChanged() = %t with keepAlarm %t", got, keepAlarm)
		}
		must(t, o.Commit())
		if keepAlarm {
			wantAlarm(t, o, epoch)
		} else {
			wantAlarm(t, o, noAlarm)
		}
		if got, _ := o.Name(); got != "name" {
			t.Errorf("name is %q, want %q", got, "name")
		}
		if got, err := o.Pragma("integrity_check"); got != "ok" || err != nil {
			t.Errorf("integrity_check: %q, %v", got, err)
		}

		for _, statement := range userSchema {
			must(t, o.RunSQL(statement))
		}
		must(t, o.Commit())
	}
}

func TestDeleteAllIsRolledBackWithItsTransaction(t *testing.T) {
	o := filled(t)
	before := tables(t, o)
	must(t, o.Put("k2", []byte("v")))
	must(t, o.DeleteAll(false))
	must(t, o.Put("k3", []byte("v")))
	must(t, o.Rollback())
	if got := tables(t, o); got != before {
		t.Errorf("tables are %q, want %q", got, before)
	}
	wantValue(t, o, "k", "v")
	wantMissing(t, o, "k2")
	wantMissing(t, o, "k3")
	wantAlarm(t, o, epoch)
}

func TestForeignKeysAreEnforcedAgainAfterDeleteAll(t *testing.T) {
	o := filled(t)
	must(t, o.DeleteAll(false))
	must(t, o.RunSQL("CREATE TABLE p (id INTEGER PRIMARY KEY)"))
	must(t, o.RunSQL("CREATE TABLE c (p REFERENCES p)"))
	if err := o.RunSQL("INSERT INTO c VALUES (1)"); err == nil {
		t.Error("a violation was accepted in the transaction of DeleteAll")
	}
	must(t, o.Commit())
}

func TestFailedDeleteAllRemovesNothing(t *testing.T) {
	o := filled(t)
	must(t, o.RunSQL("PRAGMA writable_schema=ON"))
	must(t, o.RunSQL(`INSERT INTO sqlite_schema
		VALUES ('table', 'ghost', 'ghost', 0, 'CREATE VIRTUAL TABLE ghost USING no_such_module')`))
	must(t, o.Commit())
	must(t, o.RunSQL("PRAGMA writable_schema=RESET"))
	must(t, o.Commit())

	before := tables(t, o)
	must(t, o.Put("k2", []byte("v")))
	wantOneLine(t, o.DeleteAll(false), "delete all", "ghost", "no_such_module")
	if got := tables(t, o); got != before {
		t.Errorf("tables are %q, want %q", got, before)
	}
	must(t, o.Commit())
	wantValue(t, o, "k", "v")
	wantValue(t, o, "k2", "v")
	wantAlarm(t, o, epoch)
}
