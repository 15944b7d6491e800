package cli_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shells are started without the settings of their user. Each has the prompt "$ ".
var shells = map[string][]string{
	"bash": {"bash", "--norc", "--noprofile", "-i"},
	"zsh":  {"zsh", "-f", "-i"},
	"fish": {"fish", "--no-config", "-i", "-C", "function fish_prompt; echo -n '$ '; end"},
}

// loading is what the documentation tells users to add to the settings of their shell. compinit is
// part of these settings for zsh.
var loading = map[string]string{
	"bash": `eval "$(devtool completion bash)"`,
	"zsh":  "autoload -U compinit; compinit -D -u; source <(devtool completion zsh)",
	"fish": "devtool completion fish | source",
}

// TestTheShellsCompleteForReal types into the shells themselves, and compares the arguments that
// devtool gets then.
func TestTheShellsCompleteForReal(t *testing.T) {
	t.Parallel()
	p := makeProject(t, t.TempDir(), "app")
	p.dev()
	// The second character identifies each object. A name must be neither changed nor executed.
	names := []string{
		"1 two  words", "2:colons:and=signs", "3'single'", `4"double"`, "5$(touch canary)", "6`touch canary`",
		"7;touch canary", "8!x!y!", "9*?[a]{b,c}", `a\back\slash`, "b$HOME", "cäöü 日本", "d#hash ~tilde",
		"e&|<>(x)", "f%@^+,.x", "gone 'and' \"again\"",
	}
	for _, name := range names {
		p.succeed(nil, "objects", "put", "Counter/"+name, "k", "1")
	}
	for name := range shells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCompleter(t, p, name)
			for _, object := range names {
				key := object[:1]
				want := []string{"objects", "show", "Counter/" + object}
				s.check("objects show Counter/"+key+"\t", want...)
				s.check("objects show 'Counter/"+key+"\t", want...)
				s.check(`objects show "Counter/`+key+"\t", want...)
			}
			s.check("objects show Counter/2:\t", "objects", "show", "Counter/2:colons:and=signs")
			s.check("objects show 'Counter/2:c\t", "objects", "show", "Counter/2:colons:and=signs")
			s.check(`objects show Counter/1\ t`+"\t", "objects", "show", "Counter/1 two  words")
			s.check("objects show Counter/1' t\t", "objects", "show", "Counter/1 two  words")

			s.check("obj\tsh\tCounter/f\t", "objects", "show", "Counter/f%@^+,.x")
			s.check("objects get --json Counter/f\t", "objects", "get", "--json", "Counter/f%@^+,.x")
			s.check("dev --log-l\tde\t", "dev", "--log-level", "debug")
			s.check("dev --log-level=de\t", "dev", "--log-level=debug")
			s.check("dev --miss\tho\t--fro\t", "dev", "--missed", "hold", "--frozen")
			s.check("alarms list --class Cou\t", "alarms", "list", "--class", "Counter")
			s.check(`dev a\ fol`+"\t", "dev", "a folder")
			s.check("dev --config wr\t", "dev", "--config", "wrangler.jsonc")
			s.check("dev --config=wr\t", "dev", "--config=wrangler.jsonc")
			s.check("exec -- dirna\ta\\ fol\t", "exec", "--", "dirname", "a folder")
			if name != "bash" {
				s.check("exec -- devtool obj\tsh\t", "exec", "--", "devtool", "objects", "show")
			}
		})
	}
	if _, err := os.Stat(p.path("canary")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name was executed (%v)", err)
	}
}

// TestCompletionIsQuietWithoutAnEmulator also has no project.
func TestCompletionIsQuietWithoutAnEmulator(t *testing.T) {
	t.Parallel()
	for name := range shells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCompleter(t, emptyProject(t), name)
			s.check("objects show Counter/x\t", "objects", "show", "Counter/x")
			s.check("nonsense x\t", "nonsense", "x")
			s.check("dev --nonsense=x\t", "dev", "--nonsense=x")
			for _, message := range []string{"no emulator", "not in a project", "devtool:"} {
				if strings.Contains(s.raw.String(), message) {
					t.Errorf("the terminal shows %q", message)
				}
			}
		})
	}
}

// A completer is a shell in which devtool writes its arguments to a file, except those of
// completion.
type completer struct {
	*tty
	arguments string // the file
}

func newCompleter(t *testing.T, p project, shell string) completer {
	t.Helper()
	p.t = t
	path, err := exec.LookPath(shell)
	if err != nil && os.Getenv("TEST_SHELLS") == "" { // which .ci/run sets
		t.Skipf("%s is not installed: it is in the package %s", shell, shell)
	}
	if err != nil {
		t.Fatal(err)
	}
	built, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	writeFile(t, filepath.Join(dir, "devtool"), `#!/bin/sh
case $1 in
__complete | completion) exec '`+built+`' "$@" ;;
esac
printf '%s\0' "$@" >'`+seen+`.new'
mv '`+seen+`.new' '`+seen+`'
`)
	if err := os.Chmod(filepath.Join(dir, "devtool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.path("a folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	line := slices.Concat([]string{path}, shells[shell][1:])
	x := p.newShell(200, line, "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, "XDG_CONFIG_HOME="+dir,
		"XDG_DATA_HOME="+dir, "LC_ALL=C.UTF-8", "PROMPT=$ ")
	x.typed(loading[shell] + "; echo loa''ded\r")
	x.await("loaded")
	x.await("$ ")
	return completer{x, seen}
}

// check types a line, in which \t are keys, and compares the arguments that devtool then gets.
func (c completer) check(typed string, want ...string) {
	c.t.Helper()
	c.typed("devtool " + typed + "\r")
	var got []string
	eventually(c.t, "devtool has run after "+typed, func() bool {
		text, err := os.ReadFile(c.arguments)
		got = strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		return err == nil
	})
	if last := len(got) - 1; last >= 0 {
		got[last] = strings.TrimSuffix(got[last], "/") // zsh removes it when the line is finished
	}
	if err := os.Remove(c.arguments); err != nil {
		c.t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		c.t.Errorf("%q: got %q, want %q", typed, got, want)
	}
	c.await("$ ")
}
