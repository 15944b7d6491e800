//go:build unix

package safefile_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"devtool.internal/internal/safefile"
)

// irregulars makes one file of each kind that is not regular, and returns what each is called.
func irregulars(t *testing.T) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("", "f") // t.TempDir may be too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	at := func(name string) string { return filepath.Join(dir, name) }
	listener, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	target := at("target")
	for _, err := range []error{
		syscall.Mkfifo(at("pipe"), 0o600),
		os.Mkdir(at("folder"), 0o700),
		os.WriteFile(target, []byte("safe"), 0o600),
		os.Symlink(target, at("link")),
		os.Symlink(at("missing"), at("dangling")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if b, err := os.ReadFile(target); string(b) != "safe" {
			t.Errorf("the target of the link holds %q, %v", b, err)
		}
		if _, err := os.Lstat(at("missing")); err == nil {
			t.Error("the target of the dangling link was made")
		}
	})
	return map[string]string{
		at("pipe"): "a named pipe", at("folder"): "a folder", at("socket"): "a socket",
		at("link"): "a symbolic link", at("dangling"): "a symbolic link", os.DevNull: "a device",
	}
}

func TestIrregularFilesAreNeitherReadNorOpened(t *testing.T) {
	for path, kind := range irregulars(t) {
		_, regular := safefile.Regular(path)
		_, read := safefile.Read(path, 10)
		_, open := safefile.Open(path, os.O_RDWR|os.O_CREATE)
		for _, err := range []error{regular, read, open} {
			var bad *safefile.Irregular
			if !errors.As(err, &bad) || bad.Path != path || bad.Is != kind {
				t.Errorf("%s: got %v, want an error that calls it %s", path, err, kind)
			}
		}
	}
}

func TestReplaceFollowsNoLink(t *testing.T) {
	for path, kind := range irregulars(t) {
		if kind == "a device" {
			continue
		}
		err := safefile.Replace(path, path+".new", []byte("new"))
		if kind == "a folder" {
			if err == nil {
				t.Errorf("%s: a folder was replaced", path)
			}
			continue
		}
		if b, readErr := safefile.Read(path, 3); err != nil || string(b) != "new" {
			t.Errorf("%s: got %q, %v, %v", path, b, readErr, err)
		}
	}
	for path, kind := range irregulars(t) {
		if kind == "a device" || kind == "a folder" {
			continue
		}
		if err := safefile.Replace(path+".other", path, []byte("new")); err != nil {
			t.Errorf("%s as the temporary file: %v", path, err)
		}
	}
}

func TestReadHasALimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := safefile.Read(path, 5); string(b) != "12345" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := safefile.Read(path, 4); err == nil {
		t.Error("a file above the limit was read")
	}
	if _, err := safefile.Read(path+"2", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}

func TestFoldersAreMadePrivateWhateverTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	project := t.TempDir()
	wide := filepath.Join(project, ".devtool")
	for range 2 {
		folder, err := safefile.DotFolder(project, "run")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{wide, folder} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: got %v, %v, want 0700", path, info.Mode(), err)
			}
			if err := os.Chmod(path, 0o777); err != nil { // for the second round
				t.Fatal(err)
			}
		}
	}
	elsewhere := t.TempDir()
	if err := os.RemoveAll(wide); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, wide); err != nil {
		t.Fatal(err)
	}
	_, err := safefile.DotFolder(project, "run")
	if left, _ := os.ReadDir(elsewhere); len(left) > 0 || err == nil {
		t.Errorf("got %v, %v, want a link refused", left, err)
	}
}

func TestNamesLeadNowhereElse(t *testing.T) {
	for name, want := range map[string]bool{
		"app-Counter": true, "app-A.2": true, "wörker-Ä": true, "..a": true,
		"": false, ".": false, "..": false, "../x": false, "a/b": false, `a\b`: false, "/etc": false,
		"a\x00b": false, "a\nb": false, strings.Repeat("a", 256): false,
	} {
		if got := safefile.IsName(name); got != want {
			t.Errorf("IsName(%q) = %t, want %t", name, got, want)
		}
	}
}
