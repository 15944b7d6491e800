//go:build unix

package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"devtool.internal/emulator/state"
)

// irregulars are things that may stand in the place of a file or folder, by the beginning of what
// messages call them. outside is a path that a link may lead to.
var irregulars = map[string]func(path, outside string) error{
	"a named pipe":  func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
	"a folder":      func(path, _ string) error { return os.Mkdir(path, 0o700) },
	"a regular":     func(path, _ string) error { return os.WriteFile(path, nil, 0o600) },
	"a symbolic":    func(path, outside string) error { return os.Symlink(outside, path) },
	"a symbolic li": func(path, outside string) error { return os.Symlink(filepath.Join(outside, "missing"), path) },
}

// What is no regular file, or no folder, where a state has one is reported with its path. Nobody
// waits for it, and a link to it is not followed.
func TestIrregularFilesOfAStateAreReported(t *testing.T) {
	for _, name := range []string{".", "do", "backups", "lock", "clock.json", "do/migrations.json"} {
		isFolder := name == "." || name == "do" || name == "backups"
		for kind, place := range irregulars {
			if isFolder == (kind == "a folder") || !isFolder && kind == "a regular" {
				continue
			}
			t.Run(name+" is "+kind, func(t *testing.T) {
				m := newMigrated(t)
				c := m.config("w", v1)
				path, outside := m.path(name), t.TempDir()
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := place(path, outside); err != nil {
					t.Fatal(err)
				}
				f, err := state.Open(m.dir(), state.Owner{PID: 1})
				if err == nil {
					_, clock := f.ReadClock()
					_, plan := f.Plan(c)
					err = errors.Join(clock, plan)
					if file, openErr := f.OpenClock(); openErr == nil && name == "clock.json" {
						t.Error("the clock's file was opened")
						file.Close()
					} else if openErr == nil {
						file.Close()
					}
					f.Close()
				}
				if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), kind) {
					t.Errorf("got %v, want it to call %s %s", err, path, kind)
				}
				if left, err := os.ReadDir(outside); len(left) > 0 || err != nil {
					t.Errorf("outside is %v, %v, want nothing", left, err)
				}
			})
		}
	}
}

// The owner's file only serves messages, so whatever stands in its place goes, except a folder.
func TestTheOwnersFileIsReplacedAndNotFollowed(t *testing.T) {
	for _, name := range []string{"owner.json", "owner.json.new"} {
		for kind, place := range irregulars {
			dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
			path := filepath.Join(dir, "v3", name)
			for _, err := range []error{
				os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(outside, []byte("safe"), 0o600), place(path, outside),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			f, err := state.Open(dir, state.Owner{PID: 7})
			if err != nil {
				if kind != "a folder" || !strings.Contains(err.Error(), path) {
					t.Errorf("%s is %s: got %v", name, kind, err)
				}
				continue
			}
			_, second := state.Open(dir, state.Owner{PID: 8})
			if second == nil || !strings.Contains(second.Error(), "process 7") {
				t.Errorf("%s is %s: got %v, want it to name process 7", name, kind, second)
			}
			f.Close()
			if b, err := os.ReadFile(outside); string(b) != "safe" {
				t.Errorf("%s is %s: the file outside holds %q, %v", name, kind, b, err)
			}
		}
	}
}
