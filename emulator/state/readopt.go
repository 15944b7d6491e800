package state

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"devtool.internal/config"
	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/control"
	"devtool.internal/internal/safefile"
)

// Adopting other steps than those that were applied. It is what a git checkout of another branch
// needs: the record knows what the applied steps did, so what they did to the classes is undone,
// the last step first, and the renames of the configuration's own steps are done. Each object keeps
// its file, and with it its id, name and alarm. Way back, the other branch's steps are pending
// again, and do what they did before.

// Both says what becomes of objects when a class would get another one's back and has some of its
// own.
type Both string

// The values of Both.
const (
	BothAsk      Both = ""          // refuse, and name the other two
	BothKeep     Both = "keep"      // each class keeps the objects that it has
	BothGiveBack Both = "give-back" // the class gets the others; its own move to the backups
)

// A readoption undoes and does steps in a plan.
type readoption struct {
	*Plan
	wanted    map[string]bool // the classes of the configuration
	both      Both
	restored  map[string][]folderMove // by key, what brings objects back from the backups
	conflicts []*control.Error
}

// readopt changes the plan's classes from those that the applied steps have left to those of c.
func (p *Plan) readopt(c *config.Config, both Both) error {
	r := &readoption{
		Plan: p, wanted: make(map[string]bool), both: both, restored: make(map[string][]folderMove),
	}
	for _, class := range c.Classes() {
		r.wanted[class] = true
	}
	applied, steps := p.mine().Applied, appliedSteps(c.Migrations)
	same := 0
	for same < min(len(applied), len(steps)) && applied[same].is(steps[same]) {
		same++
	}
	was := maps.Clone(p.mine().Classes)
	for _, step := range slices.Backward(applied[same:]) {
		r.undo(step)
	}
	for _, m := range c.Migrations[same:] {
		for _, rename := range m.RenamedClasses {
			r.move(rename.From, rename.To)
		}
	}
	r.keep(was)
	r.leaveBackups()
	if len(r.conflicts) > 0 {
		return r.conflicts[0]
	}
	for i := range steps { // what a step has moved to the backups stays known
		for _, a := range applied {
			if a.is(steps[i]) {
				steps[i].Moved = a.Moved
			}
		}
	}
	p.mine().Applied, p.mine().Exports = steps, false
	p.complete(c)
	r.describe(was)
	return nil
}

// is reports whether both are the same step.
func (a appliedStep) is(b appliedStep) bool { return a.Tag == b.Tag && slices.Equal(a.Does, b.Does) }

// undo undoes what an applied step did, as far as the classes of the configuration are concerned.
func (r *readoption) undo(step appliedStep) {
	for _, does := range slices.Backward(step.Does) { // as describeStep says
		words := strings.Fields(does)
		for _, word := range words {
			if !safefile.IsName(word) { // the record may be somebody else's work
				words = nil
			}
		}
		switch {
		case len(words) == 2 && words[0] == "delete":
			r.restore(words[1], step.Moved)
		case len(words) == 4 && words[0] == "rename" && words[2] == "to":
			r.move(words[3], words[1])
		case len(words) == 7 && words[0] == "take" && words[5] == "as":
			r.handBack(words[1], words[4], words[6])
		}
	}
}

// move gives the objects of class from to class to, if both have some only as r.both says.
func (r *readoption) move(from, to string) {
	classes := r.mine().Classes
	key, own := classes[from], classes[to]
	if key == "" || own != "" && !r.HasObjects(key) {
		return
	}
	if own != "" && r.HasObjects(own) && !r.yields(to, key, own, from) {
		return
	}
	classes[to] = key
	delete(classes, from)
}

// yields reports whether class, which has objects at own, gets those at key. It plans to move its
// own to the backups then. from says whose the others are.
func (r *readoption) yields(class, key, own, from string) bool {
	if !r.wanted[class] || r.wanted[from] || r.both == BothKeep {
		return false // each is used under its own name, or by another branch
	}
	if r.both == BothGiveBack {
		text := r.discard(class, own, " of "+class+" moved to ")
		r.notes = append(r.notes, "the objects that "+class+" had are in the backups"+text)
		return true
	}
	mine, others := counted(r.objects(own), "object"), counted(r.objects(key), "object")
	r.conflicts = append(r.conflicts, &control.Error{
		Code: control.CodeMigrations,
		Message: fmt.Sprintf("class %s has %s, and would get %s back from %s, which the migrations no longer have",
			class, mine, others, from),
		Hint: fmt.Sprintf("`devtool migrations adopt --both keep` leaves %s its %s, and the others in %s for a "+
			"configuration that has %s; `--both give-back` gives it the others, and moves its own to %s",
			class, mine, r.files.path(objectsFolder, key), from, r.files.path(backupFolder)),
	})
	return false
}

