//go:build unix

package emulator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/state"
)

// takeAway are ways to take an emulator's folders away.
var takeAway = map[string]struct {
	take func(t *testing.T, dir string)
	gone string // what must not exist afterwards, or empty
	says string
	kept string // where the state with the data is then, or empty
}{
	"state deleted":    {remove("state"), "state", "/state was deleted or moved while", ""},
	"state renamed":    {rename("state", "old"), "state", "/state was deleted or moved while", "old"},
	"contents deleted": {remove("state/v3"), "state/v3", "/state was deleted or moved while", ""},
	"lock deleted":     {remove("state/v3/lock"), "state/v3/lock", "/state was deleted or moved while", "state"},
	"state replaced by a copy": {func(t *testing.T, dir string) {
		rename("state", "old")(t, dir)
		check(t, os.CopyFS(filepath.Join(dir, "state"), os.DirFS(filepath.Join(dir, "old"))))
	}, "", "/state was replaced by another one while", "state"},
	"class deleted": {
		remove("state/v3/do/w-Lab"), "state/v3/do/w-Lab", "/v3/do/w-Lab, was deleted or moved while", "",
	},
	"class replaced": {func(t *testing.T, dir string) {
		rename("state/v3/do/w-Lab", "old")(t, dir)
		check(t, os.CopyFS(filepath.Join(dir, "state/v3/do/w-Lab"), os.DirFS(filepath.Join(dir, "old"))))
	}, "", "/v3/do/w-Lab, was replaced by another one while", "state"},
	"project renamed": {func(t *testing.T, dir string) {
		check(t, os.Rename(dir, dir+"-renamed"))
		t.Cleanup(func() { os.RemoveAll(dir + "-renamed") })
	}, ".", "/state was deleted or moved while", "../project-renamed/state"},
	"project deleted": {remove("."), ".", "/state was deleted or moved while", ""},
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { check(t, os.RemoveAll(filepath.Join(dir, name))) }
}

func rename(from, to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		check(t, os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)))
	}
}

// newGuardedWorld starts a world in a folder that tests may rename, and a guard of its folders. log
// receives what the emulator logs.
func newGuardedWorld(t *testing.T, log io.Writer) (*testWorld, *placeGuard) {
	w := newStoppedWorld(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), log), nil))
	})
	w.dir = filepath.Join(w.dir, "project")
	check(t, os.Mkdir(w.dir, 0o700))
	w.start(labScript())
	g := w.newPlaceGuard()
	t.Cleanup(func() { g.outcome(nil) }) //nolint:errcheck // it is known
	check(t, g.look())
	return w, g
}

func TestNothingIsStoredOnceAFolderIsTakenAway(t *testing.T) {
	for name, test := range takeAway {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			w, g := newGuardedWorld(t, &log)
			w.want("a", "/put", "")
			test.take(t, w.dir)
			for range 2 {
				var lost *state.LostError
				if err := g.look(); !errors.As(err, &lost) || !strings.Contains(err.Error(), test.says) {
					t.Fatalf("got %v, want that %s", err, test.says)
				}
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("got %d errors in the log, want one", n)
			}
			if got := g.outcome(context.Canceled); !strings.Contains(got.Error(), test.says) {
				t.Errorf("the outcome is %v", got)
			}
			// Both an object whose file is open and a new one fail, and say why.
			for _, object := range []string{"a", "new"} {
				if status, body := w.get(object, "/put"); status != 500 || !strings.Contains(body, test.says) {
					t.Errorf("a put of %s: got %d %s, want that %s", object, status, body, test.says)
				}
			}
			dir := w.dir
			w.stop()
			if test.gone != "" {
				if _, err := os.Lstat(filepath.Join(dir, test.gone)); err == nil {
					t.Errorf("%s was made again", test.gone)
				}
			}
			if test.kept == "" {
				return
			}
			other := newStoppedWorld(t, func(o *Options) { o.State = filepath.Join(dir, test.kept) })
			other.start(labScript())
			other.want("a", "/get", `J"stored"`)
		})
	}
}

func TestAProjectMayBeTakenAwayFromAStateElsewhere(t *testing.T) {
	elsewhere := t.TempDir()
	w := newStoppedWorld(t, func(o *Options) { o.State = elsewhere })
	w.dir = filepath.Join(w.dir, "project")
	check(t, os.Mkdir(w.dir, 0o700))
	w.start(labScript())
	g := w.newPlaceGuard()
	defer g.outcome(nil) //nolint:errcheck // it is known
	check(t, g.look())
	rename(".", "../renamed")(t, w.dir)
	want := "the project's folder " + w.dir + " was deleted or moved while"
	if err := g.look(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want that %s", err, want)
	}
}

