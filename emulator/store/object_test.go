package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"devtool.internal/emulator/store"
)

func TestNewFileIsPrivateAndStandsAloneWhenClosed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "do", "object.sqlite")
	must(t, openIndex(t, filepath.Dir(path)).Close())
	o := openObject(t, path)
	must(t, o.Put("k", []byte("v")))
	must(t, o.Commit())
	must(t, o.Close())

	wantFiles(t, dir, "do/metadata.sqlite", "do/object.sqlite")
	if runtime.GOOS != "windows" {
		modes := map[string]fs.FileMode{"do": 0o700, "do/metadata.sqlite": 0o600, "do/object.sqlite": 0o600}
		for name, want := range modes {
			info, err := os.Stat(filepath.Join(dir, name))
			must(t, err)
			if got := info.Mode().Perm(); got != want {
				t.Errorf("mode of %s is %o, want %o", name, got, want)
			}
		}
	}
	o = openObject(t, path)
	wantValue(t, o, "k", "v")
}

func TestPathsMayHoldAnyCharacter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c#d%20&e=f")
	path := filepath.Join(dir, "file:o.sqlite")
	must(t, os.Mkdir(dir, 0o700))
	o, err := store.OpenObject(path, "n", true)
	must(t, err)
	must(t, o.Close())
	wantFiles(t, dir, "file:o.sqlite")
	info, err := store.ReadObject(path)
	must(t, err)
	if info.Name != "n" {
		t.Errorf("name is %q, want %q", info.Name, "n")
	}
	wantFiles(t, dir, "file:o.sqlite")
}

func TestOpenFilesAreInWALModeLockedAndWithoutSharedMemory(t *testing.T) {
	o := newObject(t)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "0", "locking_mode": "exclusive",
	} {
		got, err := o.Pragma(pragma)
		must(t, err)
		if got != want {
			t.Errorf("%s is %q, want %q", pragma, got, want)
		}
	}
}

func TestNameIsRecordedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	steps := []struct {
		name     string
		has      bool
		want     string
		wantName bool
	}{
		{"", false, "", false},
		{"room/\x00é", true, "room/\x00é", true},
		{"", false, "room/\x00é", true},
		{"other", true, "room/\x00é", true},
	}
	for i, step := range steps {
		o, err := store.OpenObject(path, step.name, step.has)
		must(t, err)
		if got, has := o.Name(); got != step.want || has != step.wantName {
			t.Errorf("step %d: Name() = %q, %t, want %q, %t", i, got, has, step.want, step.wantName)
		}
		if o.Dirty() {
			t.Errorf("step %d: recording the name left a transaction open", i)
		}
		must(t, o.Close())
	}
}

func TestEmptyNameIsAName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	o, err := store.OpenObject(path, "", true)
	must(t, err)
	must(t, o.Close())
	if got, has := openObject(t, path).Name(); got != "" || !has {
		t.Errorf("Name() = %q, %t, want the empty name", got, has)
	}
}

func TestKeysAndValuesAreBytes(t *testing.T) {
	keys := []string{
		"", "a", "a\x00", "a\x00b", "\x00", "\xff", "\xed\xa0\x80", "\ufffd", "😀", strings.Repeat("k", 2048),
	}
	values := []string{"", "\x00", "v", strings.Repeat("\xff\x00", 1<<20)}
	path := filepath.Join(t.TempDir(), "object.sqlite")
	for _, value := range values {
		o := openObject(t, path)
		for _, key := range keys {
			must(t, o.Put(key, []byte(value+key)))
		}
		must(t, o.Commit())
		must(t, o.Close())

		o = openObject(t, path)
		for _, key := range keys {
			wantValue(t, o, key, value+key)
		}
		must(t, o.Close())
	}
}

func TestGetReturnsACopy(t *testing.T) {
	o := newObject(t)
	given := []byte("value")
	must(t, o.Put("k", given))
	given[0] = 'X'
	got, _, err := o.Get("k")
	must(t, err)
	got[0] = 'Y'
	wantValue(t, o, "k", "value")
}

func TestEmptyValueIsNotNil(t *testing.T) {
	o := newObject(t)
	must(t, o.Put("k", nil))
	if got, found, err := o.Get("k"); got == nil || !found || err != nil {
		t.Errorf("Get = %#v, %t, %v, want an empty value", got, found, err)
	}
}

func TestDeleteReportsWhetherTheKeyExisted(t *testing.T) {
	o := newObject(t)
	must(t, o.Put("committed", nil))
	must(t, o.Commit())
	must(t, o.Put("new", nil))
	for _, step := range []struct {
		key  string
		want bool
	}{{"committed", true}, {"committed", false}, {"new", true}, {"new", false}, {"never", false}} {
		if got, err := o.Delete(step.key); got != step.want || err != nil {
			t.Errorf("Delete(%q) = %t, %v, want %t", step.key, got, err, step.want)
		}
	}
}

