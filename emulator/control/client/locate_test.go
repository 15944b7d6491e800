package client_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// project creates a folder with a config file.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "wrangler.jsonc"), "{}")
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func announce(t *testing.T, dir string, a client.Announcement) (release func() error) {
	t.Helper()
	release, err := client.Announce(dir, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Errorf("release: %v", err)
		}
	})
	return release
}

// runFiles returns the files that announcements have created in dir.
func runFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".devtool", "run", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func urls(running []client.Announcement) []string {
	var list []string
	for _, a := range running {
		list = append(list, a.URL)
	}
	return list
}

var started = time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC)

func TestAnEmulatorIsFoundUntilItIsReleased(t *testing.T) {
	dir := project(t)
	want := client.Announcement{
		URL: "http://localhost:8787", PID: os.Getpid(), Started: started,
		Config: filepath.Join(dir, "wrangler.jsonc"), State: filepath.Join(dir, ".devtool", "state"),
	}
	release := announce(t, dir, want)
	want.Project = dir
	var err error
	if want.FolderID, err = wire.FolderID(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := client.Find(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Find (-want +got):\n%s", diff)
		}
	}

	if err := release(); err != nil {
		t.Fatal(err)
	}
	if files := runFiles(t, dir); files != nil {
		t.Errorf("files left after the release: %q", files)
	}
	if _, err := client.Find(dir); err == nil {
		t.Error("found after its release")
	}
	if err := release(); err != nil {
		t.Errorf("second release: %v", err)
	}
}

func TestFindLooksUpwardsForTheNearestProject(t *testing.T) {
	outer := project(t)
	for _, name := range []string{"wrangler.json", "wrangler.jsonc", "wrangler.toml"} {
		inner := filepath.Join(outer, "packages", strings.ReplaceAll(name, ".", "-"))
		write(t, filepath.Join(inner, name), "")
		write(t, filepath.Join(inner, "src", "deep", "main.go"), "")
		announce(t, inner, client.Announcement{URL: name})

		got, err := client.Find(filepath.Join(inner, "src", "deep"))
		if err != nil || got.URL != name {
			t.Errorf("below %s: got %q, %v", name, got.URL, err)
		}
	}
	announce(t, outer, client.Announcement{URL: "outer"})
	if got, err := client.Find(filepath.Join(outer, "packages")); err != nil || got.URL != "outer" {
		t.Errorf("between the projects: got %q, %v", got.URL, err)
	}
}

func TestFindSaysWhatToDo(t *testing.T) {
	idle := project(t)
	inner := filepath.Join(project(t), "inner")
	write(t, filepath.Join(inner, "wrangler.toml"), "")
	announce(t, filepath.Dir(inner), client.Announcement{URL: "outer"})
	twice := project(t)
	announce(t, twice, client.Announcement{URL: "http://localhost:1", Started: started})
	announce(t, twice, client.Announcement{URL: "http://localhost:2", Started: started.Add(time.Second)})
	nowhere := t.TempDir()

	for _, test := range []struct{ dir, message, hint string }{
		{idle, "no emulator runs for " + idle, "start it with `devtool dev`"},
		{inner, "no emulator runs for " + inner, "start it with `devtool dev`"},
		{nowhere, nowhere + " is not in a project", "--cwd DIR, or its emulator with --url URL"},
		{twice, "2 emulators run for " + twice + ": http://localhost:1, http://localhost:2", "--url URL"},
	} {
		_, err := client.Find(test.dir)
		var got *control.Error
		if !errors.As(err, &got) {
			t.Errorf("Find(%s): got %v, want a *control.Error", test.dir, err)
			continue
		}
		if !strings.Contains(got.Message, test.message) || !strings.Contains(got.Hint, test.hint) {
			t.Errorf("Find(%s): got %q, hint %q; want %q, hint %q",
				test.dir, got.Message, got.Hint, test.message, test.hint)
		}
	}
}

