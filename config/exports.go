package config

// The states that exports can give to a class of Durable Objects. Objects exist in stateCreated and
// stateExpectingTransfer; the other states say what became of them.
const (
	stateCreated           = "created"
	stateDeleted           = "deleted"
	stateRenamed           = "renamed"
	stateTransferred       = "transferred"
	stateExpectingTransfer = "expecting-transfer"
)

// Export is the entry of one class of Durable Objects in exports, the other way to declare classes.
// Exports say which classes exist, where migrations say how they change.
type Export struct {
	Class         string
	State         string // "created", "deleted", "renamed", "transferred" or "expecting-transfer"
	KeyValue      bool   // the class has no SQL; only for a Live one
	RenamedTo     string // the class that has the objects now, if renamed
	TransferredTo string // the worker that has them now, if transferred
	TransferFrom  string // the worker that they come from, if a transfer is expected
	Pos           Position
}

// Live reports whether the worker has the class.
func (e Export) Live() bool { return e.State == stateCreated || e.State == stateExpectingTransfer }

// fate says what became of a class that is no longer live.
func (e Export) fate() string {
	switch e.State {
	case stateRenamed:
		return "renamed to " + quote(e.RenamedTo)
	case stateTransferred:
		return "transferred to the worker " + quote(e.TransferredTo)
	}
	return e.State
}

func (d *decoder) exports(p place) {
	for i := range p.node.members {
		m := &p.node.members[i]
		if m.value.str("type") != "durable-object" {
			continue
		}
		e := Export{
			Class:         m.key,
			State:         stateCreated,
			KeyValue:      m.value.str("storage") == "legacy-kv",
			RenamedTo:     m.value.str("renamed_to"),
			TransferredTo: m.value.str("transferred_to"),
			TransferFrom:  m.value.str("transfer_from"),
			Pos:           d.src.position(m.keySpan.start),
		}
		if state := m.value.str("state"); state != "" {
			e.State = state
		}
		if c := validClassName(&node{kind: kindString, text: m.key}); c != nil {
			d.errorf(c.id, m.keySpan, "", "%s %s", joinPath(p.path, m.key), c.message)
			continue
		}
		d.cfg.Exports = append(d.cfg.Exports, e)
	}
	d.checkRenames(p)
	d.checkBothForms(p)
}

// checkRenames reports renames to a class that has no live entry of its own.
func (d *decoder) checkRenames(p place) {
	live := make(map[string]bool)
	var names []string
	for _, e := range d.cfg.Exports {
		if e.Live() {
			live[e.Class] = true
			names = append(names, e.Class)
		}
	}
	for _, e := range d.cfg.Exports {
		if e.State != stateRenamed || e.RenamedTo == "" || live[e.RenamedTo] {
			continue
		}
		at := p.node.get(e.Class).get("renamed_to").span
		path := joinPath(joinPath(p.path, e.Class), "renamed_to")
		if e.RenamedTo == e.Class {
			d.errorf("impossible-export", at, "", "%s is the class itself", path)
			continue
		}
		hint := didYouMean(nearest(e.RenamedTo, names))
		if hint == "" {
			hint = d.src.format.exportSnippet(p.path, []string{e.RenamedTo})
		}
		d.errorf("impossible-export", at, hint, "%s is %s, which is not a live class of %s",
			path, quote(e.RenamedTo), p.path)
	}
}

// checkBothForms reports classes that are declared in both ways, which the platform refuses.
func (d *decoder) checkBothForms(p place) {
	if len(d.cfg.Exports) == 0 || len(d.cfg.Migrations) == 0 {
		return
	}
	d.errorf("migrations-and-exports", p.node.get(d.cfg.Exports[0].Class).span,
		"keep one of them: exports say which classes exist, migrations how they came to exist",
		"%s declares classes of Durable Objects, "+
			"and so does migrations on line %d", p.path, d.cfg.Migrations[0].Pos.Line)
}