func TestFilesOfOthersAreCompleted(t *testing.T) {
	const (
		kv       = "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
		metadata = "CREATE TABLE _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)"
	)
	tests := map[string][]string{
		"empty":         nil,
		"values only":   {kv, "INSERT INTO _cf_KV VALUES ('k', x'76')"},
		"alarm cleared": {metadata, "INSERT INTO _cf_METADATA VALUES (1, NULL)"},
		"bookmark":      {metadata, "INSERT INTO _cf_METADATA VALUES (2, 7)"},
	}
	for name, statements := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "object.sqlite")
			must(t, store.MakeDatabase(path, statements...))
			o, err := store.OpenObject(path, "name", true)
			must(t, err)
			wantAlarm(t, o, noAlarm)
			if name == "values only" {
				wantValue(t, o, "k", "v")
			}
			must(t, o.Put("k", []byte("new")))
			must(t, o.SetAlarm(epoch))
			must(t, o.Commit())
			must(t, o.Close())

			o = openObject(t, path)
			wantValue(t, o, "k", "new")
			wantAlarm(t, o, epoch)
			if got, _ := o.Name(); got != "name" {
				t.Errorf("name is %q, want %q", got, "name")
			}
		})
	}
}

func TestDamagedFileIsReportedAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	garbage := strings.Repeat("not a database. ", 1000)
	writeFile(t, path, []byte(garbage))
	_, err := store.OpenObject(path, "name", true)
	if !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("error is %v, want ErrCorrupt", err)
	}
	wantOneLine(t, err, "open object", path, "move it away")
	if readFile(t, path) != garbage {
		t.Error("the file was changed")
	}
	wantFiles(t, filepath.Dir(path), "object.sqlite")
}

func TestDamageInsideAFileIsReportedByTheRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	o := openObject(t, path)
	must(t, o.Put("k", []byte(strings.Repeat("v", 100_000))))
	must(t, o.Commit())
	must(t, o.Close())
	content := []byte(readFile(t, path))
	const page = 4096
	for i := page; i < 2*page; i++ { // the root of _cf_KV, since the first table is on the second page
		content[i] = 0xa5
	}
	writeFile(t, path, content)

	o = openObject(t, path)
	if _, _, err := o.Get("k"); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("Get: %v, want ErrCorrupt", err)
	}
	if _, _, err := o.List(store.ListOptions{}, 1000); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("List: %v, want ErrCorrupt", err)
	}
	if err := o.Put("k", nil); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("Put: %v, want ErrCorrupt", err)
	}
}

func TestUnusablePathsAreReported(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "file"), nil)
	must(t, os.Mkdir(filepath.Join(dir, "folder.sqlite"), 0o700))
	for _, path := range []string{
		"",
		filepath.Join(dir, "folder.sqlite"),
		filepath.Join(dir, "file", "object.sqlite"),
		filepath.Join(dir, "nul\x00"),
	} {
		o, err := store.OpenObject(path, "", false)
		if err == nil {
			o.Close()
		}
		wantOneLine(t, err, "open object", path)
		_, err = store.ReadObject(path)
		wantOneLine(t, err, "read object", path)
	}
}

func TestSecondOpenOfTheSameFileIsLockedOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	first := openObject(t, path)
	_, err := store.OpenObject(path, "", false)
	if !errors.Is(err, store.ErrLocked) {
		t.Fatalf("error is %v, want ErrLocked", err)
	}
	must(t, first.Put("k", []byte("v")))
	must(t, first.Commit())
	must(t, first.Close())
	wantValue(t, openObject(t, path), "k", "v")
}

func TestLogOfARemovedFileIsNotAppliedToTheNewOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	crash(t, "object", path)
	must(t, os.Remove(path))
	o := openObject(t, path)
	wantMissing(t, o, "k")
	wantAlarm(t, o, noAlarm)
}

func TestClosedObjectRefusesEverything(t *testing.T) {
	o := newObject(t)
	must(t, o.SetAlarm(epoch))
	must(t, o.Commit())
	must(t, o.Put("k", nil))
	must(t, o.Close())
	must(t, o.Close())
	for name, call := range map[string]func() error{
		"Get":         func() error { _, _, err := o.Get("k"); return err },
		"Put":         func() error { return o.Put("k", nil) },
		"Delete":      func() error { _, err := o.Delete("k"); return err },
		"List":        func() error { _, _, err := o.List(store.ListOptions{}, 1); return err },
		"DeleteAll":   func() error { return o.DeleteAll(false) },
		"Alarm":       func() error { _, _, err := o.Alarm(); return err },
		"SetAlarm":    func() error { return o.SetAlarm(epoch) },
		"DeleteAlarm": func() error { return o.DeleteAlarm() },
		"Commit":      func() error { return o.Commit() },
	} {
		if err := call(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s after Close: %v, want fs.ErrClosed", name, err)
		}
	}
	if o.Dirty() {
		t.Error("a transaction is open after Close")
	}
	if at, set := o.Committed(); !set || !at.Equal(epoch) {
		t.Errorf("Committed() = %v, %t, want %v", at, set, epoch)
	}
}
