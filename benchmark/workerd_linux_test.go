package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// withNPM makes script the only npm. The script gets the folder to install into as $3.
func withNPM(t *testing.T, script string) {
	t.Helper()
	bin := t.TempDir()
	if script != "" {
		if err := os.WriteFile(filepath.Join(bin, "npm"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
}

// installed returns the path where npm installs workerd, below a folder.
func installed() string {
	architecture := map[string]string{"amd64": "64", "arm64": "arm64"}[runtime.GOARCH]
	return filepath.Join("node_modules", "@cloudflare", "workerd-linux-"+architecture, "bin", "workerd")
}

const unreachable = `echo "npm error code ENOTFOUND" >&2; exit 1`

func TestWorkerdIsFetchedWithNPM(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, installed())
	withNPM(t, `/bin/mkdir -p "$3/`+filepath.Dir(installed())+`" && : > "$3/`+installed()+`"`)
	got, err := fetchWorkerd(t.Context(), dir, t.Output())
	if got != file || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, file)
	}
}

func TestWithoutWorkerdTheErrorSaysWhatToDo(t *testing.T) {
	for name, test := range map[string]struct{ npm, want string }{
		"no npm": {"", "this machine has no npm: install Node.js, or name a workerd with -workerd FILE"},
		"no network": {unreachable,
			"npm can't fetch it (code ENOTFOUND): check the network, or name a workerd with -workerd FILE"},
		"an empty package": {"exit 0", "npm has not installed "},
	} {
		withNPM(t, test.npm)
		_, err := fetchWorkerd(t.Context(), t.TempDir(), t.Output())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want one with %q", name, err, test.want)
		}
	}
}

func TestAWorkerdThatWasFetchedBeforeServesWithoutTheNetwork(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, installed())
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	withNPM(t, unreachable)
	var notes strings.Builder
	got, err := fetchWorkerd(t.Context(), dir, &notes)
	if got != file || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, file)
	}
	if want := "code ENOTFOUND"; !strings.Contains(notes.String(), want) {
		t.Errorf("got note %q, want one with %q", notes.String(), want)
	}
}

func TestTheTwinsAreWrittenBesideTheirConfiguration(t *testing.T) {
	work := t.TempDir()
	binary := filepath.Join(work, "fake")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho workerd 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := newWorkerd(t.Context(), work, binary, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.version(), "workerd 1"; got != want {
		t.Errorf("got version %q, want %q", got, want)
	}
	config, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{bench, batcher} {
		if !strings.Contains(string(config), "const "+program+" :Workerd.Config") {
			t.Errorf("the configuration has no constant %s", program)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(w.config), program+".js")); err != nil {
			t.Error(err)
		}
	}
}
