package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func (p project) remove(name string) {
	p.t.Helper()
	if err := os.Remove(p.path(name)); err != nil {
		p.t.Fatal(err)
	}
}

// startScreen runs `devtool dev` until it is ready, and returns its start screen.
func (p project) startScreen(args ...string) string {
	p.t.Helper()
	var screen, log output
	cmd := command(p.t, p.dir, append([]string{"dev", "--port", "0"}, args...)...)
	cmd.Stdout, cmd.Stderr = &screen, &log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	defer cmd.Wait()                       //nolint:errcheck // it was interrupted
	defer cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
	eventually(p.t, "devtool dev is ready", func() bool { return strings.Contains(screen.String(), "Ready on") })
	return screen.String()
}

func TestTheStartScreenShowsTheStateFromTheCallersFolder(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	caller, name := p, filepath.Base(p.dir)
	caller.dir = filepath.Dir(p.dir)
	screen := caller.startScreen(name)
	if want := "state  " + filepath.Join(name, ".devtool", "state") + "\n"; !strings.Contains(screen, want) {
		t.Errorf("got\n%s\nwant in it %q", screen, want)
	}
}

func TestFilesWithVariablesAreFollowedWhileTheEmulatorRuns(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	load := startLoad(s, "/var")
	load.awaitAnswer("hello")
	p.write(".env", "NAME=env\nGREETING=\"from ${NAME}\"\n")
	load.awaitAnswer("from env")
	p.write(".dev.vars", "GREETING=secret-one")
	load.awaitAnswer("secret-one")
	p.write(".dev.vars", "GREETING=secret-two\nGREETING='secret-three")
	load.awaitAnswer("'secret-three")
	s.awaitLog(".dev.vars:2:10:")

	// The log reports a file that can't be read, and the version before goes on.
	p.write(".dev.vars", "GREETING=secret-four\xff")
	s.awaitLog("the version before is still being served")
	if got, want := s.get("/var"), "'secret-three"; got != want {
		t.Errorf("variable with a broken file on disk: got %q, want %q", got, want)
	}
	p.remove(".dev.vars")
	load.awaitAnswer("from env")
	p.remove(".env")
	load.awaitAnswer("hello")
	load.stop()

	s.awaitLog("using the variables of .env\n")
	s.awaitLog("using the variables of .dev.vars\n")
	s.awaitLog("no file with variables is there any more")
	if strings.Contains(s.stderr.String(), "secret") {
		t.Error("the log shows a value")
	}
}

func TestAFileOfEnvFileIsFollowed(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.write(".dev.vars", "GREETING=no")
	p.write("vars/one", "GREETING=one")
	s := p.dev("--env-file", "vars/one", "--env-file", "none/two")
	s.awaitLog(`there is no file "none/two" to read variables from`)
	load := startLoad(s, "/var")
	load.awaitAnswer("one")
	p.write("vars/one", "GREETING=three")
	load.awaitAnswer("three")
	load.stop()
}

func TestTheStartScreenHidesWhatIsNotInTheConfiguration(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.edit("wrangler.jsonc", `"hello" }`, `"hello" },
  "secrets": { "required": ["TOKEN", "KEY"] }`)
	p.write(".dev.vars", "TOKEN=s3cret\nOTHER=1\n")
	screen := p.startScreen("--var", "FLAG:s3cret")
	for _, want := range []string{
		`env.GREETING ("hello")  Variable` + "\n",
		"env.TOKEN (hidden)      Variable from .dev.vars\n",
		"env.FLAG (hidden)       Variable from --var\n",
	} {
		if !strings.Contains(screen, want) {
			t.Errorf("start screen: got\n%s\nwant in it %q", screen, want)
		}
	}
	if strings.Contains(screen, "s3cret") || strings.Contains(screen, "OTHER") {
		t.Errorf("start screen: got\n%s\nwant no value of a file, and nothing that is not required", screen)
	}
}

func TestExecReadsFilesWithVariables(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.write(".dev.vars", "GREETING=no")
	p.write("test.env", "GREETING=for a test")
	got := p.devtool("exec", "--env-file", "test.env", "--", "sh", "-c", "curl -s $DEVTOOL_URL/var")
	if want := "for a test"; got.code != 0 || got.out != want {
		t.Errorf("got exit code %d, %q, want 0, %q\n%s", got.code, got.out, want, got.err)
	}
	got = p.devtool("exec", "--", "sh", "-c", "curl -s $DEVTOOL_URL/var")
	if want := "no"; got.code != 0 || got.out != want {
		t.Errorf("got exit code %d, %q, want 0, %q\n%s", got.code, got.out, want, got.err)
	}
}
