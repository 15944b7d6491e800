//go:build unix

package plugin_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"devtool.internal/emulator/plugin"
)

// unreadable makes, in the place of path, what the go command would not read to an end.
var unreadable = map[string]struct {
	make func(path string) error
	want string
}{
	"pipe":   {func(path string) error { return syscall.Mkfifo(path, 0o600) }, " is a named pipe, not a regular file"},
	"device": {func(path string) error { return os.Symlink("/dev/zero", path) }, " is a device, not a regular file"},
	"endless": {func(path string) error {
		return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 64<<30))
	}, " is larger than 262144 KiB"},
}

func TestAFileThatGoWouldNeverFinishReadingIsNamed(t *testing.T) {
	t.Parallel()
	for kind, file := range unreadable {
		for _, name := range []string{"go.mod", "go.work", "vendor/modules.txt", "main.go", "main_test.go", "c.h"} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				b := newBuilder(t)
				path := filepath.Join(b.Dir, name)
				if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), file.make(path)); err != nil {
					t.Fatal(err)
				}
				_, built := b.Build(t.Context(), nil)
				_, listed := b.Inputs(t.Context(), nil)
				for _, err := range []error{built, listed} {
					bad := (*plugin.BuildError)(nil)
					if !errors.As(err, &bad) || !strings.Contains(err.Error(), path+file.want) {
						t.Errorf("got %v, want %q", err, path+file.want)
					}
				}
			})
		}
	}
}

// TestABuildThatWaitsForAPipeIsEnded has a pipe in a package that only the go command knows to be
// part of the program.
func TestABuildThatWaitsForAPipeIsEnded(t *testing.T) {
	t.Parallel()
	b := newBuilder(t)
	write(t, b.Dir, map[string]string{
		"main.go":      "package main\n\nimport _ \"handler/deep\"\n\nfunc main() {}\n",
		"deep/deep.go": "package deep\n",
	})
	path := filepath.Join(b.Dir, "deep", "pipe.go")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	b.SetInterval(time.Millisecond)
	if _, err := b.Build(t.Context(), nil); err == nil || !strings.Contains(err.Error(), path+" is a named pipe") {
		t.Errorf("got %v, want an error that names the pipe", err)
	}
}
