package plugin_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"devtool.internal/emulator/plugin"
)

var update = flag.Bool("update", false, "rewrite the golden output in testdata")

// TestBuildErrorsAreShown builds each project in testdata/errors. The first line of a file
// describes it, and lines such as "package: ./lib" set fields of the Builder. The file "error" is
// the error's text, and "render" the output of Render.
func TestBuildErrorsAreShown(t *testing.T) {
	names, err := filepath.Glob("testdata/errors/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("find projects: %v, %v", names, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			base := t.TempDir()
			b := plugin.Builder{
				Dir:     base,
				Package: ".",
				Output:  filepath.Join(t.TempDir(), "handler"),
				Env:     []string{"GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local", "GOWORK=off"},
			}
			for line := range strings.Lines(string(archive.Comment)) {
				line = strings.TrimSpace(line)
				if v, ok := strings.CutPrefix(line, "package: "); ok {
					b.Package = v
				}
				if v, ok := strings.CutPrefix(line, "dir: "); ok {
					b.Dir = filepath.Join(base, v)
				}
			}
			want := map[string]string{}
			var project []txtar.File
			for _, f := range archive.Files {
				if f.Name == "error" || f.Name == "render" {
					want[f.Name] = string(f.Data)
					continue
				}
				project = append(project, f)
				write(t, base, map[string]string{f.Name: string(f.Data)})
			}

			_, err = b.Build(t.Context(), nil)
			var failed *plugin.BuildError
			if !errors.As(err, &failed) {
				t.Fatalf("Build gives %v (%T), want a *BuildError", err, err)
			}
			var drawn strings.Builder
			if err := failed.Render(&drawn, false); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{
				"error":  anywhere(base, b.Output, failed.Error()) + "\n",
				"render": anywhere(base, b.Output, drawn.String()),
			}
			if *update {
				archive.Files = append(project,
					txtar.File{Name: "error", Data: []byte(got["error"])},
					txtar.File{Name: "render", Data: []byte(got["render"])})
				if err := os.WriteFile(name, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("output differs (-want +got):\n%s\ngo printed:\n%s", diff, failed.Output)
			}
			if strings.Count(got["error"], "\n") != 1 {
				t.Errorf("Error() = %q, want one line", got["error"])
			}
			if _, err := os.Stat(b.Output); err == nil {
				t.Error("a failed build left something at Output")
			}
		})
	}
}

var goVersion = regexp.MustCompile(`go 1\.\d+\.\d+`)

// anywhere replaces the parts of text that differ between machines.
func anywhere(dir, output, text string) string {
	text = strings.ReplaceAll(text, output, "$OUTPUT")
	text = strings.ReplaceAll(text, dir, "$DIR")
	text = strings.ReplaceAll(text, runtime.GOROOT(), "$GOROOT")
	return goVersion.ReplaceAllString(text, "go $$VERSION")
}

func TestErrorCountsTheOthers(t *testing.T) {
	d := plugin.Diagnostic{File: "main.go", Line: 12, Column: 5, Message: "undefined: x"}
	for _, test := range []struct {
		diagnostics []plugin.Diagnostic
		want        string
	}{
		{[]plugin.Diagnostic{d}, "main.go:12:5: undefined: x"},
		{[]plugin.Diagnostic{d, d, d, d}, "main.go:12:5: undefined: x (and 3 more)"},
		{[]plugin.Diagnostic{{File: "go.mod", Line: 3, Message: "bad"}}, "go.mod:3: bad"},
		{[]plugin.Diagnostic{{Message: "to add it:", Notes: []string{"go get x", "more"}}}, "to add it: go get x"},
		{nil, "build ./cmd: go printed no message"},
	} {
		e := &plugin.BuildError{Diagnostics: test.diagnostics, Package: "./cmd"}
		if got := e.Error(); got != test.want {
			t.Errorf("Error() = %q, want %q", got, test.want)
		}
	}
}

func TestRenderColorsOnlyWhenAsked(t *testing.T) {
	e := &plugin.BuildError{Diagnostics: []plugin.Diagnostic{
		{File: "main.go", Line: 2, Column: 3, Message: "bad", Source: "ab\x1b[2Jc"},
	}}
	var plain, colored strings.Builder
	if err := errors.Join(e.Render(&plain, false), e.Render(&colored, true)); err != nil {
		t.Fatal(err)
	}
	want := "main.go:2:3: bad\n    2 | ab\uFFFD[2Jc\n      |   ^\n"
	if got := plain.String(); got != want {
		t.Errorf("plain = %q, want %q", got, want)
	}
	stripped := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(colored.String(), "")
	if stripped != want || colored.String() == want {
		t.Errorf("colored = %q, want %q in colours", colored.String(), want)
	}
}

func TestCaretStandsBelowItsColumn(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, test := range []struct {
		name, source string
		column       int
		marked       string // the character above the caret; "" for no caret
	}{
		{"first", "abc", 1, "a"},
		{"after a tab", "\t\tabc", 4, "b"},
		{"after wide bytes", "é世abc", 6, "a"},
		{"in a long line", long + "Y" + long, 1001, "Y"},
		{"at the end of a long line", long + "Y", 1001, "Y"},
		{"before a long line", "Y" + long, 1, "Y"},
		{"no column", "abc", 0, ""},
		{"beyond the line", "abc", 9, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &plugin.BuildError{Diagnostics: []plugin.Diagnostic{
				{File: "f.go", Line: 1, Column: test.column, Message: "m", Source: test.source},
			}}
			var drawn strings.Builder
			if err := e.Render(&drawn, false); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(drawn.String(), "\n"), "\n")
			got := ""
			if len(lines) == 3 {
				at := len([]rune(strings.TrimSuffix(lines[2], "^")))
				got = string([]rune(lines[1])[at])
			}
			if got != test.marked {
				t.Errorf("caret is below %q, want %q:\n%s", got, test.marked, drawn.String())
			}
			if n := len([]rune(lines[1])); n > 200 {
				t.Errorf("source line is %d characters wide", n)
			}
		})
	}
}

// For any source and any position, Render neither fails nor writes a control character.
func TestRenderTakesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &plugin.BuildError{Diagnostics: []plugin.Diagnostic{{
			File:    rapid.String().Draw(t, "file"),
			Line:    rapid.Int().Draw(t, "line"),
			Column:  rapid.IntRange(-1, 400).Draw(t, "column"),
			Message: rapid.String().Draw(t, "message"),
			Source:  string(rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "source")),
		}}}
		var drawn strings.Builder
		if err := e.Render(&drawn, false); err != nil {
			t.Fatal(err)
		}
		control := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }
		if i := strings.IndexFunc(drawn.String(), control); i >= 0 {
			t.Fatalf("control character at %d of %q", i, drawn.String())
		}
	})
}
