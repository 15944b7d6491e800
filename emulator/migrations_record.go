package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"devtool.internal/config"
)

// Where things are in the state's folder.
const (
	objectsFolder = "do"
	backupFolder  = "backups"
	recordFile    = "migrations.json"
)

// A migrationRecord says what migrations have made of the state: do/migrations.json. It has all workers
// that keep their objects there, so that a class goes from one to the other in one write.
type migrationRecord struct {
	Version int                          `json:"version"`
	Workers map[string]*workerMigrations `json:"workers"`
	// Moving are folders that are to be moved before any is opened. A process that is killed leaves
	// the rest to the next one.
	Moving []folderMove `json:"moving,omitempty"`
}

// recordVersion is the only one so far.
const recordVersion = 1

type workerMigrations struct {
	Applied []appliedStep     `json:"applied"`
	Classes map[string]string `json:"classes"` // from class to the unique key of its objects
	// Exports tells of classes that exports declare: they need no steps.
	Exports bool `json:"exports,omitempty"`
}

// An appliedStep is a step as it was when it was applied.
type appliedStep struct {
	Tag  string   `json:"tag"`
	Does []string `json:"does"`
}

// A folderMove names two places in the state's folder. Nothing is ever at To before.
type folderMove struct {
	From string `json:"from"`
	To   string `json:"to"`
}

func appliedSteps(steps []config.Migration) []appliedStep {
	applied := make([]appliedStep, len(steps))
	for i, m := range steps {
		applied[i] = appliedStep{Tag: m.Tag, Does: describeStep(m)}
	}
	return applied
}

// describeStep says what a step does, the same for each way to write it.
func describeStep(m config.Migration) []string {
	does := []string{}
	add := func(list []string, format string) {
		for _, class := range slices.Sorted(slices.Values(list)) {
			does = append(does, fmt.Sprintf(format, class))
		}
	}
	add(m.DeletedClasses, "delete %s")
	for _, r := range m.RenamedClasses {
		does = append(does, fmt.Sprintf("rename %s to %s", r.From, r.To))
	}
	for _, t := range m.TransferredClasses {
		does = append(does, fmt.Sprintf("take %s over from %s as %s", t.From, t.FromScript, t.To))
	}
	add(m.NewClasses, "create %s without SQL")
	add(m.NewSQLiteClasses, "create %s")
	return does
}

func (r *migrationRecord) clone() *migrationRecord {
	c := &migrationRecord{Version: r.Version, Workers: make(map[string]*workerMigrations), Moving: slices.Clone(r.Moving)}
	for name, w := range r.Workers {
		c.Workers[name] = &workerMigrations{Applied: slices.Clone(w.Applied), Classes: maps.Clone(w.Classes), Exports: w.Exports}
	}
	return c
}

// stateFiles are the files of a state that migrations touch.
type stateFiles struct {
	state string // <state>/v3
}

func (f stateFiles) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(f.state, name))
	return !errors.Is(err, fs.ErrNotExist)
}

func (f stateFiles) recordPath() string { return filepath.Join(f.state, objectsFolder, recordFile) }

// readRecord returns the record, which is empty if there is none yet.
func (f stateFiles) readRecord() (*migrationRecord, error) {
	r := &migrationRecord{Version: recordVersion}
	b, err := os.ReadFile(f.recordPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read record of migrations: %w", err)
	default:
		if err := json.Unmarshal(b, r); err != nil {
			return nil, fmt.Errorf("read record of migrations: %s is damaged (%w): correct it, or delete it to take what is on disk as it is", f.recordPath(), err)
		}
		if r.Version != recordVersion {
			return nil, fmt.Errorf("read record of migrations: %s has version %d, and this devtool knows %d: use the devtool that wrote it, or another folder with --persist-to", f.recordPath(), r.Version, recordVersion)
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

// writeRecord puts the record in place of the one before in one step. Its own folder is made if it has to be.
func (f stateFiles) writeRecord(r *migrationRecord) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write record of migrations: %w", err)
	}
	path := f.recordPath()
	unfinished := path + ".new"
	if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
		err = writeWhole(unfinished, append(b, '\n'), f.exists(filepath.Join(objectsFolder, recordFile)))
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

// writeWhole writes a file, and if it is to take the place of another one sees to it that it is on disk. One that a killed
// process has left is written over.
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

// move moves one folder, if that has not been done.
func (f stateFiles) move(m folderMove) error {
	if f.exists(m.To) || !f.exists(m.From) {
		return nil
	}
	to := filepath.Join(f.state, m.To)
	err := os.MkdirAll(filepath.Dir(to), 0o700)
	if err == nil {
		err = os.Rename(filepath.Join(f.state, m.From), to)
	}
	if err != nil {
		return fmt.Errorf("move objects of a deleted class aside: %w", err)
	}
	return nil
}

// writes are the steps that bring a state to record, with moves. The first says all that is to be done; whoever comes after a
// crash goes on from there (recover). So there is no point at which objects are lost or have two names.
func (f stateFiles) writes(record *migrationRecord, moves []folderMove) []func() error {
	record = record.clone()
	record.Moving = moves
	steps := []func() error{func() error { return f.writeRecord(record) }}
	if len(moves) == 0 {
		return steps
	}
	return append(steps, f.finishing(record)...)
}

// finishing are the steps that are left once the record says what is to be moved.
func (f stateFiles) finishing(record *migrationRecord) []func() error {
	var steps []func() error
	for _, m := range record.Moving {
		steps = append(steps, func() error { return f.move(m) })
	}
	done := record.clone()
	done.Moving = nil
	return append(steps, func() error { return f.writeRecord(done) })
}

// recover finishes what a process that was killed has begun. The caller has the state's lock.
func (f stateFiles) recover() error {
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
