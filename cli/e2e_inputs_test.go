package cli_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// TestOnlyInputsStartBuilds logs everything into the project and writes what editors, other tools
// and programs write there. Only the edits of the source are built.
func TestOnlyInputsStartBuilds(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	log, err := os.Create(p.path("dev.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := p.startLogging(log, nil, "--port", "0", "--log-level", "debug")
	s.awaitReady()
	good := p.read("main.go")
	for round := range 3 {
		for _, name := range []string{
			".git/index", "node_modules/a/a.go", "__debug_bin1", "main.go~", ".main.go.swp", "4913", "data.db-wal",
			"handler", "other/other.go", "main_test.go", "README.md", ".idea/workspace.xml", "tmp/x.log",
		} {
			p.write(name, fmt.Sprint("package main // ", round))
		}
		s.get("/pid") // logged as well
		want := fmt.Sprintf("edit %d", round)
		p.write("main.go", strings.Replace(good, `env.Var("GREETING")`, fmt.Sprintf("%q", want), 1))
		eventually(t, "the edit is served", func() bool { return s.get("/var") == want })
	}
	s.interrupt() // after which the log is complete
	text := p.read("dev.log")
	if got := strings.Count(text, "reloaded in "); got != 3 {
		t.Errorf("got %d reloads, want 3", got)
	}
	if got := strings.Count(text, "nothing to reload"); got != 0 {
		t.Errorf("got %d builds of nothing, want none", got)
	}
}

// TestAProgramThatWritesItsInputIsBraked embeds a file that the program writes at its start, or
// writes one of its sources, which takes twice as many builds.
func TestAProgramThatWritesItsInputIsBraked(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	for name, test := range map[string]struct{ file, source string }{
		"an embedded file":     {"stamp.txt", ""},
		"a generated constant": {"stamp.go", "package main\n\nconst stamp = `"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			p.write("main.go", p.read("main.go")+fmt.Sprintf(`
func init() {
	stamp := time.Now().String()
	if source := %q; source != "" {
		stamp = source + stamp + "`+"`"+`\n"
	}
	os.WriteFile(%q, []byte(stamp), 0o600)
}
`, test.source, test.file))
			embedded := "const stamp = ``\n"
			if test.source == "" {
				embedded = "//go:embed stamp.txt\nvar stamp string\n"
				p.write("stamp.txt", "0")
			}
			p.write("stamp.go", "package main\n\nimport _ \"embed\"\n\n"+embedded)
			p.edit("main.go", `env.Var("GREETING")`, `"one " + stamp`)
			s := p.dev()
			braked := test.file + " changed at each of the last 5 starts, so the program seems to write it"
			s.awaitLog(braked)
			if got := strings.Count(s.stderr.String(), braked); got != 1 {
				t.Errorf("it is said %d times, want once", got)
			}
			most := 5
			if test.source != "" {
				most *= 2
			}
			if got := strings.Count(s.stderr.String(), "reloaded in "); got > most {
				t.Errorf("got %d reloads before that, want %d at most", got, most)
			}
			version := p.report().Program.Version
			s.get("/var")
			if again := p.report().Program.Version; again != version {
				t.Errorf("got version %d, want it to stay at %d", again, version)
			}

			// The user's next save goes on, and so does a restart.
			p.edit("main.go", `"one "`, `"two "`)
			eventually(t, "the edit is served", func() bool { return strings.HasPrefix(s.get("/var"), "two ") })
			eventually(t, "it is braked again", func() bool {
				return strings.Count(s.stderr.String(), braked) == 2
			})
			version = p.report().Program.Version
			s.post("/cdn-cgi/devtool/v1/program/restart", "")
			if again := p.report().Program.Version; again <= version {
				t.Errorf("got version %d after a restart, want a later one than %d", again, version)
			}
		})
	}
}

// TestAnEmbeddedFileOfAUserIsAlwaysBuilt saves a page more often than a program may write it.
func TestAnEmbeddedFileOfAUserIsAlwaysBuilt(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	p := handlerProject(t, "basic")
	p.write("page/a.html", "0")
	p.write("page.go", "package main\n\nimport \"embed\"\n\n//go:embed page\nvar pages embed.FS\n\n"+
		"func page(name string) string { b, err := pages.ReadFile(\"page/\" + name); _ = err; return string(b) }\n")
	p.edit("main.go", `env.Var("GREETING")`, `page("a.html") + page("new.html")`)
	s := p.dev()
	const saves = 6 // more than a program may make at its start
	for i := range saves {
		want := fmt.Sprint("save ", i)
		p.write("page/a.html", want)
		eventually(t, "the page is served", func() bool { return s.get("/var") == want })
	}
	p.write("page/new.html", " and more")
	want := fmt.Sprintf("save %d and more", saves-1)
	eventually(t, "the new page is served", func() bool { return s.get("/var") == want })
}

// TestRecoveryIsSaid breaks something and restores it exactly, twice.
func TestRecoveryIsSaid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, from, to, failure string }{
		"source":            {"main.go", "func main() {", "func main() { wrong", "undefined: wrong"},
		"a start":           {"main.go", "func main() {", "func main() { panic(`why`)", "panic: why"},
		"the configuration": {"wrangler.jsonc", `"main": ".",`, `"main": "`, "wrangler.jsonc"},
		"the worker's name": {"wrangler.jsonc", `"basic"`, `"other"`, "the worker's name has changed"},
		"a class":           {"wrangler.jsonc", `"class_name": "Basic"`, `"class_name": "Nope"`, "Nope"},
		"the modules":       {"go.mod", "require devtool.internal v0.0.0", "require (", "go.mod"},
	} {
		if leftToLong(name, "source", "the configuration") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			s := p.dev("--log-level", "debug")
			good := p.read(test.file)
			for range 2 {
				logged := len(s.stderr.String())
				p.edit(test.file, test.from, test.to)
				eventually(t, "the failure is logged", func() bool {
					return strings.Contains(s.stderr.String()[logged:], "the version before is still being served")
				})
				if p.report().Program.Failure == nil {
					t.Error("the status has no failure")
				}
				if log := s.stderr.String()[logged:]; !strings.Contains(log, test.failure) {
					t.Errorf("the log has no %q", test.failure)
				}
				p.write(test.file, good)
				const said = "what is saved is what is served"
				eventually(t, "the recovery is logged", func() bool {
					return strings.Contains(s.stderr.String()[logged:], said)
				})
				if got := p.report().Program; got.Failure != nil || got.State != "serving" {
					t.Errorf("the status has %+v", got)
				}
				if got := strings.Count(s.stderr.String()[logged:], said); got != 1 {
					t.Errorf("it is said %d times", got)
				}
			}
		})
	}
}

