package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/safefile"
)

// Owner describes the process that owns the state folder, for the error of a second process. It has
// a file of its own, because a locked file can't be read on every system.
type Owner struct {
	PID     int       `json:"pid"`
	URL     string    `json:"url"` // empty for a command that works on the files
	Started time.Time `json:"started"`
}

// lockPatience is how long, in real time, lock waits for the lock. A process that is killed while
// it starts another lives on in that one for a moment, with its lock. Only tests change it.
var lockPatience = time.Second

// lockPoll is how often lock tries.
const lockPoll = 10 * time.Millisecond

// A heldLock is the lock on a state folder that this process owns.
type heldLock struct {
	dir  string // of the state, as the user names it
	path string // of the lock file
	lock *flock.Flock
	file fs.FileInfo // the locked file, which stays open, so no other file gets its identity
}

// lock locks the folder for owner: two emulators on the same folder would run each object twice.
func (f files) lock(owner Owner) (*heldLock, error) {
	path := f.path(lockFile)
	if _, err := safefile.Regular(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lock state folder %s: %w: delete it", f.path(), err)
	}
	lock := flock.New(path, flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	locked, err := lock.TryLock() // TryLockContext does not try if the time is over already
	if err == nil && !locked {
		locked, err = lock.TryLockContext(ctx, lockPoll)
	}
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("lock state folder %s: %w (choose another with --persist-to)", f.path(), err)
	}
	if !locked {
		return nil, &InUseError{State: f.dir, Owner: f.readOwner()}
	}
	held := &heldLock{dir: f.dir, path: path, lock: lock}
	b, err := json.Marshal(owner)
	if err == nil {
		path := f.path(ownerFile)
		err = safefile.Replace(path, path+".new", append(b, '\n'))
	}
	if err == nil {
		held.file, err = lock.Stat()
	}
	if err != nil {
		err = fmt.Errorf("write to state folder: %w (choose another with --persist-to)", err)
		return nil, errors.Join(err, held.release())
	}
	return held, nil
}

// check looks whether the path of the lock still names the locked file.
func (l *heldLock) check() error {
	now, err := os.Lstat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err == nil && !os.SameFile(l.file, now):
		err = safefile.ErrReplaced
	default:
		return nil
	}
	return Lost("the state in "+l.dir, err)
}

func (l *heldLock) release() error { return l.lock.Unlock() }

// readOwner returns what is known of the owner: nothing, if it has not written its file yet. A
// stale file is never read: if its writer was killed, the lock is free.
func (f files) readOwner() Owner {
	var o Owner
	if b, err := safefile.Read(f.path(ownerFile), maxSmall); err == nil {
		json.Unmarshal(b, &o) //nolint:errcheck // then o stays empty
	}
	return o
}

// An InUseError says that another process owns the state folder State.
type InUseError struct {
	State string
	Owner
}

func (e *InUseError) Error() string {
	owner := "another devtool"
	since := control.Since(e.Started, time.Now())
	switch {
	case e.PID == 0: // it has not written its file yet, or could not
	case e.URL == "":
		owner = fmt.Sprintf("another devtool (process %d, since %s)", e.PID, since)
	default:
		owner = fmt.Sprintf("another devtool (process %d, %s, since %s)", e.PID, e.URL, since)
	}
	return fmt.Sprintf("the state in %s is in use by %s", e.State, owner)
}
