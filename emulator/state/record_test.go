package state_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
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

// A migration whose step fails is undone, so that a running emulator may go on with the classes as
// they were. The next plan of the same process finds all of it still to do, and moves nothing.
func TestAMigrationThatFailsIsUndone(t *testing.T) {
	origin := newMigrated(t)
	first := origin.config("w", v1)
	origin.put(first, "A/x", "A/y", "Old/z")

	for n, more := 0, true; more; n++ {
		t.Run(fmt.Sprintf("write %d", n), func(t *testing.T) {
			m := migrated{t, t.TempDir()}
			if err := os.CopyFS(m.project, os.DirFS(origin.project)); err != nil {
				t.Fatal(err)
			}
			all := m.config("w", v1, v2, v3, v4)
			f, err := state.OpenExisting(m.dir(), state.Owner{})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p, err := f.Plan(all)
			if err != nil {
				t.Fatal(err)
			}
			last := n == len(p.Writes())-1
			broken := errors.New("the disk is broken")
			var failed error
			if more, failed = p.CommitFailing(n, broken); !more {
				return
			}
			if last { // all folders are moved
				if failed != nil {
					t.Errorf("got %v, want the migration to count", failed)
				}
			} else if !errors.Is(failed, broken) {
				t.Errorf("got %v, want %v", failed, broken)
			}
			again, err := f.Plan(all)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(m.path("do", "w-Old")); last != os.IsNotExist(err) {
				t.Errorf("the folder of the deleted class: %v, want it moved: %v", err, last)
			}
			if pending := len(again.Steps()) > 0; pending == last {
				t.Errorf("pending: %v, want %v", pending, !last)
			}
			if err := again.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			m.wantObjects(all, "B/x=A/x", "B/y=A/y")
			m.wantBackups(map[string]int{"w-Old.1": 1})
		})
	}
}

// If a failed migration can't be undone either, a running emulator moves no folder later: its class
// may be open. The next process does.
func TestAHalfMigrationIsOnlyFinishedBeforeAnythingIsOpen(t *testing.T) {
	m := newMigrated(t)
	m.put(m.config("w", v1), "A/x", "Old/z")
	all := m.config("w", v1, v2, v3, v4)
	f, err := state.OpenExisting(m.dir(), state.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Plan(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Writes()[0](); err != nil { // the record lists a move
		t.Fatal(err)
	}
	if _, err := f.Plan(all); control.CodeOf(err) != control.CodeMigrations {
		t.Errorf("got %v, want an error that asks for a new start", err)
	}
	if _, err := os.Stat(m.path("do", "w-Old")); err != nil {
		t.Errorf("the folder was moved: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	m.wantObjects(all, "B/x=A/x")
	m.wantBackups(map[string]int{"w-Old.1": 1})
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
