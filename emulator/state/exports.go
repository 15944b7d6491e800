package state

import (
	"fmt"
	"slices"

	"devtool.internal/config"
)

// exportsTag is the tag of the one step that exports come to.
const exportsTag = "exports"

// planExports plans the changes that exports need: the other way to declare classes. Exports
// declare a result, so the changes follow from the present record, and no steps are recorded.
func (p *Plan) planExports(c *config.Config) {
	w := p.mine()
	w.Applied, w.Exports = []appliedStep{}, true
	older := p.before.Workers[p.worker] == nil
	if older { // its objects may be older than the record
		for _, e := range c.Exports {
			if key := p.freeKey(e.Class); p.HasObjects(key) && e.State != "deleted" {
				w.Classes[e.Class] = key
			}
		}
	}
	var does []string
	did := func(format string, args ...any) { does = append(does, fmt.Sprintf(format, args...)) }
	bound := c.Classes()
	for _, e := range c.Exports {
		key := w.Classes[e.Class]
		if key == "" || slices.Contains(bound, e.Class) {
			continue
		}
		switch e.State {
		case "deleted":
			delete(w.Classes, e.Class)
			did("delete %s%s", e.Class, p.discard(e.Class, key, "; kept in "))
		case "renamed":
			delete(w.Classes, e.Class)
			if old := w.Classes[e.RenamedTo]; older && old != "" && p.HasObjects(old) {
				continue // the new class has objects already: it was renamed before there was a record
			}
			did("rename %s to %s%s", e.Class, e.RenamedTo, p.give(e.RenamedTo, key))
		}
	}
	for _, e := range c.Exports {
		key := w.Classes[e.Class]
		if e.State == "expecting-transfer" && (key == "" || !p.HasObjects(key)) {
			text := p.transfer(config.Transfer{From: e.Class, FromScript: e.TransferFrom, To: e.Class})
			if key != w.Classes[e.Class] {
				does = append(does, text)
			}
		} else if e.Live() && key == "" {
			p.create(e.Class)
			did("create %s", e.Class)
		}
	}
	if len(does) > 0 {
		p.steps = append(p.steps, MigrationStep{Tag: exportsTag, Does: does})
	}
}
