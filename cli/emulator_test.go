package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// emulator serves the control API, behind its guard. It answers with the values of its fields, and
// records the requests.
type emulator struct {
	alarms    control.Alarms
	triggered control.Triggered
	time      control.Time
	advanced  control.Advanced
	objects   any            // the answer to every other request
	each      map[string]any // answers by "METHOD path", which go before all others; a *control.Error refuses
	err       *control.Error // if not nil, refuses every request

	url   string
	asked []string // "METHOD path body", for objects with the query
}

func (e *emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := ""
	var raw json.RawMessage
	if json.NewDecoder(r.Body).Decode(&raw) == nil {
		body = " " + string(raw)
	}
	path := strings.TrimPrefix(r.URL.RequestURI(), control.Prefix)
	e.asked = append(e.asked, r.Method+" "+path+body)

	if path == "time/advance" && e.err == nil {
		w.Header().Set("Content-Type", control.LinesType)
		_, _ = io.WriteString(w, advanceLines(e.advanced))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	answers := map[string]any{
		"alarms": e.alarms, "alarms/trigger": e.triggered, "time": e.time,
		"time/freeze": e.time, "time/resume": e.time, "time/speed": e.time, "time/reset": e.time,
	}
	answer, known := answers[path]
	if !known {
		answer = e.objects
	}
	if special, ok := e.each[r.Method+" "+path]; ok {
		answer = special
		if refused, ok := special.(*control.Error); ok {
			w.WriteHeader(refused.Code.Status())
		}
	}
	if e.err != nil {
		w.WriteHeader(e.err.Code.Status())
		answer = e.err
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// advanceLines returns an advance as the control API reports it: a line of JSON for each event.
func advanceLines(a control.Advanced) string {
	var b strings.Builder
	lines := json.NewEncoder(&b)
	for _, f := range a.Fired {
		_ = lines.Encode(control.AdvanceEvent{Fired: &f})
	}
	_ = lines.Encode(control.AdvanceEvent{Advanced: &a})
	return b.String()
}

// advancedOf parses the lines that advanceLines writes.
func advancedOf(t *testing.T, text string) control.Advanced {
	t.Helper()
	fired := []control.Fired{}
	lines := json.NewDecoder(strings.NewReader(text))
	for {
		var e control.AdvanceEvent
		if err := lines.Decode(&e); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if e.Fired != nil {
			fired = append(fired, *e.Fired)
		}
		if e.Advanced != nil {
			e.Advanced.Fired = fired
			return *e.Advanced
		}
	}
}

// start serves e for a new project, and returns a call in its folder.
func (e *emulator) start(t *testing.T) call {
	t.Helper()
	token := client.NewToken()
	server := httptest.NewServer(client.Guard(client.RequireToken(token, e)))
	t.Cleanup(server.Close)
	e.url = server.URL
	project := t.TempDir()
	writeFile(t, filepath.Join(project, "wrangler.jsonc"), "{}")
	announce(t, project, client.Announcement{URL: server.URL, Token: token})
	return call{dir: project}
}

func announce(t *testing.T, project string, a client.Announcement) {
	t.Helper()
	release, err := client.Announce(project, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = release() })
}

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

func object(class, name string) control.Object {
	return control.Object{Class: class, Name: name, ID: strings.Repeat("0a", 32)}
}

// check compares the result of a command with the wanted one.
func check(t *testing.T, got, want result) {
	t.Helper()
	if got.code != want.code {
		t.Errorf("got exit code %d, want %d", got.code, want.code)
	}
	if got.out != want.out {
		t.Errorf("got output:\n%s\nwant:\n%s", got.out, want.out)
	}
	if got.err != want.err {
		t.Errorf("got error:\n%s\nwant:\n%s", got.err, want.err)
	}
}

// decode reads the JSON that a command printed.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

func TestTheEmulatorIsNamedByFlagThenEnvironmentThenProject(t *testing.T) {
	var flag, env, project emulator
	flag.start(t)
	env.start(t)
	c := project.start(t)

	c.run(t.Context(), "time", "now")
	c.env = map[string]string{"DEVTOOL_URL": env.url}
	c.run(t.Context(), "time", "now")
	c.run(t.Context(), "time", "now", "--url", strings.TrimPrefix(flag.url, "http://"))
	for name, e := range map[string]*emulator{"project": &project, "environment": &env, "flag": &flag} {
		if len(e.asked) != 1 {
			t.Errorf("the emulator of the %s: got requests %q, want one", name, e.asked)
		}
	}
}

func TestSeveralEmulatorsOfAProjectAreListed(t *testing.T) {
	var e emulator
	c := e.start(t)
	announce(t, c.dir, client.Announcement{URL: "http://localhost:1"})
	got := c.run(t.Context(), "time", "now", "--json")
	if got.code != 1 || !strings.Contains(got.err, e.url) || !strings.Contains(got.err, "http://localhost:1") {
		t.Errorf("got %+v, want both URLs", got)
	}
	if !strings.Contains(got.err, `"hint":"Choose one with --url URL"`) {
		t.Errorf("got no hint in %s", got.err)
	}
}

func TestARefusalOfTheEmulatorIsShown(t *testing.T) {
	e := emulator{err: &control.Error{
		Code:    control.CodeClockBusy,
		Message: "the clock is busy",
		Hint:    "wait for the other advance",
	}}
	c := e.start(t)
	check(t, c.run(t.Context(), "time", "advance", "1s"), result{
		code: 1, err: "devtool: the clock is busy\n  Wait for the other advance\n",
	})
	check(t, c.run(t.Context(), "time", "advance", "1s", "--json"), result{
		code: 1, err: `{"error":"the clock is busy","code":"clock_busy","hint":"Wait for the other advance"}` + "\n",
	})
}
