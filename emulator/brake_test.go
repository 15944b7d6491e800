package emulator

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// brakeWorld is a brake with files whose times the test sets.
type brakeWorld struct {
	*brake
	t        *testing.T
	dir      string
	requests atomic.Int64
	version  time.Time
}

func newBrakeWorld(t *testing.T) *brakeWorld {
	w := &brakeWorld{t: t, dir: t.TempDir(), version: time.Now().Add(-time.Hour)}
	w.brake = &brake{requests: &w.requests}
	return w
}

// serve lets a version be launched, ready 100 ms later, and then a file change.
func (w *brakeWorld) serve() {
	w.version = w.version.Add(time.Minute)
	w.launches()
	w.serves()
	w.launched = w.version
	w.serving = w.version.Add(100 * time.Millisecond)
}

// changes reports whether a change of a file, that long after the launch, makes a new version.
func (w *brakeWorld) changes(name string, after time.Duration) (builds, first bool) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		w.t.Fatal(err)
	}
	at := w.version.Add(after)
	if err := os.Chtimes(path, at, at); err != nil {
		w.t.Fatal(err)
	}
	stops, written := w.stops([]string{path}, func(path string) bool { return filepath.Ext(path) == ".go" })
	return !stops, written != nil
}

func (w *brakeWorld) want(when, name string, after time.Duration, builds, first bool) {
	w.t.Helper()
	if gotBuilds, gotFirst := w.changes(name, after); gotBuilds != builds || gotFirst != first {
		w.t.Errorf("%s: builds %v, first %v; want %v, %v", when, gotBuilds, gotFirst, builds, first)
	}
}

const (
	starting = 50 * time.Millisecond
	shortly  = 600 * time.Millisecond
	later    = 5 * time.Second
)

func TestTheBrakeStopsWhatTheProgramWrites(t *testing.T) {
	for name, test := range map[string]struct {
		file  string
		after time.Duration
		limit int
	}{
		"embedded, at the start":        {"a.txt", starting, braking},
		"embedded, since the last tick": {"a.txt", -10 * time.Millisecond, braking},
		"saved before the launch":       {"a.txt", -time.Second, 0},
		"embedded, on a goroutine":      {"a.txt", shortly, braking},
		"generated source":              {"a.go", starting, 2 * braking},
		"source that a user may save":   {"a.go", shortly, 0},
		"an embedded file of a user":    {"a.txt", later, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBrakeWorld(t)
			for i := range 3 * braking {
				w.serve()
				if test.limit > 0 && i == test.limit {
					break
				}
				w.want("before the limit", test.file, test.after, true, false)
			}
			if test.limit == 0 {
				return
			}
			w.want("at the limit", test.file, test.after, false, true)
			w.want("again", test.file, test.after, false, false)
			w.want("the same file, later", test.file, later, false, false)
			w.want("another file", "b.go", later, true, false)
			w.serve()
			w.want("the first one after that", test.file, test.after, true, false)
		})
	}
}

func TestAReleasedBrakeBuildsAgain(t *testing.T) {
	w := newBrakeWorld(t)
	for range braking {
		w.serve()
		w.want("before the limit", "a.txt", starting, true, false)
	}
	w.serve()
	w.want("at the limit", "a.txt", starting, false, true)
	w.release()
	w.want("after r", "a.txt", later, true, false)
}

// On a busy machine, a change is reported before the program serves, and ends its launch.
func TestTheBrakeStopsWhatAProgramWritesBeforeItServes(t *testing.T) {
	for file, limit := range map[string]int{"a.txt": braking, "a.go": 2 * braking} {
		w := newBrakeWorld(t)
		launch := func() {
			w.version = w.version.Add(time.Minute)
			w.launches()
			w.launched = w.version
		}
		for range limit {
			launch()
			w.want("before the limit", file, starting, true, false)
		}
		launch()
		w.want("at the limit", file, starting, false, true)
	}
}

// Several changes during one start are one start.
func TestEachStartCountsOnce(t *testing.T) {
	w := newBrakeWorld(t)
	w.serve()
	for range 3 * braking {
		w.want("one start", "a.txt", starting, true, false)
	}
}

// What a handler writes for a request makes no endless reload by itself.
func TestTheBrakeLetsRequestsWrite(t *testing.T) {
	w := newBrakeWorld(t)
	for range 3 * braking {
		w.serve()
		w.requests.Add(1)
		w.want("after a request", "a.txt", shortly, true, false)
	}
}

// A file with another name at each start has no end either.
func TestTheBrakeStopsEverNewFiles(t *testing.T) {
	w := newBrakeWorld(t)
	for i := range braking {
		w.serve()
		w.want("before the limit", string(rune('a'+i))+".txt", starting, true, false)
	}
	w.serve()
	w.want("at the limit", "new.txt", starting, false, true)
}
