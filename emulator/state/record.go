package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devtool.internal/internal/safefile"
)

// A migrationRecord is the content of do/migrations.json: the migrations that were applied to this
// state. It has all workers with objects here, so that a class goes from one to another in one
// write.
type migrationRecord struct {
	Version int                          `json:"version"`
	Workers map[string]*workerMigrations `json:"workers"`
	// Moving are the folders to move before any is opened: a process that is killed leaves the rest
	// to the next one.
	Moving []folderMove `json:"moving,omitempty"`
}

// recordVersion is the only version so far.
const recordVersion = 1

type workerMigrations struct {
	Applied []appliedStep     `json:"applied"`
	Classes map[string]string `json:"classes"` // from class to the unique key of its objects
	// Exports is set if the configuration declares its classes by exports, which need no steps.
	Exports bool `json:"exports,omitempty"`
}

// An appliedStep is a step as it was when it was applied.
type appliedStep struct {
	Tag  string   `json:"tag"`
	Does []string `json:"does"` // as describeStep says
	// Moved are the folders that the step moved to the backups. Records of older versions lack
	// them.
	Moved []movedClass `json:"moved,omitempty"`
}

// A movedClass is the move of the objects of a class to the backups.
type movedClass struct {
	Class string `json:"class"`
	folderMove
}

// A folderMove names two places in the state folder. To never exists before the move.
type folderMove struct {
	From string `json:"from"`
	To   string `json:"to"`
}

func (r *migrationRecord) clone() *migrationRecord {
	c := &migrationRecord{
		Version: r.Version,
		Workers: make(map[string]*workerMigrations),
		Moving:  slices.Clone(r.Moving),
	}
	for name, w := range r.Workers {
		c.Workers[name] = &workerMigrations{
			Applied: slices.Clone(w.Applied),
			Classes: maps.Clone(w.Classes),
			Exports: w.Exports,
		}
	}
	return c
}

func (f files) recordPath() string { return f.path(objectsFolder, recordFile) }

// readRecord returns the record, or an empty one if there is no file.
func (f files) readRecord() (*migrationRecord, error) {
	r := &migrationRecord{Version: recordVersion}
	damaged := func(why error) error {
		return fmt.Errorf("read record of migrations: %s is damaged (%w): "+
			"correct it, or delete it to keep the objects on disk as they are", f.recordPath(), why)
	}
	b, err := safefile.Read(f.recordPath(), maxRecord)
	var irregular *safefile.Irregular
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.As(err, &irregular):
		return nil, damaged(fmt.Errorf("it is %s, not %s", irregular.Is, irregular.Want))
	case err != nil:
		return nil, fmt.Errorf("read record of migrations: %w", err)
	default:
		if err := json.Unmarshal(b, r); err != nil {
			return nil, damaged(err)
		}
		if r.Version != recordVersion {
			return nil, fmt.Errorf("read record of migrations: %s has version %d, and this devtool knows %d: "+
				"use the devtool that wrote it, or another folder with --persist-to",
				f.recordPath(), r.Version, recordVersion)
		}
	}
	if r.Workers == nil {
		r.Workers = make(map[string]*workerMigrations)
	}
	for name, w := range r.Workers {
		if w == nil {
			delete(r.Workers, name)
		} else if w.Classes == nil {
			w.Classes = make(map[string]string)
		}
	}
	if err := r.validate(); err != nil {
		return nil, damaged(err)
	}
	return r, nil
}