// TestTheSameErrorIsShownOnce saves a program whose error stays the same, then another error.
func TestTheSameErrorIsShownOnce(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	good := p.read("main.go")
	p.write("main.go", good+"\nvar a = wrong\n")
	s.awaitLog("the version before is still being served")
	p.write("main.go", good+"\nvar a = wrong\n\n// more\n")
	s.awaitLog("the error is the same as before (the handler program does not build: main.go:")
	if got := strings.Count(s.stderr.String(), "var a = wrong\n"); got != 1 {
		t.Errorf("the source is shown %d times, want once", got)
	}
	p.write("other_test.go", "package other\n")
	p.write("main.go", good)
	s.awaitLog("and other (other_test.go) in")
	p.write("other_test.go", "package main\n") // a test is no input, unless it is what is wrong
	s.awaitLog("what is saved is what is served")
	p.write("main.go", good+"\nvar a = another\n")
	s.awaitLog("var a = another\n")
	p.write("main.go", good+"\nvar a = wrong\n")
	eventually(t, "a changed error is shown again", func() bool {
		return strings.Count(s.stderr.String(), "var a = wrong\n") == 2
	})
}

// TestVendoringIsNoticed builds from a vendor folder, whose copy of the SDK is old, and follows the
// advice of the log.
func TestVendoringIsNoticed(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	p := handlerProject(t, "basic")
	p.write("dep/go.mod", "module example.org/dep\n\ngo 1.26\n")
	p.write("dep/dep.go", "package dep\n\nconst Text = \"one\"\n")
	p.write("go.mod", p.read("go.mod")+"\nrequire example.org/dep v0.0.0\n\nreplace example.org/dep => ./dep\n")
	p.edit("main.go",
		`"devtool.internal/durable"`, "\"devtool.internal/durable\"\n\n\t\"example.org/dep\"",
		`env.Var("GREETING")`, `dep.Text`)
	p.succeed(nil, "exec", "--", "true") // writes the SDK
	env := append(offline(t), "GOFLAGS="+sharedFlags)
	vendor := func() { mustRun(t, p.dir, env, "go", "mod", "vendor") }
	vendor()
	s := p.dev()
	load := startLoad(s, "/var")
	load.awaitAnswer("one")
	for i := range 3 {
		text := fmt.Sprint("vendored ", i)
		p.write("dep/dep.go", fmt.Sprintf("package dep\n\nconst Text = %q\n", text))
		vendor()
		load.awaitAnswer(text)
	}

	// The folder goes, and comes back.
	p.write("dep/dep.go", "package dep\n\nconst Text = \"without\"\n")
	if err := os.RemoveAll(p.path("vendor")); err != nil {
		t.Fatal(err)
	}
	load.awaitAnswer("without")
	p.write("dep/dep.go", "package dep\n\nconst Text = \"with\"\n")
	vendor()
	load.awaitAnswer("with")
	load.stop()
	if got := s.stderr.String(); strings.Contains(got, "is still being served") {
		t.Errorf("half a folder was built: %s", got)
	}

	const old = "vendor/devtool.internal/durable/durable.go"
	p.write(old, p.read(old)+"\n// old\n")
	p.write("go.mod", p.read("go.mod")+"\n")
	advice := "the SDK in vendor/devtool.internal is not the one in .devtool/sdk, and go builds the program " +
		"with it: run `go mod vendor` in "
	s.awaitLog(advice)
}

