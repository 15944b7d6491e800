//go:build unix

package safefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/internal/safefile"
)

func TestAPrivateFolderIsNobodyElses(t *testing.T) {
	base := t.TempDir()
	if _, err := safefile.OpenPrivate(base, false, "a", "b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before it is made: got %v, want %v", err, fs.ErrNotExist)
	}
	folder, err := safefile.OpenPrivate(filepath.Join(base, "new"), true, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	for _, path := range []string{"new", "new/a", "new/a/b"} {
		if info, err := os.Stat(filepath.Join(base, path)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: got %v, %v, want it private", path, info, err)
		}
	}
	elsewhere := filepath.Join(base, "elsewhere")
	for _, err := range []error{
		os.Mkdir(elsewhere, 0o700), os.Mkdir(filepath.Join(elsewhere, "b"), 0o700),
		os.Mkdir(filepath.Join(base, "link"), 0o700), os.Symlink(elsewhere, filepath.Join(base, "link", "a")),
		os.Symlink(filepath.Join(base, "new"), filepath.Join(base, "base")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if safe, err := safefile.OpenPrivate(filepath.Join(base, "base"), false, "a"); err != nil {
		t.Errorf("by a link to its base: got %v, want the folder", err)
	} else {
		safe.Close()
	}
	var bad *safefile.Irregular
	if _, err := safefile.OpenPrivate(filepath.Join(base, "link"), true, "a", "b"); !errors.As(err, &bad) {
		t.Errorf("by a link below its base: got %v, want an error", err)
	}
	for _, mode := range []fs.FileMode{0o720, 0o702} {
		if err := os.Chmod(filepath.Join(base, "new", "a"), mode); err != nil {
			t.Fatal(err)
		}
		var open *safefile.Exposed
		if _, err := safefile.OpenPrivate(filepath.Join(base, "new"), true, "a", "b"); !errors.As(err, &open) {
			t.Errorf("with mode %o: got %v, want an error", mode, err)
		}
	}
}

func TestAnotherUsersFolderIsNotPrivate(t *testing.T) {
	base, name := "/", "usr"
	if os.Geteuid() == 0 { // for the superuser, /usr is its own
		base, name = t.TempDir(), "theirs"
		path := filepath.Join(base, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chown(path, 12345, 12345)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := safefile.OpenPrivate(base, false, name)
	if err == nil || !strings.HasSuffix(err.Error(), name+" belongs to another user") {
		t.Errorf("got %v, want an error", err)
	}
	if safefile.IsPrivate(filepath.Join(base, name)) {
		t.Error("it counts as private")
	}
}

func TestIrregularFilesInAPrivateFolderAreNotReadAndAreReplaced(t *testing.T) {
	for path, kind := range irregulars(t) {
		if kind == "a device" {
			continue
		}
		folder, err := safefile.OpenPrivate(filepath.Dir(filepath.Dir(path)), false, filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		var bad *safefile.Irregular
		if _, err := safefile.ReadIn(folder, name, 10); !errors.As(err, &bad) || bad.Is != kind {
			t.Errorf("%s: got %v, want an error that calls it %s", path, err, kind)
		}
		err = safefile.ReplaceIn(folder, name, "temporary", []byte("new"))
		if b, _ := safefile.ReadIn(folder, name, 3); kind != "a folder" && (err != nil || string(b) != "new") {
			t.Errorf("%s: got %q, %v, want it replaced", path, b, err)
		}
		if _, err := folder.Lstat("temporary"); err == nil {
			t.Errorf("%s: the temporary file is left", path)
		}
		folder.Close()
	}
}
