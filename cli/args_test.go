package cli

import (
	"bytes"
	"context"
	"errors"
	goparser "go/parser"
	"go/token"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// options are the options that a command of the test tree got.
type options struct {
	Path    string
	Cwd     string
	JSON    bool
	URL     string
	Config  string
	Env     string
	Port    int
	Vars    []string
	Frozen  bool
	Command []string
	Rest    []string
}

// testTree returns a tree of commands like the real one, with all kinds of flags. Each command
// fills seen when it runs.
func testTree(g *globals, seen *options) *command {
	root := rootCommand(g)
	run := func(path string) func(context.Context, Streams, []string) error {
		return func(_ context.Context, _ Streams, args []string) error {
			seen.Path, seen.Command, seen.Cwd = path, args, g.cwd
			return nil
		}
	}
	root.commands = []*command{
		{
			name: "dev", run: run("dev"),
			args: []argument{{name: "DIR", optional: true}},
			flags: []flag{
				{name: "config", short: "c", value: "FILE", target: &seen.Config},
				{name: "env", short: "e", value: "NAME", target: &seen.Env},
				{name: "port", value: "PORT", target: &seen.Port},
				{name: "var", value: "KEY:VALUE", target: &seen.Vars},
				{name: "frozen", target: &seen.Frozen},
				{name: "json", target: &seen.JSON},
			},
		},
		{
			name: "exec", run: run("exec"), rest: &seen.Rest,
			args:  []argument{{name: "DIR", optional: true}},
			flags: []flag{{name: "json", target: &seen.JSON}, {name: "env", value: "NAME", target: &seen.Env}},
		},
		{name: "time", commands: []*command{
			{
				name: "advance", run: run("time advance"), args: []argument{{name: "DURATION"}},
				flags: []flag{{name: "json", target: &seen.JSON}, {name: "url", value: "URL", target: &seen.URL}},
			},
			{name: "now", run: run("time now"), flags: []flag{{name: "json", target: &seen.JSON}}},
		}},
	}
	return root
}

// runTree parses and runs a line on the test tree.
func runTree(args ...string) (options, error) {
	var g globals
	seen := options{Port: 8787}
	root := testTree(&g, &seen)
	invocation, err := arrange(root, args)
	if err == nil && !invocation.help && !invocation.version {
		err = dispatch(context.Background(), root, &g, invocation, Streams{Out: io.Discard, Err: io.Discard, Dir: "/"})
	}
	return seen, err
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, test := range []struct {
		line string
		want options
	}{
		{"time advance 10s --json", options{Path: "time advance", JSON: true, Command: []string{"10s"}}},
		{"time advance --json 10s", options{Path: "time advance", JSON: true, Command: []string{"10s"}}},
		{"time --json advance 10s", options{Path: "time advance", JSON: true, Command: []string{"10s"}}},
		{"--json time advance 10s", options{Path: "time advance", JSON: true, Command: []string{"10s"}}},
		{"time advance 10s --json=false", options{Path: "time advance", Command: []string{"10s"}}},
		{"time advance 10s -json", options{Path: "time advance", JSON: true, Command: []string{"10s"}}},
		{"time advance 10s --url http://x", options{Path: "time advance", URL: "http://x", Command: []string{"10s"}}},
		{"--url http://x time advance 10s", options{Path: "time advance", URL: "http://x", Command: []string{"10s"}}},
		{"time advance --url=http://x?a=b 10s", options{
			Path: "time advance", URL: "http://x?a=b", Command: []string{"10s"},
		}},
		{"time advance -1h --json", options{Path: "time advance", JSON: true, Command: []string{"-1h"}}},
		{"time advance --json -.5s", options{Path: "time advance", JSON: true, Command: []string{"-.5s"}}},
		{"time advance -- --json", options{Path: "time advance", Command: []string{"--json"}}},
		{"time advance --json -- 10s", options{Path: "time advance", JSON: true, Command: []string{"10s"}}},
		{"-- time advance 10s", options{Path: "time advance", Command: []string{"10s"}}},
		{"time now --cwd /", options{Path: "time now", Cwd: "/"}},
		{"--cwd=/ time now", options{Path: "time now", Cwd: "/"}},
		{"time --cwd / now --json", options{Path: "time now", Cwd: "/", JSON: true}},
		{"dev", options{Path: "dev"}},
		{"dev app --port 1 --port 2", options{Path: "dev", Port: 2, Command: []string{"app"}}},
		{"dev app -c other.toml -e=staging", options{
			Path: "dev", Config: "other.toml", Env: "staging", Command: []string{"app"},
		}},
		{"dev --var A:1,2 app --var B:x=y --frozen", options{
			Path: "dev", Vars: []string{"A:1,2", "B:x=y"}, Frozen: true, Command: []string{"app"},
		}},
		{"dev --port -1", options{Path: "dev", Port: -1}},
		{"dev --config -", options{Path: "dev", Config: "-"}},
		{"dev --config=--json", options{Path: "dev", Config: "--json"}},
		{"dev --env= app", options{Path: "dev", Command: []string{"app"}}},
		{"dev -", options{Path: "dev", Command: []string{"-"}}},
		{"dev help", options{Path: "dev", Command: []string{"help"}}},
		{"dev -- --frozen", options{Path: "dev", Command: []string{"--frozen"}}},
		{"dev --json json", options{Path: "dev", JSON: true, Command: []string{"json"}}},
		{"exec -- ls -l", options{Path: "exec", Rest: []string{"ls", "-l"}}},
		{"exec app --json -- ls --json --env x -- -l", options{
			Path: "exec", JSON: true, Command: []string{"app"},
			Rest: []string{"ls", "--json", "--env", "x", "--", "-l"},
		}},
		{"--json exec -- --help", options{Path: "exec", JSON: true, Rest: []string{"--help"}}},
	} {
		want := test.want
		if want.Port == 0 {
			want.Port = 8787
		}
		got, err := runTree(strings.Fields(test.line)...)
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		if len(got.Command) == 0 {
			got.Command = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.line, diff)
		}
	}
}

func TestMisuseIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"dve":                       `unknown command "dve"`,
		"time avdance 1s":           `unknown command "avdance"`,
		"time now --port 1":         "unknown flag --port for `devtool time now`",
		"dev --prot 1":              "unknown flag --prot for `devtool dev`",
		"dev -x":                    "unknown flag -x for `devtool dev`",
		"dev ---json":               "unknown flag ---json for `devtool dev`",
		"dev --=1":                  "unknown flag -- for `devtool dev`",
		"dev --port":                "flag --port needs a value: --port PORT",
		"dev --config --frozen":     "flag --config needs a value: --config FILE",
		"dev --config -- x":         "flag --config needs a value: --config FILE",
		"dev --port http":           `flag --port needs a number, not "http"`,
		"dev --port=":               `flag --port needs a number, not ""`,
		"dev --frozen=perhaps":      `flag --frozen is on or off, not "perhaps"`,
		"dev a b":                   "unexpected argument \"b\" for `devtool dev`",
		"time advance":              "`devtool time advance` needs an argument: DURATION",
		"time advance --json":       "`devtool time advance` needs an argument: DURATION",
		"dev --cwd":                 "flag --cwd needs a value: --cwd DIR",
		"exec":                      "`devtool exec` needs a command to run, after --",
		"exec --":                   "`devtool exec` needs a command to run, after --",
		"exec ls -l x":              "`devtool exec` needs a command to run, after --",
		"exec --env -- ls":          "flag --env needs a value: --env NAME",
		"exec a b -- ls":            "unexpected argument \"b\" for `devtool exec`",
		"dev --cwd /does/not/exist": "there is no folder /does/not/exist",
	} {
		_, err := runTree(strings.Fields(line)...)
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
		if got := exitCode(err); got != exitMisuse {
			t.Errorf("%s: got exit code %d, want %d", line, got, exitMisuse)
		}
	}
}

