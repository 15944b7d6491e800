package state_test

import (
	"os"
	"testing"

	"devtool.internal/config"
)

func live(class string) string {
	return `"` + class + `": {"type": "durable-object", "storage": "sqlite"}`
}

func TestExportsOfAState(t *testing.T) {
	m := newMigrated(t)
	want := func(c *config.Config, want ...string) {
		t.Helper()
		m.wantApplied(c, want...)
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
	m.wantConflict(next, "exports: rename A to B, delete Old")
	want(next, "exports: rename A to B, delete Old (1 object; kept in backups/w-Old.1)")
	m.wantObjects(next, "B/x=A/x")

	taker := m.exports("taker", `"B": {"type": "durable-object", "state": "expecting-transfer",
		"storage": "sqlite", "transfer_from": "w"}`)
	want(taker, "exports: take B over from w as B (1 object)")
	m.wantObjects(taker, "B/x=A/x")

	// From one way to declare classes to the other, and back.
	steps := m.config("taker", `"tag": "v1", "new_sqlite_classes": ["B", "C"]`)
	want(steps, "marked the migrations up to v1 as applied: exports declared the classes before")
	m.put(steps, "C/y")
	both := m.exports("taker", live("B")+","+live("C"))
	want(both)
	m.wantObjects(both, "B/x=A/x", "C/y=C/y")
}

func TestExportsOfAStateThatIsOlderThanItsRecord(t *testing.T) {
	m := newMigrated(t)
	m.put(m.exports("w", live("A")+","+live("Old")), "A/x", "Old/z")
	if err := os.Remove(m.path("do", "migrations.json")); err != nil {
		t.Fatal(err)
	}
	next := m.exports("w", live("B")+`,
		"A": {"type": "durable-object", "state": "renamed", "renamed_to": "B"},
		"Old": {"type": "durable-object", "state": "deleted"}`)
	m.wantApplied(next, "exports: rename A to B")
	m.wantObjects(next, "B/x=A/x")
	m.wantBackups(map[string]int{}) // what was there before the record stays where it is
}
