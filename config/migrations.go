package config

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

func (d *decoder) migrations(p place) {
	first := make(map[string]int) // from tag to line
	for i, n := range p.node.elems {
		m := Migration{
			Tag:              n.str("tag"),
			NewClasses:       n.strings("new_classes"),
			NewSQLiteClasses: n.strings("new_sqlite_classes"),
			DeletedClasses:   n.strings("deleted_classes"),
			Pos:              d.src.position(n.span.start),
		}
		for _, r := range n.array("renamed_classes") {
			m.RenamedClasses = append(m.RenamedClasses, Rename{r.str("from"), r.str("to")})
		}
		for _, t := range n.array("transferred_classes") {
			m.TransferredClasses = append(m.TransferredClasses,
				Transfer{t.str("from"), t.str("from_script"), t.str("to")})
		}
		d.cfg.Migrations = append(d.cfg.Migrations, m)

		if line, twice := first[m.Tag]; twice && m.Tag != "" {
			d.errorf("duplicate-tag", n.get("tag").span, "give each step its own tag, which records that it is applied",
				"%s.tag is %s, as on line %d", indexPath(p.path, i), quote(m.Tag), line)
		} else if m.Tag != "" {
			first[m.Tag] = d.src.lineOf(n.get("tag").span.start)
		}
	}
	d.checkTagOrder(p)
	fold(d.cfg.Migrations, func(at stepPlace, message string) {
		path := indexPath(joinPath(indexPath(p.path, at.step), at.list), at.index)
		class := p.node.elems[at.step].array(at.list)[at.index]
		d.errorf("impossible-migration", class.span, "", "%s %s", path, message)
	})
}

// checkTagOrder warns of tags of the usual form, v1, v2, ..., that go down. Steps apply in file
// order, so somebody probably pasted a step above one that is already deployed.
func (d *decoder) checkTagOrder(p place) {
	highest := make(map[string]int) // from a tag's prefix to the step with the highest number
	for i, m := range d.cfg.Migrations {
		prefix := strings.TrimRight(m.Tag, "0123456789")
		number, err := strconv.Atoi(m.Tag[len(prefix):])
		if err != nil {
			continue
		}
		before, ok := highest[prefix]
		if !ok {
			highest[prefix] = i
			continue
		}
		last := d.cfg.Migrations[before]
		top, _ := strconv.Atoi(last.Tag[len(prefix):]) // parsed before without an error
		if number < top {
			d.warnf("tags-out-of-order", p.node.elems[i].get("tag").span,
				"steps apply in the order of the file; add new ones at the end",
				"%s.tag is %s, after %s on line %d", indexPath(p.path, i), quote(m.Tag), quote(last.Tag), last.Pos.Line)
		} else {
			highest[prefix] = i
		}
	}
}

// classHistory is the state of the classes after a list of migrations.
type classHistory struct {
	alive map[string]backend
	gone  map[string]string // from a class that no longer exists to its fate: "deleted in step ..."
}

// A backend is the kind of storage that a class has.
type backend int

const (
	backendNone backend = iota // there is no such class
	backendKeyValue
	backendSQLite
)

// stepPlace is one element of one list of one migration.
type stepPlace struct {
	step  int
	list  string
	index int
}

// fold applies the steps in order, each as Migration describes. It calls impossible, unless that is
// nil, for each change that can't be applied. It goes on as if that change had been possible, so
// that one mistake is reported once.
func fold(steps []Migration, impossible func(at stepPlace, message string)) classHistory {
	h := classHistory{alive: make(map[string]backend), gone: make(map[string]string)}
	for i, m := range steps {
		refuse := func(list string, index int, format string, args ...any) {
			if impossible != nil {
				impossible(stepPlace{i, list, index}, fmt.Sprintf(format, args...))
			}
		}
		unknown := func(class string) string {
			if fate, ok := h.gone[class]; ok {
				return fate
			}
			return "not created by an earlier step"
		}
		create := func(list string, index int, class string, b backend) {
			if class == "" {
				return
			}
			if h.alive[class] != backendNone {
				refuse(list, index, "creates the class %s, which already exists", quote(class))
			}
			h.alive[class] = b
		}
		end := func(list string, index int, verb, class, fate string) {
			if class == "" {
				return
			}
			if h.alive[class] == backendNone {
				refuse(list, index, "%s the class %s, which was %s", verb, quote(class), unknown(class))
			}
			delete(h.alive, class)
			h.gone[class] = fate
		}

		for j, class := range m.DeletedClasses {
			end("deleted_classes", j, "deletes", class, fmt.Sprintf("deleted in step %s", quote(m.Tag)))
		}
		for j, r := range m.RenamedClasses {
			b := cmp.Or(h.alive[r.From], backendSQLite)
			end("renamed_classes", j, "renames", r.From,
				fmt.Sprintf("renamed to %s in step %s", quote(r.To), quote(m.Tag)))
			create("renamed_classes", j, r.To, b)
		}
		for j, t := range m.TransferredClasses {
			create("transferred_classes", j, t.To, backendSQLite) // the other worker knows its real backend
		}
		for j, class := range m.NewClasses {
			create("new_classes", j, class, backendKeyValue)
		}
		for j, class := range m.NewSQLiteClasses {
			create("new_sqlite_classes", j, class, backendSQLite)
		}
	}
	return h
}
