package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"devtool.internal/emulator/store"
)

func TestOnlyChangesBeginATransaction(t *testing.T) {
	tests := []struct {
		name string
		call func(*store.Object) error
		want bool
	}{
		{"get", func(o *store.Object) error { _, _, err := o.Get("k"); return err }, false},
		{"list", func(o *store.Object) error { _, _, err := o.List(store.ListOptions{}, 1); return err }, false},
		{"delete a missing key", func(o *store.Object) error { _, err := o.Delete("missing"); return err }, false},
		{"set the same alarm", func(o *store.Object) error { return o.SetAlarm(epoch) }, false},
		{
			"set the same alarm to the ms",
			func(o *store.Object) error { return o.SetAlarm(epoch.Add(999 * time.Microsecond)) }, false,
		},
		{"commit", func(o *store.Object) error { return o.Commit() }, false},
		{"roll back", func(o *store.Object) error { return o.Rollback() }, false},
		{"put", func(o *store.Object) error { return o.Put("k", []byte("v")) }, true},
		{"delete a key", func(o *store.Object) error { _, err := o.Delete("k"); return err }, true},
		{"set an alarm", func(o *store.Object) error { return o.SetAlarm(epoch.Add(time.Millisecond)) }, true},
		{"delete the alarm", func(o *store.Object) error { return o.DeleteAlarm() }, true},
		{"delete all", func(o *store.Object) error { return o.DeleteAll(true) }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newObject(t)
			must(t, o.DeleteAlarm())
			if o.Dirty() {
				t.Error("deleting an alarm that is not set began a transaction")
			}
			must(t, o.Put("k", []byte("v")))
			must(t, o.SetAlarm(epoch))
			must(t, o.Commit())
			must(t, test.call(o))
			if got := o.Dirty(); got != test.want {
				t.Errorf("Dirty() = %t, want %t", got, test.want)
			}
			must(t, o.Commit())
			if o.Dirty() {
				t.Error("dirty after Commit")
			}
		})
	}
}

func TestReadsSeeTheTransactionAndRollbackUndoesIt(t *testing.T) {
	o := newObject(t)
	must(t, o.Put("kept", []byte("1")))
	must(t, o.Put("gone", []byte("1")))
	must(t, o.Commit())

	must(t, o.Put("kept", []byte("2")))
	must(t, o.Put("new", []byte("2")))
	_, err := o.Delete("gone")
	must(t, err)
	wantValue(t, o, "kept", "2")
	wantValue(t, o, "new", "2")
	wantMissing(t, o, "gone")

	must(t, o.Rollback())
	wantValue(t, o, "kept", "1")
	wantMissing(t, o, "new")
	wantValue(t, o, "gone", "1")
}

func TestCloseDropsUncommittedWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	o := openObject(t, path)
	must(t, o.Put("committed", []byte("v")))
	must(t, o.Commit())
	must(t, o.Put("dropped", []byte("v")))
	must(t, o.SetAlarm(epoch))
	must(t, o.Close())
	wantFiles(t, filepath.Dir(path), "object.sqlite")

	o = openObject(t, path)
	wantValue(t, o, "committed", "v")
	wantMissing(t, o, "dropped")
	wantAlarm(t, o, noAlarm)
}

func TestRefusedWriteLeavesTheTransactionAsItWas(t *testing.T) {
	o := newObject(t)
	must(t, o.Put("a", []byte("1")))
	if err := o.RunSQL("INSERT INTO _cf_KV (key, value) VALUES ('b', 1), ('a', 2)"); err == nil {
		t.Fatal("a duplicate key was accepted")
	}
	must(t, o.Put("c", []byte("3")))
	must(t, o.Commit())
	wantValue(t, o, "a", "1")
	wantMissing(t, o, "b")
	wantValue(t, o, "c", "3")
}

