//go:build unix

package safefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"devtool.internal/internal/safefile"
)

func TestASourceFileMayBeALinkButNothingElse(t *testing.T) {
	for path, kind := range irregulars(t) {
		if filepath.Base(path) == "link" {
			if b, err := safefile.ReadSource(path, 4); string(b) != "safe" || err != nil {
				t.Errorf("a link: got %q, %v, want the content of its target", b, err)
			}
			continue
		}
		_, read := safefile.ReadSource(path, 4)
		for _, err := range []error{safefile.CheckSource(path), read} {
			var bad *safefile.Irregular
			dangling := filepath.Base(path) == "dangling" && errors.Is(err, os.ErrNotExist)
			if !dangling && (!errors.As(err, &bad) || bad.Path != path || bad.Is != kind) {
				t.Errorf("%s: got %v, want an error that calls it %s", path, err, kind)
			}
		}
	}
}

// TestASourceFileHasALimit has a file that takes no room on the disk, and all of the memory.
func TestASourceFileHasALimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "go.mod")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 64<<30)); err != nil {
		t.Fatal(err)
	}
	_, read := safefile.ReadSource(path, safefile.MaxSource)
	for _, err := range []error{safefile.CheckSource(path), read} {
		var large *safefile.TooLarge
		if !errors.As(err, &large) || large.Path != path {
			t.Errorf("got %v, want an error that says so", err)
		}
	}
}
