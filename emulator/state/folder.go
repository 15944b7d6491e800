// Package state keeps the state folder: everything that outlives an emulator.
//
// A process owns the folder while it holds the lock (folder.go, lock.go). The folder contains the
// saved clock (clock.go), a folder of objects for each class, and a record of the migrations that
// were applied (record.go).
//
// The configuration lists migrations: steps that create, rename, delete and transfer classes. A
// Plan (plan.go, exports.go, adopt.go) compares them with the record and says what applying the
// missing steps would change. Steps that were changed after they were applied are an error
// (applied.go). Commit writes the plan to disk, and a process that was killed in between leaves the
// rest to the next one. Commands show plans as Migrations (report.go).
//
// The package needs no emulator and logs nothing: it returns steps and notes.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/internal/safefile"
)

// What the state folder contains. Other versions of the format would stand beside formatFolder.
const (
	formatFolder  = "v3"
	objectsFolder = "do"
	backupFolder  = "backups"
	lockFile      = "lock"
	ownerFile     = "owner.json"
	clockFile     = "clock.json"
	recordFile    = "migrations.json"
)

// maxSmall and maxRecord bound what is read of the owner's file and the clock's, and of the record,
// in bytes.
const (
	maxSmall  = 64 << 10
	maxRecord = 64 << 20
)

// A Folder is a state folder that this process owns until Close.
type Folder struct {
	files files
	lock  *heldLock // nil for a temporary folder

	// planned is set once nothing is left of what a former process began.
	planned atomic.Bool
}

// files are the files of a state folder, whether or not this process owns it.
type files struct {
	dir string // as the user names it, without formatFolder
}

func (f files) path(name ...string) string {
	return filepath.Join(append([]string{f.dir, formatFolder}, name...)...)
}

func (f files) exists(name ...string) bool {
	_, err := os.Lstat(f.path(name...))
	return !errors.Is(err, fs.ErrNotExist)
}

// Open locks the state folder dir for owner, and creates it if it does not exist. While another
// process owns it, the error is an *InUseError.
//
// Somebody else may have made the folder's content, so what is in it must be regular files and
// folders. A symbolic link could lead out of it.
func Open(dir string, owner Owner) (*Folder, error) {
	f := files{dir}
	if err := f.make(); err != nil {
		return nil, fmt.Errorf("make state folder: %w (choose another with --persist-to)", err)
	}
	lock, err := f.lock(owner)
	if err != nil {
		return nil, err
	}
	return &Folder{files: f, lock: lock}, nil
}

// make makes the folder as far as it does not exist.
func (f files) make() error {
	if err := safefile.InDotFolder(f.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	if err := safefile.MakePrivate(f.path()); err != nil {
		return err
	}
	for _, folder := range []string{objectsFolder, backupFolder} {
		if err := safefile.MakeFolder(f.path(folder)); err != nil {
			return err
		}
	}
	return nil
}

// OpenTemporary opens a state folder that only this process knows and that is removed when it is
// closed. So it takes no lock.
func OpenTemporary(dir string) (*Folder, error) {
	f := files{dir}
	if err := os.MkdirAll(f.path(objectsFolder), 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	return &Folder{files: f}, nil
}

// OpenExisting is Open for commands that work on what is there: without a state folder it returns a
// *control.Error.
func OpenExisting(dir string, owner Owner) (*Folder, error) {
	if !(files{dir}).exists() {
		return nil, &control.Error{
			Code: control.CodeNoState, Message: "there is no state in " + dir,
			Hint: "run `devtool dev` to create it, or name another folder with --persist-to",
		}
	}
	return Open(dir, owner)
}

// A LostError says that somebody has deleted, moved or replaced a folder that an emulator uses.
// Nothing can be saved any more: what is written goes to files that no path leads to.
type LostError struct {
	What string // the folder, for people
	// Replaced reports whether something else is there now.
	Replaced bool
}

func (e *LostError) Error() string {
	happened := "was deleted or moved"
	if e.Replaced {
		happened = "was replaced by another one"
	}
	return e.What + " " + happened + " while `devtool dev` used it, so nothing can be saved any more: " +
		"start it again, and the next time end it before you change that folder"
}

// Lost returns a *LostError for what if err, of a safefile.Place, is not nil.
func Lost(what string, err error) error {
	if err == nil {
		return nil
	}
	return &LostError{What: what, Replaced: errors.Is(err, safefile.ErrReplaced)}
}

// Check returns a *LostError if the folder's path no longer leads to the folder that this process
// has locked. It is cheap enough to be called twice a second.
func (f *Folder) Check() error {
	if f.lock == nil {
		return nil
	}
	return f.lock.check()
}

// Close unlocks the folder.
func (f *Folder) Close() error {
	if f.lock == nil {
		return nil
	}
	return f.lock.release()
}

// ObjectsDir returns the folder with the objects of the class whose unique key is key
// (Plan.UniqueKey).
func (f *Folder) ObjectsDir(key string) string { return f.files.path(objectsFolder, key) }

// Plan plans the migrations of c that the state lacks. The first plan finishes what a killed
// process began to apply. A later one never moves a folder, because its class may be open. If
// applied steps are not in c as they were, the error is a *config.Error that points at them.
func (f *Folder) Plan(c *config.Config) (*Plan, error) { return f.planWith(planMigrations, c) }

// Adopt plans to mark all steps of c as applied, whatever was applied before. What the removed
// steps did is undone, so each object belongs to the class that it would belong to without them. If
// a class would get objects back and has some of its own, both decides.
func (f *Folder) Adopt(c *config.Config, both Both) (*Plan, error) {
	return f.planWith(func(f files, record *migrationRecord, c *config.Config) (*Plan, error) {
		return planAdoption(f, record, c, both)
	}, c)
}

func (f *Folder) planWith(plan planner, c *config.Config) (*Plan, error) {
	if !f.planned.Load() {
		if err := f.files.finishMoves(); err != nil {
			return nil, err
		}
		f.planned.Store(true)
	}
	record, err := f.files.readRecord()
	if err != nil {
		return nil, err
	}
	if len(record.Moving) > 0 && !f.files.areMade(record.Moving) {
		return nil, &control.Error{
			Code:    control.CodeMigrations,
			Message: "a migration has failed, and could not be undone: some objects are still to be moved",
			Hint:    "start `devtool dev` again, which finishes the migration",
		}
	}
	record.Moving = nil
	return plan(f.files, record, c)
}
