package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
)

// TestObjectsAreAdministeredWithAndWithoutAnEmulator prepares, reads and deletes the state of an
// object, while an emulator serves it and while none does.
func TestObjectsAreAdministeredWithAndWithoutAnEmulator(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init", "--template", "counter", "--name", "counter")
	s := p.dev("--frozen")
	state := func() (details control.ObjectDetails) {
		p.succeed(&details, "objects", "show", "Counter/visits", "--json")
		return details
	}
	value := func() string {
		var entry control.Entry
		p.succeed(&entry, "objects", "get", "COUNTER/visits", "count", "--json")
		return string(entry.Value)
	}

	p.succeed(nil, "objects", "put", "Counter/visits", "count", "41")
	if got := state(); got.InMemory || got.Keys != 1 || got.Name != "visits" {
		t.Errorf("after put: got %+v, want one key, and the object not in memory", got)
	}
	if got, want := s.get("/visits"), "{\"count\":42}\n"; got != want {
		t.Errorf("the handler: got %s, want %s", got, want)
	}
	if got := value(); got != "42" {
		t.Errorf("while running: got %s, want 42", got)
	}
	if !state().InMemory {
		t.Error("after a request the object is not in memory")
	}
	if got := p.devtool("objects", "delete", "Counter/visits"); got.code != 1 || !strings.Contains(got.err, "--force") {
		t.Errorf("delete while in memory: got %+v", got)
	}
	var evicted control.Evicted
	p.succeed(&evicted, "objects", "evict", "Counter/visits", "--json")
	if !evicted.Evicted || state().InMemory {
		t.Errorf("evict: got %+v, and in memory: %t", evicted, state().InMemory)
	}

	s.interrupt()
	if got := value(); got != "42" {
		t.Errorf("without an emulator: got %s, want 42", got)
	}
	p.succeed(nil, "objects", "put", "Counter/visits", "count", "99")
	p.succeed(nil, "objects", "put", "Counter/other", "count", "7")

	s = p.dev("--frozen")
	for path, want := range map[string]string{"/visits": "{\"count\":100}\n", "/other": "{\"count\":8}\n"} {
		if got := s.get(path); got != want {
			t.Errorf("%s after put: got %s, want %s", path, got, want)
		}
	}
	file := state().File
	p.succeed(nil, "objects", "delete", "Counter/visits", "--force")
	var left control.Objects
	p.succeed(&left, "objects", "list", "--json")
	if len(left.Objects) != 1 || left.Objects[0].Name != "other" {
		t.Errorf("after delete: got %+v, want only other", left.Objects)
	}
	if files, _ := filepath.Glob(file + "*"); files != nil {
		t.Errorf("after delete: files were left behind: %q", files)
	}
	if got, want := s.get("/visits"), "{\"count\":1}\n"; got != want {
		t.Errorf("the object after its deletion: got %s, want %s", got, want)
	}

	// --persist-to asks for the files, which the emulator uses.
	got := p.devtool("objects", "list", "--persist-to", filepath.Join(p.dir, ".devtool", "state"))
	if got.code != 1 || !strings.Contains(got.err, " is in use by another devtool (process ") {
		t.Errorf("list with the emulator's folder: got %+v, want that it is in use", got)
	}
}
