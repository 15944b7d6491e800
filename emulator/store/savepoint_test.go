package store_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/emulator/store"
)

func TestSavepointsNest(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (a)")
	must(t, o.Commit())

	must(t, o.Savepoint())
	if !o.Dirty() {
		t.Error("a savepoint began no transaction")
	}
	must(t, o.Put("outer", nil))
	must(t, o.SetAlarm(epoch))
	must(t, o.Savepoint())
	must(t, o.Put("inner", nil))
	query(t, o, "INSERT INTO t VALUES (1); CREATE TABLE made (a)")
	must(t, o.SetAlarm(epoch.Add(time.Hour)))
	must(t, o.RollbackTo())
	wantMissing(t, o, "inner")
	wantAlarm(t, o, epoch)
	wantRows(t, query(t, o, "SELECT * FROM t"))
	if !o.AlarmChanged() {
		t.Error("AlarmChanged() = false, but the outer part set it")
	}
	must(t, o.Put("after", nil)) // the savepoint is still open
	must(t, o.Release())
	wantValue(t, o, "after", "")
	must(t, o.RollbackTo())
	wantMissing(t, o, "after")
	wantMissing(t, o, "outer")
	wantAlarm(t, o, noAlarm)
	if o.AlarmChanged() {
		t.Error("AlarmChanged() = true after everything was undone")
	}
	must(t, o.Release())
	must(t, o.Commit())
}

func TestSavepointsAreEndedOneByOne(t *testing.T) {
	o := newObject(t)
	wantOneLine(t, o.Release(), "release savepoint", "no savepoint is open")
	wantOneLine(t, o.RollbackTo(), "roll back to savepoint", "no savepoint is open")
	must(t, o.Savepoint())
	must(t, o.Savepoint())
	must(t, o.Put("k", nil))
	wantOneLine(t, o.Commit(), "commit", "2 savepoints")
	wantValue(t, o, "k", "")
	must(t, o.Release())
	must(t, o.Release())
	must(t, o.Commit())
	wantValue(t, o, "k", "")

	must(t, o.Savepoint())
	must(t, o.Put("k", []byte("2")))
	must(t, o.Rollback())
	wantOneLine(t, o.Release(), "no savepoint is open")
	must(t, o.Commit())
	wantValue(t, o, "k", "")
}

func TestDeleteAllInASavepoint(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
	must(t, o.Put("k", nil))
	must(t, o.SetAlarm(epoch))
	must(t, o.Savepoint())
	must(t, o.DeleteAll(false))
	must(t, o.RollbackTo())
	must(t, o.Release())
	wantValue(t, o, "k", "")
	wantAlarm(t, o, epoch)
	wantRows(t, query(t, o, "SELECT * FROM t"), []any{int64(1)})
}

// layer is the state of an object, with AlarmChanged.
type layer struct {
	keys    map[string]string
	rows    map[int64]string
	alarm   time.Time
	alarmed bool
}

func (l layer) clone() layer {
	return layer{maps.Clone(l.keys), maps.Clone(l.rows), l.alarm, l.alarmed}
}

func TestSavepointsBehaveLikeAStackOfCopies(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		path := filepath.Join(dir, fmt.Sprint(runs)+".sqlite")
		open := func() *store.Object {
			o, err := store.OpenObject(path, "", false)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		fatal := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		o := open()
		defer func() { o.Close() }()
		_, err := o.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE)", nil)
		fatal(err)
		fatal(o.Commit())
		committed := layer{keys: map[string]string{}, rows: map[int64]string{}}
		stack, current := []layer(nil), committed.clone()
		idGen, valueGen := rapid.Int64Range(1, 4), rapid.SampledFrom([]string{"a", "b", "c"})

		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				got := layer{keys: map[string]string{}, rows: map[int64]string{}, alarmed: o.AlarmChanged()}
				entries, _, err := o.List(store.ListOptions{}, 1<<20)
				fatal(err)
				for _, entry := range entries {
					got.keys[entry.Key] = string(entry.Value)
				}
				rows, err := tryQuery(o, "SELECT id, v FROM t")
				fatal(err)
				for _, row := range rows {
					got.rows[row[0].(int64)] = row[1].(string)
				}
				got.alarm, _, err = o.Alarm()
				fatal(err)
				if diff := cmp.Diff(current, got, cmp.AllowUnexported(layer{})); diff != "" {
					t.Fatalf("object (-want +got):\n%s", diff)
				}
			},
			"put": func(t *rapid.T) {
				key, value := valueGen.Draw(t, "key"), valueGen.Draw(t, "value")
				fatal(o.Put(key, []byte(value)))
				current.keys[key] = value
			},
			"insert": func(t *rapid.T) {
				id, v := idGen.Draw(t, "id"), valueGen.Draw(t, "v")
				_, taken := current.rows[id]
				for _, other := range current.rows {
					taken = taken || other == v
				}
				_, err := o.Exec("INSERT INTO t VALUES (?, ?)", []any{float64(id), v})
				if (err != nil) != taken {
					t.Fatalf("insert: %v, want an error: %t", err, taken)
				}
				if !taken {
					current.rows[id] = v
				}
			},
			"delete": func(t *rapid.T) {
				id := idGen.Draw(t, "id")
				_, err := o.Exec("DELETE FROM t WHERE id = ?", []any{id})
				fatal(err)
				delete(current.rows, id)
			},
			"setAlarm": func(t *rapid.T) {
				at := alarmGen.Draw(t, "at")
				fatal(o.SetAlarm(at))
				current.alarmed = current.alarmed || !current.alarm.Equal(at)
				current.alarm = at
			},
			"savepoint": func(*rapid.T) {
				fatal(o.Savepoint())
				stack = append(stack, current.clone())
			},
			"release": func(t *rapid.T) {
				if len(stack) == 0 {
					t.Skip("no savepoint")
				}
				fatal(o.Release())
				stack = stack[:len(stack)-1]
			},
			"rollbackTo": func(t *rapid.T) {
				if len(stack) == 0 {
					t.Skip("no savepoint")
				}
				fatal(o.RollbackTo())
				current = stack[len(stack)-1].clone()
			},
			"commit": func(t *rapid.T) {
				if err := o.Commit(); (err != nil) != (len(stack) > 0) {
					t.Fatalf("Commit with %d savepoints: %v", len(stack), err)
				} else if err == nil {
					current.alarmed = false
					committed = current.clone()
				}
			},
			"rollback": func(*rapid.T) {
				fatal(o.Rollback())
				stack, current = nil, committed.clone()
			},
			"reopen": func(*rapid.T) {
				fatal(o.Close())
				o = open()
				stack, current = nil, committed.clone()
			},
		})
	})
}

func TestCursorsAcrossRollbackTo(t *testing.T) {
	for _, test := range []struct {
		name, inside string
		fails        bool
	}{
		{"rows changed", "INSERT INTO n VALUES (9, '')", false},
		{"schema changed", "CREATE TABLE made (a)", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := numbers(t, 4)
			must(t, o.Savepoint())
			query(t, o, test.inside)
			c := mustExec(t, o, "SELECT i FROM n")
			wantNext(t, c, int64(1))
			must(t, o.RollbackTo())
			must(t, o.Release())
			rows, err := rest(c)
			if test.fails {
				wantOneLine(t, err, "SQLITE_ABORT")
			} else {
				must(t, err)
				wantRows(t, rows, []any{int64(2)}, []any{int64(3)}, []any{int64(4)})
			}
			must(t, o.Commit())
		})
	}
}
