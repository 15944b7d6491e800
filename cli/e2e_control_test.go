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
	const statusPath = control.Prefix + "status"
	const foreign = "http://evil.example"
	for _, test := range []struct {
		name, path string
		host       string
		origin     string
		want       int
		answer     string // part of it
	}{
		{"plain", statusPath, "", "", 200, `"worker":"basic"`},
		{"own page", statusPath, "", s.URL, 200, `"worker":"basic"`},
		{"rebound name", statusPath, "evil.example", "", 403, "Invalid Host header"},
		{"foreign page", statusPath, "", foreign, 403, "Invalid Origin header"},
		{"sandboxed page", statusPath, "", "null", 403, "Invalid Origin header"},
		{"foreign page, unknown path", "/cdn-cgi/other", "", foreign, 403, "Invalid Origin header"},
		{"unknown path", "/cdn-cgi/other", "", "", 404, "the control API has no GET /cdn-cgi/other"},
		{"worker by another name", "/host", "shop.example", "", 200, "shop.example"},
		{"worker from a foreign page", "/var", "", foreign, 200, "hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.request(http.MethodGet, test.path, nil)
			r.Host = test.host
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
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

	// The command may also name the folder of the project.
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
	unknownID := "Basic/" + strings.Repeat("0", 64)
	for _, test := range []struct {
		line string // separated by blanks
		code int
		err  string // part of it
	}{
		{
			"alarms trigger Basic/other", 1,
			"devtool: Basic/other has no alarm\n  Objects with an alarm: Basic/one\n",
		},
		{
			"alarms trigger Bsic/one", 1,
			"devtool: there is no class \"Bsic\"\n  The classes are Basic\n",
		},
		{"alarms trigger " + unknownID, 1, "devtool: " + unknownID + ": "},
		{
			"alarms trigger Basic/other --json", 1,
			`{"error":"Basic/other has no alarm","code":"no_alarm","hint":"`,
		},
		{"alarms trigger Basic", 2, `"Basic" is not an object`},
		{"time advance banana", 2, `"banana" is not a duration`},
		{"time advance -5s", 2, "the clock cannot go back, so not by -5s"},
		{"time advance 1000000d", 2, `"1000000d" is longer than a duration can be: 292 years`},
		{"dev --port 0", 1, "devtool: the state in " + s.State},
	} {
		got := p.devtool(strings.Fields(test.line)...)
		if got.code != test.code || !strings.Contains(got.err, test.err) {
			t.Errorf("devtool %s: got exit code %d and %q, want %d and %q",
				test.line, got.code, got.err, test.code, test.err)
		}
	}
	// The error of a second dev names the first one, and says what to do.
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
	want := "devtool: port " + port + " on 127.0.0.1 is taken\n" +
		"  Stop what listens there, or choose another with --port (0 takes any)\n"
	if got.code != 1 || !strings.HasSuffix(got.err, want) {
		t.Errorf("a taken port: got exit code %d and %q, want 1 and %q", got.code, got.err, want)
	}
	p.edit("wrangler.jsonc", `"vars"`, `"dev": { "port": `+port+` }, "vars"`)
	if got := p.devtool("dev"); got.code != 1 || !strings.Contains(got.err, "port "+port+" on 127.0.0.1 is taken") {
		t.Errorf("a taken port of the configuration: got exit code %d and %q", got.code, got.err)
	}

	// The default port is only the first one to try.
	p.edit("wrangler.jsonc", `"dev": { "port": `+port+` }, `, "")
	takenPort(t, "8787")
	s := p.start()
	s.awaitReady()
	if strings.HasSuffix(s.URL, ":8787") {
		t.Errorf("URL with 8787 taken: got %s", s.URL)
	}
}
