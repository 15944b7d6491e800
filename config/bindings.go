package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// bindingPlace is where a binding's name was given first.
type bindingPlace struct {
	path string
	line int
}

// bind takes name for the binding at path. All bindings are members of the one env that a handler sees, so a name
// that is taken is an error.
func (d *decoder) bind(name, path string, at span) {
	if name == "" {
		return
	}
	if first, taken := d.bindings[name]; taken {
		d.errorf("duplicate-binding", at, "", "the name %s of %s is taken by %s on line %d",
			quote(name), path, first.path, first.line)
		return
	}
	d.bindings[name] = bindingPlace{path, d.src.lineOf(at.start)}
}

func (d *decoder) vars(p place) {
	for i := range p.node.members {
		m := &p.node.members[i]
		path := joinPath(p.path, m.key)
		d.bind(m.key, path, m.keySpan)
		if m.value.kind == kindString {
			d.cfg.Vars = append(d.cfg.Vars, Var{Name: m.key, Value: m.value.text})
			continue
		}
		d.cfg.Vars = append(d.cfg.Vars, Var{Name: m.key, Value: d.json(path, m.value), JSON: true})
	}
}

// json returns n, the value at path, as compact JSON, and reports what JSON can't carry.
func (d *decoder) json(path string, n *node) string {
	var b strings.Builder
	d.writeJSON(&b, path, n)
	return b.String()
}

func (d *decoder) writeJSON(b *strings.Builder, path string, n *node) {
	switch n.kind {
	case kindObject:
		b.WriteByte('{')
		for i := range n.members {
			if i > 0 {
				b.WriteByte(',')
			}
			m := &n.members[i]
			b.WriteString(jsonString(m.key))
			b.WriteByte(':')
			d.writeJSON(b, joinPath(path, m.key), m.value)
		}
		b.WriteByte('}')
	case kindArray:
		b.WriteByte('[')
		for i, e := range n.elems {
			if i > 0 {
				b.WriteByte(',')
			}
			d.writeJSON(b, indexPath(path, i), e)
		}
		b.WriteByte(']')
	case kindString:
		b.WriteString(jsonString(n.text))
	case kindNumber:
		if strings.ContainsAny(n.text, "inaf") { // TOML's inf and nan
			d.errorf("not-json", n.span, "put quotes around it", "%s is %s, which JSON has no number for", path, n.text)
		}
		b.WriteString(n.text)
	case kindDateTime:
		d.errorf("date-in-vars", n.span, "put quotes around it: "+strconv.Quote(n.text),
			"%s is a TOML date, which a handler can't be given", path)
	case kindBool:
		b.WriteString(strconv.FormatBool(n.truth))
	case kindNull:
		b.WriteString("null")
	}
}

func (d *decoder) durableObjects(p place) {
	list := joinPath(p.path, "bindings")
	for i, n := range p.node.array("bindings") {
		path := indexPath(list, i)
		b := DurableObject{
			Name:        n.str("name"),
			ClassName:   n.str("class_name"),
			ScriptName:  n.str("script_name"),
			Environment: n.str("environment"),
			Pos:         d.src.position(n.span.start),
		}
		if v := n.get("name"); v != nil {
			d.bind(b.Name, path, v.span)
		}
		if v := n.get("environment"); v != nil && b.ScriptName == "" {
			d.errorf("missing-field", v.span, "add the script_name of the worker that has the class, or delete it",
				"%s names an environment of another worker, but not the worker", path)
		}
		d.cfg.DurableObjects = append(d.cfg.DurableObjects, b)
	}
}

// checkClasses warns of bindings to classes of this worker that no migration has created. Such an object would work
// here and could not be deployed.
func (d *decoder) checkClasses() {
	if d.has("exports") { // the other way to declare classes, which has no migrations
		return
	}
	objects, ok := d.effective(key{name: "durable_objects", scope: perEnvironment})
	if !ok {
		return
	}
	history := fold(d.cfg.Migrations, nil)
	created := slices.Sorted(maps.Keys(history.alive))
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
		history.alive[b.ClassName] = backendSQLite // mention it once
		missing = append(missing, b.ClassName)
	}
	if len(missing) == 0 {
		return
	}
	path := "migrations"
	if p, ok := d.effective(key{name: "migrations", scope: inheritable}); ok {
		path = p.path
	}
	message := "the class %s is bound, but no migration creates it"
	if len(missing) > 1 {
		message = "the classes %s are bound, but no migration creates them"
	}
	hint := d.src.format.migrationSnippet(path, nextTag(d.cfg.Migrations), missing, len(d.cfg.Migrations) == 0)
	if like := nearest(missing[0], created); like != "" && len(missing) == 1 {
		hint = didYouMean(like) + " If not, " + hint
	}
	d.warnf("class-without-migration", at, hint, message, enumerate(missing))
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
