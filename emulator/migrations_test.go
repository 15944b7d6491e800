package emulator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/config"
	"devtool.internal/emulator/state"
)

func TestMigrationsAreNotAppliedToAStateInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, labScript())
	w.want("a", "/put", "")
	c := w.renamed()
	_, err := state.ApplyMigrations(c, w.options.State)
	if err == nil || !strings.Contains(err.Error(), "is in use by another devtool") {
		t.Errorf("apply: got %v", err)
	}
	if m, err := state.ReadMigrations(c, w.options.State); err != nil || len(m.Pending()) != 1 {
		t.Errorf("read: got %+v, %v, want one that is pending", m, err)
	}
	postponed, err := w.configure(c)
	if !postponed || err != nil {
		t.Errorf("got %v, %v, want that they wait for the next program", postponed, err)
	}
	w.want("a", "/get", `J"stored"`)
}

// A save after that must not serve a program with migrations that nobody has recorded.
func TestMigrationsThatCouldNotBeAppliedAreTriedAgain(t *testing.T) {
	w := newWorld(t, labScript())
	c, err := w.options.Load()
	must(err)
	c.Migrations = append(c.Migrations, config.Migration{Tag: "v2", NewSQLiteClasses: []string{"Other"}})
	if postponed, err := w.configure(c); postponed || err != nil {
		t.Fatalf("got %v, %v", postponed, err)
	}
	inTheWay := filepath.Join(w.options.State, "v3", "do", "migrations.json.new")
	must(os.MkdirAll(filepath.Join(inTheWay, "full"), 0o700))
	if w.settleMigrations() == nil {
		t.Error("a record that can't be written is no error")
	}
	must(os.RemoveAll(inTheWay))
	must(w.settleMigrations())
	if m, err := state.ReadMigrations(c, w.options.State); err != nil || len(m.Pending()) != 0 {
		t.Errorf("got %+v, %v, want none that is pending", m, err)
	}
}

func TestOfflineDoesNotApplyWhatAffectsObjects(t *testing.T) {
	w := newWorld(t, labScript())
	w.want("a", "/put", "")
	c, dir := w.renamed(), w.options.State
	w.stop()
	_, err := OpenOffline(c, dir)
	wantRefusal(t, err, 409, "pending migrations affect existing objects (v2: rename Lab to Mute")
	w.start(labScript())
	w.want("a", "/get", `J"stored"`)
}

// renamed returns the configuration with one more step, which renames a class.
func (w *testWorld) renamed() *config.Config {
	w.t.Helper()
	c, err := w.options.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	c.Migrations = append(c.Migrations, config.Migration{
		Tag: "v2", RenamedClasses: []config.Rename{{From: "Lab", To: "Mute"}},
	})
	return c
}
