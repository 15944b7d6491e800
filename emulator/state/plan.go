package state

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"devtool.internal/config"
	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// A Plan says what has to change in the record and in the folders of objects until the state fits
// the configuration.
//
// No migration moves an object to another class's folder. A class has a name and a unique key: the
// key is its folder's name, ids are derived from it, and the record leads from the name to the key.
// So a rename changes one entry of the record, and the class keeps its ids and its data. The folder
// of a deleted class moves to the backups.
type Plan struct {
	files  files
	worker string
	before *migrationRecord
	record *migrationRecord // as Commit leaves it
	moves  []folderMove
	moved  []movedClass    // what moves to the backups
	taken  bool            // it transfers objects from another worker
	steps  []MigrationStep // pending
	notes  []string        // other things that the user should know
}

// A planner makes the plan that leads from record to c. It changes nothing on disk.
type planner func(f files, record *migrationRecord, c *config.Config) (*Plan, error)

func newPlan(f files, record *migrationRecord, c *config.Config) *Plan {
	return &Plan{files: f, worker: c.Name, before: record, record: record.clone()}
}

// planMigrations plans the steps of c that record lacks. If applied steps are not in c as they
// were, the error is a *config.Error that points at them. A worker that has stored nothing may
// change its steps: they were applied to nothing.
func planMigrations(f files, record *migrationRecord, c *config.Config) (*Plan, error) {
	p := newPlan(f, record, c)
	known := record.Workers[c.Name]
	if len(c.Exports) > 0 {
		p.planExports(c)
		p.complete(c)
		return p, nil
	}
	if known != nil && known.Exports {
		p, err := planAdoption(f, record, c, BothKeep)
		if err == nil {
			p.noteAdoption("exports declared the classes before")
		}
		return p, err
	}
	if known == nil && p.hasFolders(c) {
		p.adoptFolders(c)
		p.complete(c)
		return p, nil
	}
	if known != nil {
		if bad := compareSteps(known.Applied, c); len(bad) > 0 {
			if p.hasStored(known) {
				bad[len(bad)-1].Hint = adviceOn(f, record, c) // the same for all
				return nil, &config.Error{Diagnostics: bad}
			}
			delete(p.record.Workers, c.Name)
		}
	}
	for _, m := range c.Migrations[len(p.mine().Applied):] {
		p.apply(m)
	}
	p.complete(c)
	return p, nil
}

// Steps returns the pending steps, with what they change here.
func (p *Plan) Steps() []MigrationStep { return p.steps }

// Notes returns other things that the user should know once the plan is committed.
func (p *Plan) Notes() []string { return p.notes }

// UniqueKey returns the unique key of a class of the worker, or "" for an unknown class.
func (p *Plan) UniqueKey(class string) string { return p.mine().Classes[class] }

// Commit carries the plan out. The caller owns the folder. If a step fails, those before it are
// undone, so that the classes may be used as before.
func (p *Plan) Commit() error {
	if len(p.moves) == 0 && reflect.DeepEqual(p.before, p.record) {
		return nil
	}
	return p.carryOut(p.files.writes(p.record, p.moves))
}

// carryOut takes the steps of writes.
func (p *Plan) carryOut(steps []func() error) error {
	for i, step := range steps {
		err := step()
		switch {
		case err == nil:
		case i == 0: // the record is as before
			return err
		case i == len(steps)-1: // it lists moves that are made: the next process takes them out
			return nil
		default:
			return errors.Join(err, p.undo())
		}
	}
	return nil
}

// undo moves the folders back. The record comes last: until then, a process that is killed leaves
// the moves to the next one, which makes them.
func (p *Plan) undo() error {
	for _, m := range slices.Backward(p.moves) {
		if err := p.files.move(folderMove{From: m.To, To: m.From}); err != nil {
			return err
		}
	}
	return p.files.writeRecord(p.before)
}

