package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/emulator/store"
)

// TestAFileThatLostContentIsDamagedAndKept cuts the file of an object that stores something, with
// and without a log beside it, at every length that a power cut may leave.
func TestAFileThatLostContentIsDamagedAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	o := openObject(t, path)
	must(t, o.Put("k", []byte(strings.Repeat("v", 10_000))))
	must(t, o.SetAlarm(epoch))
	must(t, o.Commit())
	log := readFile(t, path+"-wal")
	must(t, o.Close())
	whole := readFile(t, path)
	for _, length := range []int{0, 1, 16, 99, 100, 512, 4095, 4096, 4097, 8192, len(whole) - 4096, len(whole) - 1} {
		for name, beside := range map[string]string{"no log": "", "log": log} {
			if beside != "" && length > 0 {
				continue // the log may have what the file lacks
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "object.sqlite")
			writeFile(t, path, []byte(whole[:length]))
			want := []string{"object.sqlite"}
			if beside != "" {
				writeFile(t, path+"-wal", []byte(beside))
				want = append(want, "object.sqlite-wal")
			}
			_, read := store.ReadObject(path)
			_, open := store.OpenObject(path, "name", true)
			for _, err := range []error{read, open} {
				if !errors.Is(err, store.ErrCorrupt) {
					t.Errorf("%d bytes, %s: got %v, want ErrCorrupt", length, name, err)
					continue
				}
				wantOneLine(t, err, path, "restore a copy of it, or move it away")
			}
			if readFile(t, path) != whole[:length] {
				t.Errorf("%d bytes, %s: the file was changed", length, name)
			}
			wantFiles(t, dir, want...)
		}
	}
}
