package cli_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
)

// The tests in this file start `devtool dev` with a first version that is broken. The emulator must
// wait until somebody saves a good one.

const waitsForSave = "no version of the handler program serves yet: it is built again when a file is saved"

// unserved returns the failure of the first version in the line of `devtool dev --json`, or nil.
func (s *server) unserved() *control.Failure {
	s.t.Helper()
	var line struct{ Failure *control.Failure }
	if err := json.Unmarshal([]byte(s.stdout.String()), &line); err != nil {
		s.t.Fatal(err)
	}
	return line.Failure
}

// breakProgram makes the program one that does not compile. mend restores it as vim saves: it moves
// the present file away first.
func (p project) breakProgram() (mend func()) {
	p.t.Helper()
	good := p.read("main.go")
	p.edit("main.go", "func main() {", "func main() {\n\tundefined()")
	return func() {
		p.t.Helper()
		if err := os.Rename(p.path("main.go"), p.path("main.go~")); err != nil {
			p.t.Fatal(err)
		}
		p.write("main.go", good)
		if err := os.Remove(p.path("main.go~")); err != nil {
			p.t.Fatal(err)
		}
	}
}

// TestDevWaitsUntilTheFirstVersionIsMended goes on with a second broken version and a good one. A
// short run has one case of each stage: the build, the launch and the configuration.
func TestDevWaitsUntilTheFirstVersionIsMended(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, from, to string // an edit, or the file that is missing
		want           string
	}{
		"does not compile": {
			"main.go", "func main() {", "func main() {\n\tundefined()",
			"main.go:21:2: undefined: undefined",
		},
		"is no program": {
			"main.go", "package main\n", "package library\n",
			"is package library, want main",
		},
		"is not there":    {"main.go", "", "", "no Go files in "},
		"is in no module": {"go.mod", "", "", "go.mod file not found"},
		"has a bad module": {
			"go.mod", "go 1.26", "go nowhere",
			"go.mod:3: invalid go version",
		},
		"panics": {
			"main.go", "func main() {", "func main() {\n\tpanic(\"not today\")",
			"the handler program has crashed (exit status 2): panic: not today",
		},
		"exits": {
			"main.go", "func main() {", "func main() {\n\tos.Exit(7)",
			"the handler program has crashed (exit status 7)",
		},
		"ends": {
			"main.go", "func main() {", "func main() {\n\treturn",
			"(exit status 0) before it introduced itself: does main call durable.Serve?",
		},
		"has a Handler that panics": {
			"main.go", "*durable.Env) http.Handler {\n", "*durable.Env) http.Handler {\n\tpanic(\"not today\")\n",
			"the worker's Handler panicked: not today",
		},
		"has a Handler that exits": {
			"main.go", "*durable.Env) http.Handler {\n", "*durable.Env) http.Handler {\n\tos.Exit(7)\n",
			"the handler program has crashed (exit status 7)",
		},
		"has no handler": {
			"main.go", "*durable.Env) http.Handler {\n",
			"*durable.Env) http.Handler {\n\tif true {\n\t\treturn nil\n\t}\n",
			"the worker's Handler returned nil",
		},
		"lacks a class": {
			"main.go", `{"Basic":`, `{"Other":`,
			"the program has no class Basic (bound as BASIC); its Worker.Classes registers Other",
		},
		"binds another": {
			"wrangler.jsonc", `"Basic"`, `"Basil"`,
			"the program has no class Basil (bound as BASIC); its Worker.Classes registers Basic. " +
				"Did you mean \"Basic\"?",
		},
	} {
		if leftToLong(name, "does not compile", "is in no module", "panics", "binds another") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			good := p.read(test.file)
			if test.from == "" {
				if err := os.Remove(p.path(test.file)); err != nil {
					t.Fatal(err)
				}
			} else {
				p.write(test.file, strings.ReplaceAll(good, test.from, test.to))
			}
			s := p.dev()
			if f := s.unserved(); f == nil || !strings.Contains(f.Message, test.want) {
				t.Errorf("the line of dev --json: got failure %+v, want %q", f, test.want)
			}
			s.awaitLog(test.want)
			s.awaitLog(waitsForSave)
			status, body := s.fetch(http.MethodGet, "/var", "")
			if status != http.StatusInternalServerError || !strings.Contains(body, test.want) {
				t.Errorf("a request: got %d %s, want 500 and %q", status, body, test.want)
			}
			if got := p.report().Program; got.State != control.ProgramFailing || got.Version != 0 ||
				got.Failure == nil || !strings.Contains(got.Failure.Message, test.want) {
				t.Errorf("status: got %+v, want %q", got, test.want)
			}

			// The next save is also broken, and the one after it is good.
			p.write("more.go", "package more than one\n")
			eventually(t, "the log reports the second failure", func() bool {
				return strings.Count(s.stderr.String(), waitsForSave) == 2
			})
			if err := os.Remove(p.path("more.go")); err != nil {
				t.Fatal(err)
			}
			p.write(test.file, good)
			eventually(t, "requests are served", func() bool {
				status, body := s.fetch(http.MethodGet, "/var", "")
				return status == http.StatusOK && body == "hello"
			})
			s.awaitLog("ready on " + s.URL)
			s.post("/", "")
			got := p.report().Program
			if got.State != control.ProgramServing || got.Version != 1 || got.Failure != nil {
				t.Errorf("status: got %+v, want the first version", got)
			}

			// From now on, this version serves while a later one is broken.
			p.edit("main.go", "func main() {", "func main() {\n\tundefined()")
			s.awaitLog("the version before is still being served")
			if got := s.get("/var"); got != "hello" {
				t.Errorf("got %q", got)
			}
			if code := s.interrupt(); code != 0 {
				t.Errorf("got exit code %d, want 0", code)
			}
		})
	}
}

