package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"devtool.internal/cli"
	"devtool.internal/internal/printable"
)

// forged looks like a line of the log.
const forged = "01:52:40 ERR forged"

// hostileText is a text that a terminal must never get: it would write to the clipboard, clear the
// screen, color what follows, move the cursor, and show letters in another order.
const hostileText = "a\x1b]52;c;cHduZWQ=\a\x1b[2J\x1b[38;5;201mpink\n" + forged +
	" \u009b2J\u0085 \u202ertl\u2066 \u2028 \r\x7f\b \x1b_devtool:1 \"Object/x\"\x1b\\ \U000e0041 \ufeffend"

// obeyed returns the first character of output that a terminal might obey, or nothing.
func obeyed(output string) string {
	for i, r := range output {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(output[i:], "\ufffd"):
			return fmt.Sprintf("%q", output[i:i+1])
		case r == '\n', r == '\t':
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x61c, r == 0x200e, r == 0x200f, r >= 0x2028 && r <= 0x202e,
			r >= 0x2066 && r <= 0x2069, r == 0xfeff, r >= 0xe0000 && r < 0xe0080:
			return fmt.Sprintf("%q", r)
		}
	}
	return ""
}

// wantHarmless checks the output of what.
func wantHarmless(t *testing.T, what, output string) {
	t.Helper()
	if bad := obeyed(output); bad != "" {
		t.Errorf("%s: the output has %s:\n%q", what, bad, output)
	}
}

// attack sends the hostile text in every way in which a client can. log returns the emulator's log.
func (s *server) attack(log func() string) {
	s.t.Helper()
	ask := func(path, accept string) {
		r := s.request(http.MethodPost, path, strings.NewReader(hostileText))
		r.Header.Set("Accept", accept)
		_, body, err := s.send(r)
		if err != nil {
			s.t.Fatal(err)
		}
		wantHarmless(s.t, "the answer to "+path+" as "+accept, body)
	}
	for _, accept := range []string{"*/*", "text/html"} {
		for _, path := range []string{"/store", "/fail", "/panic", "/log", "/cdn-cgi/" + url.PathEscape(hostileText)} {
			ask(path, accept)
		}
		ask("/"+url.PathEscape(hostileText), accept)
		ask("/fail?"+url.QueryEscape(hostileText), accept)
	}
	for line := range strings.Lines(log()) {
		if strings.HasPrefix(line, forged) {
			s.t.Errorf("a client has forged a line of the log:\n%s", log())
			break
		}
	}
	ask("/print", "*/*") // this one prints what it likes, except for what a terminal obeys
	eventually(s.t, "the log has all", func() bool { return strings.Contains(log(), "POST /print 200") })
}

// allCommands runs every command with a hostile argument and as they are meant, and calls check
// with the output of each. In a long run, the argument stands in more places.
func (p project) allCommands(check func(line string, got result)) {
	p.t.Helper()
	run := func(args ...string) {
		p.t.Helper()
		check(fmt.Sprintf("devtool %q", args), p.devtool(args...))
	}
	argument := strings.ReplaceAll(hostileText, "\x00", "")
	object := "Object/" + argument
	for _, path := range cli.CommandPaths() {
		switch path {
		case "dev", "exec", "worlds", "stop", "init":
			continue // they go on, end what the others need, or write files; see below
		}
		words := strings.Fields(path)
		calls := [][]string{
			{}, {argument}, {object, argument, "--json"}, {"--" + argument}, {"--url", argument},
		}
		if *long {
			calls = append(calls, []string{"--json"}, []string{argument, "--json"}, []string{object},
				[]string{object, "--json"}, []string{"--cwd", argument}, []string{"--class", argument},
				[]string{"--help", argument})
		}
		for _, more := range calls {
			run(append(words[:len(words):len(words)], more...)...)
		}
	}
	for _, line := range [][]string{
		{argument}, {"dev", "--config", argument}, {"dev", argument}, {"dev", "--port", argument},
		{"dev", "--ip", argument}, {"dev", "--host", argument}, {"dev", "--time", argument, "--json"},
		{"dev", "--env-file", argument, "--port", argument},
		{"exec", "--", argument}, {"exec", "--config", argument, "--", "true"}, {"init", "x/" + argument},
		{"objects", "show", object, "--storage"}, {"objects", "show", object, "--storage", "--json"},
		{"objects", "sql", object, "select * from texts"}, {"objects", "sql", object, "select * from texts", "--json"},
		{"objects", "sql", object, "select '" + argument + "' as \"" + argument + "\", " + argument},
		{"objects", "sql", object, "select v as \"" + argument + "\" from texts"},
		{"objects", "put", object, argument, argument}, {"objects", "put", object, argument, argument, "--json"},
		{"objects", "get", object, "--prefix", argument}, {"objects", "delete", object, "--force", "--json"},
		{"alarms", "set", object, "--in", argument}, {"alarms", "set", object, "--in", "1h"},
		{"time", "advance", argument}, {"time", "advance", "3h"},
		{"time", "set", argument}, {"time", "speed", argument},
		{"logs", "-n", "-1"}, {"logs", "-n", "-1", "--json"}, {"logs", "-n", argument},
		{"__complete", "fish", "objects", "show", ""}, {"__complete", "zsh", "objects", "show", "Object/"},
		{"__complete", "bash", "devtool objects show ", ""}, {"__complete", "fish", "alarms", "trigger", argument},
	} {
		run(line...)
	}
}

