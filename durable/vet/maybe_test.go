package vet_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/durable/vet"
)

// TestWhatMayHaveNoFindingHasNone has each way to name a function that uses the machine's clock.
func TestWhatMayHaveNoFindingHasNone(t *testing.T) {
	for name, test := range map[string]struct {
		file, source string
		want         bool
	}{
		"nothing of the clock": {"a.go", "package main\n\nimport \"time\"\n\nvar d = time.Second\n", false},
		"a call":               {"a.go", "package main\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n", true},
		"a value":              {"a.go", "package main\n\nimport \"time\"\n\nvar f = time.Now\n", true},
		"in parentheses":       {"a.go", "package main\n\nimport \"time\"\n\nvar f = (time.Now)()\n", true},
		"a renamed import":     {"a.go", "package main\n\nimport c \"time\"\n\nvar f = c.Now\n", true},
		"a dot import":         {"a.go", "package main\n\nimport . \"time\"\n\nvar f = Now\n", true},
		"a raw import":         {"a.go", "package main\n\nimport `context`\n\nvar f = context.WithTimeout\n", true},
		"another function":     {"a.go", "package main\n\nimport \"context\"\n\nvar f = context.WithCancel\n", false},
		"another package":      {"a.go", "package main\n\nimport \"durable\"\n\nvar f = durable.Now\n", false},
		"a package below":      {"b/c/a.go", "package c\n\nimport \"time\"\n\nvar f = time.Now\n", true},
		"a test":               {"a_test.go", "package main\n\nimport \"time\"\n\nvar f = time.Now\n", false},
		"a hidden folder":      {".b/a.go", "package b\n\nimport \"time\"\n\nvar f = time.Now\n", false},
		"what go leaves out":   {"testdata/a.go", "package b\n\nimport \"time\"\n\nvar f = time.Now\n", false},
		"what does not parse":  {"a.go", "package main\n\nfunc {\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, test.file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(test.source), 0o644); err != nil {
				t.Fatal(err)
			}
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(dir, link); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{dir, link} {
				if got := vet.MayFind(dir); got != test.want {
					t.Errorf("got %t, want %t", got, test.want)
				}
			}
		})
	}
	t.Run("a device", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Symlink(os.DevNull, filepath.Join(dir, "a.go")); err != nil {
			t.Fatal(err)
		}
		if !vet.MayFind(dir) {
			t.Error("got false, want true")
		}
	})
	t.Run("a folder that is not there", func(t *testing.T) {
		if !vet.MayFind(filepath.Join(t.TempDir(), "absent")) {
			t.Error("got false, want true")
		}
	})
}

// TestFilesWithFindingsMayHaveSome looks at all files whose findings the test of HandlerTime has.
func TestFilesWithFindingsMayHaveSome(t *testing.T) {
	files, err := filepath.Glob("testdata/src/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// A call of another package's function is a finding, too. That package names the clock.
		if !strings.Contains(string(source), "want `time.") && !strings.Contains(string(source), "want `context.") {
			continue
		}
		checked++
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.go"), source, 0o644); err != nil {
			t.Fatal(err)
		}
		if !vet.MayFind(dir) {
			t.Errorf("%s has findings, and MayFind returns false", file)
		}
	}
	if checked == 0 {
		t.Error("no file has findings")
	}
}