func TestEmulatorsListsTheOldestFirst(t *testing.T) {
	dir := project(t)
	announce(t, dir, client.Announcement{URL: "second", Started: started.Add(time.Hour)})
	announce(t, dir, client.Announcement{URL: "third", Started: started.Add(2 * time.Hour)})
	announce(t, dir, client.Announcement{URL: "first", Started: started})
	running, err := client.Emulators(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first", "second", "third"}, urls(running)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNothingRunsInAFolderWithoutAnnouncements(t *testing.T) {
	running, err := client.Emulators(t.TempDir())
	if err != nil || running != nil {
		t.Errorf("got %v, %v, want nothing", running, err)
	}
}

func TestFilesOfADeadEmulatorAreRemoved(t *testing.T) {
	dir := project(t)
	run := filepath.Join(dir, ".devtool", "run")
	write(t, filepath.Join(run, "1-free.json"), `{"url":"dead"}`)
	write(t, filepath.Join(run, "1-free.lock"), "")
	write(t, filepath.Join(run, "2-none.json"), `{"url":"dead"}`)
	write(t, filepath.Join(run, "3-torn.json"), `{"url":`)
	announce(t, dir, client.Announcement{URL: "alive"})

	running, err := client.Emulators(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"alive"}, urls(running)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if files := runFiles(t, dir); len(files) != 2 {
		t.Errorf("got files %q, want only those of the running emulator", files)
	}
}

func TestABrokenAnnouncementOfARunningEmulatorIsAnError(t *testing.T) {
	dir := project(t)
	announce(t, dir, client.Announcement{URL: "alive"})
	files, _ := filepath.Glob(filepath.Join(dir, ".devtool", "run", "*.json"))
	write(t, files[0], "{")
	if _, err := client.Emulators(dir); err == nil || !strings.Contains(err.Error(), files[0]) {
		t.Errorf("got %v, want an error that names %s", err, files[0])
	}
}

func TestAnnouncementsArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // Windows has no such permissions
	}
	dir := project(t)
	announce(t, dir, client.Announcement{URL: "alive"})
	for _, path := range append(runFiles(t, dir), filepath.Join(dir, ".devtool", "run")) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if others := info.Mode().Perm() & 0o077; others != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

func TestAnnounceSaysWhereItCannotWrite(t *testing.T) {
	dir := project(t)
	write(t, filepath.Join(dir, ".devtool"), "a file, not a folder")
	_, err := client.Announce(dir, client.Announcement{})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, ".devtool")) {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

// Finders also remove stale files. Here they race with one another, with emulators that come and
// go, and with one emulator that stays.
func TestConcurrentFindersNeverMissAnEmulator(t *testing.T) {
	dir := project(t)
	announce(t, dir, client.Announcement{URL: "stays"})

	var finders, others sync.WaitGroup
	stop := make(chan struct{})
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			release, err := client.Announce(dir, client.Announcement{URL: "comes and goes"})
			if err != nil {
				t.Error(err)
				return
			}
			running, err := client.Emulators(dir)
			if err != nil || len(running) != 2 {
				t.Errorf("got %q, %v right after announcing a second one", urls(running), err)
			}
			if err := release(); err != nil {
				t.Error(err)
			}
		}
	})
	for range 4 {
		finders.Go(func() {
			for range 200 {
				running, err := client.Emulators(dir)
				if err != nil {
					t.Error(err)
				}
				if !strings.Contains(strings.Join(urls(running), " "), "stays") {
					t.Errorf("got %q without the emulator that stays", urls(running))
				}
			}
		})
	}
	finders.Wait()
	close(stop)
	others.Wait()
}

// The emulator to be killed is a process of its own: this test binary, in a mode that the
// environment selects.
func TestAKilledEmulatorIsForgotten(t *testing.T) {
	if dir := os.Getenv("CONTROL_TEST_ANNOUNCE"); dir != "" {
		if _, err := client.Announce(dir, client.Announcement{URL: "http://localhost:9"}); err != nil {
			t.Fatal(err)
		}
		_ = json.NewEncoder(os.Stdout).Encode("announced")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until killed
		return
	}

	dir := project(t)
	child := exec.Command(os.Args[0], "-test.run=^TestAKilledEmulatorIsForgotten$")
	child.Env = append(os.Environ(), "CONTROL_TEST_ANNOUNCE="+dir)
	input, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill() }()
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "\"announced\"\n" {
		t.Fatalf("the child printed %q, %v", line, err)
	}

	found, err := client.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	if found.PID != child.Process.Pid {
		t.Errorf("got pid %d, want %d", found.PID, child.Process.Pid)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if _, err := client.Find(dir); err == nil {
		t.Error("found after it was killed")
	}
	if files := runFiles(t, dir); files != nil {
		t.Errorf("left behind: %q", files)
	}
}

// A copy of a project has the files of its emulator, and even the lock if the copy is made of hard
// links. Commands in the copy must not act on the original.
func TestAnEmulatorServesNoCopyOfItsProject(t *testing.T) {
	original := project(t)
	announce(t, original, client.Announcement{URL: "http://localhost:1"})
	for name, duplicate := range map[string]func(from, to string) error{
		"copied": func(from, to string) error {
			content, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			return os.WriteFile(to, content, 0o600)
		},
		"linked": os.Link,
	} {
		copied := project(t)
		folder := filepath.Join(copied, ".devtool", "run")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range runFiles(t, original) {
			if err := duplicate(file, filepath.Join(folder, filepath.Base(file))); err != nil {
				t.Fatal(err)
			}
		}
		if running, err := client.Emulators(copied); len(running) > 0 || err != nil {
			t.Errorf("%s: got %v, %v, want no emulator", name, urls(running), err)
		}
		if running, err := client.Emulators(original); len(running) != 1 || err != nil {
			t.Errorf("%s: the original: got %v, %v, want its emulator", name, urls(running), err)
		}
	}
}