// TestTheOrderOfFlagsDoesNotMatter shuffles flags, with their values, between the words of a line.
func TestTheOrderOfFlagsDoesNotMatter(t *testing.T) {
	flags := map[string][]string{
		"config": {"-c", "x.toml"}, "env": {"--env=staging"}, "port": {"--port", "1"},
		"frozen": {"--frozen"}, "cwd": {"--cwd", "/"},
	}
	want, err := runTree("dev", "-c", "x.toml", "--env=staging", "--port", "1", "--frozen", "--cwd", "/", "app")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := [][]string{{"dev"}, {"app"}}
		for _, name := range rapid.Permutation(slices.Sorted(maps.Keys(flags))).Draw(t, "order") {
			at := rapid.IntRange(0, len(parts)).Draw(t, "position of "+name)
			parts = slices.Insert(parts, at, flags[name])
		}
		got, err := runTree(slices.Concat(parts...)...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", parts, diff)
		}
	})
}

// FuzzParse checks that no line panics, that each error is a misuse, and that commands only get
// arguments of their line.
func FuzzParse(f *testing.F) {
	f.Add("time\x00advance\x0010s\x00--json")
	f.Add("dev\x00--var\x00a:b\x00--\x00-x")
	f.Add("--cwd\x00/\x00help\x00time")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		seen, err := runTree(args...)
		if code := exitCode(err); err != nil && code != exitMisuse {
			t.Errorf("%q: got exit code %d for %v", args, code, err)
		}
		for _, arg := range seen.Command {
			if !slices.Contains(args, arg) {
				t.Errorf("%q: the command got %q, which is not an argument of the line", args, arg)
			}
		}
	})
}

// TestTheTreeIsSound checks the properties of the tree that arrange and dispatch rely on.
func TestTheTreeIsSound(t *testing.T) {
	root := rootCommand(&globals{})
	takesValue := map[string]bool{}
	root.walk(root.name, func(path string, c *command) {
		if (c.run == nil) == (len(c.commands) == 0) {
			t.Errorf("%s must either run or have commands", path)
		}
		if c.summary == "" {
			t.Errorf("%s has no summary", path)
		}
		for i, a := range c.args {
			if i > 0 && c.args[i-1].optional && !c.args[i-1].many && !a.optional {
				t.Errorf("%s: %s must not follow an optional argument", path, a.name)
			}
		}
		for _, f := range c.flags {
			_, isSwitch := f.target.(*bool)
			if _, threeWay := f.target.(*onOff); threeWay {
				isSwitch = true
			}
			if got := f.value != ""; f.target != nil && got == isSwitch {
				t.Errorf("%s: --%s has target %T and value %q", path, f.name, f.target, f.value)
			}
			for _, name := range []string{f.name, f.short} {
				if takes, known := takesValue[name]; known && name != "" && takes != (f.value != "") {
					t.Errorf("%s: --%s takes a value here and not elsewhere", path, name)
				}
				takesValue[name] = f.value != ""
			}
		}
	})
}

// TestOneFileKnowsTheFlagLibrary keeps the library replaceable: no command may import it.
func TestOneFileKnowsTheFlagLibrary(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var knowing []string
	for _, name := range files {
		source, err := goparser.ParseFile(token.NewFileSet(), name, nil, goparser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range source.Imports {
			if strings.Contains(spec.Path.Value, "urfave") {
				knowing = append(knowing, name)
			}
		}
	}
	if diff := cmp.Diff([]string{"app.go"}, knowing); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	root := rootCommand(&globals{})
	root.walk(root.name, func(path string, c *command) {
		var out bytes.Buffer
		if err := writeHelp(&out, root, invocation{command: c, path: path}); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		for _, want := range append([]string{"Usage: " + path, "--cwd DIR"}, flagNames(c)...) {
			if !strings.Contains(text, want) {
				t.Errorf("help of %s lacks %q", path, want)
			}
		}
		for line := range strings.Lines(text) {
			if trimmed := strings.TrimRight(line, " \n"); trimmed+"\n" != line {
				t.Errorf("help of %s: line %q ends in blanks", path, line)
			}
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("help of %s: line %q has %d columns, want at most 80", path, line, n)
			}
		}
	})
}

func flagNames(c *command) []string {
	var names []string
	for _, f := range c.flags {
		if !f.hidden {
			names = append(names, "--"+f.name)
		}
	}
	return names
}

func TestHelpReportsAnErrorOfItsStream(t *testing.T) {
	want := errors.New("no space left")
	root := rootCommand(&globals{})
	err := writeHelp(brokenWriter{want}, root, invocation{command: root, path: root.name})
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }
