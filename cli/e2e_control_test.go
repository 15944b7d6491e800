package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
)

func TestTheControlAPIRefusesStrangers(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "basic").dev()
	for _, test := range []struct {
		name, path string
		host       string
		header     http.Header
		want       int
		answer     string // part of it
	}{
		{"plain", control.Prefix + "status", "", nil, 200, `"worker":"basic"`},
		{"own page", control.Prefix + "status", "", http.Header{"Origin": {s.URL}}, 200, `"worker":"basic"`},
		{"rebound name", control.Prefix + "status", "evil.example", nil, 403, "Invalid Host header"},
		{"foreign page", control.Prefix + "status", "", http.Header{"Origin": {"http://evil.example"}}, 403, "Invalid Origin header"},
		{"sandboxed page", control.Prefix + "status", "", http.Header{"Origin": {"null"}}, 403, "Invalid Origin header"},
		{"foreign page, unknown path", "/cdn-cgi/other", "", http.Header{"Origin": {"http://evil.example"}}, 403, "Invalid Origin header"},
		{"unknown path", "/cdn-cgi/other", "", nil, 404, "the control API has no GET /cdn-cgi/other"},
		{"worker by another name", "/host", "shop.example", nil, 200, "shop.example"},
		{"worker from a foreign page", "/var", "", http.Header{"Origin": {"http://evil.example"}}, 200, "hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.request(http.MethodGet, test.path, nil)
			r.Host = test.host
			for name, values := range test.header {
				r.Header[name] = values
			}
			status, body, err := s.send(r)
			if err != nil {
				t.Fatal(err)
			}
			if status != test.want || !strings.Contains(body, test.answer) {
				t.Errorf("got %d %s, want %d with %q", status, body, test.want, test.answer)
			}
		})
	}
}

func TestCommandsFindTheEmulator(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	p.write("below/it/file", "")
	inside := project{t, p.path("below/it")}
	elsewhere := emptyProject(t)

	named := func(p project, env, url string, args ...string) string {
		cmd := command(t, p.dir, append([]string{"time", "now", "--json"}, args...)...)
		cmd.Env = append(cmd.Env, "DEVTOOL_URL="+env)
		if url != "" {
			cmd.Args = append(cmd.Args, "--url", url)
		}
		out, err := cmd.Output()
		if err != nil {
			return "nothing: " + err.Error()
		}
		var now control.Time
		if err := json.Unmarshal(out, &now); err != nil {
			return "no JSON: " + err.Error()
		}
		return now.Mode
	}
	for name, got := range map[string]string{
		"in the project":           named(p, "", ""),
		"below it":                 named(inside, "", ""),
		"elsewhere, --cwd":         named(elsewhere, "", "", "--cwd", p.dir),
		"elsewhere, --url":         named(elsewhere, "", s.URL),
		"elsewhere, DEVTOOL_URL":   named(elsewhere, s.URL, ""),
		"--url before DEVTOOL_URL": named(elsewhere, "http://localhost:1", s.URL),
	} {
		if want := control.Frozen; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got, want := elsewhere.devtool("time", "now").err, "is not in a project"; !strings.Contains(got, want) {
		t.Errorf("elsewhere: got %q, want %q in it", got, want)
	}

	// The folder of the project may be named, too.
	s.interrupt()
	from := project{t, elsewhere.dir}
	again := from.dev(p.dir)
	if got, want := again.Config, p.path("wrangler.jsonc"); got != want {
		t.Errorf("configuration of a named folder: got %s, want %s", got, want)
	}
}

func TestARunningEmulatorRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	s.post("/", "")
	for _, test := range []struct {
		args []string
		code int
		err  string // part of it
	}{
		{[]string{"alarms", "trigger", "Basic/other"}, 1, "devtool: Basic/other has no alarm\n  Those that are set: Basic/one\n"},
		{[]string{"alarms", "trigger", "Bsic/one"}, 1, "devtool: there is no class \"Bsic\"\n  The classes are Basic\n"},
		{[]string{"alarms", "trigger", "Basic/" + strings.Repeat("0", 64)}, 1, "devtool: Basic/" + strings.Repeat("0", 64) + ": "},
		{[]string{"alarms", "trigger", "Basic/other", "--json"}, 1, `{"error":"Basic/other has no alarm","code":"no_alarm","hint":"`},
		{[]string{"alarms", "trigger", "Basic"}, 2, `"Basic" is not an object`},
		{[]string{"time", "advance", "banana"}, 2, `"banana" is not a duration`},
		{[]string{"time", "advance", "-5s"}, 2, "the clock cannot go back, so not by -5s"},
		{[]string{"time", "advance", "1000000d"}, 2, `"1000000d" is longer than a duration can be: 292 years`},
		{[]string{"dev", "--port", "0"}, 1, "devtool: the state in " + s.State},
	} {
		got := p.devtool(test.args...)
		if got.code != test.code || !strings.Contains(got.err, test.err) {
			t.Errorf("devtool %s: got exit code %d and %q, want %d and %q", strings.Join(test.args, " "), got.code, got.err, test.code, test.err)
		}
	}
	// Whoever comes second learns who was first, and what to do.
	got := p.devtool("dev", "--port", "0").err
	for _, want := range []string{" is in use by another devtool (process ", s.URL, "--persist-to"} {
		if !strings.Contains(got, want) {
			t.Errorf("a second dev on the same state: got %q, want %q in it", got, want)
		}
	}
	if got := len(p.alarms().Alarms); got != 1 {
		t.Errorf("alarms after all that: got %d, want 1", got)
	}
}

func TestATakenPort(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	port := takenPort(t, "0")

	got := p.devtool("dev", "--port", port)
	want := "devtool: port " + port + " on 127.0.0.1 is taken\n  Stop what listens there, or choose another with --port (0 takes any)\n"
	if got.code != 1 || !strings.HasSuffix(got.err, want) {
		t.Errorf("a taken port: got exit code %d and %q, want 1 and %q", got.code, got.err, want)
	}
	p.edit("wrangler.jsonc", `"vars"`, `"dev": { "port": `+port+` }, "vars"`)
	if got := p.devtool("dev"); got.code != 1 || !strings.Contains(got.err, "port "+port+" on 127.0.0.1 is taken") {
		t.Errorf("a taken port of the configuration: got exit code %d and %q", got.code, got.err)
	}

	// A port that nobody has asked for is only where the search begins.
	p.edit("wrangler.jsonc", `"dev": { "port": `+port+` }, `, "")
	takenPort(t, "8787")
	s := p.start()
	s.awaitReady()
	if strings.HasSuffix(s.URL, ":8787") {
		t.Errorf("URL with 8787 taken: got %s", s.URL)
	}
}
