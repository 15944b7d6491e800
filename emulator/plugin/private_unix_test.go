//go:build unix

package plugin_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"devtool.internal/emulator/plugin"
)

// Whatever the umask, only this user can read and run what is built, and enter its folder.
func TestTheProgramIsPrivateWhateverTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	b := newBuilder(t)
	build(t, b)
	kept := filepath.Join(filepath.Dir(b.Output), "kept")
	if err := plugin.Keep(b.Output, kept); err != nil {
		t.Fatal(err)
	}
	for path := b.Output; path != b.Dir; path = filepath.Dir(path) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: got %v, %v, want 0700", path, info.Mode(), err)
		}
	}
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: got %v, %v, want 0700", kept, info.Mode(), err)
	}
}

// A link or a pipe where the program goes was made by somebody else. The build neither follows the
// one nor waits for the other.
func TestABuildReplacesWhatIsNoProgram(t *testing.T) {
	for name, place := range map[string]func(path, outside string) error{
		"link":          func(path, outside string) error { return os.Symlink(outside, path) },
		"dangling link": func(path, outside string) error { return os.Symlink(outside+".missing", path) },
		"pipe":          func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		b, outside := newBuilder(t), filepath.Join(t.TempDir(), "outside")
		for _, err := range []error{
			os.WriteFile(outside, []byte("safe"), 0o600), os.MkdirAll(filepath.Dir(b.Output), 0o700),
			place(b.Output, outside),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		build(t, b)
		if got := output(t, b); got != "1" {
			t.Errorf("%s: the program printed %q", name, got)
		}
		if content, err := os.ReadFile(outside); string(content) != "safe" || err != nil {
			t.Errorf("%s: outside is %q, %v", name, content, err)
		}
		if left, _ := os.ReadDir(filepath.Dir(outside)); len(left) != 1 {
			t.Errorf("%s: outside has %v", name, left)
		}
	}
}

// A folder of the project's .devtool that is a link leads elsewhere, so nothing is built there.
func TestNothingIsBuiltThroughALink(t *testing.T) {
	for _, name := range []string{".devtool", ".devtool/build"} {
		b, outside := newBuilder(t), t.TempDir()
		link := filepath.Join(b.Dir, filepath.FromSlash(name))
		for _, err := range []error{os.MkdirAll(filepath.Dir(link), 0o700), os.Symlink(outside, link)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := b.Build(t.Context(), nil)
		if left, _ := os.ReadDir(outside); len(left) > 0 || err == nil {
			t.Errorf("%s: got %v, and outside has %v", name, err, left)
		}
	}
}
