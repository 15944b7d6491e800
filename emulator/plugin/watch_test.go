package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/emulator/plugin"
)

// modes runs a test with file notifications and with polling. A user must see no difference.
func modes(t *testing.T, test func(t *testing.T, o plugin.WatchOptions)) {
	t.Run("notifications", func(t *testing.T) {
		t.Parallel()
		test(t, plugin.WatchOptions{})
	})
	t.Run("polling", func(t *testing.T) {
		t.Parallel()
		var o plugin.WatchOptions
		o.Poll(5 * time.Millisecond)
		test(t, o)
	})
}

// watch starts a watcher and closes it when the test ends.
func watch(t *testing.T, o plugin.WatchOptions) *plugin.Watcher {
	t.Helper()
	w, err := plugin.Watch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// reports waits until all the wanted paths, relative to dir, have been reported. It fails the test
// if any other path is reported. One report may have several changes, and one change may be in
// several reports: a file that is written in place is empty first. So a test that goes on calls
// settled before it expects the reports of other paths only.
func reports(t *testing.T, w *plugin.Watcher, dir string, want ...string) {
	t.Helper()
	missing := make(map[string]bool)
	for _, name := range want {
		missing[name] = true
	}
	for len(missing) > 0 {
		var report []string
		select {
		case report = <-w.Changes():
		case <-time.After(patience):
			t.Fatalf("waited in vain for %v", slices.Sorted(maps.Keys(missing)))
		}
		if !slices.IsSorted(report) || len(slices.Compact(slices.Clone(report))) != len(report) || len(report) == 0 {
			t.Errorf("report %v is not a sorted set", report)
		}
		for _, path := range report {
			rel, err := filepath.Rel(dir, path)
			if err != nil || !filepath.IsAbs(path) {
				t.Fatalf("report of %s: %v", path, err)
			}
			rel = filepath.ToSlash(rel)
			if !slices.Contains(want, rel) {
				t.Fatalf("report of %s, want only %v", rel, want)
			}
			delete(missing, rel)
		}
	}
}

// settled waits until all earlier changes have been reported for the last time: it creates a file
// in dir and waits for it. Reports of seen, relative to dir, may repeat. dir must be one of the
// watcher's folders, because a poller lists a folder before it looks at the files: a look that
// finds the new file has missed no earlier change.
func settled(t *testing.T, w *plugin.Watcher, dir string, seen ...string) {
	t.Helper()
	write(t, dir, map[string]string{"zz.settled": ""})
	for {
		select {
		case report := <-w.Changes():
			for _, path := range report {
				rel, err := filepath.Rel(dir, path)
				if err != nil || rel != "zz.settled" && !slices.Contains(seen, filepath.ToSlash(rel)) {
					t.Errorf("report of %s (%v), want none", path, err)
				}
			}
			if slices.Contains(report, filepath.Join(dir, "zz.settled")) {
				return
			}
		case <-time.After(patience):
			t.Fatal("waited in vain for the last change")
		}
	}
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestChangesOfFilesAreReported(t *testing.T) {
	before := map[string]string{"main.go": "1", "sub/deep/a.go": "1", "sub/b.go": "1", "old/c.go": "1"}
	for _, test := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   []string
		also   []string // may be reported too, as systems differ
	}{
		{
			name:   "written in place",
			change: func(t *testing.T, dir string) { write(t, dir, map[string]string{"main.go": "22"}) },
			want:   []string{"main.go"},
		},
		{
			name:   "below",
			change: func(t *testing.T, dir string) { write(t, dir, map[string]string{"sub/deep/a.go": "22"}) },
			want:   []string{"sub/deep/a.go"},
		},
		{
			name: "renamed over",
			change: func(t *testing.T, dir string) {
				write(t, dir, map[string]string{"main.go~": "22"})
				rename(t, dir, "main.go~", "main.go")
			},
			want: []string{"main.go"},
		},
		{
			name: "removed and created",
			change: func(t *testing.T, dir string) {
				remove(t, dir, "main.go")
				write(t, dir, map[string]string{"main.go": "22"})
			},
			want: []string{"main.go"},
		},
		{
			name:   "removed",
			change: func(t *testing.T, dir string) { remove(t, dir, "sub/b.go") },
			want:   []string{"sub/b.go"},
		},
		{
			name:   "renamed",
			change: func(t *testing.T, dir string) { rename(t, dir, "sub/b.go", "sub/c.go") },
			want:   []string{"sub/b.go", "sub/c.go"},
		},
		{
			name: "created in new folders",
			change: func(t *testing.T, dir string) {
				write(t, dir, map[string]string{"new/x/y/z.go": "1", "new/x/w.go": "1"})
			},
			want: []string{"new/x/y/z.go", "new/x/w.go"},
		},
		{
			name:   "in a renamed folder",
			change: func(t *testing.T, dir string) { rename(t, dir, "sub", "moved") },
			want:   []string{"sub", "moved/b.go", "moved/deep/a.go"},
			also:   []string{"sub/b.go", "sub/deep", "sub/deep/a.go"},
		},
		{
			name:   "in a removed folder",
			change: func(t *testing.T, dir string) { remove(t, dir, "sub") },
			want:   []string{"sub"},
			also:   []string{"sub/b.go", "sub/deep", "sub/deep/a.go"},
		},
		{
			name: "in a folder that was replaced",
			change: func(t *testing.T, dir string) {
				write(t, dir, map[string]string{".new/b.go": "22"})
				remove(t, dir, "old")
				rename(t, dir, ".new", "old")
			},
			want: []string{"old/b.go"},
			also: []string{"old", "old/c.go"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			modes(t, func(t *testing.T, o plugin.WatchOptions) {
				dir := t.TempDir()
				write(t, dir, before)
				o.Roots = []string{dir}
				w := watch(t, o)
				test.change(t, dir)
				eventually(t, w, dir, test.want, test.also)
				settled(t, w, dir, append(test.want, test.also...)...)
			})
		})
	}
}

// eventually is reports with further paths that may be reported.
func eventually(t *testing.T, w *plugin.Watcher, dir string, want, also []string) {
	t.Helper()
	missing := make(map[string]bool)
	for _, name := range want {
		missing[name] = true
	}
	for len(missing) > 0 {
		for _, path := range await(t, fmt.Sprint("a report of ", slices.Sorted(maps.Keys(missing))), w.Changes()) {
			rel, err := filepath.Rel(dir, path)
			rel = filepath.ToSlash(rel)
			if err != nil || !slices.Contains(want, rel) && !slices.Contains(also, rel) {
				t.Errorf("report of %s (%v), want only %v or %v", path, err, want, also)
			}
			delete(missing, rel)
		}
	}
}

// After a folder was moved or created again, the watcher reports changes in it under its new name
// only.
func TestFoldersAreFollowed(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"a/sub/x.go": "1"})
		o.Roots = []string{dir}
		w := watch(t, o)

		rename(t, dir, "a", "b")
		eventually(t, w, dir, []string{"a", "b/sub/x.go"}, []string{"a/sub", "a/sub/x.go"})
		settled(t, w, dir, "a", "b/sub/x.go", "a/sub", "a/sub/x.go")
		write(t, dir, map[string]string{"b/sub/x.go": "22"})
		reports(t, w, dir, "b/sub/x.go")
		settled(t, w, dir, "b/sub/x.go")

		remove(t, dir, "b")
		eventually(t, w, dir, []string{"b"}, []string{"b/sub", "b/sub/x.go"})
		write(t, dir, map[string]string{"b/sub/x.go": "333"})
		eventually(t, w, dir, []string{"b/sub/x.go"}, []string{"b", "b/sub"})
		settled(t, w, dir, "b/sub/x.go", "b", "b/sub")
		write(t, dir, map[string]string{"b/sub/x.go": "4444"})
		reports(t, w, dir, "b/sub/x.go")
	})
}

