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

	"devtool.internal/config"
	"devtool.internal/emulator/control"
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

// A Folder is a state folder that this process owns until Close.
type Folder struct {
	files   files
	release func() error
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
func Open(dir string, owner Owner) (*Folder, error) {
	f := files{dir}
	if err := os.MkdirAll(f.path(), 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w (choose another with --persist-to)", err)
	}
	release, err := f.lock(owner)
	if err != nil {
		return nil, err
	}
	return &Folder{files: f, release: release}, nil
}

// OpenTemporary opens a state folder that only this process knows and that is removed when it is
// closed. So it takes no lock.
func OpenTemporary(dir string) (*Folder, error) {
	f := files{dir}
	if err := os.MkdirAll(f.path(), 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	return &Folder{files: f, release: func() error { return nil }}, nil
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

// Close unlocks the folder.
func (f *Folder) Close() error { return f.release() }

// ObjectsDir returns the folder with the objects of the class whose unique key is key
// (Plan.UniqueKey).
func (f *Folder) ObjectsDir(key string) string { return f.files.path(objectsFolder, key) }

// Plan plans the migrations of c that the state lacks. First it finishes what a killed process
// began to apply. If applied steps are not in c as they were, the error is a *config.Error that
// points at them.
func (f *Folder) Plan(c *config.Config) (*Plan, error) { return f.planWith(planMigrations, c) }

// Adopt plans to mark all steps of c as applied, whatever was applied before. Each class that the
// state knows keeps its objects.
func (f *Folder) Adopt(c *config.Config) (*Plan, error) { return f.planWith(planAdoption, c) }

func (f *Folder) planWith(plan planner, c *config.Config) (*Plan, error) {
	if err := f.files.finishMoves(); err != nil {
		return nil, err
	}
	record, err := f.files.readRecord()
	if err != nil {
		return nil, err
	}
	return plan(f.files, record, c)
}
