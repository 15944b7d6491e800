package state_test

import (
	"os"
	"testing"

	"devtool.internal/emulator/state"
)

// docs/cli.md describes these steps.
func TestADeletedClassComesBackFromItsBackup(t *testing.T) {
	m := newMigrated(t)
	m.put(m.config("w", v1), "A/x", "Old/z")
	m.apply(m.config("w", v1, v2))
	m.apply(m.config("w", v1, v2, v3))
	before := m.config("w", v1, v2)
	if _, err := state.AdoptMigrations(before, m.dir()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(m.path("backups", "w-Old.1"), m.path("do", "w-Old")); err != nil {
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
