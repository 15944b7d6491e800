package emulator

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
)

// exports is the configuration of a worker with these entries.
func (m migrated) exports(worker, entries string) *config.Config {
	m.t.Helper()
	return m.file(worker, `"exports": {`+entries+`}`)
}

func live(class string) string {
	return `"` + class + `": {"type": "durable-object", "storage": "sqlite"}`
}

func TestExportsOfAState(t *testing.T) {
	m := newMigrated(t)
	want := func(c *config.Config, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, m.apply(c)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if again := m.apply(c); again != nil {
			t.Errorf("once more: got %q, want nothing", again)
		}
	}
	first := m.exports("w", live("A")+","+live("Old"))
	want(first, "exports: create A, create Old")
	m.put(first, "A/x", "Old/z")

	gone := `"A": {"type": "durable-object", "state": "renamed", "renamed_to": "B"},
		"Old": {"type": "durable-object", "state": "deleted"}`
	next := m.exports("w", live("B")+","+gone)
	_, err := OpenOffline(next, m.state())
	wantRefusal(t, err, 409, "migrations are pending that change whose objects are where (exports: rename A to B, delete Old")
	want(next, "exports: rename A to B, delete Old (1 object; kept in backups/w-Old.1)")
	m.wantObjects(next, "B/x=A/x")

	taker := m.exports("taker", `"B": {"type": "durable-object", "state": "expecting-transfer", "storage": "sqlite", "transfer_from": "w"}`)
	want(taker, "exports: take B over from w as B (1 object)")
	m.wantObjects(taker, "B/x=A/x")

	// From one way to declare classes to the other, and back.
	steps := m.config("taker", `"tag": "v1", "new_sqlite_classes": ["B", "C"]`)
	want(steps, "took the migrations up to v1 as applied: exports declared the classes before")
	m.put(steps, "C/y")
	both := m.exports("taker", live("B")+","+live("C"))
	want(both)
	m.wantObjects(both, "B/x=A/x", "C/y=C/y")
}

func TestExportsOfAStateThatIsOlderThanItsRecord(t *testing.T) {
	m := newMigrated(t)
	m.put(m.exports("w", live("A")+","+live("Old")), "A/x", "Old/z")
	if err := os.Remove(filepath.Join(m.state(), "v3", "do", "migrations.json")); err != nil {
		t.Fatal(err)
	}
	next := m.exports("w", live("B")+`,
		"A": {"type": "durable-object", "state": "renamed", "renamed_to": "B"},
		"Old": {"type": "durable-object", "state": "deleted"}`)
	if diff := cmp.Diff([]string{"exports: rename A to B"}, m.apply(next)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.wantObjects(next, "B/x=A/x")
	if got := m.backups(); len(got) > 0 {
		t.Errorf("got backups %v, want none: what was there before the record is left alone", got)
	}
}
