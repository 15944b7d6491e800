package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// binds says where the value of a key holds the names of bindings.
type binds struct {
	kind string // the platform's term for the binding
	list string // the member that holds the bindings, or "" for the value itself
	// field is the member of a binding that has its name. It is "" if each key of the object, or
	// each string of the list, is a name.
	field string
}

// inList returns the usual form: an array of objects, or a single object, with the name in
// "binding".
func inList(kind string) *binds { return &binds{kind: kind, field: "binding"} }

// boundName is the name of one binding and its place.
type boundName struct {
	name string
	path string // of the binding
	at   span   // of the name
	in   span   // of the binding
}

// names returns the bindings that p, the value of a key, holds. It leaves out values of the wrong
// shape.
func (b *binds) names(p place) []boundName {
	at, path := p.node, p.path
	if b.list != "" {
		at, path = at.get(b.list), joinPath(path, b.list)
	}
	var list []boundName
	add := func(name *node, path string, in span) {
		if name != nil && name.kind == kindString && name.text != "" {
			list = append(list, boundName{name.text, path, name.span, in})
		}
	}
	switch {
	case at == nil:
	case at.kind == kindObject && b.field == "":
		for i := range at.members {
			m := &at.members[i]
			if m.key != "" {
				list = append(list, boundName{m.key, joinPath(path, m.key), m.keySpan, m.keySpan})
			}
		}
	case at.kind == kindObject:
		add(at.get(b.field), path, at.span)
	case at.kind == kindArray:
		for i, e := range at.elems {
			name := e
			if b.field != "" {
				name = e.get(b.field)
			}
			add(name, indexPath(path, i), e.span)
		}
	}
	return list
}

// checkBindings collects the bindings that devtool does not emulate. It reports names that occur
// twice, because all bindings are members of the one env that a handler sees.
func (d *decoder) checkBindings() {
	type bound struct {
		boundName
		key *key
	}
	var all []bound
	for i := range keys {
		k := &keys[i]
		if k.binds == nil {
			continue
		}
		p, ok := d.effective(*k)
		if !ok {
			continue
		}
		for _, b := range k.binds.names(p) {
			all = append(all, bound{b, k})
		}
	}
	slices.SortStableFunc(all, func(a, b bound) int { return cmp.Compare(a.at.start, b.at.start) })
	first := make(map[string]boundName, len(all))
	for _, b := range all {
		if f, again := first[b.name]; again {
			d.errorf("duplicate-binding", b.at, "", "the name %s of %s is already used by %s on line %d",
				quote(b.name), b.path, f.path, d.src.lineOf(f.at.start))
		} else {
			first[b.name] = b.boundName
		}
		if b.key.decode == nil {
			d.cfg.Others = append(d.cfg.Others, Binding{
				Name: b.name, Kind: b.key.binds.kind, Key: b.key.name, Pos: d.src.position(b.in.start)})
		}
	}
}

func (d *decoder) vars(p place) {
	for i := range p.node.members {
		m := &p.node.members[i]
		path := joinPath(p.path, m.key)
		if m.value.kind == kindString {
			d.cfg.Vars = append(d.cfg.Vars, Var{Name: m.key, Value: m.value.text})
			continue
		}
		d.cfg.Vars = append(d.cfg.Vars, Var{Name: m.key, Value: d.json(path, m.value), JSON: true})
	}
}

// json returns n, the value at path, as compact JSON, and reports values that JSON can't represent.
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
			d.errorf("not-json", n.span, "put quotes around it", "%s is %s, which JSON can't represent", path, n.text)
		}
		b.WriteString(n.text)
	case kindDateTime:
		d.errorf("date-in-vars", n.span, "put quotes around it: "+strconv.Quote(n.text),
			"%s is a TOML date, which JSON can't represent", path)
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
		if v := n.get("environment"); v != nil && b.ScriptName == "" {
			d.errorf("missing-field", v.span,
				"add the script_name of the worker that has the class, or delete environment",
				"%s has an environment of another worker, but no script_name", path)
		}
		d.cfg.DurableObjects = append(d.cfg.DurableObjects, b)
	}
}
