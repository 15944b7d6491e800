package store_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"devtool.internal/emulator/store"
)

// asNobody runs f on a thread with the file permissions of an unprivileged user. Root could access
// every file.
func asNobody(t *testing.T, f func() error) error {
	t.Helper()
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
		if os.Geteuid() == 0 {
			const nobody = 65534
			if err := syscall.Setfsuid(nobody); err != nil {
				panic(err)
			}
		}
		result <- f()
	}()
	return <-result
}

// publicDir returns a temporary folder that an unprivileged user can reach.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	return dir
}

func TestReadOnlyFolderIsReported(t *testing.T) {
	parent := publicDir(t)
	for name, folder := range map[string]string{"file": parent, "folder": filepath.Join(parent, "new")} {
		t.Run("no "+name, func(t *testing.T) {
			must(t, os.Chmod(parent, 0o555))
			t.Cleanup(func() { os.Chmod(parent, 0o755) })
			path := filepath.Join(folder, "object.sqlite")
			err := asNobody(t, func() error {
				_, err := store.OpenObject(path, "", false)
				return err
			})
			wantOneLine(t, err, "open object", path)
			if folder == parent {
				wantOneLine(t, err, "not writable", "check their owner and permissions")
			}
			err = asNobody(t, func() error {
				_, err := store.OpenIndex(folder)
				return err
			})
			wantOneLine(t, err, "open alarm index", filepath.Join(folder, "metadata.sqlite"), "not writable")
			wantFiles(t, parent)
		})
	}
}

func TestReadOnlyFileIsReportedAndItsAlarmCanBeRead(t *testing.T) {
	for _, mode := range []os.FileMode{0o555, 0o777} {
		dir := filepath.Join(publicDir(t), "namespace")
		path := filepath.Join(dir, "object.sqlite")
		must(t, os.Mkdir(dir, 0o700))
		o := openObject(t, path)
		must(t, o.SetAlarm(epoch))
		must(t, o.Commit())
		must(t, o.Close())
		must(t, os.Chmod(path, 0o444))
		must(t, os.Chmod(dir, mode))
		t.Cleanup(func() { os.Chmod(dir, 0o755) })

		err := asNobody(t, func() error {
			_, err := store.OpenObject(path, "", false)
			return err
		})
		wantOneLine(t, err, "open object", path, "cannot be locked for writing", "check its owner and permissions")
		wantFiles(t, dir, "object.sqlite")

		err = asNobody(t, func() error {
			info, err := store.ReadObject(path)
			if info.Alarm != epoch {
				t.Errorf("alarm is %v, want %v", info.Alarm, epoch)
			}
			return err
		})
		must(t, err)
	}
}