// restore gives a class that a step has deleted its objects back, from the backups.
func (r *readoption) restore(class string, moved []movedClass) {
	i := slices.IndexFunc(moved, func(m movedClass) bool { return m.Class == class })
	var back folderMove
	if i >= 0 {
		back = folderMove{From: moved[i].To, To: moved[i].From}
	} else if back = r.latestBackup(class); back.From == "" {
		return
	}
	key := filepath.Base(back.To)
	own := r.mine().Classes[class]
	if !r.files.exists(back.From) || r.isMoved(back.From) || own != key && r.isTaken(key) {
		return
	}
	if own != "" && r.HasObjects(own) {
		switch {
		case r.both == BothKeep || !r.wanted[class]:
			return
		case r.both == BothAsk:
			r.conflicts = append(r.conflicts, &control.Error{
				Code: control.CodeMigrations,
				Message: fmt.Sprintf("class %s has %s, and would get back those that were deleted, from %s",
					class, counted(r.objects(own), "object"), r.files.path(back.From)),
				Hint: "`devtool migrations adopt --both keep` leaves it its own, and the others in the backups; " +
					"`--both give-back` gives it the others, and moves its own to the backups",
			})
			return
		default:
			text := r.discard(class, own, " of "+class+" moved to ")
			r.notes = append(r.notes, "the objects that "+class+" had are in the backups"+text)
		}
	}
	var moves []folderMove
	if r.hasFolder(key) { // without objects, but in the way
		moves = append(moves, folderMove{From: back.To, To: r.freeBackup(key)})
	}
	r.restored[key] = append(moves, back)
	r.moves = append(r.moves, r.restored[key]...)
	r.mine().Classes[class] = key // another step may have renamed it before
}

// leaveBackups leaves those objects in the backups that would belong to no class of the
// configuration.
func (r *readoption) leaveBackups() {
	classes := r.mine().Classes
	for class, key := range classes {
		if back := r.restored[key]; back != nil && !r.wanted[class] {
			delete(classes, class)
			r.moves = slices.DeleteFunc(r.moves, func(m folderMove) bool { return slices.Contains(back, m) })
		}
	}
}

// latestBackup returns the move back of the last backup of a class that never had another name. It
// serves records of versions that did not note what a step has moved.
func (p *Plan) latestBackup(class string) (back folderMove) {
	key := objectid.UniqueKey(p.worker, class)
	entries, err := os.ReadDir(p.files.path(backupFolder))
	if err != nil {
		return folderMove{}
	}
	latest := 0
	for _, entry := range entries {
		number, isBackup := strings.CutPrefix(entry.Name(), key+".")
		if n, err := strconv.Atoi(number); isBackup && err == nil && n > latest && entry.IsDir() {
			latest = n
			back = folderMove{
				From: filepath.Join(backupFolder, entry.Name()), To: filepath.Join(objectsFolder, key),
			}
		}
	}
	return back
}

// handBack gives the objects of class to, which took them over from a class of another worker, back
// to that.
func (r *readoption) handBack(from, worker, to string) {
	key := r.mine().Classes[to]
	if key == "" || r.wanted[to] {
		return
	}
	other := r.record.Workers[worker]
	if other == nil { // it finds the folder by itself, if that has its name
		if key == objectid.UniqueKey(worker, from) {
			delete(r.mine().Classes, to)
		}
		return
	}
	if own := other.Classes[from]; own != "" && r.HasObjects(own) {
		return
	}
	other.Classes[from] = key
	delete(r.mine().Classes, to)
	if r.HasObjects(key) {
		r.notes = append(r.notes, fmt.Sprintf("%s of %s has the %s again that %s took over",
			from, worker, counted(r.objects(key), "object"), to))
	}
}

// keep leaves objects with the class that had them, if undoing steps would give them to no class of
// the configuration: steps that were merged into fewer ones lead to the same classes.
func (r *readoption) keep(was map[string]string) {
	classes := r.mine().Classes
	for class, key := range was {
		if !r.wanted[class] || classes[class] != "" && r.HasObjects(classes[class]) {
			continue
		}
		for holder, held := range classes {
			if held == key && !r.wanted[holder] {
				delete(classes, holder)
				classes[class] = key
				break
			}
		}
	}
}

// describe notes which objects change hands, and which are of no class of the configuration.
func (r *readoption) describe(was map[string]string) {
	owner := make(map[string]string)
	for class, key := range was {
		owner[key] = class
	}
	classes := r.mine().Classes
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		key := classes[class]
		if !r.HasObjects(key) {
			continue
		}
		n := counted(r.objects(key), "object")
		switch before := owner[key]; {
		case r.restored[key] != nil:
			r.notes = append(r.notes, fmt.Sprintf("class %s gets its %s back from the backups", class, n))
		case !r.wanted[class]:
			r.notes = append(r.notes, fmt.Sprintf("the %s of class %s, which the configuration lacks, stay in %s",
				n, class, r.files.path(objectsFolder, key)))
		case before != class:
			r.notes = append(r.notes, fmt.Sprintf("class %s gets the %s of class %s", class, n, before))
		}
	}
}
