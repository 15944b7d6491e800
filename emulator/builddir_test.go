package emulator

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// buildWorld is an emulator that has got its folder for builds.
func buildWorld(t *testing.T, project string) (e *Emulator, folder string) {
	t.Helper()
	e = &Emulator{project: project, log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	folder, err := e.openBuild()
	if err != nil {
		t.Fatal(err)
	}
	return e, folder
}

func (e *Emulator) leaveBuild(t *testing.T) {
	t.Helper()
	var errs []error
	for _, release := range e.release {
		errs = append(errs, release())
	}
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func TestTheNextEmulatorRemovesWhatAKilledOneHasLeft(t *testing.T) {
	project := t.TempDir()
	build := filepath.Join(project, ".devtool", "build")
	if err := os.MkdirAll(filepath.Join(build, "2"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"handler", "serving", "handler-1", "handler-12", "2/handler-3", "notes-1"} {
		if err := os.WriteFile(filepath.Join(build, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, folder := buildWorld(t, project)
	defer e.leaveBuild(t)
	if folder != build {
		t.Errorf("got %s, want %s", folder, build)
	}
	entries, err := os.ReadDir(build)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := []string{"2", "handler", "in-use.lock", "notes-1", "serving"}; !slices.Equal(names, want) {
		t.Errorf("left: got %q, want %q", names, want)
	}
}

// Two emulators of a project, with their states at different places, must not build into the same
// file.
func TestEachEmulatorHasItsOwnBuild(t *testing.T) {
	project := t.TempDir()
	first, one := buildWorld(t, project)
	launched := filepath.Join(one, "handler-1")
	if err := os.WriteFile(launched, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second, two := buildWorld(t, project)
	if one == two {
		t.Errorf("both build in %s", one)
	}
	if _, err := os.Stat(launched); err != nil {
		t.Errorf("the program of the living one is gone: %v", err)
	}
	second.leaveBuild(t)
	first.leaveBuild(t)
	third, three := buildWorld(t, project)
	if three != one {
		t.Errorf("got %s, want %s, which is free again", three, one)
	}
	third.leaveBuild(t)
}

func TestATemporaryEmulatorBeginsWithTheProgramOfTheProject(t *testing.T) {
	project := t.TempDir()
	e := &Emulator{project: project, log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	output := filepath.Join(t.TempDir(), "build", "handler")
	e.borrowProgram(output)
	if _, err := os.Lstat(output); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a program: got %v, want none", err)
	}
	built := filepath.Join(project, ".devtool", "build", "handler")
	if err := os.MkdirAll(filepath.Dir(built), 0o700); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, []byte("no program of the project"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, built); err != nil {
		t.Fatal(err)
	}
	e.borrowProgram(output)
	if _, err := os.Lstat(output); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with a link in the program's place: got %v, want none", err)
	}
	if err := os.Remove(built); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(built, []byte("a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	e.borrowProgram(output)
	if got, err := os.ReadFile(output); err != nil || string(got) != "a program" {
		t.Errorf("got %q, %v, want the program of the project", got, err)
	}
}
