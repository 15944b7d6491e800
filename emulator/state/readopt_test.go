package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/state"
	"devtool.internal/emulator/store"
)

// Steps of these tests.
const (
	createA  = `"tag": "a", "new_sqlite_classes": ["A"]`
	createAB = `"tag": "ab", "new_sqlite_classes": ["A", "B"]`
	createC  = `"tag": "c", "new_sqlite_classes": ["C"]`
	aToB     = `"tag": "a-b", "renamed_classes": [{"from": "A", "to": "B"}]`
	bToC     = `"tag": "b-c", "renamed_classes": [{"from": "B", "to": "C"}]`
	bToA     = `"tag": "b-a", "renamed_classes": [{"from": "B", "to": "A"}]`
	deleteA  = `"tag": "del", "deleted_classes": ["A"]`
	deleteB  = `"tag": "delb", "deleted_classes": ["B"]`
	swap     = `"tag": "swap", "renamed_classes":
		[{"from": "A", "to": "T"}, {"from": "B", "to": "A"}, {"from": "T", "to": "B"}]`
	takeG = `"tag": "take", "transferred_classes": [{"from": "G", "from_script": "giver", "to": "H"}]`
)

// A checkout of a branch with other steps, adopt, and the way back keep all objects: with their
// ids, their names and their alarms.
func TestABranchAndBackKeepsAllObjects(t *testing.T) {
	steps := func(steps ...string) []string { return steps }
	for name, test := range map[string]struct {
		base, branch []string
		put          []string // on the branch
		onBase       []string // what the classes of the base have then
	}{
		"removed rename": {
			steps(createA), steps(createA, aToB), steps("B/x", "B/y"), steps("A/x=B/x", "A/y=B/y"),
		},
		"removed chain of renames": {
			steps(createA), steps(createA, aToB, bToC), steps("C/x"), steps("A/x=C/x"),
		},
		"last of a chain removed": {
			steps(createA, aToB), steps(createA, aToB, bToC), steps("C/x"), steps("B/x=C/x"),
		},
		"a rename and its opposite removed": {
			steps(createA), steps(createA, aToB, bToA), steps("A/x"), steps("A/x=A/x"),
		},
		"the opposite of a rename removed": {
			steps(createA, aToB), steps(createA, aToB, bToA), steps("A/x"), steps("B/x=A/x"),
		},
		"removed swap": {
			steps(createAB), steps(createAB, swap), steps("A/x", "B/y"), steps("A/y=B/y", "B/x=A/x"),
		},
		"removed delete": {
			steps(createAB), steps(createAB, deleteA), steps("B/y"), steps("A/x=A/x", "B/y=B/y"),
		},
		"removed rename and delete": {
			steps(createA), steps(createA, aToB, deleteB), nil, steps("A/x=A/x"),
		},
		"removed creation": {
			steps(createA), steps(createA, createC), steps("A/x", "C/z"), steps("A/x=A/x"),
		},
		"all removed": {
			nil, steps(createA, aToB), steps("B/x"), nil,
		},
		"removed transfer": {
			steps(createA), steps(createA, takeG), steps("A/x", "H/h"), steps("A/x=A/x"),
		},
		"reordered": {
			steps(createC, createA, aToB), steps(createA, aToB, createC), steps("B/x", "C/z"),
			steps("B/x=B/x", "C/z=C/z"),
		},
		"edited creation": {
			steps(createA), steps(strings.ReplaceAll(createA, "new_sqlite_classes", "new_classes")),
			steps("A/x"), steps("A/x=A/x"),
		},
		"steps merged into one": {
			steps(`"tag": "b", "new_sqlite_classes": ["B"]`), steps(createA, aToB), steps("B/x"), steps("B/x=B/x"),
		},
		"other rename": {
			steps(createA, strings.ReplaceAll(aToB, `"B"`, `"C"`)), steps(createA, aToB), steps("B/x"),
			steps("C/x=B/x"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMigrated(t)
			giver := m.config("giver", `"tag": "g", "new_sqlite_classes": ["G"]`)
			m.put(giver, "G/g")
			// The objects that a deleted class had were stored before.
			if strings.Contains(name, "delete") {
				before := m.config("w", createAB)
				if len(test.base) == 1 && test.base[0] == createA {
					before = m.config("w", createA)
				}
				m.put(before, "A/x")
			}
			branch := m.config("w", test.branch...)
			m.apply(branch)
			m.put(branch, test.put...)
			m.setAlarms(branch)
			before := m.objects(branch)

			base := m.config("w", test.base...)
			adopted := m.adopt(base, state.BothAsk)
			if did := m.apply(base); did != nil {
				t.Errorf("after adopt: got %q, want nothing to do", did)
			}
			m.wantObjects(base, test.onBase...)
			m.wantAlarms(base)
			if strings.HasPrefix(name, "removed") && len(adopted.Notes) == 0 {
				t.Error("adopt says nothing about the objects")
			}
			if name == "removed transfer" {
				m.wantObjects(m.config("giver", `"tag": "g", "new_sqlite_classes": ["G"]`), "G/g=G/g", "G/h=H/h")
			}

			branch = m.config("w", test.branch...)
			if _, err := state.ReadMigrations(branch, m.dir()); err != nil { // as after a reorder
				m.adopt(branch, state.BothAsk)
			}
			m.apply(branch)
			if diff := cmp.Diff(before, m.objects(branch)); diff != "" {
				t.Errorf("objects back on the branch (-before +after):\n%s", diff)
			}
			m.wantAlarms(branch)
		})
	}
}

func (m migrated) adopt(c *config.Config, both state.Both) state.Migrations {
	m.t.Helper()
	adopted, err := state.AdoptMigrations(c, m.dir(), both)
	if err != nil {
		m.t.Fatal(err)
	}
	return adopted
}

