package emulator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// A migrated is a state folder that workers with changing migrations have.
type migrated struct {
	t   *testing.T
	dir string
}

func newMigrated(t *testing.T) migrated {
	m := migrated{t, t.TempDir()}
	if err := os.MkdirAll(filepath.Join(m.state(), "v3"), 0o700); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m migrated) state() string { return filepath.Join(m.dir, "state") }

// config is that of a worker with these steps, each one an object's content in JSON.
func (m migrated) config(worker string, steps ...string) *config.Config {
	m.t.Helper()
	lines := make([]string, len(steps))
	for i, s := range steps {
		lines[i] = "  { " + s + " }"
	}
	return m.file(worker, `"migrations": [`+"\n"+strings.Join(lines, ",\n")+"\n]")
}

func (m migrated) file(worker, content string) *config.Config {
	m.t.Helper()
	path := filepath.Join(m.dir, worker+".jsonc")
	text := fmt.Sprintf("{ \"name\": %q, \"main\": \".\", \"compatibility_date\": \"2026-10-01\",\n%s }\n", worker, content)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	c, _, err := config.Load(path, config.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m migrated) open(c *config.Config, use func(*Offline)) {
	m.t.Helper()
	o, err := OpenOffline(c, m.state())
	if err != nil {
		m.t.Fatal(err)
	}
	use(o)
	if err := o.Close(); err != nil {
		m.t.Fatal(err)
	}
}

// put stores something in each object, CLASS/NAME.
func (m migrated) put(c *config.Config, objects ...string) {
	m.t.Helper()
	m.open(c, func(o *Offline) {
		for _, object := range objects {
			class, name, _ := strings.Cut(object, "/")
			if _, err := o.PutEntry(m.t.Context(), control.Object{Class: class, Name: name}, "was", put(fmt.Sprintf("%q", object))); err != nil {
				m.t.Fatal(err)
			}
		}
	})
}

// objects returns all there are as CLASS/NAME=STORED.
func (m migrated) objects(c *config.Config) (all []string) {
	m.t.Helper()
	m.open(c, func(o *Offline) {
		list, err := o.ListObjects(m.t.Context())
		if err != nil {
			m.t.Fatal(err)
		}
		for _, object := range list.Objects {
			// By its name, which leads to the id that it has had from the beginning.
			e, err := o.GetEntry(m.t.Context(), control.Object{Class: object.Class, Name: object.Name}, "was")
			if err != nil {
				m.t.Fatal(err)
			}
			all = append(all, object.String()+"="+strings.Trim(string(e.Value), `"`))
		}
	})
	return all
}

func (m migrated) wantObjects(c *config.Config, want ...string) {
	m.t.Helper()
	if diff := cmp.Diff(want, m.objects(c)); diff != "" {
		m.t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// apply applies what is pending, and returns that, with the state's folder cut out.
func (m migrated) apply(c *config.Config) (did []string) {
	m.t.Helper()
	planned, err := ReadMigrations(c, m.state())
	if err != nil {
		m.t.Fatal(err)
	}
	got, err := ApplyMigrations(c, m.state())
	if err != nil {
		m.t.Fatal(err)
	}
	if diff := cmp.Diff(planned, got); diff != "" {
		m.t.Errorf("what was done is not what was planned (-planned +done):\n%s", diff)
	}
	for _, s := range got.Pending() {
		did = append(did, strings.ReplaceAll(s.String(), filepath.Join(m.state(), "v3")+string(filepath.Separator), ""))
	}
	return append(did, got.Notes...)
}

// backups returns how many objects are in each folder of backups.
func (m migrated) backups() map[string]int {
	m.t.Helper()
	found := make(map[string]int)
	files, err := filepath.Glob(filepath.Join(m.state(), "v3", "backups", "*", "*.sqlite"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Base(f) != "metadata.sqlite" {
			found[filepath.Base(filepath.Dir(f))]++
		}
	}
	return found
}

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
	if diff := cmp.Diff([]string{"v1: create A, create Old"}, m.apply(first)); diff != "" {
		t.Errorf("first (-want +got):\n%s", diff)
	}
	m.put(first, "A/x", "A/y", "Old/z")

	all := m.config("w", v1, v2, v3, v4)
	_, err := OpenOffline(all, m.state())
	wantRefusal(t, err, 409, "migrations are pending that change whose objects are where (v2: rename A to B; v3: delete Old")
	want := []string{
		"v2: rename A to B",
		"v3: delete Old (1 object; kept in backups/w-Old.1)",
		"v4: create A, create Old",
	}
	if diff := cmp.Diff(want, m.apply(all)); diff != "" {
		t.Errorf("then (-want +got):\n%s", diff)
	}
	m.wantObjects(all, "B/x=A/x", "B/y=A/y")
	if diff := cmp.Diff(map[string]int{"w-Old.1": 1}, m.backups()); diff != "" {
		t.Errorf("backups (-want +got):\n%s", diff)
	}
	if did := m.apply(all); did != nil {
		t.Errorf("once more: got %q, want nothing", did)
	}

	// The new A and Old begin without objects, and the ids of the old A are those of B for good.
	m.put(all, "A/x", "Old/z", "B/new")
	m.wantObjects(all, "A/x=A/x", "B/new=B/new", "B/x=A/x", "B/y=A/y", "Old/z=Old/z")
	got, err := ReadMigrations(all, m.state())
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

	// Deleted once more, they get a backup of their own.
	m.apply(m.config("w", v1, v2, v3, v4, `"tag": "v5", "deleted_classes": ["Old"]`))
	if diff := cmp.Diff(map[string]int{"w-Old.1": 1, "w-Old.2": 1}, m.backups()); diff != "" {
		t.Errorf("backups (-want +got):\n%s", diff)
	}
}

func TestAFreshStateHasTheIDsOfOneThatWasMigrated(t *testing.T) {
	m := newMigrated(t)
	all := m.config("w", v1, v2, v3)
	want := []string{"v1: create A, create Old", "v2: rename A to B", "v3: delete Old"}
	if diff := cmp.Diff(want, m.apply(all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.open(all, func(o *Offline) {
		ns := o.e.namespaces["B"]
		if got, want := wire.IDFromName(ns.uniqueKey, "x"), wire.IDFromName("w-A", "x"); got != want {
			t.Errorf("the id of x is %s, want %s", got, want)
		}
	})
}

func TestAClassThatWasBoundBeforeItsRenameLosesNothing(t *testing.T) {
	m := newMigrated(t)
	bound := m.file("w", `"durable_objects": {"bindings": [{"name": "B", "class_name": "B"}]},
		"migrations": [{ `+v1+` }]`)
	m.put(bound, "A/x", "B/early")
	want := []string{"v2: rename A to B (1 object that B had; kept in backups/w-B.1)"}
	if diff := cmp.Diff(want, m.apply(m.config("w", v1, v2))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.wantObjects(m.config("w", v1, v2), "B/x=A/x")
	if diff := cmp.Diff(map[string]int{"w-B.1": 1}, m.backups()); diff != "" {
		t.Errorf("backups (-want +got):\n%s", diff)
	}
}

func TestAClassIsTakenOverFromAnotherWorker(t *testing.T) {
	m := newMigrated(t)
	giver := m.config("giver", `"tag": "v1", "new_sqlite_classes": ["A"]`)
	m.put(giver, "A/x")
	taker := m.config("taker", `"tag": "v1", "transferred_classes": [
		{"from": "A", "from_script": "giver", "to": "B"}, {"from": "A", "from_script": "nobody", "to": "C"}]`)
	want := []string{"v1: take A over from giver as B (1 object), take A over from nobody as C (this state has no objects of it: C has none)"}
	if diff := cmp.Diff(want, m.apply(taker)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.wantObjects(taker, "B/x=A/x")
	m.wantObjects(giver) // and does not get at those that are another's now
	m.put(giver, "A/x")
	m.wantObjects(taker, "B/x=A/x")
}

func TestStepsThatWereAppliedMustStay(t *testing.T) {
	create := func(tag, class string) string {
		return fmt.Sprintf(`"tag": %q, "new_sqlite_classes": [%q]`, tag, class)
	}
	for name, test := range map[string]struct {
		steps []string
		want  []string
	}{
		"edited":         {[]string{`"tag": "v1", "new_classes": ["A"]`, create("v2", "B")}, []string{`3 migration-edited the migration "v1" was applied as "create A", and now says "create A without SQL"`}},
		"moved":          {[]string{create("v2", "B"), create("v1", "A")}, []string{`3 migration-moved the migration "v2" was applied after "v1", and now stands before it`}},
		"removed":        {[]string{create("v1", "A")}, []string{`1 migration-removed the migration "v2" was applied (create B), and is no longer in migrations`}},
		"all removed":    {nil, []string{`1 migration-removed the migration "v1" was applied (create A), and is no longer in migrations`, `1 migration-removed the migration "v2" was applied (create B), and is no longer in migrations`}},
		"inserted":       {[]string{create("v1", "A"), create("v1b", "C"), create("v2", "B")}, []string{`4 migration-inserted the migration "v1b" is new, and stands before "v2", which was applied`}},
		"called another": {[]string{create("v1", "A"), create("two", "B")}, []string{`1 migration-removed the migration "v2" was applied (create B), and is no longer in migrations`}},
		"several":        {[]string{create("v2", "X"), create("v1", "Y")}, []string{`4 migration-edited`, `3 migration-moved`, `3 migration-edited`}},
		"only more":      {[]string{create("v1", "A"), create("v2", "B"), create("v3", "C")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMigrated(t)
			before := m.config("w", create("v1", "A"), create("v2", "B"))
			m.apply(before)
			m.put(before, "A/x")
			c := m.config("w", test.steps...)
			_, err := ReadMigrations(c, m.state())
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
			lines := strings.Split(string(mustRead(t, c.Path)), "\n")
			if len(bad.Diagnostics) != len(test.want) {
				t.Errorf("got %d diagnostics, want %d", len(bad.Diagnostics), len(test.want))
			}
			for i, d := range bad.Diagnostics[:min(len(bad.Diagnostics), len(test.want))] {
				if got := fmt.Sprintf("%d %s %s", d.Position.Line, d.ID, d.Message); !strings.HasPrefix(got, test.want[i]) {
					t.Errorf("got %s, want %s", got, test.want[i])
				}
				if d.Source != lines[d.Position.Line-1] {
					t.Errorf("got source %q, want the line", d.Source)
				}
			}

			if hint := bad.Diagnostics[len(bad.Diagnostics)-1].Hint; !strings.Contains(hint, "devtool migrations adopt") {
				t.Errorf("got hint %q, want what to do", hint)
			}

			// Nothing is done, by anybody.
			for name, do := range map[string]func() error{
				"apply": func() error { _, err := ApplyMigrations(c, m.state()); return err },
				"open":  func() error { _, err := OpenOffline(c, m.state()); return err },
			} {
				if err := do(); !errors.As(err, &bad) {
					t.Errorf("%s: got %v, want a *config.Error", name, err)
				}
			}
			m.wantObjects(before, "A/x=A/x")

			// Until somebody says that it is meant.
			if _, err := AdoptMigrations(c, m.state()); err != nil {
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

// As docs/cli.md says.
func TestADeletedClassComesBackFromItsBackup(t *testing.T) {
	m := newMigrated(t)
	before := m.config("w", v1, v2)
	m.put(m.config("w", v1), "A/x", "Old/z")
	m.apply(before)
	m.apply(m.config("w", v1, v2, v3))
	before = m.config("w", v1, v2)
	if _, err := AdoptMigrations(before, m.state()); err != nil {
		t.Fatal(err)
	}
	v3 := filepath.Join(m.state(), "v3")
	if err := os.Rename(filepath.Join(v3, "backups", "w-Old.1"), filepath.Join(v3, "do", "w-Old")); err != nil {
		t.Fatal(err)
	}
	m.wantObjects(before, "B/x=A/x", "Old/z=Old/z")
}

func TestStepsMayChangeWhileNothingIsStored(t *testing.T) {
	m := newMigrated(t)
	m.apply(m.config("w", `"tag": "v1", "new_sqlite_classes": ["Batcherr"]`))
	if diff := cmp.Diff([]string{"v1: create Batcher"}, m.apply(m.config("w", `"tag": "v1", "new_sqlite_classes": ["Batcher"]`))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAStateThatIsOlderThanItsRecordIsAdopted(t *testing.T) {
	m := newMigrated(t)
	m.put(m.config("w", v1), "A/x", "Old/z")
	all := m.config("w", v1, v2, v3, v4)
	forget := func() {
		if err := os.Remove(filepath.Join(m.state(), "v3", "do", "migrations.json")); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	// What is on disk under a class's own name is its own.
	if diff := cmp.Diff([]string{"took the migrations up to v4 as applied: this state is older than its record of them"}, m.apply(all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.wantObjects(all, "A/x=A/x", "Old/z=Old/z")
	forget()
	// What nobody has under its own name belongs to what it is called now.
	renamed := m.config("w", v1, v2)
	want := []string{
		"the objects in w-A are those of the class B, which was called so before",
		"took the migrations up to v2 as applied: this state is older than its record of them",
	}
	if diff := cmp.Diff(want, m.apply(renamed)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.wantObjects(renamed, "B/x=A/x", "Old/z=Old/z")
}

// Wherever a process is killed while it applies migrations, the next one goes on from there.
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
				if err := os.CopyFS(m.dir, os.DirFS(origin.dir)); err != nil {
					t.Fatal(err)
				}
				last := `"tag": "v5", "transferred_classes": [{"from": "G", "from_script": "giver", "to": "H"}]`
				all := m.config("w", v1, v2, v3, v4, last)
				files := stateFiles{state: filepath.Join(m.state(), "v3")}
				record, err := files.readRecord()
				if err != nil {
					t.Fatal(err)
				}
				p, err := planMigrations(files, record, all)
				if err != nil {
					t.Fatal(err)
				}
				writes := files.writes(p.record, p.moves)
				if err := inOrder(writes[:n]); err != nil {
					t.Fatal(err)
				}
				more = n < len(writes)
				if torn { // in the middle of the next write
					if err := os.WriteFile(files.recordPath()+".new", []byte(`{"wor`), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				// Whoever comes next, it is the same in the end.
				if n > 0 {
					m.wantObjects(all, "B/x=A/x", "B/y=A/y", "H/g=G/g")
				}
				m.apply(all)
				m.wantObjects(all, "B/x=A/x", "B/y=A/y", "H/g=G/g")
				if diff := cmp.Diff(map[string]int{"w-Old.1": 1}, m.backups()); diff != "" {
					t.Errorf("backups (-want +got):\n%s", diff)
				}
				m.put(all, "Old/z")
				m.wantObjects(all, "B/x=A/x", "B/y=A/y", "H/g=G/g", "Old/z=Old/z")
				if record, err := files.readRecord(); err != nil || len(record.Moving) > 0 || len(record.Workers["w"].Applied) != allSteps+1 {
					t.Errorf("the record is %+v, %v", record, err)
				}
			})
		}
	}
}

func TestTheRecordIsPrivateAndSaysWhatIsWrongWithIt(t *testing.T) {
	m := newMigrated(t)
	c := m.config("w", v1)
	m.apply(c)
	path := filepath.Join(m.state(), "v3", "do", "migrations.json")
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
		_, err := ReadMigrations(c, m.state())
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", content, err)
			}
		} else if err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%s: got %v, want %s", content, err, want)
		}
	}
}

func TestMigrationsAreNotAppliedToAStateInUse(t *testing.T) {
	w := newWorld(t, labScript())
	w.want("a", "/put", "")
	c, err := w.options.Load()
	if err != nil {
		t.Fatal(err)
	}
	c.Migrations = append(c.Migrations, config.Migration{Tag: "v2", RenamedClasses: []config.Rename{{From: "Lab", To: "Mute"}}})
	if _, err := ApplyMigrations(c, w.options.State); err == nil || !strings.Contains(err.Error(), "is in use by another devtool") {
		t.Errorf("apply: got %v", err)
	}
	if m, err := ReadMigrations(c, w.options.State); err != nil || len(m.Pending()) != 1 {
		t.Errorf("read: got %+v, %v, want one that is pending", m, err)
	}
	wantRefusal(t, w.configure(c), 409, "migrations are pending that change whose objects are where (v2: rename Lab to Mute")
	w.want("a", "/get", `J"stored"`)
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
