package plugin_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"devtool.internal/emulator/plugin"
)

func TestAKeptProgramOutlivesTheNextBuild(t *testing.T) {
	b := newBuilder(t)
	build(t, b)
	kept := filepath.Join(t.TempDir(), "kept")
	write(t, filepath.Dir(kept), map[string]string{"kept": "the version before"})
	if err := plugin.Keep(b.Output, kept); err != nil {
		t.Fatal(err)
	}
	write(t, b.Dir, map[string]string{"main.go": "package main\n\nfunc main() { println(2) }\n"})
	build(t, b)
	old := *b
	old.Output = kept
	if got := output(t, &old); got != "1" {
		t.Errorf("the kept program prints %q, want 1", got)
	}
	if got := output(t, b); got != "2" {
		t.Errorf("the new program prints %q, want 2", got)
	}
}

func TestKeepingAMissingProgramIsAnError(t *testing.T) {
	dir := t.TempDir()
	err := plugin.Keep(filepath.Join(dir, "absent"), filepath.Join(dir, "kept"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Keep gives %v, want that it does not exist", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kept")); err == nil {
		t.Error("something was kept")
	}
}