// Conflict returns an error if the plan changes which class owns existing objects: it has to wait
// until no object is in use. While idle, no program serves, so no object is in memory; then empty
// folders may change hands.
func (p *Plan) Conflict(idle bool) error {
	if !p.disturbs() || idle && p.spares() {
		return nil
	}
	texts := make([]string, len(p.steps))
	for i, s := range p.steps {
		texts[i] = s.String()
	}
	return &control.Error{
		Code:    control.CodeMigrations,
		Message: "pending migrations affect existing objects (" + strings.Join(texts, "; ") + ")",
		Hint:    "start `devtool dev` again to apply them, or run `devtool migrations apply` while it is stopped",
	}
}

// disturbs reports whether the plan changes which objects belong to a class that has a folder.
func (p *Plan) disturbs() bool {
	return p.changes(func(key string) bool { return p.files.exists(objectsFolder, key) })
}

// spares reports whether the plan moves no object, and each folder stays with its class unless it
// is empty and no class gets it.
func (p *Plan) spares() bool {
	return !p.changes(func(key string) bool { return p.HasObjects(key) || p.isTaken(key) })
}

// changes reports whether the plan moves or transfers objects, or takes from a class a key that
// matters.
func (p *Plan) changes(matters func(key string) bool) bool {
	if p.taken || len(p.moves) > 0 {
		return true
	}
	for name, w := range p.before.Workers {
		after := p.record.Workers[name]
		for class, key := range w.Classes {
			if after.Classes[class] != key && matters(key) {
				return true
			}
		}
	}
	return false
}

// mine returns the worker's part of the planned record.
func (p *Plan) mine() *workerMigrations {
	w := p.record.Workers[p.worker]
	if w == nil {
		w = &workerMigrations{Classes: make(map[string]string)}
		p.record.Workers[p.worker] = w
	}
	return w
}

// complete gives a key to each class that has a binding and no step that creates it.
func (p *Plan) complete(c *config.Config) {
	for _, class := range c.Classes() {
		p.create(class)
	}
}

func (p *Plan) create(class string) {
	if w := p.mine(); w.Classes[class] == "" {
		w.Classes[class] = p.freeKey(class)
	}
}

// freeKey returns the key for a new class: the platform's, unless it belongs to a class that
// formerly had this name. Then a dot and a number follow, and no name of a class has a dot.
func (p *Plan) freeKey(class string) string {
	first := objectid.UniqueKey(p.worker, class)
	key := first
	for n := 2; p.isTaken(key); n++ {
		key = fmt.Sprintf("%s.%d", first, n)
	}
	return key
}

// isTaken reports whether key is the key of a class, of any worker.
func (p *Plan) isTaken(key string) bool {
	for _, w := range p.record.Workers {
		for _, other := range w.Classes {
			if other == key {
				return true
			}
		}
	}
	return false
}

// apply plans one step, in the order that config.Migration documents.
func (p *Plan) apply(m config.Migration) {
	w := p.mine()
	does := make([]string, 0, 1)
	moved := len(p.moved)
	for _, class := range m.DeletedClasses {
		key := w.Classes[class]
		delete(w.Classes, class)
		does = append(does, "delete "+class+p.discard(class, key, "; kept in "))
	}
	for _, r := range m.RenamedClasses {
		key := w.Classes[r.From]
		delete(w.Classes, r.From)
		does = append(does, fmt.Sprintf("rename %s to %s", r.From, r.To)+p.give(r.To, key))
	}
	for _, t := range m.TransferredClasses {
		does = append(does, p.transfer(t))
	}
	for _, class := range slices.Concat(m.NewClasses, m.NewSQLiteClasses) {
		p.create(class)
		does = append(does, "create "+class)
	}
	step := appliedStep{Tag: m.Tag, Does: describeStep(m), Moved: slices.Clone(p.moved[moved:])}
	w.Applied = append(w.Applied, step)
	p.steps = append(p.steps, MigrationStep{Tag: m.Tag, Does: does})
}