func TestFullDiskEndsTheWholeTransaction(t *testing.T) {
	for _, end := range []string{"rollback", "commit", "close"} {
		t.Run(end, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "object.sqlite")
			o := openObject(t, path)
			must(t, o.Put("k", []byte("old")))
			must(t, o.SetAlarm(epoch))
			must(t, o.Commit())
			must(t, o.FillDisk(4))

			must(t, o.Put("k", []byte("new")))
			must(t, o.DeleteAlarm())
			err := o.Put("big", make([]byte, 1<<20))
			if !errors.Is(err, store.ErrFull) {
				t.Fatalf("error is %v, want ErrFull", err)
			}
			wantOneLine(t, err, `put "big"`, path, "free some space")

			// Otherwise later writes could be committed without the earlier ones.
			if err := o.Put("small", nil); !errors.Is(err, store.ErrFull) {
				t.Errorf("Put after the failure: %v, want ErrFull", err)
			}
			if _, _, err := o.Get("k"); !errors.Is(err, store.ErrFull) {
				t.Errorf("Get after the failure: %v, want ErrFull", err)
			}
			if _, _, err := o.Alarm(); !errors.Is(err, store.ErrFull) {
				t.Errorf("Alarm after the failure: %v, want ErrFull", err)
			}
			switch end {
			case "rollback":
				must(t, o.Rollback())
			case "commit":
				err := o.Commit()
				if !errors.Is(err, store.ErrFull) {
					t.Errorf("Commit after the failure: %v, want ErrFull", err)
				}
				wantOneLine(t, err)
			case "close":
				must(t, o.Close())
				o = openObject(t, path)
			}
			if o.Dirty() || o.AlarmChanged() {
				t.Errorf("Dirty() = %t, AlarmChanged() = %t, want false", o.Dirty(), o.AlarmChanged())
			}
			wantValue(t, o, "k", "old")
			wantMissing(t, o, "small")
			wantAlarm(t, o, epoch)
			must(t, o.Put("k", []byte("newer")))
			must(t, o.Commit())
			wantValue(t, o, "k", "newer")
		})
	}
}

func TestFailedCommitRollsBack(t *testing.T) {
	o := newObject(t)
	must(t, o.RunSQL(`CREATE TABLE parent (id INTEGER PRIMARY KEY)`))
	must(t, o.RunSQL(`CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`))
	must(t, o.Commit())
	if _, err := o.Pragma("foreign_keys=ON"); err != nil {
		t.Fatal(err)
	}
	must(t, o.Put("k", []byte("v")))
	must(t, o.SetAlarm(epoch))
	must(t, o.RunSQL("INSERT INTO child VALUES (1)"))
	wantOneLine(t, o.Commit(), "commit", "FOREIGN KEY")
	if o.Dirty() {
		t.Error("a transaction is open after the failed Commit")
	}
	wantMissing(t, o, "k")
	wantAlarm(t, o, noAlarm)
	must(t, o.Put("k", []byte("again")))
	must(t, o.Commit())
	wantValue(t, o, "k", "again")
}

func TestRollbackUndoesTheUsersPragmas(t *testing.T) {
	pragmas := []string{
		"case_sensitive_like", "foreign_keys", "ignore_check_constraints",
		"legacy_alter_table", "recursive_triggers", "reverse_unordered_selects",
	}
	for _, dirty := range []bool{false, true} {
		o := newObject(t)
		state := func() (all [][]any) {
			for _, name := range pragmas[1:] { // the first one has no state to read
				all = append(all, query(t, o, "PRAGMA "+name)...)
			}
			return append(all, query(t, o, "SELECT 'a' LIKE 'A'")...)
		}
		fresh := state()
		for i, name := range pragmas {
			query(t, o, fmt.Sprintf("PRAGMA %s = %t", name, i != 1))
		}
		for i, changed := range state() {
			if changed[0] == fresh[i][0] {
				t.Errorf("setting %d is still %v", i, changed[0])
			}
		}
		if dirty {
			must(t, o.Put("k", nil))
		}
		must(t, o.Rollback())
		wantRows(t, state(), fresh...)
	}
}
