package cli_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// goCommand returns a call of the go command in the project, with devtool on PATH.
func (p project) goCommand(args ...string) *exec.Cmd {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = p.dir
	cmd.Env = append(command(p.t, p.dir).Env,
		"PATH="+filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"DEVTOOL=",
		"DEVTOOL_URL=",
	)
	return cmd
}

// buildProgram builds the project's program with the go command, as for a debugger, and returns the
// path. The build includes an edit of file, which buildProgram then undoes.
func (p project) buildProgram(file, from, to string) (path string) {
	p.t.Helper()
	path = filepath.Join(p.t.TempDir(), "handlers")
	p.edit(file, from, to)
	if out, err := p.goCommand("build", "-o", path, ".").CombinedOutput(); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	p.edit(file, to, from)
	return path
}

// attachedProgram is a handler program that the test starts itself, and that attaches to an
// emulator.
type attachedProgram struct {
	*exec.Cmd
	out output
}

// attach starts the program at path in the project's folder.
func (p project) attach(path string) *attachedProgram {
	p.t.Helper()
	a := &attachedProgram{Cmd: exec.Command(path)}
	a.Dir = p.dir
	a.Stdout, a.Stderr = &a.out, &a.out
	if err := a.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(a.end)
	return a
}

// end kills the program.
func (a *attachedProgram) end() {
	a.Process.Kill() //nolint:errcheck // it may have ended
	a.Wait()         //nolint:errcheck // as above
}

func TestAnAttachedProgramTakesOverAndLosesNoRequest(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init", "--template", "counter")
	path := p.buildProgram("main.go", `map[string]int{"count": count}`, `map[string]int{"attached": count}`)
	s := p.dev()
	if s.Attach == "" || s.Attached {
		t.Errorf("got status %+v, want a socket and no attached program", s.Status)
	}

	var load sync.WaitGroup
	var stop atomic.Bool
	var served atomic.Int64
	for range 4 {
		load.Go(func() {
			for !stop.Load() {
				status, body, err := s.send(s.request(http.MethodGet, "/load", nil))
				if err != nil || status != http.StatusOK {
					t.Errorf("got %d %q, %v", status, body, err)
					return
				}
				served.Add(1)
			}
		})
	}
	eventually(t, "requests are served", func() bool { return served.Load() > 100 })
	attached := p.attach(path)
	eventually(t, "the attached program serves", func() bool { return strings.Contains(s.get("/a"), "attached") })
	before := served.Load()
	eventually(t, "requests go on", func() bool { return served.Load() > before+100 })
	stop.Store(true)
	load.Wait()
	var status struct {
		Attached bool `json:"attached"`
	}
	if p.succeed(&status, "status", "--json"); !status.Attached {
		t.Error("devtool status does not show the attached program")
	}

	// The emulator builds what is saved meanwhile when the program has ended.
	p.edit("main.go", `{"count": count}`, `{"saved": count}`)
	s.awaitLog("what is saved is built when it has ended")
	attached.end()
	eventually(t, "the saved version is served", func() bool { return strings.Contains(s.get("/a"), "saved") })
	if want := "durable: serving for the emulator of "; !strings.Contains(attached.out.String(), want) {
		t.Errorf("the program printed %q, want %q", attached.out.String(), want)
	}
}

func TestDevAttachBuildsNothingAndWaits(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init", "--template", "counter")
	path := p.buildProgram("main.go", `map[string]int{"count": count}`, `map[string]int{"attached": count}`)
	p.write("main.go", "this does not compile")
	s := p.dev("--attach")
	s.awaitLog("requests and alarms wait for the handler program: start it in the project's folder")
	var waiting sync.WaitGroup
	for _, want := range []string{"{\"attached\":1}\n", "{\"attached\":2}\n"} {
		waiting.Go(func() {
			if got := s.get("/a"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
		attached := p.attach(path)
		waiting.Wait()
		attached.end()
		s.awaitLog("the attached program has ended")
	}
	attach := filepath.Join(p.dir, ".devtool", "attach")
	if _, err := os.Stat(attach); err != nil {
		t.Error(err)
	}
	s.interrupt()
	if _, err := os.Stat(attach); err == nil {
		t.Errorf("%s was left behind", attach)
	}
	if _, err := os.Stat(filepath.Dir(s.Attach)); err == nil {
		t.Errorf("%s was left behind", s.Attach)
	}
}

// TestAFreshProjectTestsItself runs the tests that `devtool init` writes. The README shows one.
func TestAFreshProjectTestsItself(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range []string{"batcher", "counter"} {
		p := emptyProject(t)
		p.succeed(nil, "init", "--template", template)
		for _, args := range [][]string{{"vet", "./..."}, {"test", "-count=1", "./..."}} {
			if out, err := p.goCommand(args...).CombinedOutput(); err != nil {
				t.Errorf("%s: go %s: %v\n%s", template, args[0], err, out)
			}
		}
		if template != "batcher" {
			continue
		}
		_, shown, _ := strings.Cut(p.read("batcher_test.go"), "\nfunc TestABatchIsSentAfterTenSeconds")
		shown, _, _ = strings.Cut(shown, "\n}\n")
		shown = "func TestABatchIsSentAfterTenSeconds" + shown + "\n}\n"
		if !bytes.Contains(readme, []byte("```go\n"+shown+"```\n")) {
			t.Errorf("the README does not show\n%s", shown)
		}
		if lines := strings.Count(shown, "\n"); lines > 15 {
			t.Errorf("the test in the README has %d lines, want at most 15", lines)
		}

		// The test fails if the batcher is broken.
		p.edit("batcher.go", "delay   = 10 * time.Second", "delay   = 11 * time.Second")
		out, err := p.goCommand("test", "./...").CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("--- FAIL: TestABatchIsSentAfterTenSeconds")) {
			t.Errorf("a broken batcher: got %v, want a test that fails\n%s", err, out)
		}
	}
}
