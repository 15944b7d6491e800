package config

import "slices"

// checkTable checks the top level (path "") or an environment (path "env.<name>") against the table
// of keys.
func (d *decoder) checkTable(path string, table *node) {
	for i := range table.members {
		m := &table.members[i]
		at := joinPath(path, m.key)
		k := keyIndex[m.key]
		switch {
		case k == nil:
			d.unknownKey(at, m, keyNames())
		case k.refusal != "":
			d.errorf("refused-key", m.keySpan, "", "%s %s", at, k.refusal)
		case k.scope == topOnly && path != "":
			d.warnf("top-level-only", m.keySpan, "move it to the top level of the file",
				"%s is ignored: %s can't differ between environments", at, m.key)
		default:
			d.check(at, m.value, k.shape)
		}
	}
	if table.get("route") != nil && table.get("routes") != nil {
		d.errorf("exclusive-keys", table.members[table.find("routes")].keySpan, "move the route into the list",
			"%s and %s can't be combined", joinPath(path, "route"), joinPath(path, "routes"))
	}
	site := table.get("site")
	if path == "" && site != nil && site.get("entry-point") != nil && table.get("main") != nil {
		d.errorf("exclusive-keys", site.members[site.find("entry-point")].keySpan,
			"delete site.entry-point: main replaces it", "main and site.entry-point can't be combined")
	}
}

// check reports everything in n, the value at path, that its shape does not allow.
func (d *decoder) check(path string, n *node, s *shape) {
	if s.kinds&n.kind == 0 {
		hint := ""
		if n.kind == kindDateTime && s.kinds&kindString != 0 {
			hint = "put quotes around it"
		}
		d.errorf("wrong-type", n.span, hint, "%s must be %s, not %s", path, s.noun, n.describe())
		return
	}
	if s.variant != nil && n.kind == kindObject {
		d.check(path, n, s.variant(n))
		return
	}
	if s.enum != nil && n.kind == kindString && !slices.Contains(s.enum, n.text) {
		d.errorf("unknown-value", n.span, didYouMean(nearest(n.text, s.enum)), "%s must be %s, not %s",
			path, choices(s.enum), quote(n.text))
		return
	}
	if s.valid != nil {
		if c := s.valid(n); c != nil {
			at := n.span
			switch {
			case c.part != nil:
				at = d.src.within(n, *c.part)
			case c.member != "":
				at = n.members[n.find(c.member)].keySpan
			}
			d.errorf(c.id, at, c.hint, "%s %s", path, c.message)
		}
	}
	switch {
	case s.fields != nil && n.kind == kindObject:
		d.checkFields(path, n, s)
	case s.elem != nil:
		for i, e := range n.elems {
			d.check(indexPath(path, i), e, s.elem)
		}
		for i := range n.members {
			d.check(joinPath(path, n.members[i].key), n.members[i].value, s.elem)
		}
	}
}

func (d *decoder) checkFields(path string, n *node, s *shape) {
	for i := range n.members {
		m := &n.members[i]
		at := joinPath(path, m.key)
		f := slices.IndexFunc(s.fields, func(f field) bool { return f.name == m.key })
		switch {
		case f >= 0:
			d.check(at, m.value, s.fields[f].shape)
		case s.exact:
			names := s.fieldNames()
			d.errorf("forbidden-field", m.keySpan, didYouMean(nearest(m.key, names)),
				"%s is not allowed: only %s can be here", at, enumerate(names))
		case !s.open:
			d.unknownKey(at, m, s.fieldNames())
		}
	}
	for _, f := range s.fields {
		if f.required && n.get(f.name) == nil {
			d.errorf("missing-field", n.span, "", "%s has no %q", path, f.name)
		}
	}
}

func (d *decoder) unknownKey(path string, m *member, known []string) {
	hint := ""
	if d.counted[SeverityWarning] < maxReported { // otherwise nobody will see the hint
		hint = didYouMean(nearest(m.key, known))
	}
	d.warnf("unknown-key", m.keySpan, hint, "unknown key %s is ignored", path)
}

func (s *shape) fieldNames() []string {
	names := make([]string, len(s.fields))
	for i := range s.fields {
		names[i] = s.fields[i].name
	}
	return names
}

func keyNames() []string {
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = keys[i].name
	}
	return names
}
