package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeProgram writes text to a new file and returns its path.
func writeProgram(t *testing.T, text string) string {
	t.Helper()
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return source
}

func TestAnEditChangesTheVersionAndNothingElse(t *testing.T) {
	source := writeProgram(t, "package main\n\nconst version = \"old\"\n\nconst versions = \"x\"\n")
	for range 2 {
		version, err := edit(source)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if want := "package main\n\nconst version = \"" + version +
			"\"\n\nconst versions = \"x\"\n"; string(got) != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	if _, err := edit(writeProgram(t, "package main\n")); err == nil || !strings.Contains(err.Error(), "has no line") {
		t.Errorf("a program without a version: got error %v", err)
	}
}

func TestBothProgramsCanBeEdited(t *testing.T) {
	for _, file := range []string{"peer/bench.js", "../testdata/handlers/bench/main.go"} {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(versionLine.FindAll(text, -1)); n != 1 {
			t.Errorf("%s has %d lines with a version, want one", file, n)
		}
	}
}

func TestASaveIsServedWhenTheAnswerIsNew(t *testing.T) {
	source := writeProgram(t, "const version = \"old\"\n")
	asked := 0
	address, _ := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		text, err := os.ReadFile(source)
		if err != nil {
			t.Error(err)
		}
		switch asked % 3 {
		case 1:
			http.Error(w, "reloading", http.StatusServiceUnavailable)
		case 2:
			io.WriteString(w, "old\n")
		default: // built and swapped
			fmt.Fprintln(w, strings.Split(string(text), `"`)[1])
		}
	})
	if _, err := saving.take(t.Context(), &server{address: address, source: source}, time.Second); err != nil {
		t.Fatal(err)
	}
	if want := 3 * saves; asked != want {
		t.Errorf("got %d requests, want %d: a save is requested until the server answers with it", asked, want)
	}
}
