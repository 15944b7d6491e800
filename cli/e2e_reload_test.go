package cli_test

import (
	"fmt"
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

	// A file that can't be read is told, and everything goes on.
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
			// That holds for the program that takes its place after a crash, too.
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
	p.edit("main.go",
		`durable.NewClass(newBasic)}`, `durable.NewClass(newBasic), "Other": durable.NewClass(newBasic)}`,
		`case "/host":`, "case \"/other\":\n\t\tenv.Namespace(\"OTHER\").GetByName(\"two\").ServeHTTP(w, r)\n\tcase \"/host\":")
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
		s.get("/var") // a little later
	}
	load.awaitAnswer("save 19")
	load.stop()
}
