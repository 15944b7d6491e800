package state_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/state"
	"devtool.internal/emulator/store"
)

// migrated is a state folder for workers whose migrations change.
type migrated struct {
	t       *testing.T
	project string // folder with the configurations and the state
}

func newMigrated(t *testing.T) migrated {
	m := migrated{t, t.TempDir()}
	if err := os.MkdirAll(m.path(), 0o700); err != nil {
		t.Fatal(err)
	}
	return m
}

// dir is the state folder.
func (m migrated) dir() string { return filepath.Join(m.project, "state") }

// path is the path of something in the state folder.
func (m migrated) path(name ...string) string {
	return filepath.Join(append([]string{m.dir(), "v3"}, name...)...)
}

// config returns the configuration of a worker with these steps, each the content of a JSON object.
func (m migrated) config(worker string, steps ...string) *config.Config {
	m.t.Helper()
	lines := make([]string, len(steps))
	for i, s := range steps {
		lines[i] = "  { " + s + " }"
	}
	return m.file(worker, `"migrations": [`+"\n"+strings.Join(lines, ",\n")+"\n]")
}

// exports returns the configuration of a worker with these entries.
func (m migrated) exports(worker, entries string) *config.Config {
	m.t.Helper()
	return m.file(worker, `"exports": {`+entries+`}`)
}

func (m migrated) file(worker, content string) *config.Config {
	m.t.Helper()
	path := filepath.Join(m.project, worker+".jsonc")
	text := fmt.Sprintf("{ \"name\": %q, \"main\": \".\", \"compatibility_date\": \"2026-10-01\",\n%s }\n",
		worker, content)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	c, _, err := config.Load(path, config.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// tryOpen does with the state what a command on objects does before it reads or writes any: it
// applies c, unless that affects existing objects. Then it calls use.
func (m migrated) tryOpen(c *config.Config, use func(*state.Folder, *state.Plan)) (err error) {
	m.t.Helper()
	f, err := state.OpenExisting(m.dir(), state.Owner{PID: os.Getpid(), Started: time.Now()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	p, err := f.Plan(c)
	if err != nil {
		return err
	}
	if err := p.Conflict(false); err != nil {
		return err
	}
	for _, class := range c.Classes() {
		if err := os.MkdirAll(f.ObjectsDir(p.UniqueKey(class)), 0o700); err != nil {
			return err
		}
	}
	if err := p.Commit(); err != nil {
		return err
	}
	use(f, p)
	return nil
}

func (m migrated) open(c *config.Config, use func(*state.Folder, *state.Plan)) {
	m.t.Helper()
	if err := m.tryOpen(c, use); err != nil {
		m.t.Fatal(err)
	}
}

// object calls use with the object of class that has this name.
func (m migrated) object(f *state.Folder, p *state.Plan, class, name string, use func(*store.Object) error) {
	m.t.Helper()
	key := p.UniqueKey(class)
	path := store.ObjectPath(f.ObjectsDir(key), objectid.FromName(key, "", name).String())
	o, err := store.OpenObject(path, name, true)
	if err == nil {
		err = errors.Join(use(o), o.Close())
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// put stores something in each object, CLASS/NAME.
func (m migrated) put(c *config.Config, objects ...string) {
	m.t.Helper()
	m.open(c, func(f *state.Folder, p *state.Plan) {
		for _, object := range objects {
			class, name, _ := strings.Cut(object, "/")
			m.object(f, p, class, name, func(o *store.Object) error {
				return errors.Join(o.Put("was", []byte(object)), o.Commit())
			})
		}
	})
}

// objects returns all objects of the worker's classes as CLASS/NAME=STORED.
func (m migrated) objects(c *config.Config) (all []string) {
	m.t.Helper()
	m.open(c, func(f *state.Folder, p *state.Plan) {
		for _, class := range c.Classes() {
			dir := f.ObjectsDir(p.UniqueKey(class))
			ids, err := store.Objects(dir)
			if err != nil {
				m.t.Fatal(err)
			}
			for _, id := range ids {
				info, err := store.ReadObject(store.ObjectPath(dir, id))
				if err != nil {
					m.t.Fatal(err)
				}
				// By its name, which must still lead to the id that it has always had.
				m.object(f, p, class, info.Name, func(o *store.Object) error {
					value, _, err := o.Get("was")
					all = append(all, fmt.Sprintf("%s/%s=%s", class, info.Name, value))
					return err
				})
			}
		}
	})
	slices.Sort(all)
	return all
}

func (m migrated) wantObjects(c *config.Config, want ...string) {
	m.t.Helper()
	if diff := cmp.Diff(want, m.objects(c)); diff != "" {
		m.t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// wantConflict checks that c can't be opened because its steps affect existing objects.
func (m migrated) wantConflict(c *config.Config, steps string) {
	m.t.Helper()
	err := m.tryOpen(c, func(*state.Folder, *state.Plan) {})
	wantRefusal(m.t, err, 409, "pending migrations affect existing objects ("+steps)
}

func wantRefusal(t *testing.T, err error, status int, text string) {
	t.Helper()
	refused := (*control.Error)(nil)
	if !errors.As(err, &refused) || refused.Code.Status() != status || !strings.Contains(refused.Error(), text) {
		t.Errorf("got %v, want status %d and %q", err, status, text)
	}
}

// apply applies the pending steps and returns them, without the path of the state folder.
func (m migrated) apply(c *config.Config) (did []string) {
	m.t.Helper()
	planned, err := state.ReadMigrations(c, m.dir())
	if err != nil {
		m.t.Fatal(err)
	}
	got, err := state.ApplyMigrations(c, m.dir())
	if err != nil {
		m.t.Fatal(err)
	}
	if diff := cmp.Diff(planned, got); diff != "" {
		m.t.Errorf("what was done is not what was planned (-planned +done):\n%s", diff)
	}
	for _, s := range got.Pending() {
		did = append(did, strings.ReplaceAll(s.String(), m.path()+string(filepath.Separator), ""))
	}
	return append(did, got.Notes...)
}

func (m migrated) wantApplied(c *config.Config, want ...string) {
	m.t.Helper()
	if diff := cmp.Diff(want, m.apply(c)); diff != "" {
		m.t.Errorf("applied (-want +got):\n%s", diff)
	}
}

// wantBackups checks how many objects are in each folder of the backups.
func (m migrated) wantBackups(want map[string]int) {
	m.t.Helper()
	got := make(map[string]int)
	files, err := filepath.Glob(m.path("backups", "*", "*.sqlite"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Base(f) != "metadata.sqlite" {
			got[filepath.Base(filepath.Dir(f))]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("backups (-want +got):\n%s", diff)
	}
}
