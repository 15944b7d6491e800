package state_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"devtool.internal/config"
	"devtool.internal/emulator/state"
)

// Wherever a process that applies migrations is killed, the next one finishes its work.
func TestMigrationsSurviveAKillAtAnyPoint(t *testing.T) {
	origin := newMigrated(t)
	first := origin.config("w", v1)
	origin.put(first, "A/x", "A/y", "Old/z")
	giver := origin.config("giver", `"tag": "v1", "new_sqlite_classes": ["G"]`)
	origin.put(giver, "G/g")

	for n, more := 0, true; more; n++ {
		for _, torn := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %d writes, torn=%v", n, torn), func(t *testing.T) {
				m := migrated{t, t.TempDir()}
				if err := os.CopyFS(m.project, os.DirFS(origin.project)); err != nil {
					t.Fatal(err)
				}
				last := `"tag": "v5", "transferred_classes": [{"from": "G", "from_script": "giver", "to": "H"}]`
				all := m.config("w", v1, v2, v3, v4, last)
				more = m.killed(all, n)
				if torn { // in the middle of the next write
					if err := os.WriteFile(m.path("do", "migrations.json.new"), []byte(`{"wor`), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				// Whichever command comes next, the result is the same.
				if n > 0 {
					m.wantObjects(all, "B/x=A/x", "B/y=A/y", "H/g=G/g")
				}
				m.apply(all)
				m.wantObjects(all, "B/x=A/x", "B/y=A/y", "H/g=G/g")
				m.wantBackups(map[string]int{"w-Old.1": 1})
				m.put(all, "Old/z")
				m.wantObjects(all, "B/x=A/x", "B/y=A/y", "H/g=G/g", "Old/z=Old/z")
				m.open(all, func(f *state.Folder, _ *state.Plan) {
					applied, moving, err := f.Recorded("w")
					if err != nil || moving > 0 || applied != allSteps+1 {
						t.Errorf("the record has %d steps and %d moves, %v", applied, moving, err)
					}
				})
			})
		}
	}
}

// killed applies c like a process that is killed after n writes, and reports whether more writes
// were left.
func (m migrated) killed(c *config.Config, n int) (more bool) {
	m.t.Helper()
	f, err := state.OpenExisting(m.dir(), state.Owner{})
	if err != nil {
		m.t.Fatal(err)
	}
	p, err := f.Plan(c)
	if err != nil {
		m.t.Fatal(err)
	}
	writes := p.Writes()
	for _, write := range writes[:n] {
		if err := write(); err != nil {
			m.t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		m.t.Fatal(err)
	}
	return n < len(writes)
}

func TestTheRecordIsPrivateAndSaysWhatIsWrongWithIt(t *testing.T) {
	m := newMigrated(t)
	c := m.config("w", v1)
	m.apply(c)
	path := m.path("do", "migrations.json")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("got mode %v, %v", info.Mode(), err)
	}
	for content, want := range map[string]string{
		`{"wor`:                                  "is damaged .*: correct it, or delete it",
		`{"version": 2}`:                         "has version 2, and this devtool knows 1",
		`{"version": 1, "workers": {"w": null}}`: "",
		`{"version": 1}`:                         "",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := state.ReadMigrations(c, m.dir())
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", content, err)
			}
		} else if err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%s: got %v, want %s", content, err, want)
		}
	}
}
