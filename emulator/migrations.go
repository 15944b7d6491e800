package emulator

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"devtool.internal/config"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// Migrations. The configuration lists steps that create, rename, delete and take over classes; the state
// remembers which of them it has been through (migrations_record.go), and a planner works out what the others
// come to. Nothing moves an object: what a class is called and where its objects are, the unique key that is
// their folder and that their ids are derived from, are two things, and the record leads from one to the other.
// So a rename is an entry that changes, and ids and data follow because they stay.
//
// A class whose objects are to go is moved aside as a folder, into backups.

// A migrationPlan is what has to happen to the record and the folders of objects until the state is as the
// configuration says.
type migrationPlan struct {
	files  stateFiles
	worker string
	before *migrationRecord
	record *migrationRecord // as it is to be
	moves  []folderMove
	taken  bool            // objects are taken over from another worker
	steps  []MigrationStep // those that are to be applied
	notes  []string        // what else there is to say
}

// planMigrations plans what c asks of the state that record describes. It changes nothing. If steps that have been
// applied are not in c as they were, the error is a *config.Error that points at them; a worker that
// has stored nothing may change its steps, for nothing has been applied to anything.
func planMigrations(files stateFiles, record *migrationRecord, c *config.Config) (*migrationPlan, error) {
	p := &migrationPlan{files: files, worker: c.Name, before: record, record: record.clone()}
	known := record.Workers[c.Name]
	if len(c.Exports) > 0 {
		p.planExports(c)
		p.complete(c)
		return p, nil
	}
	if known != nil && known.Exports {
		p = planAdoption(files, record, c)
		p.noteAdoption("exports declared the classes before")
		return p, nil
	}
	if known == nil && p.hasFolders(c) {
		p.adoptFolders(c)
		p.complete(c)
		return p, nil
	}
	if known != nil {
		if bad := compareSteps(known.Applied, c, files.state); len(bad) > 0 {
			if p.hasStored(known) {
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

// planAdoption plans to take the configuration's steps as applied, whatever has been. Classes that the state
// knows keep their objects.
func planAdoption(files stateFiles, record *migrationRecord, c *config.Config) *migrationPlan {
	p := &migrationPlan{files: files, worker: c.Name, before: record, record: record.clone()}
	if record.Workers[c.Name] == nil {
		p.adoptFolders(c)
	} else {
		p.mine().Applied, p.mine().Exports = appliedSteps(c.Migrations), false
	}
	p.complete(c)
	return p
}

// mine is the worker's part of the record as it is to be.
func (p *migrationPlan) mine() *workerMigrations {
	w := p.record.Workers[p.worker]
	if w == nil {
		w = &workerMigrations{Classes: make(map[string]string)}
		p.record.Workers[p.worker] = w
	}
	return w
}

// complete gives a key to each class that no step has created: it is only bound.
func (p *migrationPlan) complete(c *config.Config) {
	for _, class := range c.Classes() {
		p.create(class)
	}
}

func (p *migrationPlan) create(class string) {
	if w := p.mine(); w.Classes[class] == "" {
		w.Classes[class] = p.freeKey(class)
	}
}

// freeKey is the key for a class that is new: the platform's, unless the objects of another class have it, which was
// called so before. No name of a class has a dot.
func (p *migrationPlan) freeKey(class string) string {
	first := wire.UniqueKey(p.worker, class)
	key := first
	for n := 2; p.isTaken(key); n++ {
		key = fmt.Sprintf("%s.%d", first, n)
	}
	return key
}

// isTaken reports whether some class, of whichever worker, has its objects there.
func (p *migrationPlan) isTaken(key string) bool {
	for _, w := range p.record.Workers {
		for _, other := range w.Classes {
			if other == key {
				return true
			}
		}
	}
	return false
}

// apply plans one step, in the order that config.Migration tells.
func (p *migrationPlan) apply(m config.Migration) {
	w := p.mine()
	does := make([]string, 0, 1)
	for _, class := range m.DeletedClasses {
		key := w.Classes[class]
		delete(w.Classes, class)
		does = append(does, "delete "+class+p.discard(key, "; kept in "))
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
	w.Applied = append(w.Applied, appliedStep{Tag: m.Tag, Does: describeStep(m)})
	p.steps = append(p.steps, MigrationStep{Tag: m.Tag, Does: does})
}

// give makes the objects of key those of class, in place of any that it has: a class that was bound before its step
// was written may have stored something. An empty key has no objects to give, so it takes none.
func (p *migrationPlan) give(class, key string) (note string) {
	w := p.mine()
	if key == "" {
		p.create(class)
		return ""
	}
	if before := w.Classes[class]; before != "" && before != key {
		note = p.discard(before, " that "+class+" had; kept in ")
	}
	w.Classes[class] = key
	return note
}

// transfer takes a class over from another worker that is in this state, too.
func (p *migrationPlan) transfer(t config.Transfer) string {
	text := fmt.Sprintf("take %s over from %s as %s", t.From, t.FromScript, t.To)
	key := wire.UniqueKey(t.FromScript, t.From)
	if from := p.record.Workers[t.FromScript]; from != nil {
		key = from.Classes[t.From]
		delete(from.Classes, t.From)
	}
	if key == "" || !p.hasObjects(key) {
		return text + " (this state has no objects of it: " + t.To + " has none)" + p.give(t.To, "")
	}
	p.taken = true
	return text + fmt.Sprintf(" (%s)", counted(p.objects(key), "object")) + p.give(t.To, key)
}

// discard plans to move the objects of key aside, and says so; words leads to the folder.
func (p *migrationPlan) discard(key, words string) string {
	if key == "" || !p.hasObjects(key) {
		return ""
	}
	n := p.objects(key)
	to := ""
	for i := 1; to == "" || p.files.exists(to) || p.isTarget(to); i++ {
		to = filepath.Join(backupFolder, fmt.Sprintf("%s.%d", key, i))
	}
	p.moves = append(p.moves, folderMove{From: filepath.Join(objectsFolder, key), To: to})
	return fmt.Sprintf(" (%s%s%s)", counted(n, "object"), words, filepath.Join(p.files.state, to))
}

func (p *migrationPlan) isTarget(to string) bool {
	return slices.ContainsFunc(p.moves, func(m folderMove) bool { return m.To == to })
}

// hasFolder reports whether the objects of key have a folder that the plan leaves where it is.
func (p *migrationPlan) hasFolder(key string) bool {
	from := filepath.Join(objectsFolder, key)
	return p.files.exists(from) && !slices.ContainsFunc(p.moves, func(m folderMove) bool { return m.From == from })
}

// objects counts the files of objects. A folder that can't be read has something in it.
func (p *migrationPlan) objects(key string) int {
	ids, err := store.Objects(filepath.Join(p.files.state, objectsFolder, key))
	if err != nil {
		return 1
	}
	return len(ids)
}

func (p *migrationPlan) hasObjects(key string) bool { return p.hasFolder(key) && p.objects(key) > 0 }

// hasStored reports whether any object of the worker has a file.
func (p *migrationPlan) hasStored(w *workerMigrations) bool {
	for _, key := range w.Classes {
		if p.hasObjects(key) {
			return true
		}
	}
	return false
}

// hasFolders reports whether the worker has run on this state before there was a record.
func (p *migrationPlan) hasFolders(c *config.Config) bool {
	return slices.ContainsFunc(everyClass(c), func(class string) bool {
		return p.hasFolder(wire.UniqueKey(c.Name, class))
	})
}

// adoptFolders takes a state over that is older than its record: all steps count as applied, and each class has the
// objects that are on disk under its name, or else under one that it had before.
func (p *migrationPlan) adoptFolders(c *config.Config) {
	w := p.mine()
	for _, m := range c.Migrations {
		for _, class := range m.DeletedClasses {
			delete(w.Classes, class)
		}
		for _, r := range m.RenamedClasses {
			w.Classes[r.To] = cmp.Or(w.Classes[r.From], wire.UniqueKey(p.worker, r.From))
			delete(w.Classes, r.From)
		}
		for _, t := range m.TransferredClasses {
			p.create(t.To)
		}
		for _, class := range slices.Concat(m.NewClasses, m.NewSQLiteClasses) {
			p.create(class)
		}
	}
	planned := w.Classes
	w.Classes = make(map[string]string)
	classes := slices.Sorted(maps.Keys(planned))
	for _, class := range classes {
		if own := wire.UniqueKey(p.worker, class); p.hasObjects(own) && !p.isTaken(own) {
			w.Classes[class] = own
		}
	}
	for _, class := range classes {
		former := planned[class]
		switch {
		case w.Classes[class] != "":
		case p.hasObjects(former) && !p.isTaken(former):
			w.Classes[class] = former
			p.notes = append(p.notes, fmt.Sprintf("the objects in %s are those of the class %s, which was called so before", former, class))
		default:
			p.create(class)
		}
	}
	w.Applied = appliedSteps(c.Migrations)
	p.noteAdoption("this state is older than its record of them")
}

// noteAdoption says that all steps count as applied, if there are any, and why.
func (p *migrationPlan) noteAdoption(why string) {
	if applied := p.mine().Applied; len(applied) > 0 {
		p.notes = append(p.notes, fmt.Sprintf("took the migrations up to %s as applied: %s", applied[len(applied)-1].Tag, why))
	}
}

// everyClass returns all names of classes that c speaks of.
func everyClass(c *config.Config) []string {
	names := c.Classes()
	for _, m := range c.Migrations {
		names = slices.Concat(names, m.NewClasses, m.NewSQLiteClasses, m.DeletedClasses)
		for _, r := range m.RenamedClasses {
			names = append(names, r.From, r.To)
		}
	}
	return names
}

// disturbs reports whether the plan changes where a class that has a folder has its objects. That must not be
// while they are in use.
func (p *migrationPlan) disturbs() bool {
	if p.taken || len(p.moves) > 0 {
		return true
	}
	for name, w := range p.before.Workers {
		for class, key := range w.Classes {
			if p.record.Workers[name].Classes[class] != key && p.files.exists(filepath.Join(objectsFolder, key)) {
				return true
			}
		}
	}
	return false
}

// spares reports whether the plan leaves all objects that there are where they are, and each folder to the class that has it, if
// any still has. Where no program serves, and so no object is in memory, that is as good as if nothing were in use.
func (p *migrationPlan) spares() bool {
	if p.taken || len(p.moves) > 0 {
		return false
	}
	for name, w := range p.before.Workers {
		for class, key := range w.Classes {
			if p.record.Workers[name].Classes[class] != key && (p.hasObjects(key) || p.isTaken(key)) {
				return false
			}
		}
	}
	return true
}

// pending names the steps that are not applied, for a message.
func (p *migrationPlan) pending() string {
	texts := make([]string, len(p.steps))
	for i, s := range p.steps {
		texts[i] = s.String()
	}
	return strings.Join(texts, "; ")
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// commit carries the plan out.
func (p *migrationPlan) commit() error {
	if len(p.moves) == 0 && reflect.DeepEqual(p.before, p.record) {
		return nil
	}
	return inOrder(p.files.writes(p.record, p.moves))
}

// planFor plans what c asks of this state. The caller has its lock.
func (e *Emulator) planFor(c *config.Config) (*migrationPlan, error) {
	files := stateFiles{state: e.state}
	if err := files.recover(); err != nil {
		return nil, err
	}
	record, err := files.readRecord()
	if err != nil {
		return nil, err
	}
	return planMigrations(files, record, c)
}

// migrateAll carries out all that is pending. No namespace is open yet.
func (e *Emulator) migrateAll(c *config.Config) error {
	p, err := e.planFor(c)
	if err != nil {
		return err
	}
	return e.carryOut(p)
}

// carryOut does what is planned, and says so.
func (e *Emulator) carryOut(p *migrationPlan) error {
	if err := p.commit(); err != nil {
		return err
	}
	for _, note := range p.notes {
		e.log.Info(note)
	}
	for _, s := range p.steps {
		e.log.Info("applied migration " + s.String())
	}
	return nil
}

// settleMigrations carries out what the configuration asks of the state, once there is a program that it fits: until
// then a step that has just been written may still be corrected.
func (e *Emulator) settleMigrations() error {
	e.mu.Lock()
	p := e.migrations
	e.migrations = nil
	e.mu.Unlock()
	if p == nil {
		return nil
	}
	return e.carryOut(p)
}

// planQuietly is planFor while objects may be in use, or for somebody who has not asked for migrations: a plan that
// changes whose objects are where is refused.
func (e *Emulator) planQuietly(c *config.Config) (*migrationPlan, error) {
	p, err := e.planFor(c)
	if err == nil && p.disturbs() && !(e.idle() && p.spares()) {
		err = &control.Error{
			Status: http.StatusConflict, Message: "migrations are pending that change whose objects are where (" + p.pending() + ")",
			Hint: "`devtool dev` applies them when it starts, and `devtool migrations apply` while it does not run",
		}
	}
	return p, err
}

// idle reports whether the emulator waits for a program.
func (e *Emulator) idle() bool { return e.host != nil && e.host.running() == nil }

// compareSteps returns a diagnostic for each applied step that c does not have as it was, in its place.
func compareSteps(applied []appliedStep, c *config.Config, state string) []config.Diagnostic {
	lines := fileLines(c.Path)
	var found []config.Diagnostic
	complain := func(id string, at config.Position, what string) {
		d := config.Diagnostic{
			Severity: config.SeverityError, ID: id, Position: at, Message: what, Length: 1,
		}
		if at.Line >= 1 && at.Line <= len(lines) {
			d.Source = lines[at.Line-1]
		}
		found = append(found, d)
	}
	top := config.Position{File: c.Path, Line: 1, Column: 1}
	place := make(map[string]int)
	for i, m := range c.Migrations {
		place[m.Tag] = i
	}
	last := -1
	for _, a := range applied {
		i, there := place[a.Tag]
		if !there {
			complain("migration-removed", top, fmt.Sprintf("the migration %q was applied (%s), and is no longer in migrations", a.Tag, strings.Join(a.Does, ", ")))
			continue
		}
		m := c.Migrations[i]
		if i < last {
			complain("migration-moved", m.Pos, fmt.Sprintf("the migration %q was applied after %q, and now stands before it", a.Tag, c.Migrations[last].Tag))
		}
		last = max(last, i)
		if now := describeStep(m); !slices.Equal(a.Does, now) {
			complain("migration-edited", m.Pos, fmt.Sprintf("the migration %q was applied as %q, and now says %q", a.Tag, strings.Join(a.Does, ", "), strings.Join(now, ", ")))
		}
	}
	for _, m := range c.Migrations[:last+1] {
		if !slices.ContainsFunc(applied, func(a appliedStep) bool { return a.Tag == m.Tag }) {
			complain("migration-inserted", m.Pos, fmt.Sprintf("the migration %q is new, and stands before %q, which was applied", m.Tag, c.Migrations[last].Tag))
		}
	}
	if len(found) > 0 { // it is the same for all
		found[len(found)-1].Hint = "Put the steps back as they were, and what is new into a step of its own at the end.\n" +
			"Or keep all objects where they are and take the steps as they are now: devtool migrations adopt\n" +
			"Or start anew, with another --persist-to or without " + filepath.Dir(state)
	}
	return found
}

func fileLines(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil // it is only to be shown
	}
	return strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
}