// give gives the objects of key to class and discards the class's own: it may have had a
// binding, and stored something, before its step was written. An empty key has no objects, and
// replaces none.
func (p *Plan) give(class, key string) (note string) {
	w := p.mine()
	if key == "" {
		p.create(class)
		return ""
	}
	if before := w.Classes[class]; before != "" && before != key {
		note = p.discard(class, before, " that "+class+" had; kept in ")
	}
	w.Classes[class] = key
	return note
}

// transfer plans to take a class over from another worker on this state.
func (p *Plan) transfer(t config.Transfer) string {
	text := fmt.Sprintf("take %s over from %s as %s", t.From, t.FromScript, t.To)
	key := objectid.UniqueKey(t.FromScript, t.From)
	if from := p.record.Workers[t.FromScript]; from != nil {
		key = from.Classes[t.From]
		delete(from.Classes, t.From)
	}
	if !isKey(key) || !p.HasObjects(key) {
		return fmt.Sprintf("%s (%s of %s has no objects in this state)", text, t.From, t.FromScript) + p.give(t.To, "")
	}
	p.taken = true
	return text + fmt.Sprintf(" (%s)", counted(p.objects(key), "object")) + p.give(t.To, key)
}

// discard plans to move the objects of key, which were those of class, to the backups. It returns a
// text with their number, words and their new folder, or "" if there are none.
func (p *Plan) discard(class, key, words string) string {
	if key == "" || !p.HasObjects(key) {
		return ""
	}
	n := p.objects(key)
	m := folderMove{From: filepath.Join(objectsFolder, key), To: p.freeBackup(key)}
	p.moves = append(p.moves, m)
	p.moved = append(p.moved, movedClass{class, m})
	return fmt.Sprintf(" (%s%s%s)", counted(n, "object"), words, p.files.path(m.To))
}

// freeBackup returns a new place in the backups for the objects of key.
func (p *Plan) freeBackup(key string) string {
	for i := 1; ; i++ {
		to := filepath.Join(backupFolder, fmt.Sprintf("%s.%d", key, i))
		if !p.files.exists(to) && !slices.ContainsFunc(p.moves, func(m folderMove) bool { return m.To == to }) {
			return to
		}
	}
}

// folder returns the present folder of the objects that belong to key after the plan's moves, or ""
// if there is none.
func (p *Plan) folder(key string) (present string) {
	at := filepath.Join(objectsFolder, key)
	if p.files.exists(at) {
		present = at
	}
	for _, m := range p.moves {
		switch at {
		case m.From:
			present = ""
		case m.To:
			present = m.From
		}
	}
	return present
}

// hasFolder reports whether the objects of key have a folder.
func (p *Plan) hasFolder(key string) bool { return p.folder(key) != "" }

// isMoved reports whether the plan moves the folder from.
func (p *Plan) isMoved(from string) bool {
	return slices.ContainsFunc(p.moves, func(m folderMove) bool { return m.From == from })
}

// objects counts the files of objects. An unreadable folder counts as one with an object.
func (p *Plan) objects(key string) int {
	ids, err := store.Objects(p.files.path(p.folder(key)))
	if err != nil {
		return 1
	}
	return len(ids)
}

// HasObjects reports whether the folder of key has files of objects.
func (p *Plan) HasObjects(key string) bool { return p.hasFolder(key) && p.objects(key) > 0 }

// hasStored reports whether any object of the worker has a file, also in the backups.
func (p *Plan) hasStored(w *workerMigrations) bool {
	for _, step := range w.Applied {
		if slices.ContainsFunc(step.Moved, func(m movedClass) bool { return p.files.exists(m.To) }) {
			return true
		}
	}
	for _, key := range w.Classes {
		if p.HasObjects(key) {
			return true
		}
	}
	return false
}

// counted formats a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
