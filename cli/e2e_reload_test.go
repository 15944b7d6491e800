package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAChangedVariableReachesTheProgram(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	if got, want := s.get("/var"), "hello"; got != want {
		t.Errorf("variable: got %q, want %q", got, want)
	}
	load := startLoad(s, "/var")
	load.awaitAnswer("hello")
	p.edit("wrangler.jsonc", `"hello"`, `"good evening"`)
	load.awaitAnswer("good evening")

	// The log reports a file that can't be read, and the version before goes on.
	p.edit("wrangler.jsonc", `"main": ".",`, `"main": ".`)
	s.awaitLog("the version before is still being served")
	if got, want := s.stderr.String(), "wrangler.jsonc:3:"; !strings.Contains(got, want) {
		t.Errorf("stderr does not point at %s", want)
	}
	if got, want := s.get("/var"), "good evening"; got != want {
		t.Errorf("variable with a broken configuration on disk: got %q, want %q", got, want)
	}

	p.edit("wrangler.jsonc", `"main": ".`, `"main": ".",`, `"good evening"`, `"good night"`)
	load.awaitAnswer("good night")
	load.stop()
}

func TestAVariableOfTheCommandLineGoesBeforeTheConfiguration(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--var", "GREETING:a:b")
	if got, want := s.get("/var"), "a:b"; got != want {
		t.Errorf("variable: got %q, want %q", got, want)
	}
}

func TestAChangedConfigurationThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, want string }{
		"a class that is not there": {
			`"class_name": "Basic" }]`, `"class_name": "Basic" }, { "name": "OTHER", "class_name": "Other" }]`,
			"the program has no class Other (bound as OTHER); its Worker.Classes registers Basic",
		},
		"another name": {`"name": "basic"`, `"name": "other"`, `the worker's name has changed from "basic" to "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			p.edit("wrangler.jsonc", `["Basic"]`, `["Basic", "Other"]`)
			s := p.dev()
			p.edit("wrangler.jsonc", test.from, test.to)
			s.awaitLog(test.want)
			s.awaitLog("the version before is still being served")
			if got, want := s.get("/var"), "hello"; got != want {
				t.Errorf("variable afterwards: got %q, want %q", got, want)
			}
			// A program that is started again after a crash also has the old configuration.
			killProcess(t, s.handlerPID("/pid"))
			s.awaitLog("restarted the handler program")
			if got, want := s.get("/var"), "hello"; got != want {
				t.Errorf("variable after a crash: got %q, want %q", got, want)
			}
			s.post("/", "") // reaches the object
		})
	}
}

func TestAClassIsAddedWhileTheEmulatorRuns(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	load := startLoad(s, "/")
	load.awaitAnswer("")
	// The configuration alone does not fit the program that runs; both together do.
	p.edit("wrangler.jsonc",
		`"class_name": "Basic" }]`, `"class_name": "Basic" }, { "name": "OTHER", "class_name": "Other" }]`,
		`["Basic"]`, `["Basic", "Other"]`)
	s.awaitLog("the program has no class Other")
	const serveOther = "case \"/other\":\n\t\tenv.Namespace(\"OTHER\").GetByName(\"two\").ServeHTTP(w, r)\n\t"
	p.edit("main.go",
		`durable.NewClass(newBasic)}`, `durable.NewClass(newBasic), "Other": durable.NewClass(newBasic)}`,
		`case "/host":`, serveOther+`case "/host":`)
	s.awaitLog("reloaded in ")
	s.post("/", "")
	s.post("/other", "")
	load.stop()

	pending := p.alarms().Alarms
	if len(pending) != 2 || pending[0].String() != "Basic/one" || pending[1].String() != "Other/two" {
		t.Errorf("alarms: got %+v, want those of Basic/one and Other/two", pending)
	}
}

func TestAProgramThatDoesNotStartIsNotServed(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	load := startLoad(s, "/var")
	load.awaitAnswer("hello")
	good := p.read("main.go")
	p.write("main.go", good+"\nfunc init() { panic(\"not today\") }\n")
	s.awaitLog("devtool: the handler program has crashed (exit status 2): panic: not today")
	s.awaitLog("the version before is still being served")
	p.write("main.go", strings.Replace(good, `env.Var("GREETING")`, `"bye"`, 1))
	load.awaitAnswer("bye")
	load.stop()
}

func TestTheLastOfManySavesIsServed(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	load := startLoad(s, "/var")
	load.awaitAnswer("hello")
	good := p.read("main.go")
	for i := range 20 {
		p.write("main.go", strings.Replace(good, `env.Var("GREETING")`, fmt.Sprintf("\"save %d\"", i), 1))
		s.get("/cdn-cgi/devtool/v1/time") // a little later
	}
	load.awaitAnswer("save 19")
	load.stop()
}

// TestSourcesOutsideOfTheProjectAreFollowed builds a program from a replaced module and a linked
// file outside of its project. The emulator must watch both.
func TestSourcesOutsideOfTheProjectAreFollowed(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	dep, linked := emptyProject(t), emptyProject(t)
	dep.write("go.mod", "module example.org/dep\n\ngo 1.26\n")
	dep.write("dep.go", "package dep\n\nconst Text = \"one\"\n")
	linked.write("text.go", "package main\n\nconst linked = \"un\"\n")
	p := handlerProject(t, "basic")
	p.write("go.mod", p.read("go.mod")+"\nrequire example.org/dep v0.0.0\n\nreplace example.org/dep => "+dep.dir+"\n")
	if err := os.Symlink(linked.path("text.go"), p.path("text.go")); err != nil {
		t.Skip("this system makes no symbolic links: " + err.Error())
	}
	p.edit("main.go",
		`"devtool.internal/durable"`, "\"devtool.internal/durable\"\n\n\t\"example.org/dep\"",
		`env.Var("GREETING")`, `dep.Text + " " + linked`)
	s := p.dev()
	s.awaitLog("watching outside of the project, too: ")
	load := startLoad(s, "/var")
	load.awaitAnswer("one un")
	dep.edit("dep.go", "one", "two")
	load.awaitAnswer("two un")
	linked.edit("text.go", "un", "deux")
	load.awaitAnswer("two deux")

	// The log reports a broken dependency like a broken program. The emulator also watches new
	// packages.
	dep.write("dep.go", "package dep\n\nconst Text = \n")
	s.awaitLog("the version before is still being served")
	dep.write("more/more.go", "package more\n\nconst Text = \"three\"\n")
	dep.write("dep.go", "package dep\n\nimport \"example.org/dep/more\"\n\nconst Text = more.Text\n")
	load.awaitAnswer("three deux")
	s.awaitLog(dep.path("more"))
	dep.edit("more/more.go", "three", "four")
	load.awaitAnswer("four deux")
	load.stop()
}

// TestALogInTheProjectDoesNotKeepTheProgramBuilding writes the log into the project's folder. The
// log changes with each build, and must not cause the next one.
func TestALogInTheProjectDoesNotKeepTheProgramBuilding(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	log, err := os.Create(p.path("dev.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := p.startLogging(&withoutProgress{log: log}, nil, "--port", "0")
	s.awaitReady()
	good := p.read("main.go")
	const wrong = "the version before is still being served"
	reports := func() int { return strings.Count(p.read("dev.log"), wrong) }
	for round := 1; round <= 3; round++ { // the log reports each error once
		p.write("main.go", good+fmt.Sprintf("\nvar wrong%d int = \"\"\n", round))
		eventually(t, "the log reports the error", func() bool { return reports() >= round })
	}
	p.write("main.go", strings.Replace(good, `env.Var("GREETING")`, `"mended"`, 1))
	eventually(t, "the mended program serves", func() bool { return s.get("/var") == "mended" })
	if got, want := reports(), 3; got > want {
		t.Errorf("%q: logged %d times, want %d", wrong, got, want)
	}
}

// withoutProgress writes whole lines to log, except for the progress of builds. A line of progress
// in the project would start its own build over, and a build of more than 2 s might never end.
type withoutProgress struct {
	log  io.Writer
	rest []byte // of a line that has not ended
}

func (w *withoutProgress) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		end := bytes.IndexByte(w.rest, '\n') + 1
		if end == 0 {
			return len(p), nil
		}
		line := w.rest[:end]
		w.rest = w.rest[end:]
		if bytes.HasPrefix(line, []byte("building…")) {
			continue
		}
		if _, err := w.log.Write(line); err != nil {
			return 0, err
		}
	}
}

func TestAFolderOfTheProgramIsRenamed(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.write("text/text.go", "package text\n\nconst Text = \"here\"\n")
	p.edit("main.go",
		`"devtool.internal/durable"`, "\"devtool.internal/durable\"\n\n\t\"handler/text\"",
		`env.Var("GREETING")`, "text.Text")
	s := p.dev()
	load := startLoad(s, "/var")
	load.awaitAnswer("here")
	if err := os.Rename(p.path("text"), p.path("moved")); err != nil {
		t.Fatal(err)
	}
	s.awaitLog("the version before is still being served")
	p.edit("main.go", "handler/text", "handler/moved")
	p.edit("moved/text.go", "here", "there")
	load.awaitAnswer("there")
	load.stop()
}

func TestSwitchingBranchesIsOneReload(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: it is in the package git")
	}
	p := handlerProject(t, "basic")
	git := func(args ...string) {
		user := []string{"-c", "user.name=t", "-c", "user.email=t@example.org"}
		cmd := exec.Command("git", append(user, args...)...)
		cmd.Dir = p.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	const files = 100
	branch := func(name string) {
		for i := range files {
			own, both := fmt.Sprintf("text/%s%d.go", name, i%2*i), fmt.Sprintf("text/all%d.go", i)
			p.write(own, fmt.Sprintf("package text\n\nconst Of%d = %q\n", i%2*i, name))
			p.write(both, fmt.Sprintf("package text\n\nconst All%d = %q\n", i, name))
		}
		git("add", "-A", ".")
		git("commit", "-q", "-m", name)
	}
	p.edit("main.go",
		`"devtool.internal/durable"`, "\"devtool.internal/durable\"\n\n\t\"handler/text\"",
		`env.Var("GREETING")`, fmt.Sprintf("text.All%d", files-1))
	p.write(".gitignore", ".devtool\n")
	git("init", "-q", "-b", "first")
	branch("first")
	git("checkout", "-q", "-b", "second")
	git("rm", "-q", "-r", "text")
	branch("second")
	git("checkout", "-q", "first")

	s := p.dev()
	load := startLoad(s, "/var")
	load.awaitAnswer("first")
	rounds := 1
	if *long {
		rounds = 2
	}
	for range rounds {
		git("checkout", "-q", "second")
		load.awaitAnswer("second")
		git("checkout", "-q", "first")
		eventually(t, "the first branch is back", func() bool { return s.get("/var") == "first" })
	}
	load.stop()
	if got := s.stderr.String(); strings.Contains(got, "is still being served") {
		t.Errorf("half a branch was built: %s", got)
	}
}

// The Handler of a new version may fail, for example because a variable is not what it expects.
func TestAVersionWhoseHandlerFailsIsRefused(t *testing.T) {
	t.Parallel()
	const begin = "*durable.Env) http.Handler {\n"
	for name, test := range map[string]struct{ file, from, to, want string }{
		"it panics": {
			"main.go", begin, begin + "\tenv.Namespace(\"NONE\")\n",
			`the worker's Handler panicked: durable: no class is bound as "NONE"`,
		},
		"it returns nil": {
			"main.go", begin, begin + "\tif true {\n\t\treturn nil\n\t}\n",
			"the worker's Handler returned nil",
		},
		"it exits": {
			"main.go", begin, begin + "\tos.Exit(7)\n",
			"the handler program has crashed (exit status 7)",
		},
		"a variable has changed": {
			"wrangler.jsonc", `"hello"`, `"nothing"`,
			"the worker's Handler panicked: no greeting",
		},
	} {
		if leftToLong(name, "it panics") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			p.edit("main.go", begin, begin+`
	if env.Var("GREETING") == "nothing" {
		panic("no greeting")
	}
`)
			s := p.dev()
			s.post("/", "")
			good := p.read(test.file)
			p.edit(test.file, test.from, test.to)
			s.awaitLog(test.want)
			s.awaitLog("the version before is still being served")
			if got, want := s.get("/var"), "hello"; got != want {
				t.Errorf("the version before answers %q, want %q", got, want)
			}
			failure := p.report().Program.Failure
			if failure == nil || !strings.Contains(failure.Message, test.want) {
				t.Errorf("status: got failure %+v, want %q", failure, test.want)
			}
			// After a crash the version before is started again.
			killProcess(t, s.handlerPID("/pid"))
			s.awaitLog("restarted the handler program")
			if got, want := s.get("/var"), "hello"; got != want {
				t.Errorf("after a crash it answers %q, want %q", got, want)
			}
			p.write(test.file, good)
			p.edit("wrangler.jsonc", `"hello"`, `"good evening"`)
			eventually(t, "the mended version serves", func() bool { return s.get("/var") == "good evening" })
		})
	}
}
