package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/store"
)

func openIndex(t testing.TB, dir string) *store.Index {
	t.Helper()
	x, err := store.OpenIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func wantAlarms(t testing.TB, x *store.Index, want ...store.Alarm) {
	t.Helper()
	got, err := x.All()
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
}

func TestIndexOrdersByTimeThenOrderThenID(t *testing.T) {
	dir := t.TempDir()
	x := openIndex(t, dir)
	later := epoch.Add(time.Millisecond)
	must(t, x.Set("a", later, 1, "", false))
	must(t, x.Set("b", epoch, 10, "", false))
	must(t, x.Set("d", epoch, 9, "", false))
	must(t, x.Set("c", epoch, 9, "", false))
	want := []store.Alarm{
		{ID: "c", At: epoch, Order: 9},
		{ID: "d", At: epoch, Order: 9},
		{ID: "b", At: epoch, Order: 10},
		{ID: "a", At: later, Order: 1},
	}
	wantAlarms(t, x, want...)
	must(t, x.Close())
	wantFiles(t, dir, "metadata.sqlite")
	x = openIndex(t, dir)
	wantAlarms(t, x, want...)
	if x.Rebuilt() {
		t.Error("Rebuilt() is true for an existing index")
	}
}

func TestIndexHoldsOneAlarmForEachObject(t *testing.T) {
	x := openIndex(t, t.TempDir())
	wantAlarms(t, x)
	must(t, x.Delete("a"))
	must(t, x.Set("a", epoch.Add(1_999_999*time.Nanosecond), 1, "", false))
	wantAlarms(t, x, store.Alarm{ID: "a", At: epoch.Add(time.Millisecond), Order: 1})
	must(t, x.Set("a", epoch.Add(time.Hour), 2, "name", true))
	wantAlarms(t, x, store.Alarm{ID: "a", At: epoch.Add(time.Hour), Order: 2, Name: "name", HasName: true})
	must(t, x.Set("a", epoch, 3, "", false))
	wantAlarms(t, x, store.Alarm{ID: "a", At: epoch, Order: 3, Name: "name", HasName: true})
	must(t, x.Set("a", epoch, 3, "", true))
	wantAlarms(t, x, store.Alarm{ID: "a", At: epoch, Order: 3, HasName: true})
	must(t, x.Delete("a"))
	wantAlarms(t, x)
}

func TestIndexRefusesTimesOutOfRange(t *testing.T) {
	x := openIndex(t, t.TempDir())
	wantOneLine(t, x.Set("a", time.Time{}, 1, "", false), "object a", "out of range")
	wantAlarms(t, x)
}

func TestIndexIsSafeForConcurrentUse(t *testing.T) {
	x := openIndex(t, t.TempDir())
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			id := fmt.Sprint(i)
			for n := range 20 {
				if err := errors.Join(x.Set(id, epoch, int64(n), id, true), x.Delete("other"+id)); err != nil {
					t.Error(err)
				}
				if _, err := x.All(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	alarms, err := x.All()
	must(t, err)
	if len(alarms) != 8 {
		t.Errorf("index holds %d alarms, want 8", len(alarms))
	}
}

func TestClosedIndexRefusesEverything(t *testing.T) {
	x := openIndex(t, t.TempDir())
	must(t, x.Close())
	must(t, x.Close())
	_, err := x.All()
	for _, err := range []error{err, x.Set("a", epoch, 1, "", false), x.Delete("a")} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("error is %v, want fs.ErrClosed", err)
		}
	}
}

func TestIndexOfWorkerdIsAltered(t *testing.T) {
	for name, statements := range map[string][]string{
		"without order": {
			"CREATE TABLE _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, actor_name TEXT) WITHOUT ROWID",
			"INSERT INTO _cf_ALARM VALUES ('a', 1795262400000000000, 'name')",
		},
		"without order and name": {
			"CREATE TABLE _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER) WITHOUT ROWID",
			"INSERT INTO _cf_ALARM VALUES ('a', 1795262400000000000)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, store.MakeDatabase(filepath.Join(dir, "metadata.sqlite"), statements...))
			want := store.Alarm{ID: "a", At: epoch}
			if name == "without order" {
				want.Name, want.HasName = "name", true
			}
			for range 2 {
				x := openIndex(t, dir)
				wantAlarms(t, x, want)
				if x.Rebuilt() {
					t.Error("the index was rebuilt")
				}
				must(t, x.Set("a", epoch, 5, "new", true))
				want = store.Alarm{ID: "a", At: epoch, Order: 5, Name: "new", HasName: true}
				wantAlarms(t, x, want)
				must(t, x.Close())
			}
		})
	}
}

// makeNamespace creates three objects, two of them with alarms.
func makeNamespace(t *testing.T) (dir string, alarms []store.Alarm) {
	t.Helper()
	dir = t.TempDir()
	alarms = []store.Alarm{
		{ID: objectID("c"), At: epoch, Name: "room", HasName: true},
		{ID: objectID("a"), At: epoch.Add(time.Second)},
	}
	for _, a := range alarms {
		o, err := store.OpenObject(store.ObjectPath(dir, a.ID), a.Name, a.HasName)
		must(t, err)
		must(t, o.SetAlarm(a.At))
		must(t, o.Commit())
		must(t, o.Close())
	}
	must(t, openObject(t, store.ObjectPath(dir, objectID("b"))).Close())
	return dir, alarms
}