// A deleted file of one object costs that object its data, which the log says, and no other object
// anything.
func TestADeletedFileOfAnObjectIsSaid(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, path string){
		"deleted": func(t *testing.T, path string) { check(t, os.Remove(path)) },
		"moved":   func(t *testing.T, path string) { check(t, os.Rename(path, path+".old")) },
		"with its log": func(t *testing.T, path string) {
			check(t, errors.Join(os.Remove(path), os.Remove(path+"-wal")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			w, g := newGuardedWorld(t, &log)
			w.want("a", "/put", "")
			w.want("a", "/alarm", "")
			w.want("b", "/put", "")
			take(t, filepath.Join(w.dir, "state", "v3", "do", "w-Lab", labID("a")+".sqlite"))
			check(t, errors.Join(g.look(), g.look()))
			if n := strings.Count(log.String(), "the file of Lab/a was deleted, moved or replaced"); n != 1 {
				t.Errorf("got %d lines about the object, want one", n)
			}
			w.want("a", "/get", "")
			w.want("b", "/get", `J"stored"`)
			wantList(t, "fired", w.moveOn(time.Hour), []string{"Lab/a dropped"})
			w.want("a", "/put", "")
			check(t, g.look())
			w.restart(labScript())
			w.want("a", "/get", `J"stored"`)
		})
	}
}

// What a deleted log holds would be lost when the emulator is killed, which the copy stands for.
func TestADeletedLogOfAnOpenFileLosesNothing(t *testing.T) {
	var log bytes.Buffer
	w, g := newGuardedWorld(t, &log)
	w.want("a", "/put", "")
	w.want("a", "/alarm", "")
	folder := filepath.Join(w.dir, "state", "v3", "do", "w-Lab")
	for _, name := range []string{labID("a"), "metadata"} {
		check(t, os.Remove(filepath.Join(folder, name+".sqlite-wal")))
	}
	check(t, errors.Join(g.look(), g.look()))
	for _, says := range []string{
		"log (-wal) of Lab/a was deleted", "log (-wal) of the alarm index of Lab was deleted",
	} {
		if n := strings.Count(log.String(), says); n != 1 {
			t.Errorf("got %d lines that the %s, want one", n, says)
		}
	}
	w.want("b", "/put", "")
	w.want("a", "/put", "") // opens the file again, so nothing more is written where no path leads to
	w.want("b", "/alarm", "")
	check(t, g.look())
	killed := t.TempDir()
	check(t, os.CopyFS(filepath.Join(killed, "state"), os.DirFS(filepath.Join(w.dir, "state"))))

	other := newStoppedWorld(t, func(o *Options) { o.State = filepath.Join(killed, "state") })
	other.start(labScript())
	for _, object := range []string{"a", "b"} {
		other.want(object, "/get", `J"stored"`)
	}
	wantList(t, "fired", other.moveOn(time.Hour), []string{"Lab/a ok", "Lab/b ok"})
}

// The clock would go back to real time at the next start if its file stayed away.
func TestTheFileOfTheClockIsWrittenAgainIfItIsGone(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, path string){
		"deleted": func(t *testing.T, path string) { check(t, os.Remove(path)) },
		"moved":   func(t *testing.T, path string) { check(t, os.Rename(path, path+".old")) },
		"replaced": func(t *testing.T, path string) {
			check(t, os.WriteFile(path+".new", []byte(strings.Repeat("x", 1000)), 0o600))
			check(t, os.Rename(path+".new", path))
		},
		"replaced by a link": func(t *testing.T, path string) {
			check(t, errors.Join(os.Rename(path, path+".old"), os.Symlink(path+".old", path)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			w, g := newGuardedWorld(t, &log)
			path := filepath.Join(w.dir, "state", "v3", "clock.json")
			w.moveOn(24 * time.Hour)
			moved, err := os.ReadFile(path)
			check(t, err)
			take(t, path)
			check(t, errors.Join(g.look(), g.look()))
			if n := strings.Count(log.String(), "clock.json was deleted, moved or replaced"); n != 1 {
				t.Errorf("got %d lines about the file, want one", n)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, moved) {
				t.Errorf("the file has %q, %v, want %q", got, err, moved)
			}
			w.moveOn(time.Hour)
			take(t, path) // right before the end
			at := w.Time().Now
			w.restart(labScript())
			if now := w.Time().Now; now.Before(at) {
				t.Errorf("the clock stands at %s after a restart, want %s", now, at)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