func TestABurstIsReportedOnce(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		o.Roots = []string{dir}
		o.Quiet = time.Second // longer than the burst, on any machine
		w := watch(t, o)
		var want []string
		for i := range 50 {
			name := fmt.Sprintf("%02d.go", i)
			write(t, dir, map[string]string{name: "1"})
			want = append(want, filepath.Join(dir, name))
		}
		if got := await(t, "the report", w.Changes()); !slices.Equal(got, want) {
			t.Errorf("report = %v, want %v", got, want)
		}
	})
}

func TestSteadyChangesDoNotDelayTheReportForEver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := watch(t, plugin.WatchOptions{Roots: []string{dir}, Quiet: time.Hour})
	write(t, dir, map[string]string{"main.go": "1"})
	ctx, cancel := context.WithCancel(t.Context())
	logging := make(chan struct{})
	go func() {
		defer close(logging)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			_ = os.WriteFile(filepath.Join(dir, "app.log"), []byte("x"), 0o666)
			<-ticker.C
		}
	}()
	defer func() { cancel(); <-logging }()
	reports(t, w, dir, "app.log", "main.go")
}

func TestWhatGitChangesIsReportedAsOne(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		var more sync.Once
		var noticed atomic.Bool
		o.Roots, o.Quiet = []string{dir}, time.Millisecond
		o.OnChange = func(paths []string) {
			if slices.Contains(paths, filepath.Join(dir, "b.go")) {
				noticed.Store(true)
			}
		}
		o.Busy(func() bool {
			more.Do(func() { write(t, dir, map[string]string{"b.go": "package b"}) })
			return !noticed.Load()
		})
		w := watch(t, o)
		write(t, dir, map[string]string{"a.go": "package a"})
		want := []string{filepath.Join(dir, "a.go"), filepath.Join(dir, "b.go")}
		if got := <-w.Changes(); !slices.Equal(got, want) {
			t.Errorf("got report of %v, want %v", got, want)
		}
	})
}

