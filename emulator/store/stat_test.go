package store_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"devtool.internal/emulator/store"
)

func wantKeys(t *testing.T, o *store.Object, want int64) {
	t.Helper()
	got, err := o.CountKeys()
	must(t, err)
	if got != want {
		t.Errorf("CountKeys() = %d, want %d", got, want)
	}
}

func TestCountKeysSeesTheOpenTransaction(t *testing.T) {
	o := newObject(t)
	wantKeys(t, o, 0)
	for _, key := range []string{"", "a", "b", "a"} {
		must(t, o.Put(key, []byte("v")))
	}
	wantKeys(t, o, 3)
	must(t, o.Rollback())
	wantKeys(t, o, 0)
	must(t, o.Close())
	if _, err := o.CountKeys(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("CountKeys() of a closed object = %v, want %v", err, fs.ErrClosed)
	}
}

func TestFileSizeCountsTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	_, err := store.FileSize(path)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("FileSize() without a file = %v, want %v", err, fs.ErrNotExist)
	}
	o := openObject(t, path)
	before, err := store.FileSize(path)
	must(t, err)
	must(t, o.Put("k", make([]byte, 100_000)))
	must(t, o.Commit())
	logged, err := store.FileSize(path)
	must(t, err)
	if logged < before+100_000 {
		t.Errorf("size including the log is %d, want at least %d", logged, before+100_000)
	}
	must(t, o.Close())
	merged, err := store.FileSize(path)
	must(t, err)
	if merged < 100_000 || merged > logged {
		t.Errorf("size after closing is %d, want between 100000 and %d", merged, logged)
	}
}

func TestRemoveObjectLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "object.sqlite")
	must(t, store.RemoveObject(path))
	must(t, openObject(t, path).Close())
	writeFile(t, path+"-wal", nil)
	writeFile(t, filepath.Join(dir, "other.sqlite"), nil)
	must(t, store.RemoveObject(path))
	wantFiles(t, dir, "other.sqlite")
}

func TestRemoveObjectReportsAFileThatItCannotRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	writeFile(t, filepath.Join(path, "a file in a folder of that name"), nil)
	wantOneLine(t, store.RemoveObject(path), "remove object", path)
}
