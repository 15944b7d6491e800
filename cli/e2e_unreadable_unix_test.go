//go:build unix

package cli_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// pipe puts a named pipe, which nobody writes to, in the place of a file of the project.
func (p project) pipe(name string) {
	p.t.Helper()
	if err := os.Remove(p.path(name)); err != nil {
		p.t.Fatal(err)
	}
	if err := syscall.Mkfifo(p.path(name), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func TestNoCommandWaitsForAPipeInPlaceOfASource(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.pipe("go.mod")
	for _, command := range []string{"vet", "exec -- true", "init --upgrade", "init --into"} {
		got := p.devtool(strings.Fields(command)...)
		if want := "go.mod is a named pipe, not a regular file"; got.code == 0 || !strings.Contains(got.err, want) {
			t.Errorf("%s: got %+v, want %q", command, got, want)
		}
	}
	p = handlerProject(t, "basic")
	p.pipe("main.go")
	for _, command := range []string{"vet ./...", "exec -- true", "types"} {
		got := p.devtool(strings.Fields(command)...)
		if want := "main.go is a named pipe, not a regular file"; got.code == 0 || !strings.Contains(got.err, want) {
			t.Errorf("%s: got %+v, want %q", command, got, want)
		}
	}
}

func TestDevServesOnceAPipeIsReplacedByAFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"go.mod", "main.go"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			content := p.read(name)
			p.pipe(name)
			s := p.dev()
			s.awaitLog(name + " is a named pipe, not a regular file")
			if err := os.Remove(p.path(name)); err != nil {
				t.Fatal(err)
			}
			p.write(name, content)
			eventually(t, "it serves", func() bool { return p.report().Program.Version == 1 })
		})
	}
}