// validate checks the names that become parts of paths. Somebody else may have written the record,
// and no name may lead out of the state folder. A key belongs to one class, because two classes
// would use the same files.
func (r *migrationRecord) validate() error {
	owners := make(map[string]string)
	for _, worker := range slices.Sorted(maps.Keys(r.Workers)) {
		w := r.Workers[worker]
		for _, class := range slices.Sorted(maps.Keys(w.Classes)) {
			key, name := w.Classes[class], worker+"/"+class
			if !isKey(key) {
				return fmt.Errorf("%q, the key of class %q, is not the name of a folder", key, name)
			}
			if other := owners[key]; other != "" {
				return fmt.Errorf("classes %q and %q have the same key %q", other, name, key)
			}
			owners[key] = name
		}
		for _, step := range w.Applied {
			for _, m := range step.Moved {
				if !m.valid() {
					return fmt.Errorf("the move of %q to %q leaves its folders", m.From, m.To)
				}
			}
		}
	}
	for _, m := range r.Moving {
		if !m.valid() {
			return fmt.Errorf("the move of %q to %q leaves its folders", m.From, m.To)
		}
	}
	return nil
}

// isKey reports whether key may be the unique key of a class: the name of a folder in
// objectsFolder.
func isKey(key string) bool { return safefile.IsName(key) && key != recordFile }

// valid reports whether m moves objects between their folder and the backups.
func (m folderMove) valid() bool {
	from, key, _ := strings.Cut(filepath.ToSlash(m.From), "/")
	to, name, _ := strings.Cut(filepath.ToSlash(m.To), "/")
	return isKey(key) && isKey(name) &&
		(from == objectsFolder && to == backupFolder || from == backupFolder && to == objectsFolder)
}

// writeRecord replaces the record in one step. The record's folder exists: Open makes it, and a
// folder that was deleted meanwhile does not come back.
func (f files) writeRecord(r *migrationRecord) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write record of migrations: %w", err)
	}
	path := f.recordPath()
	unfinished := path + ".new"
	if err = safefile.Create(unfinished, append(b, '\n')); err == nil && f.exists(objectsFolder, recordFile) {
		err = syncFile(unfinished) // before it replaces another one
	}
	if err == nil {
		err = os.Rename(unfinished, path)
	}
	if err != nil {
		os.Remove(unfinished)
		return fmt.Errorf("write record of migrations: %w", err)
	}
	return nil
}

// syncFile writes a file to the disk.
func syncFile(path string) error {
	w, err := safefile.Open(path, os.O_RDWR)
	if err != nil {
		return err
	}
	return errors.Join(w.Sync(), w.Close())
}

// move moves one folder, unless that has been done. It never leaves the state folder, even if
// somebody puts a link there meanwhile.
func (f files) move(m folderMove) error {
	if f.exists(m.To) || !f.exists(m.From) {
		return nil
	}
	root, err := os.OpenRoot(f.path())
	if err == nil {
		err = errors.Join(root.Rename(m.From, m.To), root.Close())
	}
	if err != nil {
		return fmt.Errorf("move objects of a class between %s and %s: %w", m.From, m.To, err)
	}
	return nil
}

// areMade reports whether nothing is left to do of the moves.
func (f files) areMade(moves []folderMove) bool {
	return !slices.ContainsFunc(moves, func(m folderMove) bool { return f.exists(m.From) && !f.exists(m.To) })
}

// writes returns the steps that bring a state to record and make moves. The first step writes down
// all that is left to do, and finishMoves goes on from there after a crash. So at no point are
// objects lost, or do they have two names.
func (f files) writes(record *migrationRecord, moves []folderMove) []func() error {
	record = record.clone()
	record.Moving = moves
	steps := []func() error{func() error { return f.writeRecord(record) }}
	if len(moves) == 0 {
		return steps
	}
	return append(steps, f.finishing(record)...)
}

// finishing returns the steps that are left once the record lists the moves.
func (f files) finishing(record *migrationRecord) []func() error {
	var steps []func() error
	for _, m := range record.Moving {
		steps = append(steps, func() error { return f.move(m) })
	}
	done := record.clone()
	done.Moving = nil
	return append(steps, func() error { return f.writeRecord(done) })
}

// finishMoves finishes what a killed process began. The caller owns the folder.
func (f files) finishMoves() error {
	record, err := f.readRecord()
	if err != nil || len(record.Moving) == 0 {
		return err
	}
	return inOrder(f.finishing(record))
}

func inOrder(steps []func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