// due is when the alarms of these tests are.
var due = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// setAlarms gives each object an alarm, in its file and in the index of its class.
func (m migrated) setAlarms(c *config.Config) {
	m.t.Helper()
	m.eachClass(c, func(dir string, ids []string) error {
		x, err := store.OpenIndex(dir)
		if err != nil {
			return err
		}
		for _, id := range ids {
			o, err := store.OpenObject(store.ObjectPath(dir, id), "", false)
			if err == nil {
				err = errors.Join(o.SetAlarm(due), o.Commit(), o.Close(), x.Set(id, due, 1, "", false))
			}
			if err != nil {
				return err
			}
		}
		return x.Close()
	})
}

// wantAlarms checks that each object that had an alarm is in the index.
func (m migrated) wantAlarms(c *config.Config) {
	m.t.Helper()
	m.eachClass(c, func(dir string, ids []string) error {
		x, err := store.OpenIndex(dir)
		if err != nil {
			return err
		}
		defer x.Close()
		pending, err := x.All()
		in := make(map[string]bool)
		for _, a := range pending {
			in[a.ID] = a.At.Equal(due)
		}
		for _, id := range ids {
			info, readErr := store.ReadObject(store.ObjectPath(dir, id))
			if readErr != nil || info.HasAlarm && !in[id] {
				m.t.Errorf("%s: the alarm of %s (%+v, %v) is not in the index", dir, id, info, readErr)
			}
		}
		return err
	})
}

func (m migrated) eachClass(c *config.Config, f func(dir string, ids []string) error) {
	m.t.Helper()
	m.open(c, func(folder *state.Folder, p *state.Plan) {
		for _, class := range c.Classes() {
			dir := folder.ObjectsDir(p.UniqueKey(class))
			ids, err := store.Objects(dir)
			if err == nil {
				err = f(dir, ids)
			}
			if err != nil {
				m.t.Fatal(err)
			}
		}
	})
}

// If both classes have objects by then, adopt changes nothing until the user has chosen.
func TestAdoptAsksIfBothClassesHaveObjects(t *testing.T) {
	for both, want := range map[state.Both]struct {
		onBase  []string
		backups map[string]int
	}{
		state.BothKeep:     {[]string{"A/new=A/new"}, map[string]int{}},
		state.BothGiveBack: {[]string{"A/x=B/x"}, map[string]int{"w-A.2.1": 1}},
	} {
		m := newMigrated(t)
		// B got the objects of the first A, and another A was created since.
		again := strings.ReplaceAll(createA, `"a"`, `"a2"`)
		branch := m.config("w", createA, aToB, again)
		m.put(branch, "B/x", "A/new")
		base := m.config("w", createA)
		for range 2 {
			_, err := state.AdoptMigrations(base, m.dir(), state.BothAsk)
			wantRefusal(t, err, 409, "class A has 1 object, and would get 1 object back from B")
			wantHint(t, err, "--both keep", "--both give-back", m.path("do", "w-A"), m.path("backups"))
			m.wantBackups(map[string]int{})
		}
		m.adopt(base, both)
		m.wantObjects(base, want.onBase...)
		m.wantBackups(want.backups)
	}
}

func TestAdoptAsksIfADeletedClassHasObjectsAgain(t *testing.T) {
	again := strings.ReplaceAll(createA, `"a"`, `"a2"`)
	for both, want := range map[state.Both]struct {
		onBase  []string
		backups map[string]int
	}{
		state.BothKeep:     {[]string{"A/new=A/new"}, map[string]int{"w-A.1": 1}},
		state.BothGiveBack: {[]string{"A/x=A/x"}, map[string]int{"w-A.2": 1}},
	} {
		m := newMigrated(t)
		m.put(m.config("w", createA), "A/x")
		branch := m.config("w", createA, deleteA, again)
		m.apply(branch)
		m.put(branch, "A/new")
		base := m.config("w", createA)
		_, err := state.AdoptMigrations(base, m.dir(), state.BothAsk)
		wantRefusal(t, err, 409, "class A has 1 object, and would get back those that were deleted")
		wantHint(t, err, "--both keep", "--both give-back")
		m.adopt(base, both)
		m.wantObjects(base, want.onBase...)
		m.wantBackups(want.backups)
	}
}

func wantHint(t *testing.T, err error, parts ...string) {
	t.Helper()
	refused := (*control.Error)(nil)
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a refusal", err)
	}
	for _, part := range parts {
		if !strings.Contains(refused.Hint, part) {
			t.Errorf("got hint %q, want %q in it", refused.Hint, part)
		}
	}
}

// The refusal says what becomes of the objects under each choice.
func TestARefusalSaysWhatBecomesOfTheObjects(t *testing.T) {
	m := newMigrated(t)
	m.put(m.config("w", createA, aToB, createC), "B/x", "B/y", "C/z")
	_, err := state.ReadMigrations(m.config("w", createA), m.dir())
	var bad *config.Error
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want a *config.Error", err)
	}
	want := "Put the steps back as they were, and add changes as a new step at the end: no object changes hands.\n" +
		"Or accept the steps as they are now: devtool migrations adopt\n" +
		"  class A gets the 2 objects of class B\n" +
		"  the 1 object of class C, which the configuration lacks, stay in " + m.path("do", "w-C") + "\n" +
		"Or start without data: use another --persist-to, which leaves this state as it is, " +
		"or stop devtool and delete " + m.dir()
	if got := bad.Diagnostics[len(bad.Diagnostics)-1].Hint; got != want {
		t.Errorf("got hint\n%s\nwant\n%s", got, want)
	}
}
