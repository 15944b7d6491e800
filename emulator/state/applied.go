package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/internal/safefile"
)

// appliedSteps returns steps as the record keeps them.
func appliedSteps(steps []config.Migration) []appliedStep {
	applied := make([]appliedStep, len(steps))
	for i, m := range steps {
		applied[i] = appliedStep{Tag: m.Tag, Does: describeStep(m)}
	}
	return applied
}

// describeStep describes a step, the same for each way to write it. Records on disk contain these
// texts: to change one is to find every applied step edited.
func describeStep(m config.Migration) []string {
	does := []string{}
	add := func(list []string, format string) {
		for _, class := range slices.Sorted(slices.Values(list)) {
			does = append(does, fmt.Sprintf(format, class))
		}
	}
	add(m.DeletedClasses, "delete %s")
	for _, r := range m.RenamedClasses {
		does = append(does, fmt.Sprintf("rename %s to %s", r.From, r.To))
	}
	for _, t := range m.TransferredClasses {
		does = append(does, fmt.Sprintf("take %s over from %s as %s", t.From, t.FromScript, t.To))
	}
	add(m.NewClasses, "create %s without SQL")
	add(m.NewSQLiteClasses, "create %s")
	return does
}

// compareSteps returns a diagnostic for each applied step that c lacks, has changed or has moved,
// and for each new step before an applied one.
func compareSteps(applied []appliedStep, c *config.Config) []config.Diagnostic {
	lines := fileLines(c.Path)
	var found []config.Diagnostic
	complain := func(id string, at config.Position, format string, args ...any) {
		d := config.Diagnostic{
			Severity: config.SeverityError, ID: id, Position: at, Message: fmt.Sprintf(format, args...), Length: 1,
		}
		if at.Line >= 1 && at.Line <= len(lines) {
			d.Source = lines[at.Line-1]
		}
		found = append(found, d)
	}
	top := config.Position{File: c.Path, Line: 1, Column: 1}
	place := make(map[string]int)
	for i, m := range c.Migrations {
		place[m.Tag] = i
	}
	last := -1
	for _, a := range applied {
		was := strings.Join(a.Does, ", ")
		i, there := place[a.Tag]
		if !there {
			complain("migration-removed", top, "the migration %q was applied (%s), and is no longer in migrations",
				a.Tag, was)
			continue
		}
		m := c.Migrations[i]
		if i < last {
			complain("migration-moved", m.Pos, "the migration %q was applied after %q, and now stands before it",
				a.Tag, c.Migrations[last].Tag)
		}
		last = max(last, i)
		if now := describeStep(m); !slices.Equal(a.Does, now) {
			complain("migration-edited", m.Pos, "the migration %q was applied as %q, and now says %q",
				a.Tag, was, strings.Join(now, ", "))
		}
	}
	for _, m := range c.Migrations[:last+1] {
		if !slices.ContainsFunc(applied, func(a appliedStep) bool { return a.Tag == m.Tag }) {
			complain("migration-inserted", m.Pos, "the migration %q is new, and stands before %q, which was applied",
				m.Tag, c.Migrations[last].Tag)
		}
	}
	return found
}

// adviceOn says what to do about steps that were changed after they were applied, and what becomes
// of the objects each time.
func adviceOn(f files, record *migrationRecord, c *config.Config) string {
	lines := []string{
		"Put the steps back as they were, and add changes as a new step at the end: no object changes hands.",
		"Or accept the steps as they are now: devtool migrations adopt",
	}
	adopted, err := planAdoption(f, record, c, BothAsk)
	var both *control.Error
	switch {
	case errors.As(err, &both):
		lines = append(lines, "  "+both.Message+":", "  "+both.Hint)
	case err == nil && len(adopted.notes) > 0:
		for _, note := range adopted.notes {
			lines = append(lines, "  "+note)
		}
	default:
		lines = append(lines, "  each class keeps its objects")
	}
	return strings.Join(append(lines,
		"Or start without data: use another --persist-to, which leaves this state as it is, "+
			"or stop devtool and delete "+f.dir), "\n")
}

// fileLines returns the lines of a file, or nil if it can't be read: they are only shown.
func fileLines(path string) []string {
	b, err := safefile.ReadSource(path, safefile.MaxSource)
	if err != nil {
		return nil
	}
	return strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
}
