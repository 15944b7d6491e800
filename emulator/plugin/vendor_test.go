package plugin

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// `go mod vendor` removes the folder, fills it again and writes the list last.
func TestAVendorFolderWithoutItsListIsBeingFilled(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "vendor", modulesFile)
	files := map[string]bool{list: true, filepath.Join(dir, "go.mod"): true}
	want := func(when string, want bool) {
		t.Helper()
		if got := vendorAtWork(files); got != want {
			t.Errorf("%s: got %v, want %v", when, got, want)
		}
	}
	want("without a folder", false)
	if err := os.Mkdir(filepath.Dir(list), 0o700); err != nil {
		t.Fatal(err)
	}
	want("with an empty folder", true)
	old := time.Now().Add(-staleLock)
	if err := os.Chtimes(filepath.Dir(list), old, old); err != nil {
		t.Fatal(err)
	}
	want("with a folder that somebody else has made", false)
	if err := os.WriteFile(list, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want("with a list that is still empty", true)
	if err := os.WriteFile(list, []byte("# example.org/dep v0.0.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("with a list", false)
}

// A build that has failed asks whether its vendor folder was filled meanwhile.
func TestAVendorFolderThatWasFilledDuringABuildIsKnown(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "vendor", modulesFile)
	in := newInputs(nil)
	in.file(list)
	began := time.Now().Add(-time.Minute)
	want := func(when string, want bool) {
		t.Helper()
		if got := in.Vendoring(began); got != want {
			t.Errorf("%s: got %v, want %v", when, got, want)
		}
	}
	set := func(path string, at time.Time) {
		t.Helper()
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	before := began.Add(-time.Hour)
	set(dir, before)
	want("without a folder", false)
	if err := os.Mkdir(filepath.Dir(list), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, []byte("# example.org/dep v0.0.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set(filepath.Dir(list), before)
	set(dir, before)
	want("with a list that was written during the build", true)
	set(list, before)
	want("with a list that was there before", false)
	set(dir, began.Add(time.Second))
	want("with a folder that was removed and made during the build", true)
}
