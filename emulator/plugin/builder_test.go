package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/emulator/plugin"
)

// program is a project that builds.
var program = map[string]string{
	"go.mod":  "module handler\n\ngo 1.26\n",
	"main.go": "package main\n\nfunc main() { println(1) }\n",
}

func newBuilder(t *testing.T) *plugin.Builder {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, program)
	return &plugin.Builder{Dir: dir, Package: ".", Output: filepath.Join(dir, ".devtool", "build", "handler")}
}

func build(t *testing.T, b *plugin.Builder) plugin.Result {
	t.Helper()
	r, err := b.Build(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// output runs the built program.
func output(t *testing.T, b *plugin.Builder) string {
	t.Helper()
	out, err := exec.Command(b.Output).CombinedOutput()
	if err != nil {
		t.Fatalf("run %s: %v: %s", b.Output, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestBuildReportsWhetherTheProgramChanged(t *testing.T) {
	b := newBuilder(t)
	first := build(t, b)
	if !first.Changed || first.Hash == "" || first.Took <= 0 {
		t.Errorf("first build = %+v, want a changed program, a hash and a duration", first)
	}
	inode, err := os.Stat(b.Output)
	if err != nil {
		t.Fatal(err)
	}

	again := build(t, b)
	if again.Changed || again.Hash != first.Hash {
		t.Errorf("second build = %+v, want the program of %+v unchanged", again, first)
	}
	if now, err := os.Stat(b.Output); err != nil || !os.SameFile(inode, now) {
		t.Errorf("the second build linked again (%v)", err)
	}

	other := *b // as in a later run of the emulator
	if r := build(t, &other); r.Changed {
		t.Errorf("build by another Builder = %+v, want unchanged", r)
	}

	write(t, b.Dir, map[string]string{"main.go": program["main.go"] + "\n// A comment.\n"})
	if r := build(t, b); r.Changed || r.Hash != first.Hash {
		t.Errorf("build after a new comment = %+v, want the program of %+v unchanged", r, first)
	}

	write(t, b.Dir, map[string]string{"main.go": "package main\n\nfunc main() { println(2) }\n"})
	if r := build(t, b); !r.Changed || r.Hash == first.Hash {
		t.Errorf("build after an edit = %+v, want a change", r)
	}
	if got := output(t, b); got != "2" {
		t.Errorf("program prints %q, want 2", got)
	}
}

func TestBuildLeavesNothingBesideTheProgram(t *testing.T) {
	b := newBuilder(t)
	build(t, b)
	entries, err := os.ReadDir(filepath.Dir(b.Output))
	if err != nil || len(entries) != 1 {
		t.Errorf("output folder holds %v (%v), want the program alone", entries, err)
	}
}

func TestDebugKeepsSymbols(t *testing.T) {
	b := newBuilder(t)
	stripped := build(t, b)
	small, err := os.Stat(b.Output)
	if err != nil {
		t.Fatal(err)
	}
	b.Debug = true
	full := build(t, b)
	large, err := os.Stat(b.Output)
	if err != nil {
		t.Fatal(err)
	}
	if !full.Changed || full.Hash == stripped.Hash || large.Size() <= small.Size() {
		t.Errorf("debug build = %+v of %d bytes, want another program than %+v of %d bytes",
			full, large.Size(), stripped, small.Size())
	}
}

func TestEnvReachesGo(t *testing.T) {
	b := newBuilder(t)
	write(t, b.Dir, map[string]string{
		"main.go":   "package main\n\nfunc main() { println(word) }\n",
		"plain.go":  "//go:build !tagged\n\npackage main\n\nconst word = \"plain\"\n",
		"tagged.go": "//go:build tagged\n\npackage main\n\nconst word = \"tagged\"\n",
	})
	b.Env = []string{"GOFLAGS=-tags=tagged"}
	build(t, b)
	if got := output(t, b); got != "tagged" {
		t.Errorf("program prints %q, want tagged", got)
	}
}

func TestBuildNeedsNoUsableRepository(t *testing.T) {
	b := newBuilder(t)
	b.Env = []string{"GOENV=off", "GOFLAGS="} // the machine's own settings may turn VCS stamping off
	write(t, b.Dir, map[string]string{".git/HEAD": "broken"})
	build(t, b)
}

func TestAFailedBuildKeepsThePreviousProgram(t *testing.T) {
	b := newBuilder(t)
	first := build(t, b)
	write(t, b.Dir, map[string]string{"main.go": "package main\n\nfunc main() { oops }\n"})
	if _, err := b.Build(t.Context(), nil); err == nil {
		t.Fatal("Build of a broken program gives no error")
	}
	if got := output(t, b); got != "1" {
		t.Errorf("program prints %q, want 1", got)
	}
	write(t, b.Dir, program)
	if r := build(t, b); r.Changed || r.Hash != first.Hash {
		t.Errorf("build after the repair = %+v, want unchanged", r)
	}
}

func TestBuildErrorHasTheOutputOfGo(t *testing.T) {
	b := newBuilder(t)
	write(t, b.Dir, map[string]string{"main.go": "package main\n\nfunc main() { oops }\n"})
	_, err := b.Build(t.Context(), nil)
	var failed *plugin.BuildError
	if !errors.As(err, &failed) {
		t.Fatalf("Build gives %v, want a *BuildError", err)
	}
	want := &plugin.BuildError{
		Package: "handler",
		Output:  "# handler\n./main.go:3:15: undefined: oops\n",
		Diagnostics: []plugin.Diagnostic{{
			File: "main.go", Line: 3, Column: 15, Message: "undefined: oops", Source: "func main() { oops }",
		}},
	}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Errorf("error differs (-want +got):\n%s", diff)
	}
}

func TestRelativeFoldersAreThoseOfThisProcess(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"project/go.mod":  program["go.mod"],
		"project/main.go": "package main\n\nfunc main() { oops }\n",
	})
	t.Chdir(dir)
	b := plugin.Builder{Dir: "project", Package: ".", Output: "out/handler"}
	_, err := b.Build(t.Context(), nil)
	var failed *plugin.BuildError
	if !errors.As(err, &failed) {
		t.Fatalf("Build gives %v, want a *BuildError", err)
	}
	if d := failed.Diagnostics[0]; d.File != "main.go" || d.Source == "" {
		t.Errorf("diagnostic = %+v, want main.go and its line", d)
	}
	write(t, dir, map[string]string{"project/main.go": program["main.go"]})
	build(t, &b)
	if _, err := os.Stat(filepath.Join(dir, "out", "handler")); err != nil {
		t.Error(err)
	}
}

func TestWithoutGoTheErrorSaysWhatToInstall(t *testing.T) {
	b := newBuilder(t)
	t.Setenv("PATH", t.TempDir())
	_, err := b.Build(t.Context(), nil)
	var failed *plugin.BuildError
	if !errors.As(err, &failed) {
		t.Fatalf("Build gives %v, want a *BuildError", err)
	}
	for _, want := range []string{"go was not found on PATH", "install Go", "https://go.dev/dl/"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is %q, want %q in it", err, want)
		}
	}
}

func TestGoThatFailsSilentlyIsAnError(t *testing.T) {
	b := newBuilder(t)
	useFakeGo(t, "silent")
	_, err := b.Build(t.Context(), nil)
	if got, want := fmt.Sprint(err), "run go build: exit status 7"; got != want {
		t.Errorf("Build gives %q, want %q", got, want)
	}
}

func TestMissingFolderIsAnError(t *testing.T) {
	b := newBuilder(t)
	b.Dir = filepath.Join(b.Dir, "absent")
	if _, err := b.Build(t.Context(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Build gives %v, want that the folder does not exist", err)
	}
}

func TestLongBuildsReportProgress(t *testing.T) {
	b := newBuilder(t)
	w := newWitnesses(t)
	t.Setenv("WITNESS", w.path)
	useFakeGo(t, "slow")
	b.SetInterval(time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports := make(chan plugin.Progress)
	ended := make(chan error, 1)
	go func() {
		_, err := b.Build(ctx, func(p plugin.Progress) {
			select {
			case reports <- p:
			case <-ctx.Done():
			}
		})
		ended <- err
	}()
	var last plugin.Progress
	for last.Compiled < 3 {
		p := await(t, "progress", reports)
		if p.Compiled < last.Compiled || p.Elapsed <= last.Elapsed {
			t.Fatalf("progress went from %+v to %+v", last, p)
		}
		last = p
	}
	if last.Downloaded != 1 || last.Compiled != 3 {
		t.Errorf("progress = %+v, want 1 module and 3 packages", last)
	}
	cancel()
	await(t, "the end of the build", ended)
}

func TestQuickBuildsReportNoProgress(t *testing.T) {
	b := newBuilder(t)
	build(t, b)
	b.SetInterval(patience)
	if _, err := b.Build(t.Context(), func(p plugin.Progress) { t.Errorf("progress %+v", p) }); err != nil {
		t.Fatal(err)
	}
}

func TestCancelKillsGoAndItsCompilers(t *testing.T) {
	b := newBuilder(t)
	w := newWitnesses(t)
	t.Setenv("WITNESS", w.path)
	useFakeGo(t, "compiler")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() {
		_, err := b.Build(ctx, nil)
		ended <- err
	}()
	compiler := w.alive(t)
	saved := errors.New("another save")
	cancel(saved)
	if err := await(t, "the end of the build", ended); !errors.Is(err, saved) {
		t.Errorf("Build gives %v, want %v", err, saved)
	}
	gone(t, compiler)
	if entries, err := os.ReadDir(filepath.Dir(b.Output)); err != nil || len(entries) != 0 {
		t.Errorf("output folder holds %v (%v), want nothing", entries, err)
	}
}

func TestCancelLeavesNoPartialProgram(t *testing.T) {
	b := newBuilder(t)
	build(t, b)
	w := newWitnesses(t)
	t.Setenv("WITNESS", w.path)
	path := os.Getenv("PATH")
	useFakeGo(t, "touch")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := b.Build(ctx, nil)
		ended <- err
	}()
	w.alive(t)
	cancel()
	if err := await(t, "the end of the build", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Build gives %v, want %v", err, context.Canceled)
	}
	if got, err := os.ReadFile(b.Output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Output holds %q (%v), want none", got, err)
	}
	t.Setenv("PATH", path)
	t.Setenv(fakeGo, "")
	build(t, b)
	if got := output(t, b); got != "1" {
		t.Errorf("program prints %q, want 1", got)
	}
}

func TestARealBuildCanBeCancelled(t *testing.T) {
	b := newBuilder(t)
	temp := t.TempDir()
	b.Env = []string{"GOCACHE=" + t.TempDir(), "TMPDIR=" + temp} // go must compile the whole runtime
	b.SetInterval(time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := b.Build(ctx, func(p plugin.Progress) {
		if p.Compiled > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Build gives %v, want %v", err, context.Canceled)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("go left %v (%v) in the temporary folder", left, err)
	}
	if _, err := b.Build(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Build after the end of its context gives %v, want %v", err, context.Canceled)
	}
}

func TestHashIsOfTheContentWithoutABuildID(t *testing.T) {
	dir := t.TempDir()
	id := func(text string) string { return "\xff Go build ID: \"" + text + "\"\n \xff" }
	for _, test := range []struct {
		name, a, b string
		same       bool
	}{
		{"no id", "program one", "program two", false},
		{"same bytes", "program", "program", true},
		{"ids with the same content", id("a/b/c/d") + "1", id("x/y/z/d") + "2", true},
		{"ids with other content", id("a/b/c/d"), id("a/b/c/e"), false},
		{"an id without an end", "\xff Go build ID: \"a/b/c/d", "\xff Go build ID: \"a/b/c/d ", false},
		{"an id without content", id("a/") + "1", id("a/") + "2", false},
		{"broken ELF", "\x7fELF one", "\x7fELF two", false},
		{"empty", "", "x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			write(t, dir, map[string]string{"a": test.a, "b": test.b})
			a, errA := plugin.ProgramHash(filepath.Join(dir, "a"))
			b, errB := plugin.ProgramHash(filepath.Join(dir, "b"))
			if errA != nil || errB != nil || a == "" || (a == b) != test.same {
				t.Errorf("hashes %q (%v), %q (%v), want same %v", a, errA, b, errB, test.same)
			}
		})
	}
}

// The names are counted and every other line is kept in order, however the output is cut into
// pieces.
func TestBuildOutputSeparatesProgressFromMessages(t *testing.T) {
	line := rapid.SampledFrom([]string{
		"runtime", "internal/goarch", "example.com/a_b/v2", "go: downloading example.com/x v1.2.3",
		"# example.com/h", "./main.go:1:2: undefined: x", "\tnote", "", "go: no required module",
	})
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(line).Draw(t, "lines")
		var out plugin.BuildOutput
		for rest := strings.Join(lines, "\n"); rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			if _, err := out.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		want := []string{}
		var progress plugin.Progress
		for _, l := range lines {
			switch {
			case slices.Contains([]string{"runtime", "internal/goarch", "example.com/a_b/v2"}, l):
				progress.Compiled++
			case strings.HasPrefix(l, "go: downloading"):
				progress.Downloaded++
			case l != "":
				want = append(want, l)
			}
		}
		got := strings.FieldsFunc(out.Text(), func(r rune) bool { return r == '\n' })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("messages differ (-want +got):\n%s", diff)
		}
		if got := out.Progress(); got != progress {
			t.Fatalf("progress = %+v, want %+v", got, progress)
		}
	})
}

func TestBuildOutputIsBounded(t *testing.T) {
	var out plugin.BuildOutput
	line := strings.Repeat("an error ", 1000)
	for range 1000 {
		_, _ = out.Write([]byte(line))
		_, _ = out.Write([]byte("\n"))
	}
	for range 1000 {
		_, _ = out.Write([]byte(line))
	}
	if n := len(out.Text()); n == 0 || n > plugin.MaxBuildText {
		t.Errorf("kept %d bytes, want at most %d", n, plugin.MaxBuildText)
	}
}
