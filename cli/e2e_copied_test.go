package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A copy of a project that is made while its emulator runs has all files of that emulator, and
// nothing of the emulator itself: its commands, its programs and its emulators leave the original
// alone.
func TestACopiedProjectHasNothingOfTheOriginalsEmulator(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	s.post("/again", "")
	program := p.buildProgram("wrangler.jsonc", `"hello"`, `"hello"`)
	copied := project{t, filepath.Join(t.TempDir(), "copy")}
	if err := os.CopyFS(copied.dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}

	none := "no emulator runs for " + copied.dir
	if got := copied.devtool("status"); got.code != 1 || !strings.Contains(got.err, none) {
		t.Errorf("status: got %d %s, want no emulator", got.code, got.err)
	}
	attached := copied.attach(program)
	attached.Wait() //nolint:errcheck // the exit code says it
	if code := attached.ProcessState.ExitCode(); code != 2 || !strings.Contains(attached.out.String(),
		"belongs to the project in another folder, from which it was copied") {
		t.Errorf("the program in the copy: got %d %s, want a refusal", code, attached.out.String())
	}
	copied.succeed(nil, "objects", "put", "Basic/one", "again", "false") // in the files of the copy
	other := copied.dev("--frozen")
	if other.State == s.State || other.URL == s.URL {
		t.Errorf("the copy's emulator has %+v, the original's %+v", other.Status, s.Status)
	}
	for where, want := range map[project]string{p: "true", copied: "false"} {
		if got := where.devtool("objects", "get", "Basic/one", "again"); strings.TrimSpace(got.out) != want {
			t.Errorf("%s: got %q %s, want %s", where.dir, got.out, got.err, want)
		}
	}
}
