package state_test

import (
	"os"
	"regexp"
	"testing"

	"devtool.internal/emulator/state"
)

// The record of an older version does not say where the deleted objects are, but their folder's
// name does.
func TestADeletedClassComesBackFromItsBackup(t *testing.T) {
	m := newMigrated(t)
	m.put(m.config("w", v1), "A/x", "Old/z")
	m.apply(m.config("w", v1, v2))
	m.apply(m.config("w", v1, v2, v3))
	record, err := os.ReadFile(m.path("do", "migrations.json"))
	if err != nil {
		t.Fatal(err)
	}
	older := regexp.MustCompile(`(?s),\s*"moved": \[.*?\]`).ReplaceAll(record, nil)
	if len(older) == len(record) {
		t.Fatalf("the record notes no move: %s", record)
	}
	if err := os.WriteFile(m.path("do", "migrations.json"), older, 0o600); err != nil {
		t.Fatal(err)
	}
	before := m.config("w", v1, v2)
	if _, err := state.AdoptMigrations(before, m.dir(), state.BothAsk); err != nil {
		t.Fatal(err)
	}
	m.wantObjects(before, "B/x=A/x", "Old/z=Old/z")
}

func TestAStateThatIsOlderThanItsRecordIsAdopted(t *testing.T) {
	m := newMigrated(t)
	m.put(m.config("w", v1), "A/x", "Old/z")
	all := m.config("w", v1, v2, v3, v4)
	forget := func() {
		if err := os.Remove(m.path("do", "migrations.json")); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	// Objects on disk under the name of a class are its own.
	m.wantApplied(all, "marked the migrations up to v4 as applied: this state is older than its record of migrations")
	m.wantObjects(all, "A/x=A/x", "Old/z=Old/z")
	forget()
	// Objects under a former name belong to the class that was renamed.
	renamed := m.config("w", v1, v2)
	m.wantApplied(renamed,
		"class B uses the objects in w-A, from its former name",
		"marked the migrations up to v2 as applied: this state is older than its record of migrations",
	)
	m.wantObjects(renamed, "B/x=A/x", "Old/z=Old/z")
}
