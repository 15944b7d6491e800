package plugin_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/emulator/plugin"
)

// Each editor saves in its own way: it replaces the text "before" in main.go by "after". Files that
// it leaves in the folder, as a lock or a backup, must not be reported. Files that it renamed or
// removed again may be.
func TestWhatEditorsSaveIsReportedAndNothingElse(t *testing.T) {
	for _, editor := range []struct {
		name    string
		debian  string // the Debian package of the editor
		command []string
		keys    string // the keys to type, in a terminal
	}{
		{"vim", "vim", vim("set nobackup nowritebackup"), ""},
		{"vim with a backup that is a copy", "vim", vim("set backup backupcopy=yes"), ""},
		{"vim with a backup that is renamed", "vim", vim("set backup backupcopy=no"), ""},
		{"vim in a terminal", "vim", []string{"vim", "-u", "NONE", "-N", "main.go"}, ":%s/before/after/\r:wq\r"},
		{"nano", "nano", []string{"nano", "--ignorercfiles", "main.go"}, nanoKeys},
		{"nano with a backup", "nano", []string{"nano", "--ignorercfiles", "--backup", "main.go"}, nanoKeys},
		{"emacs", "emacs-nox", emacs("nil"), ""},
		{"emacs with backups by copying", "emacs-nox", emacs("t"), ""},
		{"emacs in a terminal", "emacs-nox", []string{"emacs", "-nw", "-Q", "main.go"}, emacsKeys},
		{"sed -i", "sed", []string{"sed", "-i", "s/before/after/", "main.go"}, ""},
		{"sed -i with a backup", "sed", []string{"sed", "-i~", "s/before/after/", "main.go"}, ""},
		{"perl -i", "perl", []string{"perl", "-pi", "-e", "s/before/after/", "main.go"}, ""},
		{"ed", "ed", []string{"ed", "-s", "main.go"}, ",s/before/after/\nw\nq\n"},
		{"gofmt -w", "golang-go", []string{"gofmt", "-w", "-r", "before -> after", "main.go"}, ""},
		{
			"patch", "patch", []string{"patch", "--no-backup-if-mismatch", "main.go"},
			"@@ -3 +3 @@\n-var _ = before\n+var _ = after\n",
		},
	} {
		t.Run(editor.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(editor.command[0]); err != nil {
				t.Skipf("%s is not installed: it is in the package %s", editor.command[0], editor.debian)
			}
			modes(t, func(t *testing.T, o plugin.WatchOptions) {
				dir := t.TempDir()
				write(t, dir, map[string]string{
					"main.go":  "package main\n\nvar _ = before\n\nvar before, after int\n",
					"other.go": "package main\n",
				})
				o.Roots = []string{dir}
				w := watch(t, o)
				run(t, dir, editor.command, editor.keys)
				got, err := os.ReadFile(filepath.Join(dir, "main.go"))
				if err != nil || !strings.Contains(string(got), "var _ = after") {
					t.Fatalf("the editor has written %q, %v", got, err)
				}
				saved := savedIn(t, w, dir)
				if !slices.Contains(saved, "main.go") {
					t.Errorf("reported %v, want main.go", saved)
				}
				for _, name := range saved {
					if _, err := os.Stat(filepath.Join(dir, name)); err == nil && name != "main.go" {
						t.Errorf("%s is reported, too, and is still there", name)
					}
				}
			})
		})
	}
}

// savedIn returns the names of all files reported in dir.
func savedIn(t *testing.T, w *plugin.Watcher, dir string) (names []string) {
	t.Helper()
	write(t, dir, map[string]string{"zz.settled": ""})
	for !slices.Contains(names, "zz.settled") {
		for _, path := range await(t, "the last change", w.Changes()) {
			names = append(names, filepath.Base(path))
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "zz.settled" })
}

// The keys that replace the text, save and leave.
const (
	nanoKeys  = "\x1brbefore\rafter\rA" + "\x0f\r" + "\x18"
	emacsKeys = "\x1bxreplace-string\rbefore\rafter\r\x18\x13\x18\x03"
)

func vim(settings string) []string {
	return []string{"vim", "-es", "-u", "NONE", "-N", "-c", settings, "-c", "%s/before/after/", "-c", "wq", "main.go"}
}

func emacs(byCopying string) []string {
	return []string{"emacs", "-Q", "--batch", "main.go", "--eval",
		`(progn (setq make-backup-files t backup-by-copying ` + byCopying + `)
			(goto-char (point-min)) (search-forward "before") (replace-match "after") (save-buffer))`}
}

// run runs an editor in dir, in a terminal if it needs one. It types the keys once the editor shows
// the text.
func run(t *testing.T, dir string, command []string, keys string) {
	t.Helper()
	terminal := keys != "" && slices.Contains([]string{"vim", "nano", "emacs"}, command[0])
	if terminal {
		if _, err := exec.LookPath("script"); err != nil {
			t.Skip("script, which provides a terminal, is not installed: it is in the package bsdutils")
		}
		command = []string{"script", "-qec", strings.Join(command, " "), "/dev/null"}
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=xterm", "HOME="+t.TempDir())
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen := &screen{shown: func() {
		_, _ = io.WriteString(keyboard, keys) // on failure, the file is unchanged
	}}
	cmd.Stdout, cmd.Stderr = screen, screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !terminal {
		screen.shown()
		keyboard.Close()
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v\n%q", strings.Join(command, " "), err, &screen.text)
	}
}

// A screen calls shown once the editor shows the text to be replaced.
type screen struct {
	text  bytes.Buffer
	once  sync.Once
	shown func()
}

func (s *screen) Write(p []byte) (int, error) {
	s.text.Write(p)
	if bytes.Contains(s.text.Bytes(), []byte("before")) {
		s.once.Do(s.shown)
	}
	return len(p), nil
}
