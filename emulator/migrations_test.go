package emulator

import (
	"strings"
	"testing"

	"devtool.internal/config"
	"devtool.internal/emulator/state"
)

func TestMigrationsAreNotAppliedToAStateInUse(t *testing.T) {
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
