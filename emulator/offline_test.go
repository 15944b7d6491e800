package emulator

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/clock"
	"devtool.internal/config"
	"devtool.internal/emulator/control"
)

// offline stops the emulator and opens its objects without it.
func (w *testWorld) offline() *Offline {
	w.t.Helper()
	w.stop()
	o, err := openOffline(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func openOffline(dir string) (*Offline, error) {
	c, _, err := config.Load(filepath.Join(dir, "wrangler.jsonc"), config.Options{})
	if err != nil {
		return nil, err
	}
	return OpenOffline(c, filepath.Join(dir, "state"))
}

func TestOfflineDoesWhatTheControlAPIDoes(t *testing.T) {
	w := newWorld(t, labScript())
	w.want("a", "/put", "")
	w.want("b", "/alarm", "")
	o, ctx := w.offline(), t.Context()
	got := listed(t, func() (control.Objects, error) { return o.ListObjects(ctx) })
	if diff := cmp.Diff([]string{"Lab/a file", "Lab/b alarm file"}, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	e, err := o.GetEntry(ctx, lab("a"), "k")
	if err != nil || entryText(e) != `json "stored"` {
		t.Errorf("get: got %s, %v", entryText(e), err)
	}
	for _, name := range []string{"a", "new"} {
		if _, err := o.PutEntry(ctx, control.Object{Class: "LAB", Name: name}, "k", put("2")); err != nil {
			t.Errorf("put: %v", err)
		}
	}
	if _, err := o.DeleteObject(ctx, lab("b"), false); err != nil {
		t.Errorf("delete: %v", err)
	}
	_, err = o.ShowObject(ctx, lab("b"))
	wantRefusal(t, err, 404, "there is no object Lab/b")
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}

	w.start(labScript())
	w.want("a", "/get", "J2")
	w.want("new", "/get", "J2")
	if fired := w.moveOn(time.Hour); fired != nil {
		t.Errorf("fired %q, want nothing: the object is deleted", fired)
	}
}

func TestOfflineNeitherFiresAlarmsNorMovesTheClock(t *testing.T) {
	s := labScript()
	w := newWorld(t, s)
	w.want("a", "/alarm", "")
	w.moveOn(30 * time.Second)
	// The clock is frozen for one run only. At this rate, a microsecond of a clock that runs would
	// show.
	if err := w.world.Clock().SetRate(clock.MaxRate); err != nil {
		t.Fatal(err)
	}
	clockFile := filepath.Join(w.dir, "state", "v3", "clock.json")
	stood := w.world.Clock().Now()
	o := w.offline()
	before, err := os.ReadFile(clockFile)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := o.ListObjects(t.Context())
	if err != nil || !objects.Now.Equal(stood) {
		t.Errorf("the clock stands at %s, %v, want %s", objects.Now, err, stood)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(clockFile); err != nil || string(after) != string(before) {
		t.Errorf("the saved clock was %s and is %s, %v", before, after, err)
	}
	w.start(s)
	if diff := cmp.Diff([]string{"Lab/a ok"}, w.moveOn(30*time.Second)); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}

func TestAStateFolderInUseCannotBeOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t, labScript())
	const inUse = "is in use by another devtool"
	_, err := openOffline(w.dir)
	if err == nil || !strings.Contains(err.Error(), w.URL()) || !strings.Contains(err.Error(), inUse) {
		t.Errorf("while an emulator runs: got %v, want its URL", err)
	}
	o := w.offline()
	_, err = openOffline(w.dir)
	if err == nil || !strings.Contains(err.Error(), inUse+" (process ") || strings.Contains(err.Error(), ", ,") {
		t.Errorf("while another is open: got %v", err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	w.start(labScript())
}

// A child that a killed process was just starting may hold its lock for a moment longer.
func TestOfflineWaitsBrieflyForTheLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, labScript())
	w.stop()
	for range 20 {
		o := w.offline()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		})
		next, err := openOffline(w.dir)
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOfflineCreatesNoState(t *testing.T) {
	w := newWorld(t, labScript())
	w.stop()
	c, _, err := config.Load(filepath.Join(w.dir, "wrangler.jsonc"), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(w.dir, "nowhere")
	_, err = OpenOffline(c, nowhere)
	wantRefusal(t, err, 404, "there is no state in "+nowhere)
	if _, err := os.Stat(nowhere); err == nil {
		t.Error("the folder was created")
	}
}