func TestASaveReplacesAFirstVersionThatSaysNothing(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	good := p.read("main.go")
	p.edit("main.go",
		"func main() {", "func main() {\n\tfmt.Println(\"says nothing\")\n\ttime.Sleep(time.Hour)")
	s := p.start("--port", "0")
	s.awaitLog("says nothing")
	p.write("main.go", good)
	s.awaitReady()
	if f := s.unserved(); f != nil {
		t.Errorf("the line of dev --json: got failure %+v, want none", f)
	}
	if got := s.get("/var"); got != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestDevEndsIfThereIsNoGo(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.startAs([]string{"PATH=" + t.TempDir()}, "--port", "0")
	code, out, log := s.await(), s.stdout.String(), s.stderr.String()
	if code != 1 || out != "" || !strings.Contains(log, "go was not found on PATH") {
		t.Errorf("got exit code %d and %s%s", code, out, log)
	}
}

func TestAlarmsAndObjectsAreThereBeforeTheFirstVersion(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	s.post("/", "")
	s.interrupt()
	mend := p.breakProgram()
	s = p.dev("--frozen")
	if got := p.alarms().Alarms; len(got) != 1 || got[0].String() != "Basic/one" {
		t.Errorf("alarms: got %+v", got)
	}
	triggered := p.devtool("alarms", "trigger")
	for _, want := range []string{
		"no version of the handler program serves yet: ",
		"It is built again when a file is saved",
	} {
		if triggered.code != 1 || !strings.Contains(triggered.err, want) {
			t.Errorf("trigger: got %+v, want exit code 1 and %q", triggered, want)
		}
	}
	if got := p.devtool("objects", "list"); got.code != 0 || !strings.Contains(got.out, "Basic/one") {
		t.Errorf("objects: got %+v", got)
	}
	if got := p.advance("30m"); got.Stopped != "" || got.Ran != 0 {
		t.Errorf("advance: got %+v", got)
	}
	// An advance waits for the program, because the alarm that is due needs it.
	done := make(chan control.Advanced, 1)
	go func() { done <- p.advance("30m") }()
	eventually(t, "the alarm is due", func() bool {
		pending := p.alarms().Alarms
		return len(pending) == 1 && pending[0].Running
	})
	mend()
	if got := <-done; got.Stopped != "" || got.Ran != 1 || got.Failed != 0 {
		t.Errorf("advance to the alarm: got %+v, want one run", got)
	}
	s.awaitLog("alarm Basic/one ok")
}

func TestAFollowerShowsThatNothingIsServed(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.breakProgram()
	s := p.dev("--log-format", "json")
	s.awaitLog(waitsForSave)
	for line := range strings.Lines(s.stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is not JSON: %s", line)
		}
	}
	follower := p.start("--attach")
	follower.awaitReady()
	if f := follower.unserved(); f == nil || !strings.Contains(f.Message, "undefined: undefined") {
		t.Errorf("got failure %+v, want the compiler's message", f)
	}
	follower.awaitLog(waitsForSave)
}
