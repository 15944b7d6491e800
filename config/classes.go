package config

import (
	"fmt"
	"maps"
	"slices"
)

// history returns the classes that exist, and the former ones, as migrations or exports have them.
func (c *Config) history() classHistory {
	if len(c.Exports) == 0 {
		return fold(c.Migrations, nil)
	}
	h := classHistory{alive: make(map[string]backend), gone: make(map[string]string)}
	for _, e := range c.Exports {
		switch {
		case !e.Live():
			h.gone[e.Class] = e.fate()
		case e.KeyValue:
			h.alive[e.Class] = backendKeyValue
		default:
			h.alive[e.Class] = backendSQLite
		}
	}
	return h
}

// checkClasses warns of bindings to classes of this worker that are not declared. Such an object
// would work here, but the worker could not be deployed.
func (d *decoder) checkClasses() {
	objects, ok := d.effective(*keyIndex["durable_objects"])
	if !ok {
		return
	}
	history := d.cfg.history()
	declared := slices.Sorted(maps.Keys(history.alive))
	var missing []string
	var at span
	for i, n := range objects.node.array("bindings") {
		b := d.cfg.DurableObjects[i]
		class := n.get("class_name")
		if class == nil || validClassName(class) != nil || !d.cfg.Owns(b) || history.alive[b.ClassName] != backendNone {
			continue
		}
		if fate, gone := history.gone[b.ClassName]; gone {
			d.warnf("class-gone", class.span, "", "the class %s is bound, but it was %s", b.ClassName, fate)
			continue
		}
		if len(missing) == 0 {
			at = class.span
		}
		history.alive[b.ClassName] = backendSQLite // report it once
		missing = append(missing, b.ClassName)
	}
	if len(missing) == 0 {
		return
	}
	id, message, snippet := d.undeclared(missing)
	if like := nearest(missing[0], declared); like != "" && len(missing) == 1 {
		snippet = didYouMean(like) + " If not, " + snippet
	}
	d.warnf(id, at, snippet, message, enumerate(missing))
}

// undeclared returns a diagnostic for classes that are not declared. Its snippet declares them in
// the form that the file uses.
func (d *decoder) undeclared(classes []string) (id, message, snippet string) {
	if p, ok := d.effective(*keyIndex["exports"]); ok && len(d.cfg.Migrations) == 0 {
		message = "the class %s is bound, but exports does not declare it"
		if len(classes) > 1 {
			message = "the classes %s are bound, but exports does not declare them"
		}
		return "class-without-export", message, d.src.format.exportSnippet(p.path, classes)
	}
	path := "migrations"
	if p, ok := d.effective(*keyIndex["migrations"]); ok {
		path = p.path
	}
	message = "the class %s is bound, but no migration creates it"
	if len(classes) > 1 {
		message = "the classes %s are bound, but no migration creates them"
	}
	return "class-without-migration", message,
		d.src.format.migrationSnippet(path, nextTag(d.cfg.Migrations), classes, len(d.cfg.Migrations) == 0)
}

// nextTag returns the tag for a step to be added, in the usual series v1, v2, ...
func nextTag(steps []Migration) string {
	taken := make(map[string]bool, len(steps))
	for _, m := range steps {
		taken[m.Tag] = true
	}
	for n := len(steps) + 1; ; n++ {
		if tag := fmt.Sprintf("v%d", n); !taken[tag] {
			return tag
		}
	}
}
