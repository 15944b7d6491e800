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

// goCommand is a call of the go command in the project that finds devtool on PATH.
func (p project) goCommand(args ...string) *exec.Cmd {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = p.dir
	cmd.Env = append(command(p.t, p.dir).Env, "PATH="+filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"), "DEVTOOL=", "DEVTOOL_URL=")
	return cmd
}

// handBuilt builds the project's program, with an edit that is taken back, as somebody does who is about to debug it.
func (p project) handBuilt(file, from, to string) (path string) {
	p.t.Helper()
	path = filepath.Join(p.t.TempDir(), "handlers")
	p.edit(file, from, to)
	if out, err := p.goCommand("build", "-o", path, ".").CombinedOutput(); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	p.edit(file, to, from)
	return path
}

// A byHand is a handler program that was started by hand.
type byHand struct {
	*exec.Cmd
	out output
}

func (p project) startByHand(path string) *byHand {
	p.t.Helper()
	b := &byHand{Cmd: exec.Command(path)}
	b.Dir = p.dir
	b.Stdout, b.Stderr = &b.out, &b.out
	if err := b.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(b.end)
	return b
}

func (b *byHand) end() {
	b.Process.Kill() //nolint:errcheck // it may have ended
	b.Wait()         //nolint:errcheck // as above
}

func TestAProgramStartedByHandTakesOverAndLosesNoRequest(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init", "--template", "counter")
	path := p.handBuilt("main.go", `map[string]int{"count": count}`, `map[string]int{"by hand": count}`)
	s := p.dev()
	if s.Attach == "" || s.Attached {
		t.Errorf("got status %+v, want a socket and no program that was started by hand", s.Status)
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
	b := p.startByHand(path)
	eventually(t, "the program serves that was started by hand", func() bool { return strings.Contains(s.get("/a"), "by hand") })
	before := served.Load()
	eventually(t, "requests go on", func() bool { return served.Load() > before+100 })
	stop.Store(true)
	load.Wait()
	var status struct {
		Attached bool `json:"attached"`
	}
	if p.succeed(&status, "status", "--json"); !status.Attached {
		t.Error("devtool status does not tell of the program that was started by hand")
	}

	// What is saved meanwhile is built afterwards.
	p.edit("main.go", `{"count": count}`, `{"saved": count}`)
	s.awaitLog("what is saved is built when it has ended")
	b.end()
	eventually(t, "what was saved is served", func() bool { return strings.Contains(s.get("/a"), "saved") })
	if want := "durable: serving for the emulator of "; !strings.Contains(b.out.String(), want) {
		t.Errorf("the program printed %q, want %q", b.out.String(), want)
	}
}

func TestDevAttachBuildsNothingAndWaits(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init", "--template", "counter")
	path := p.handBuilt("main.go", `map[string]int{"count": count}`, `map[string]int{"by hand": count}`)
	p.write("main.go", "this does not compile")
	s := p.dev("--attach")
	s.awaitLog("requests and alarms wait for the handler program: start it in the project's folder")
	var waiting sync.WaitGroup
	for _, want := range []string{"{\"by hand\":1}\n", "{\"by hand\":2}\n"} {
		waiting.Go(func() {
			if got := s.get("/a"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
		b := p.startByHand(path)
		waiting.Wait()
		b.end()
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

func TestDevApartIsNotFoundAndEndsWithItsInput(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init", "--template", "counter")
	cmd := command(t, p.dir, "dev", "--apart", "--attach", "--json", "--port", "0", "--persist-to", t.TempDir())
	var out output
	cmd.Stdout = &out
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready", func() bool { return strings.Contains(out.String(), "\n") })
	if got := p.devtool("alarms", "list"); got.code == 0 && strings.Contains(got.out, "due") {
		t.Errorf("it was found: %+v", got)
	}
	if _, err := os.Stat(p.path(".devtool/attach")); err == nil {
		t.Error("programs of the project are led to it")
	}
	input.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("got %v, want a good end", err)
	}
}

// TestAFreshProjectTestsItself runs what `devtool init` writes; the README shows a part of it.
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

		// It fails when the batcher does not do what it should.
		p.edit("batcher.go", "delay   = 10 * time.Second", "delay   = 11 * time.Second")
		if out, err := p.goCommand("test", "./...").CombinedOutput(); err == nil || !bytes.Contains(out, []byte("--- FAIL: TestABatchIsSentAfterTenSeconds")) {
			t.Errorf("a broken batcher: got %v, want a test that fails\n%s", err, out)
		}
	}
}