// Later changes are added to a report that has not been received yet.
func TestReportsThatWereNotReceivedAreMerged(t *testing.T) {
	changes := [][]string{{"/b", "/c"}, nil, {"/a", "/b"}}
	received := make(chan struct{})
	w, err := plugin.WatchSource(t.Context(), plugin.WatchOptions{Quiet: time.Millisecond},
		func(ctx context.Context) ([]string, error) {
			if len(changes) > 0 {
				paths := changes[0]
				changes = changes[1:]
				return paths, nil
			}
			close(received) // the watcher asks for more, so it has the last change
			<-ctx.Done()
			return nil, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	await(t, "the watcher to receive the changes", received)
	if got, want := await(t, "the report", w.Changes()), []string{"/a", "/b", "/c"}; !slices.Equal(got, want) {
		t.Errorf("report = %v, want %v", got, want)
	}
}

// A change that comes while a report is due or being received is reported once.
func TestNoChangeIsLostBetweenReports(t *testing.T) {
	const changes = 2000
	sent := 0
	w, err := plugin.WatchSource(t.Context(), plugin.WatchOptions{Quiet: time.Nanosecond},
		func(ctx context.Context) ([]string, error) {
			if sent == changes {
				<-ctx.Done()
				return nil, nil
			}
			sent++
			return []string{fmt.Sprint("/", sent)}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	seen := make(map[string]bool)
	for len(seen) < changes {
		for _, path := range await(t, fmt.Sprintf("changes after %d of %d", len(seen), changes), w.Changes()) {
			if seen[path] {
				t.Fatalf("%s is reported twice", path)
			}
			seen[path] = true
		}
	}
}

// If notifications fail later on, changes may have been missed. The watcher then reports all files
// and goes on by polling.
func TestAFailingSourceIsReplacedByPolling(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.go": "1", "sub/b.go": "1", "sub/b_test.go": "1"})
	w, err := plugin.WatchSource(t.Context(), plugin.WatchOptions{Roots: []string{dir}},
		func(context.Context) ([]string, error) { return nil, errors.New("no space left on device") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	reports(t, w, dir, "a.go", "sub/b.go")
	if got, want := w.Polling(), "no space left on device"; got != want {
		t.Errorf("Polling() = %q, want %q", got, want)
	}
	write(t, dir, map[string]string{"sub/b.go": "22"})
	reports(t, w, dir, "sub/b.go")
}

// The system keeps only a limited number of events for a watcher that is busy, and drops the rest.
// The watcher still reports those changes.
func TestChangesWhoseNotificationsWereLostAreReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.go": "1"})
	busy, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w := watch(t, plugin.WatchOptions{Roots: []string{dir}, Ignore: func(path string) bool {
		if filepath.Base(path) == "busy.go" {
			once.Do(func() { close(busy); <-free })
		}
		return strings.HasSuffix(path, ".noise")
	}})
	write(t, dir, map[string]string{"busy.go": "1"})
	await(t, "the watcher to be busy", busy)
	write(t, dir, map[string]string{"1.noise": ""})
	for range 10_000 { // four events each, and Linux keeps 16,384
		rename(t, dir, "1.noise", "2.noise")
		rename(t, dir, "2.noise", "1.noise")
	}
	write(t, dir, map[string]string{"new/late.go": "1"})
	close(free)
	eventually(t, w, dir, []string{"busy.go", "new/late.go"}, []string{"a.go"})
	write(t, dir, map[string]string{"new/late.go": "22"})
	eventually(t, w, dir, []string{"new/late.go"}, []string{"a.go", "busy.go"})
}

func TestIgnoredFilesAreNotReported(t *testing.T) {
	ignored := []string{
		".git/index", ".hg/x", ".svn/x", ".jj/x", ".devtool/build/handler", ".wrangler/state/x", ".idea/x",
		"node_modules/a/index.js", "vendor/a/a.go", "sub/.git/x", "sub/node_modules/x", "sub/.cache/deep/x.go",
		"main.go~", ".#main.go", ".main.go.swp", ".main.go.swx", "4913", "#main.go#", "main.go.tmp.123",
		"main.go___jb_tmp___", "main.go___jb_old___", "main_test.go", "sub/x_test.go",
		"generated/g.go", "sub/skip.me",
	}
	reported := []string{
		".env", "main.go", "sub/test.go", "49131", "#notes", "vendored/a.go", "nodemodules/x", "go.mod",
		"index.html", "a.tmp",
	}
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := filepath.Join(t.TempDir(), ".hidden", "vendor") // names above a root do not matter
		o.Roots = []string{dir}
		o.Ignore = func(path string) bool {
			return path == filepath.Join(dir, "generated") || strings.HasSuffix(path, ".me")
		}
		files := func(names []string, text string) map[string]string {
			m := make(map[string]string)
			for _, name := range names {
				m[name] = text
			}
			return m
		}
		write(t, dir, files(ignored, "1"))
		w := watch(t, o)
		write(t, dir, files(ignored, "22"))
		write(t, dir, files(reported, "1"))
		reports(t, w, dir, reported...)
		rename(t, dir, "node_modules", ".trash")
		for _, name := range append(ignored, ".git", ".trash", "vendor", "sub/node_modules", "generated") {
			remove(t, dir, name)
		}
		settled(t, w, dir, reported...)

		// The same holds for folders that appear later.
		write(t, dir, files([]string{"later/.git/x", "later/x_test.go", "later/vendor/x.go"}, "1"))
		settled(t, w, dir)
	})
}

func TestModeAloneIsNoChange(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"main.go": "1", "sub/a.go": "1"})
		o.Roots = []string{dir}
		w := watch(t, o)
		for _, name := range []string{"main.go", "sub"} {
			if err := os.Chmod(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		settled(t, w, dir)
	})
}

func TestPollingGivesItsReason(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		o.Roots = []string{t.TempDir()}
		notified := o
		notified.Poll(0)
		if got := watch(t, notified).Polling(); got != "" {
			t.Errorf("Polling() = %q, want none", got)
		}
		o.Poll(time.Hour)
		if got := watch(t, o).Polling(); got == "" {
			t.Error("Polling() is empty, want a reason")
		}
	})
}

func TestWatchErrorsSayWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"file": "1"})
	for _, test := range []struct {
		o    plugin.WatchOptions
		want string
	}{
		{plugin.WatchOptions{Roots: []string{filepath.Join(dir, "absent")}}, "no such file"},
		{plugin.WatchOptions{Roots: []string{filepath.Join(dir, "file")}}, "not a folder"},
	} {
		w, err := plugin.Watch(t.Context(), test.o)
		if err == nil {
			w.Close()
		}
		got := fmt.Sprint(err)
		if !strings.HasPrefix(got, "watch for changes: ") || !strings.Contains(got, test.want) ||
			!strings.Contains(got, dir) {
			t.Errorf("Watch gives %q, want %q and the path", got, test.want)
		}
	}
}

func TestTheEndOfTheWatcherClosesChanges(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		o.Roots = []string{dir}
		closed := watch(t, o)
		write(t, dir, map[string]string{"a.go": "1"}) // nobody receives the report
		closed.Close()
		closed.Close()
		if got, open := <-closed.Changes(); open {
			t.Errorf("report %v after Close", got)
		}

		ctx, cancel := context.WithCancelCause(t.Context())
		canceled, err := plugin.Watch(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		cancel(errors.New("enough"))
		if got := await(t, "the end", canceled.Changes()); got != nil {
			t.Errorf("report %v after the context's end", got)
		}
		canceled.Close()
	})
}
