package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"devtool.internal/config"
	"devtool.internal/durable/objectid"
)

// planAdoption plans to mark all steps of c as applied, whatever was applied before. Objects follow
// the classes that the record knows (see readopt.go). If some class would get objects and has some,
// both decides.
func planAdoption(f files, record *migrationRecord, c *config.Config, both Both) (*Plan, error) {
	p := newPlan(f, record, c)
	if record.Workers[c.Name] != nil {
		return p, p.readopt(c, both)
	}
	p.adoptFolders(c)
	p.complete(c)
	return p, nil
}

// hasFolders reports whether the worker ran on this state before there was a record.
func (p *Plan) hasFolders(c *config.Config) bool {
	return slices.ContainsFunc(everyClass(c), func(class string) bool {
		return p.hasFolder(objectid.UniqueKey(c.Name, class))
	})
}

// everyClass returns all names of classes that c mentions.
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

// adoptFolders adopts a state that is older than its record: all steps count as applied. Each class
// gets the objects on disk under its own name, or else under a former one.
func (p *Plan) adoptFolders(c *config.Config) {
	w := p.mine()
	for _, m := range c.Migrations {
		for _, class := range m.DeletedClasses {
			delete(w.Classes, class)
		}
		for _, r := range m.RenamedClasses {
			w.Classes[r.To] = cmp.Or(w.Classes[r.From], objectid.UniqueKey(p.worker, r.From))
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
		if own := objectid.UniqueKey(p.worker, class); p.HasObjects(own) && !p.isTaken(own) {
			w.Classes[class] = own
		}
	}
	for _, class := range classes {
		former := planned[class]
		switch {
		case w.Classes[class] != "":
		case p.HasObjects(former) && !p.isTaken(former):
			w.Classes[class] = former
			note := fmt.Sprintf("class %s uses the objects in %s, from its former name", class, former)
			p.notes = append(p.notes, note)
		default:
			p.create(class)
		}
	}
	w.Applied = appliedSteps(c.Migrations)
	p.noteAdoption("this state is older than its record of migrations")
}

// noteAdoption notes that all steps count as applied, if there are any, and why.
func (p *Plan) noteAdoption(why string) {
	if applied := p.mine().Applied; len(applied) > 0 {
		last := applied[len(applied)-1].Tag
		p.notes = append(p.notes, fmt.Sprintf("marked the migrations up to %s as applied: %s", last, why))
	}
}
