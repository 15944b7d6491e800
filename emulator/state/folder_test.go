package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/state"
)

func TestAFolderHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	for url, want := range map[string]string{
		"http://localhost:8787": "another devtool (process 7, http://localhost:8787, since ",
		"":                      "another devtool (process 7, since ",
	} {
		owner := state.Owner{PID: 7, URL: url, Started: time.Now().Truncate(0)}
		f, err := state.Open(dir, owner)
		if err != nil {
			t.Fatal(err)
		}
		_, err = state.Open(dir, state.Owner{PID: 8})
		var inUse *state.InUseError
		if !errors.As(err, &inUse) {
			t.Fatalf("second owner: got %v, want an *InUseError", err)
		}
		if !inUse.Started.Equal(owner.Started) || inUse.PID != 7 || inUse.URL != url || inUse.State != dir {
			t.Errorf("got %+v, want %+v in %s", inUse, owner, dir)
		}
		if want := "the state in " + dir + " is in use by " + want; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %q, want it to begin with %q", err, want)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnOwnerWithoutAFileIsAnotherDevtool(t *testing.T) {
	dir := t.TempDir()
	f, err := state.Open(dir, state.Owner{PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, content := range []string{"", "{", "{}"} {
		if err := os.WriteFile(filepath.Join(dir, "v3", "owner.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := state.Open(dir, state.Owner{PID: 8})
		if want := "the state in " + dir + " is in use by another devtool"; err == nil || err.Error() != want {
			t.Errorf("owner file %q: got %v, want %q", content, err, want)
		}
	}
}

func TestOnlyOpenCreatesTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	_, err := state.OpenExisting(dir, state.Owner{})
	wantRefusal(t, err, 404, "there is no state in "+dir)
	if _, err := os.Stat(dir); err == nil {
		t.Error("OpenExisting created the folder")
	}
	for _, open := range []func(string, state.Owner) (*state.Folder, error){state.Open, state.OpenExisting} {
		f, err := open(dir, state.Owner{})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the folder's mode is %v, %v, want it private", info.Mode(), err)
	}
}

func TestAFolderThatCannotBeCreatedNamesTheFlag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := state.Open(file, state.Owner{})
	for _, want := range []string{"make state folder: ", "(choose another with --persist-to)"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to contain %q", err, want)
		}
	}
}
