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
	b, err := os.ReadFile(f.recordPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read record of migrations: %w", err)
	default:
		if err := json.Unmarshal(b, r); err != nil {
			return nil, fmt.Errorf("read record of migrations: %s is damaged (%w): "+
				"correct it, or delete it to keep the objects on disk as they are", f.recordPath(), err)
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
	return r, nil
}

// writeRecord replaces the record in one step. It makes the record's folder if that does not exist.
func (f files) writeRecord(r *migrationRecord) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write record of migrations: %w", err)
	}
	path := f.recordPath()
	unfinished := path + ".new"
	if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
		err = writeWhole(unfinished, append(b, '\n'), f.exists(objectsFolder, recordFile))
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

// writeWhole writes a file, over one that a killed process may have left. A file that will replace
// another one is synced to disk.
func writeWhole(path string, content []byte, replaces bool) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	if err == nil && replaces {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

// move moves one folder, unless that has been done.
func (f files) move(m folderMove) error {
	if f.exists(m.To) || !f.exists(m.From) {
		return nil
	}
	to := f.path(m.To)
	err := os.MkdirAll(filepath.Dir(to), 0o700)
	if err == nil {
		err = os.Rename(f.path(m.From), to)
	}
	if err != nil {
		return fmt.Errorf("move objects of a deleted class to the backups: %w", err)
	}
	return nil
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
