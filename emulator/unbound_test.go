package emulator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
)

// unbindLab removes the binding of Lab from the configuration. The class is still in the
// migrations, and the program still registers it.
func (w *testWorld) unbindLab() *config.Config {
	w.t.Helper()
	path := filepath.Join(w.dir, "wrangler.jsonc")
	const text = `{
		"name": "w", "main": ".", "compatibility_date": "2026-10-01",
		"durable_objects": {"bindings": [{"name": "MUTE", "class_name": "Mute"}]},
		"migrations": [{"tag": "v1", "new_sqlite_classes": ["Lab", "Mute"]}]
	}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	c, warnings, err := config.Load(path, config.Options{})
	if err != nil || len(warnings) > 0 {
		w.t.Fatalf("load configuration: %v, %v", err, warnings)
	}
	return c
}

func TestObjectsOfAClassThatIsNoLongerBoundLiveOn(t *testing.T) {
	s := labScript()
	s.Handlers["alarm"] = func(c *call) (string, error) { return "", c.Store("k", "rang") }
	w := newWorld(t, s)
	w.want("a", "/put", "")
	w.want("a", "/alarm", "")

	if _, err := w.configure(w.unbindLab()); err != nil {
		t.Fatal(err)
	}
	w.swapIn(s) // the emulator accepts the program
	if status, _ := w.get("a", "/get"); status != 500 {
		t.Errorf("without the binding a request got %d, want 500", status)
	}
	list := func() (control.Objects, error) { return w.client().ListObjects(t.Context()) }
	eventually(t, "the program before has ended, and the object's instance in it", func() bool {
		inMemory := func(line string) bool { return strings.HasSuffix(line, " memory") }
		return !slices.ContainsFunc(listed(t, list), inMemory)
	})
	if diff := cmp.Diff([]string{"Lab/a alarm file"}, listed(t, list)); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	if got, want := w.moveOn(time.Hour), []string{"Lab/a ok"}; !cmp.Equal(got, want) {
		t.Errorf("fired %q, want %q", got, want)
	}
	if e, err := w.client().GetEntry(t.Context(), lab("a"), "k"); err != nil || e.Size != len("rang") {
		t.Errorf("after the alarm: got %+v, %v; want what it stored", e, err)
	}

	// Offline commands still know the objects, too.
	c := w.unbindLab()
	w.stop()
	offline, err := OpenOffline(c, filepath.Join(w.dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer offline.Close()
	list = func() (control.Objects, error) { return offline.ListObjects(t.Context()) }
	if diff := cmp.Diff([]string{"Lab/a file"}, listed(t, list)); diff != "" {
		t.Errorf("offline (-want +got):\n%s", diff)
	}
	if _, err := offline.GetEntry(t.Context(), lab("a"), "k"); err != nil {
		t.Errorf("offline: %v", err)
	}
}
