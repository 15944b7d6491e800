package state_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/state"
)

// Steps of one worker, each after the one before.
const (
	v1       = `"tag": "v1", "new_sqlite_classes": ["A", "Old"]`
	v2       = `"tag": "v2", "renamed_classes": [{"from": "A", "to": "B"}]`
	v3       = `"tag": "v3", "deleted_classes": ["Old"]`
	v4       = `"tag": "v4", "new_sqlite_classes": ["A", "Old"]`
	allSteps = 4
)

func TestMigrationsOfAState(t *testing.T) {
	m := newMigrated(t)
	first := m.config("w", v1)
	m.wantApplied(first, "v1: create A, create Old")
	m.put(first, "A/x", "A/y", "Old/z")

	all := m.config("w", v1, v2, v3, v4)
	m.wantConflict(all, "v2: rename A to B; v3: delete Old")
	m.wantApplied(all,
		"v2: rename A to B",
		"v3: delete Old (1 object; kept in backups/w-Old.1)",
		"v4: create A, create Old",
	)
	m.wantObjects(all, "B/x=A/x", "B/y=A/y")
	m.wantBackups(map[string]int{"w-Old.1": 1})
	if did := m.apply(all); did != nil {
		t.Errorf("once more: got %q, want nothing", did)
	}

	// The new A and Old begin without objects. B keeps the ids of the old A.
	m.put(all, "A/x", "Old/z", "B/new")
	m.wantObjects(all, "A/x=A/x", "B/new=B/new", "B/x=A/x", "B/y=A/y", "Old/z=Old/z")
	got, err := state.ReadMigrations(all, m.dir())
	if err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]string)
	for _, class := range got.Classes {
		keys[class.Class] = fmt.Sprintf("%s %d", class.UniqueKey, class.Objects)
	}
	if diff := cmp.Diff(map[string]string{"A": "w-A.2 1", "B": "w-A 3", "Old": "w-Old 1"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}

	// The second Old gets a backup of its own.
	m.apply(m.config("w", v1, v2, v3, v4, `"tag": "v5", "deleted_classes": ["Old"]`))
	m.wantBackups(map[string]int{"w-Old.1": 1, "w-Old.2": 1})
}

func TestAFreshStateHasTheIDsOfOneThatWasMigrated(t *testing.T) {
	m := newMigrated(t)
	all := m.config("w", v1, v2, v3)
	m.wantApplied(all, "v1: create A, create Old", "v2: rename A to B", "v3: delete Old")
	m.open(all, func(_ *state.Folder, p *state.Plan) {
		if got, want := p.UniqueKey("B"), "w-A"; got != want {
			t.Errorf("the ids of B are derived from %s, want %s", got, want)
		}
	})
}

func TestAClassThatWasBoundBeforeItsRenameLosesNothing(t *testing.T) {
	m := newMigrated(t)
	bound := m.file("w", `"durable_objects": {"bindings": [{"name": "B", "class_name": "B"}]},
		"migrations": [{ `+v1+` }]`)
	m.put(bound, "A/x", "B/early")
	m.wantApplied(m.config("w", v1, v2), "v2: rename A to B (1 object that B had; kept in backups/w-B.1)")
	m.wantObjects(m.config("w", v1, v2), "B/x=A/x")
	m.wantBackups(map[string]int{"w-B.1": 1})
}

func TestAClassIsTakenOverFromAnotherWorker(t *testing.T) {
	m := newMigrated(t)
	giver := m.config("giver", `"tag": "v1", "new_sqlite_classes": ["A"]`)
	m.put(giver, "A/x")
	taker := m.config("taker", `"tag": "v1", "transferred_classes": [
		{"from": "A", "from_script": "giver", "to": "B"}, {"from": "A", "from_script": "nobody", "to": "C"}]`)
	m.wantApplied(taker, "v1: take A over from giver as B (1 object), "+
		"take A over from nobody as C (A of nobody has no objects in this state)")
	m.wantObjects(taker, "B/x=A/x")
	m.wantObjects(giver) // it does not reach objects that another worker has now
	m.put(giver, "A/x")
	m.wantObjects(taker, "B/x=A/x")
}