func TestMissingIndexIsRebuiltFromTheObjects(t *testing.T) {
	dir, alarms := makeNamespace(t)
	x := openIndex(t, dir)
	wantAlarms(t, x, alarms...)
	if !x.Rebuilt() || len(x.Skipped()) != 0 {
		t.Errorf("Rebuilt() = %t, Skipped() = %v, want a whole rebuild", x.Rebuilt(), x.Skipped())
	}
	must(t, x.Close())

	must(t, os.Remove(filepath.Join(dir, "metadata.sqlite")))
	wantAlarms(t, openIndex(t, dir), alarms...)
}

func TestNewNamespaceIsNotARebuild(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "worker-Class")
	x := openIndex(t, dir)
	wantAlarms(t, x)
	if x.Rebuilt() {
		t.Error("Rebuilt() is true for an empty namespace")
	}
}

func TestDamagedIndexIsMovedAsideAndRebuilt(t *testing.T) {
	intact := func(t *testing.T) string {
		dir := t.TempDir()
		x := openIndex(t, dir)
		for i := range 500 {
			must(t, x.Set(fmt.Sprint(i), epoch, int64(i), "name", true))
		}
		must(t, x.Close())
		return readFile(t, filepath.Join(dir, "metadata.sqlite"))
	}
	database := func(statements ...string) func(*testing.T) string {
		return func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "metadata.sqlite")
			must(t, store.MakeDatabase(path, statements...))
			return readFile(t, path)
		}
	}
	tests := map[string]func(t *testing.T) string{
		"no content": func(*testing.T) string { return "" },
		"garbage":    func(*testing.T) string { return strings.Repeat("garbage", 2000) },
		"cut short":  func(t *testing.T) string { return intact(t)[:3*4096] },
		"one page overwritten": func(t *testing.T) string {
			content := intact(t)
			return content[:2*4096] + strings.Repeat("\xa5", 4096) + content[3*4096:]
		},
		"no table":      database(),
		"other columns": database("CREATE TABLE _cf_ALARM (actor_id TEXT PRIMARY KEY, due INTEGER)"),
	}
	for name, damaged := range tests {
		t.Run(name, func(t *testing.T) {
			dir, alarms := makeNamespace(t)
			content := damaged(t)
			for n := 1; n <= 2; n++ {
				writeFile(t, filepath.Join(dir, "metadata.sqlite"), []byte(content))
				x := openIndex(t, dir)
				wantAlarms(t, x, alarms...)
				if !x.Rebuilt() {
					t.Error("Rebuilt() is false")
				}
				must(t, x.Close())
				aside := filepath.Join(dir, fmt.Sprintf("metadata.sqlite.damaged-%d", n))
				if got := readFile(t, aside); got != content {
					t.Errorf("the damaged file of round %d was changed", n)
				}
			}
			x := openIndex(t, dir)
			wantAlarms(t, x, alarms...)
			if x.Rebuilt() {
				t.Error("the index was rebuilt again")
			}
		})
	}
}

func TestInterruptedRebuildIsRepeated(t *testing.T) {
	dir, alarms := makeNamespace(t)
	writeFile(t, filepath.Join(dir, "metadata.sqlite.new"), []byte("half"))
	writeFile(t, filepath.Join(dir, "metadata.sqlite-wal"), []byte("of a file that is gone"))
	wantAlarms(t, openIndex(t, dir), alarms...)
}

func TestRebuildSkipsAndReportsDamagedObjects(t *testing.T) {
	dir, alarms := makeNamespace(t)
	damaged := store.ObjectPath(dir, objectID("d"))
	writeFile(t, damaged, []byte(strings.Repeat("garbage", 100)))
	x := openIndex(t, dir)
	wantAlarms(t, x, alarms...)
	skipped := x.Skipped()
	if len(skipped) != 1 || !errors.Is(skipped[0], store.ErrCorrupt) {
		t.Fatalf("Skipped() = %v, want one ErrCorrupt", skipped)
	}
	wantOneLine(t, skipped[0], damaged)
}

func TestObjectsAreTheFilesNamedByIDs(t *testing.T) {
	dir := t.TempDir()
	want := []string{objectID("0"), objectID("a"), objectID("e"), objectID("f")}
	for _, id := range []string{want[3], want[0], want[1]} {
		writeFile(t, store.ObjectPath(dir, id), nil)
	}
	for _, stranger := range []string{
		"metadata.sqlite", "metadata.sqlite-wal", "metadata.sqlite.damaged-1", "README", ".DS_Store",
		want[0] + ".sqlite-wal", want[0] + ".sqlite-shm", want[0] + ".sqlite.new", want[0] + ".1.sqlite",
		want[0] + ".facets", want[0] + "\n.sqlite", "0" + want[0] + ".sqlite", want[0][1:] + ".sqlite",
		objectID("A") + ".sqlite", objectID("g") + ".sqlite",
	} {
		writeFile(t, filepath.Join(dir, stranger), nil)
	}
	must(t, os.Mkdir(store.ObjectPath(dir, want[2]), 0o700)) // a damaged object
	got, err := store.Objects(dir)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestObjectsOfAMissingFolderAreNone(t *testing.T) {
	got, err := store.Objects(filepath.Join(t.TempDir(), "missing"))
	if len(got) != 0 || err != nil {
		t.Errorf("Objects = %q, %v, want none", got, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, nil)
	_, err = store.Objects(file)
	wantOneLine(t, err, "list objects", file)
}