// TestThePlacesOfModulesAreWatched adds files that decide from which modules go builds.
func TestThePlacesOfModulesAreWatched(t *testing.T) {
	t.Parallel()
	parent := emptyProject(t)
	p := project{t, parent.path("app")}
	if err := os.CopyFS(p.dir, os.DirFS(handlerProject(t, "basic").dir)); err != nil {
		t.Fatal(err)
	}
	parent.write("dep/go.mod", "module example.org/dep\n\ngo 1.26\n")
	parent.write("dep/dep.go", "package dep\n\nconst Text = \"workspace\"\n")
	s := p.startAs([]string{"GOWORK="}, "--port", "0")
	s.awaitReady()
	load := startLoad(s, "/var")
	load.awaitAnswer("hello")
	p.edit("main.go",
		`"devtool.internal/durable"`, "\"devtool.internal/durable\"\n\n\t\"example.org/dep\"",
		`env.Var("GREETING")`, `dep.Text`)
	s.awaitLog("example.org/dep")
	parent.write("go.work", "go 1.26\n\nuse (\n\t./app\n\t./dep\n)\n")
	load.awaitAnswer("workspace")
	parent.write("dep/dep.go", "package dep\n\nconst Text = \"followed\"\n")
	load.awaitAnswer("followed")
	load.stop()
}

// TestTheUsersEnvironmentBuildsForThisMachine starts dev where builds are for another system.
func TestTheUsersEnvironmentBuildsForThisMachine(t *testing.T) {
	t.Parallel()
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"a browser":         {[]string{"GOOS=js", "GOARCH=wasm"}, "none"},
		"a browser, half":   {[]string{"GOOS=js"}, "none"},
		"another processor": {[]string{"GOARCH=" + other, "CC=no-such-compiler", "CGO_ENABLED=1"}, "none"},
		"a window on Windows": {
			[]string{"GOOS=windows", "GOFLAGS='-ldflags=-H=windowsgui -X main.flag=linked' " + sharedFlags},
			"linked",
		},
		"a flag of the linker": {[]string{"GOFLAGS=-ldflags=-X=main.flag=linked " + sharedFlags}, "linked"},
		"flags with spaces": {
			[]string{"GOFLAGS='-ldflags=-X main.flag=linked -X main.other=x' -tags=some " + sharedFlags},
			"linked tagged",
		},
		"a file and no build": {[]string{"GOFLAGS=-o=/nowhere/x -n -json " + sharedFlags}, "none"},
		"no program":          {[]string{"GOFLAGS=-buildmode=c-archive " + sharedFlags}, "none"},
		"no copies":           {[]string{"GOFLAGS=-mod=mod " + sharedFlags}, "none"},
	} {
		if leftToLong(name, "a browser", "flags with spaces") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			p.write("flag.go", "package main\n\nvar flag, other = \"none\", \"\"\n")
			p.write("tagged.go", "//go:build some\n\npackage main\n\nfunc init() { flag += \" tagged\" }\n")
			p.edit("main.go", `env.Var("GREETING")`, `flag`)
			s := p.startAs(test.env, "--port", "0")
			s.awaitReady()
			if got := s.get("/var"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			p.write("flag.go", p.read("flag.go")+"\nfunc init() { flag += \" edited\" }\n")
			eventually(t, "the edit is served", func() bool { return strings.Contains(s.get("/var"), "edited") })
		})
	}
}
