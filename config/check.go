package config

import "slices"

// checkTable holds the top level (path "") or an environment (path "env.<name>") against the table of keys.
func (d *decoder) checkTable(path string, table *node) {
	for i := range table.members {
		m := &table.members[i]
		at := joinPath(path, m.key)
		k := slices.IndexFunc(keys, func(k key) bool { return k.name == m.key })
		switch {
		case k < 0:
			d.unknownKey(at, m, keyNames())
		case keys[k].refusal != "":
			d.errorf("refused-key", m.keySpan, "", "%s %s", at, keys[k].refusal)
		case keys[k].scope == topOnly && path != "":
			d.warnf("top-level-only", m.keySpan, "move it to the top level of the file",
				"%s is ignored: %s can't differ between environments", at, m.key)
		default:
			d.check(at, m.value, keys[k].shape)
		}
	}
}

// check reports everything about n, the value at path, that its shape does not allow.
func (d *decoder) check(path string, n *node, s *shape) {
	if s.kinds&n.kind == 0 {
		hint := ""
		if n.kind == kindDateTime && s.kinds&kindString != 0 {
			hint = "put quotes around it"
		}
		d.errorf("wrong-type", n.span, hint, "%s must be %s, not %s", path, s.noun, n.describe())
		return
	}
	if s.valid != nil {
		if c := s.valid(n); c != nil {
			at := n.span
			if c.part != nil {
				at = d.src.within(n, *c.part)
			}
			d.errorf(c.id, at, c.hint, "%s %s", path, c.message)
		}
	}
	switch {
	case s.fields != nil && n.kind == kindObject:
		d.checkFields(path, n, s.fields)
	case s.elem != nil:
		for i, e := range n.elems {
			d.check(indexPath(path, i), e, s.elem)
		}
		for i := range n.members {
			d.check(joinPath(path, n.members[i].key), n.members[i].value, s.elem)
		}
	}
}

func (d *decoder) checkFields(path string, n *node, fields []field) {
	for i := range n.members {
		m := &n.members[i]
		at := joinPath(path, m.key)
		f := slices.IndexFunc(fields, func(f field) bool { return f.name == m.key })
		if f < 0 {
			names := make([]string, len(fields))
			for i := range fields {
				names[i] = fields[i].name
			}
			d.unknownKey(at, m, names)
			continue
		}
		d.check(at, m.value, fields[f].shape)
	}
	for _, f := range fields {
		if f.required && n.get(f.name) == nil {
			d.errorf("missing-field", n.span, "", "%s has no %q", path, f.name)
		}
	}
}

func (d *decoder) unknownKey(path string, m *member, known []string) {
	hint := ""
	if d.counted[SeverityWarning] < maxReported { // no search for what is not going to be shown
		hint = didYouMean(nearest(m.key, known))
	}
	d.warnf("unknown-key", m.keySpan, hint, "unknown key %s, it is ignored", path)
}

func keyNames() []string {
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = keys[i].name
	}
	return names
}