func TestNoOutputHasWhatATerminalObeys(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "hostile")
	s := p.dev("--frozen", "--log-level", "debug")
	s.attack(s.stderr.String)
	p.allCommands(func(line string, got result) {
		wantHarmless(t, line, got.out)
		wantHarmless(t, line+", errors", got.err)
	})
	wantHarmless(t, "devtool dev", s.stdout.String())
	wantHarmless(t, "the log of devtool dev", s.stderr.String())
}

func TestColoredOutputHasNoColorsOfOthers(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "hostile")
	s := p.startAs([]string{"NO_COLOR=", "FORCE_COLOR=1"}, "--port", "0", "--frozen")
	s.awaitReady()
	s.attack(s.stderr.String)
	check := func(what, output string) {
		t.Helper()
		wantHarmless(t, what, string(printable.WithoutColors([]byte(output))))
		for line := range strings.Lines(output) {
			// Only what the handler prints has its own colors, which end with the line.
			_, pink, has := strings.Cut(line, "\x1b[38;5;201m")
			if has && pink != "pink\x1b[0m\n" {
				t.Errorf("%s: a color of a client is in %q", what, line)
			}
		}
	}
	for _, line := range [][]string{
		{"logs", "-n", "-1"}, {"objects", "list"}, {"alarms", "list"}, {"time", "advance", "1h"}, {hostileText},
		{"config", "check"},
	} {
		cmd := command(t, p.dir, line...)
		cmd.Env = append(cmd.Env, "NO_COLOR=", "FORCE_COLOR=1")
		out, _ := cmd.CombinedOutput() // some of them fail
		check(fmt.Sprintf("devtool %q", line), string(out))
	}
	s.interrupt() // after which the log is complete
	check("the log of devtool dev", s.stderr.String())
	if !strings.Contains(s.stderr.String(), "\x1b[38;5;201mpink\x1b[0m\n") {
		t.Errorf("the colors of the handler are lost: %q", s.stderr.String())
	}
}

func TestTheJSONLogKeepsTheTextAndEscapesIt(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "hostile")
	s := p.dev("--log-format", "json")
	s.attack(s.stderr.String)
	s.interrupt() // after which the log is complete
	found := false
	for line := range strings.Lines(s.stderr.String()) {
		wantHarmless(t, "the JSON log", line)
		var r struct{ About string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Errorf("%v in %s", err, line)
		}
		found = found || r.About == "POST /"+hostileText
	}
	if !found {
		t.Errorf("no line has the path of the request as it was:\n%s", s.stderr.String())
	}
}

// hostileName is hostile text that can be the name of a file.
const hostileName = "a\x1b]0;title\a\x1b[31m\u009b2J\u202e\nb"

func TestHostileFilesAreShownHarmless(t *testing.T) {
	t.Parallel()
	quoted, err := json.Marshal(hostileText)
	if err != nil {
		t.Fatal(err)
	}
	text := string(quoted)
	handlerProject(t, "hostile").dev().interrupt() // leaves its program to the projects below
	for name, spoil := range map[string]func(p project){
		"a name of a source file": func(p project) {
			p.write(hostileName+".go", "package main\n\nfunc "+hostileText+"\n")
		},
		"a broken source": func(p project) {
			p.edit("main.go", "package main\n\nimport", "package main\n\nvar x = `"+hostileText+"` + 1\n\nimport")
		},
		"a folder":          func(p project) { p.write(hostileName+"/x.go", "package x\n") },
		"the worker's name": func(p project) { p.edit("wrangler.jsonc", `"hostile"`, text) },
		"a class and its binding": func(p project) {
			p.edit("wrangler.jsonc", `"OBJECTS", "class_name": "Object"`, text+`, "class_name": `+text)
		},
		"an unknown key": func(p project) { p.edit("wrangler.jsonc", `"main"`, text+`: 1, "main"`) },
		"a migration":    func(p project) { p.edit("wrangler.jsonc", `"v1"`, text) },
		"raw characters": func(p project) {
			p.edit("wrangler.jsonc", `"main"`, "\x1b[2J\u009b \x9b\n \"main\"")
		},
		"a variable":            func(p project) { p.write(".dev.vars", hostileText+"="+hostileText+"\n") },
		"go.mod":                func(p project) { p.edit("go.mod", "module handler", "module handler\x1b[2J") },
		"the migrations record": func(p project) { p.write(".devtool/state/do/migrations.json", `{"x":`+text+`}`) },
		"an announcement":       func(p project) { p.write(".devtool/run/1-a.json", `{"url":`+text+`}`) },
		"the socket's path":     func(p project) { p.write(".devtool/attach", hostileText) },
	} {
		if leftToLong(name, "a broken source", "a class and its binding", "raw characters") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "hostile")
			p.t = t
			if err := os.MkdirAll(p.path(".devtool/state/do"), 0o700); err != nil {
				t.Fatal(err)
			}
			spoil(p)
			exec := [][]string{
				{"exec", "--verbose", "--", "true"}, {"exec", "--", "true"}, {"exec", "--json", "--", "true"},
			}
			for _, line := range slices.Concat([][]string{
				{"config", "check"}, {"config", "check", "--json"}, {"config", "show"}, {"config", "show", "--json"},
				{"migrations", "list"}, {"migrations", "list", "--json"}, {"objects", "list"}, {"status"},
			}, exec, [][]string{{"types"}, {"vet"}, {"vet", "--json"}}, exec) { // types adds a file to the program
				got := p.devtool(line...)
				wantHarmless(t, fmt.Sprintf("devtool %q", line), got.out)
				wantHarmless(t, fmt.Sprintf("devtool %q, errors", line), got.err)
			}
		})
	}
}
