package state_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"devtool.internal/config"
	"devtool.internal/emulator/state"
)

func TestStepsThatWereAppliedMustStay(t *testing.T) {
	create := func(tag, class string) string {
		return fmt.Sprintf(`"tag": %q, "new_sqlite_classes": [%q]`, tag, class)
	}
	for name, test := range map[string]struct {
		steps []string
		want  []string
	}{
		"edited": {
			[]string{`"tag": "v1", "new_classes": ["A"]`, create("v2", "B")},
			[]string{
				`3 migration-edited the migration "v1" was applied as "create A", and now says "create A without SQL"`,
			},
		},
		"moved": {
			[]string{create("v2", "B"), create("v1", "A")},
			[]string{`3 migration-moved the migration "v2" was applied after "v1", and now stands before it`},
		},
		"removed": {
			[]string{create("v1", "A")},
			[]string{`1 migration-removed the migration "v2" was applied (create B), and is no longer in migrations`},
		},
		"all removed": {
			nil,
			[]string{
				`1 migration-removed the migration "v1" was applied (create A), and is no longer in migrations`,
				`1 migration-removed the migration "v2" was applied (create B), and is no longer in migrations`,
			},
		},
		"inserted": {
			[]string{create("v1", "A"), create("v1b", "C"), create("v2", "B")},
			[]string{`4 migration-inserted the migration "v1b" is new, and stands before "v2", which was applied`},
		},
		"other tag": {
			[]string{create("v1", "A"), create("two", "B")},
			[]string{`1 migration-removed the migration "v2" was applied (create B), and is no longer in migrations`},
		},
		"several": {
			[]string{create("v2", "X"), create("v1", "Y")},
			[]string{`4 migration-edited`, `3 migration-moved`, `3 migration-edited`},
		},
		"only more": {
			[]string{create("v1", "A"), create("v2", "B"), create("v3", "C")},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMigrated(t)
			before := m.config("w", create("v1", "A"), create("v2", "B"))
			m.apply(before)
			m.put(before, "A/x")
			c := m.config("w", test.steps...)
			_, err := state.ReadMigrations(c, m.dir())
			if test.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var bad *config.Error
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want a *config.Error", err)
			}
			source, err := os.ReadFile(c.Path)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(source), "\n")
			if len(bad.Diagnostics) != len(test.want) {
				t.Errorf("got %d diagnostics, want %d", len(bad.Diagnostics), len(test.want))
			}
			for i, d := range bad.Diagnostics[:min(len(bad.Diagnostics), len(test.want))] {
				got := fmt.Sprintf("%d %s %s", d.Position.Line, d.ID, d.Message)
				if !strings.HasPrefix(got, test.want[i]) {
					t.Errorf("got %s, want %s", got, test.want[i])
				}
				if d.Source != lines[d.Position.Line-1] {
					t.Errorf("got source %q, want the line", d.Source)
				}
			}

			hint := bad.Diagnostics[len(bad.Diagnostics)-1].Hint
			if !strings.Contains(hint, "devtool migrations adopt") {
				t.Errorf("got hint %q, want what to do", hint)
			}

			// No command changes anything.
			for name, do := range map[string]func() error{
				"apply": func() error { _, err := state.ApplyMigrations(c, m.dir()); return err },
				"open":  func() error { return m.tryOpen(c, func(*state.Folder, *state.Plan) {}) },
			} {
				if err := do(); !errors.As(err, &bad) {
					t.Errorf("%s: got %v, want a *config.Error", name, err)
				}
			}
			m.wantObjects(before, "A/x=A/x")

			// Until the user adopts the steps as they are now.
			if _, err := state.AdoptMigrations(c, m.dir(), state.BothAsk); err != nil {
				t.Fatal(err)
			}
			if did := m.apply(c); did != nil {
				t.Errorf("after adopt: got %q, want nothing to do", did)
			}
			if slices.Contains(c.Classes(), "A") {
				m.wantObjects(c, "A/x=A/x")
			}
		})
	}
}

func TestStepsMayChangeWhileNothingIsStored(t *testing.T) {
	m := newMigrated(t)
	m.apply(m.config("w", `"tag": "v1", "new_sqlite_classes": ["Batcherr"]`))
	m.wantApplied(m.config("w", `"tag": "v1", "new_sqlite_classes": ["Batcher"]`), "v1: create Batcher")
}
