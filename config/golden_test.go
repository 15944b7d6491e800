package config_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"devtool.internal/config"
)

var update = flag.Bool("update", false, "write the golden files")

// TestDiagnostics loads the first file of each archive and compares the rendered diagnostics with
// the file "diagnostics". A line "env: <name>" in the archive's comment selects an environment.
func TestDiagnostics(t *testing.T) {
	archives, err := filepath.Glob("../testdata/config/diagnostics/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range archives {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			input := archive.Files[0]
			got := rendered(t, input.Name, input.Data, optionsIn(string(archive.Comment)))
			if *update {
				archive.Files = []txtar.File{input, {Name: "diagnostics", Data: []byte(got)}}
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(archive.Files) != 2 {
				t.Fatalf("%s has no golden diagnostics: run go test with -update", path)
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}

func optionsIn(comment string) config.Options {
	for line := range strings.Lines(comment) {
		if env, ok := strings.CutPrefix(line, "env: "); ok {
			return config.Options{Env: strings.TrimSpace(env)}
		}
	}
	return config.Options{}
}

// rendered returns what Render makes of the diagnostics for a file in a folder called "project".
func rendered(t *testing.T, name string, data []byte, o config.Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	c, diagnostics, err := config.Load(name, o)
	var all *config.Error
	switch {
	case errors.As(err, &all):
		diagnostics = all.Diagnostics
	case err != nil:
		t.Fatal(err)
	case c == nil:
		t.Fatal("Load returned neither a Config nor an error")
	}
	var out bytes.Buffer
	config.Render(&out, diagnostics, false)
	return out.String()
}
