//go:build unix

package store_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"devtool.internal/emulator/store"
)

// irregulars are things that may stand in the place of a file, and what messages call them. outside
// is a file that they may lead to.
var irregulars = map[string]func(t *testing.T, path, outside string){
	"named pipe": func(t *testing.T, path, _ string) { must(t, syscall.Mkfifo(path, 0o600)) },
	"socket": func(t *testing.T, path, _ string) {
		short, err := os.MkdirTemp("", "s") // the path of a socket is limited to a hundred bytes
		must(t, err)
		t.Cleanup(func() { os.RemoveAll(short) })
		listener, err := net.Listen("unix", filepath.Join(short, "s"))
		must(t, err)
		listener.(*net.UnixListener).SetUnlinkOnClose(false)
		must(t, listener.Close())
		must(t, os.Rename(filepath.Join(short, "s"), path))
	},
	"folder":        func(t *testing.T, path, _ string) { writeFile(t, filepath.Join(path, "content"), nil) },
	"symbolic link": func(t *testing.T, path, outside string) { must(t, os.Symlink(outside, path)) },
	"dangling symbolic link": func(t *testing.T, path, outside string) {
		must(t, os.Symlink(outside+".missing", path))
	},
}

// eachIrregular calls f with a path at which something irregular stands, and a word of what
// messages call it. It checks that f changes nothing outside.
func eachIrregular(t *testing.T, path func(dir string) string, f func(t *testing.T, dir, path, kind string)) {
	for name, place := range irregulars {
		t.Run(name, func(t *testing.T) {
			dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
			o := openObject(t, outside) // a valid file of an object, which a link must not offer
			must(t, o.Put("k", []byte("v")))
			must(t, o.Commit())
			must(t, o.Close())
			before := readFile(t, outside)
			at := path(dir)
			place(t, at, outside)
			f(t, dir, at, strings.TrimPrefix(name, "dangling "))
			wantFiles(t, filepath.Dir(outside), "outside")
			if readFile(t, outside) != before {
				t.Error("the file outside was changed")
			}
		})
	}
}

func TestWhatIsNoRegularFileIsADamagedObject(t *testing.T) {
	object := func(dir string) string { return store.ObjectPath(dir, objectID("d")) }
	eachIrregular(t, object, func(t *testing.T, dir, path, kind string) {
		must(t, openObject(t, store.ObjectPath(dir, objectID("a"))).Close())
		_, open := store.OpenObject(path, "name", true)
		_, read := store.ReadObject(path)
		for _, err := range []error{open, read} {
			wantOneLine(t, err, path, kind, "not a regular file", "move it away")
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("got %v, want ErrCorrupt", err)
			}
		}
		ids, err := store.Objects(dir)
		if len(ids) != 2 || err != nil {
			t.Errorf("listed %v, %v, want both objects", ids, err)
		}
		x := openIndex(t, dir)
		if skipped := x.Skipped(); len(skipped) != 1 || !errors.Is(skipped[0], store.ErrCorrupt) {
			t.Errorf("a rebuild skipped %v, want the damaged object", skipped)
		}
	})
}

func TestWhatIsNoRegularFileBesideAnObjectIsDamage(t *testing.T) {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		beside := func(dir string) string { return store.ObjectPath(dir, objectID("d")) + suffix }
		eachIrregular(t, beside, func(t *testing.T, _, path, kind string) {
			object := strings.TrimSuffix(path, suffix)
			writeFile(t, object, []byte(readFile(t, emptyObject(t))))
			_, open := store.OpenObject(object, "name", true)
			_, read := store.ReadObject(object)
			for _, err := range []error{open, read} {
				wantOneLine(t, err, path, kind, "not a regular file")
				if !errors.Is(err, store.ErrCorrupt) {
					t.Errorf("got %v, want ErrCorrupt", err)
				}
			}
		})
	}
}

// emptyObject returns the path of a closed file of an object that stores nothing.
func emptyObject(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "object.sqlite")
	must(t, openObject(t, path).Close())
	return path
}

func TestAnObjectIsCreatedWhateverHasTheTemporaryName(t *testing.T) {
	temporary := func(dir string) string { return store.ObjectPath(dir, objectID("d")) + ".new" }
	eachIrregular(t, temporary, func(t *testing.T, dir, path, kind string) {
		o, err := store.OpenObject(strings.TrimSuffix(path, ".new"), "", false)
		if kind == "folder" { // its content may be somebody's
			wantOneLine(t, err, path)
			return
		}
		must(t, err)
		must(t, o.Close())
	})
}

func TestAnIndexThatIsNoRegularFileIsMovedAsideAndRebuilt(t *testing.T) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		index := func(dir string) string { return filepath.Join(dir, "metadata.sqlite") + suffix }
		eachIrregular(t, index, func(t *testing.T, dir, path, _ string) {
			was, err := os.Lstat(path)
			must(t, err)
			if suffix != "" {
				writeFile(t, strings.TrimSuffix(path, suffix), []byte(readFile(t, emptyObject(t))))
			}
			o := openObject(t, store.ObjectPath(dir, objectID("a")))
			must(t, o.SetAlarm(epoch))
			must(t, o.Commit())
			must(t, o.Close())
			x := openIndex(t, dir)
			wantAlarms(t, x, store.Alarm{ID: objectID("a"), At: epoch})
			if !x.Rebuilt() {
				t.Error("Rebuilt() is false")
			}
			aside, err := os.Lstat(path + ".damaged-1")
			if suffix == "" && (err != nil || aside.Mode() != was.Mode()) {
				t.Errorf("aside is %v, %v, want what stood there", aside, err)
			}
		})
	}
}

func TestAFolderOfObjectsIsNotReachedByALink(t *testing.T) {
	outside, link := t.TempDir(), filepath.Join(t.TempDir(), "app-Counter")
	must(t, os.Symlink(outside, link))
	_, err := store.OpenIndex(link)
	wantOneLine(t, err, link, "symbolic link")
	wantFiles(t, outside)
}

func TestNoFolderOfObjectsIsMadeForAnObject(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "app-Counter")
	if _, err := store.OpenObject(store.ObjectPath(dir, objectID("a")), "", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("the folder was made")
	}
}
