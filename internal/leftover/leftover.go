// Package leftover makes temporary folders that do not outlive their process for long: if it is
// killed, the next process that makes one of the same kind removes what is left.
//
// A process id says nothing, because it is used again. So each folder has a lock file, which its
// process locks before anything else is in the folder, and keeps locked. The system releases the
// lock when the process ends, by whatever end. A folder is removed only by a process that gets its
// lock. One without a lock file is left alone: it is being made at this moment, or is somebody
// else's.
package leftover

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"
)

// lockFile is the name of the lock in a folder.
const lockFile = "in-use.lock"

// A Folder is a folder that this process uses until Remove or Release.
type Folder struct {
	Path string
	lock *flock.Flock
}

// Make makes a folder in parent whose name begins with prefix and that only this user may enter.
// First it removes the ones that killed processes have left there.
func Make(parent, prefix string) (*Folder, error) {
	sweep(parent, prefix)
	path, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, err
	}
	f, err := Claim(path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return f, nil
}

// ErrInUse is the error for a folder that another process uses.
var ErrInUse = errors.New("another process uses it")

// Claim makes this process the only one that uses an existing folder. The error wraps ErrInUse if
// another one does.
func Claim(path string) (*Folder, error) {
	f := &Folder{Path: path, lock: flock.New(filepath.Join(path, lockFile), flock.SetPermissions(0o600))}
	locked, err := f.lock.TryLock()
	if err == nil && !locked {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("lock folder %s: %w", path, err)
	}
	return f, nil
}

// Remove removes the folder with everything in it. It may be called again.
func (f *Folder) Remove() error {
	if runtime.GOOS == "windows" { // an open file, such as the lock, can't be removed there
		return errors.Join(f.lock.Close(), os.RemoveAll(f.Path))
	}
	return errors.Join(os.RemoveAll(f.Path), f.lock.Close())
}

// Release lets other processes use the folder, which stays.
func (f *Folder) Release() error { return f.lock.Close() }

// sweep removes the folders of killed processes. What can't be removed is left to the next process.
func sweep(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		path := filepath.Join(parent, entry.Name())
		if !strings.HasPrefix(entry.Name(), prefix) || !entry.IsDir() {
			continue
		}
		if info, err := os.Lstat(filepath.Join(path, lockFile)); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if f, err := Claim(path); err == nil {
			_ = f.Remove()
		}
	}
}
