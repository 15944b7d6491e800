package emulator

import (
	"fmt"
	"slices"

	"devtool.internal/config"
)

// exportsTag stands for exports where a step of migrations has its tag.
const exportsTag = "exports"

// planExports plans what exports ask for, the other way to declare classes. They say what is to be, so what has to
// happen follows from what there is, and there are no steps to remember.
func (p *migrationPlan) planExports(c *config.Config) {
	w := p.mine()
	w.Applied, w.Exports = []appliedStep{}, true
	older := p.before.Workers[p.worker] == nil
	if older { // but perhaps not than its objects
		for _, e := range c.Exports {
			if key := p.freeKey(e.Class); p.hasObjects(key) && (e.State != "deleted") {
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
			did("delete %s%s", e.Class, p.discard(key, "; kept in "))
		case "renamed":
			delete(w.Classes, e.Class)
			if old := w.Classes[e.RenamedTo]; older && old != "" && p.hasObjects(old) {
				continue // it has been done, in a way
			}
			did("rename %s to %s%s", e.Class, e.RenamedTo, p.give(e.RenamedTo, key))
		}
	}
	for _, e := range c.Exports {
		key := w.Classes[e.Class]
		if e.State == "expecting-transfer" && (key == "" || !p.hasObjects(key)) {
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
