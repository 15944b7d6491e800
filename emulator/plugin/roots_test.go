package plugin_test

import (
	"os"
	"path/filepath"
	"testing"

	"devtool.internal/emulator/plugin"
)

func TestSingleFilesAreReportedWhateverTheyAreCalled(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		write(t, dir, map[string]string{
			"conf/wrangler.toml": "1",
			"conf/other.toml":    "1",
			"conf/sub/x":         "1",
			"src/.hidden/.env":   "1",
			"src/.hidden/x":      "1",
		})
		src := filepath.Join(dir, "src")
		o.Roots = []string{src}
		for _, name := range []string{"conf/wrangler.toml", "conf/.dev.vars", "src/.hidden/.env", "src/my_test.go"} {
			o.Files = append(o.Files, filepath.Join(dir, name))
		}
		w := watch(t, o)
		write(t, dir, map[string]string{
			"conf/other.toml": "22",
			"conf/sub/x":      "22",
			"src/.hidden/x":   "22",
			"conf/new/y":      "1",
		})
		write(t, dir, map[string]string{"conf/wrangler.toml": "22"})
		reports(t, w, dir, "conf/wrangler.toml")
		settled(t, w, src, "../conf/wrangler.toml")
		write(t, dir, map[string]string{"conf/.dev.vars": "1", "src/.hidden/.env": "22", "src/my_test.go": "1"})
		reports(t, w, dir, "conf/.dev.vars", "src/.hidden/.env", "src/my_test.go")
		settled(t, w, src, "../conf/.dev.vars", ".hidden/.env", "my_test.go")
		write(t, dir, map[string]string{"conf/.dev.vars.tmp.1": "333"})
		rename(t, dir, "conf/.dev.vars.tmp.1", "conf/.dev.vars")
		reports(t, w, dir, "conf/.dev.vars")
		settled(t, w, src, "../conf/.dev.vars")
		remove(t, dir, "conf/wrangler.toml")
		reports(t, w, dir, "conf/wrangler.toml")
	})
}

func TestARootMayBeALink(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"real/sub/a.go": "1"})
		if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		o.Roots = []string{filepath.Join(dir, "link")}
		w := watch(t, o)
		write(t, dir, map[string]string{"real/sub/a.go": "22"})
		reports(t, w, dir, "link/sub/a.go")
	})
}

func TestRelativeRootsAreReportedAbsolute(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"src/a.go": "1", "wrangler.toml": "1"})
	t.Chdir(dir)
	w := watch(t, plugin.WatchOptions{Roots: []string{"src"}, Files: []string{"wrangler.toml"}})
	write(t, dir, map[string]string{"src/a.go": "22", "wrangler.toml": "22"})
	reports(t, w, dir, "src/a.go", "wrangler.toml")
}

// When a root itself is gone, its notifications end. The watcher then polls, gives the reason, and
// sees the root come back.
func TestTheWatcherWaitsForARemovedRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/a.go": "1", "src/sub/b.go": "1"})
	w := watch(t, plugin.WatchOptions{Roots: []string{filepath.Join(dir, "src")}})
	if w.Polling() != "" {
		t.Fatalf("polls from the start: %s", w.Polling())
	}
	rename(t, dir, "src", "away")
	reports(t, w, dir, "src")
	if got, want := w.Polling(), filepath.Join(dir, "src")+" was removed or renamed"; got != want {
		t.Errorf("Polling() = %q, want %q", got, want)
	}
	rename(t, dir, "away", "src")
	reports(t, w, dir, "src/a.go", "src/sub/b.go")
	write(t, dir, map[string]string{"src/sub/b.go": "22"})
	reports(t, w, dir, "src/sub/b.go")
}
