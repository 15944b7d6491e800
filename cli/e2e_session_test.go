package cli_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
)

func (p project) report() (r control.Report) {
	p.t.Helper()
	p.succeed(&r, "status", "--json")
	return r
}

func TestStatusShowsWhatIsServedAndWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	s.post("/", "")
	got := p.report()
	if got.Status.URL != s.URL || got.Clock.Mode != control.Frozen || got.Objects != 1 || got.Alarms != 1 {
		t.Errorf("got %+v, want a frozen clock, and one object with its alarm", got)
	}
	if program := got.Program; program.State != control.ProgramServing || program.Version != 1 ||
		program.PID == 0 || program.Build == nil || program.Failure != nil {
		t.Errorf("got %+v, want that the first version serves", program)
	}
	first := got.Program.PID

	p.edit("main.go", `case "/var":`, `case "/vra":
		undefined()
	case "/var":`)
	eventually(t, "the status shows the failed build", func() bool { return p.report().Program.Failure != nil })
	got = p.report()
	f := got.Program.Failure
	if !strings.Contains(f.Message, "main.go:") || !strings.Contains(f.Text, "undefined: undefined") {
		t.Errorf("got %+v, want the compiler's message", f)
	}
	if got.Program.Version != 1 || got.Program.PID != first {
		t.Errorf("got %+v, want that the first version goes on", got.Program)
	}
	text := p.devtool("status")
	for _, want := range []string{
		"program  serving, version 1 since ",
		"The last change is not served, since ",
		"undefined: undefined",
	} {
		if text.code != 0 || !strings.Contains(text.out, want) {
			t.Errorf("status: got exit code %d and\n%s\nwant in it %q", text.code, text.out, want)
		}
	}
	r := s.request(http.MethodGet, "/cdn-cgi/local/status", nil)
	r.Header.Set("Accept", "text/html")
	if _, page, err := s.send(r); err != nil || !strings.Contains(page, "undefined: undefined") {
		t.Errorf("the browser's page does not show the error: %v\n%s", err, page)
	}
	if got, want := s.get("/var"), "hello"; got != want {
		t.Errorf("meanwhile: got %q, want %q", got, want)
	}

	p.edit("main.go", "\t\tundefined()\n", "")
	eventually(t, "the next version serves, and nothing is wrong", func() bool {
		got := p.report().Program
		return got.Version == 2 && got.Failure == nil && got.PID != first
	})

	// The status also shows that a class has disappeared.
	p.edit("main.go", `durable.Classes{"Basic":`, `durable.Classes{"Other":`)
	eventually(t, "the status shows the missing class", func() bool {
		f := p.report().Program.Failure
		return f != nil && strings.Contains(f.Message, "the program has no class Basic (bound as BASIC)")
	})
}

func TestLogsAreShownAndFollowed(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.edit("main.go", `case "/var":`, `case "/print":
		fmt.Println("printed by the handler")
	case "/var":`)
	s := p.dev()
	follower := command(t, p.dir, "logs", "-f", "-n", "0", "--json")
	var followed output
	follower.Stdout = &followed
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- follower.Wait() }()
	eventually(t, "the log is followed", func() bool {
		s.get("/print")
		return strings.Contains(followed.String(), "printed by the handler")
	})
	s.post("/", "")
	eventually(t, "the request is followed", func() bool {
		return strings.Contains(followed.String(), `"object":"Basic/one"`)
	})

	got := p.devtool("logs")
	for _, want := range []string{"INF GET /print 200 OK (", "\nprinted by the handler\n", ", by Basic/one)\n"} {
		if got.code != 0 || !strings.Contains(got.out, want) {
			t.Errorf("logs: got exit code %d and\n%s\nwant in it %q", got.code, got.out, want)
		}
	}
	last := p.devtool("logs", "-n", "1")
	if strings.Count(last.out, "\n") != 1 || !strings.Contains(last.out, "POST / 200 OK") {
		t.Errorf("logs -n 1: got %q, want the last line", last.out)
	}
	s.interrupt()
	if err := <-ended; err != nil {
		t.Errorf("logs -f when the emulator ends: %v", err)
	}
	for line := range strings.Lines(followed.String()) {
		var r control.LogRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Time.IsZero() || r.Level == "" {
			t.Errorf("got the line %s, want JSON with time and level", line)
		}
	}
	for _, want := range []string{`"source":"handler"`, "shutting down"} {
		if !strings.Contains(followed.String(), want) {
			t.Errorf("got\n%s\nwant in it %q", followed.String(), want)
		}
	}
	if got := p.devtool("logs"); got.code != 1 || !strings.Contains(got.err, "no emulator runs for ") {
		t.Errorf("logs without an emulator: got %+v", got)
	}
}

func TestStopEndsTheEmulatorAndFreesTheState(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	got := p.devtool("stop")
	for _, want := range []string{"no emulator runs for ", "There is nothing to stop"} {
		if got.code != 1 || !strings.Contains(got.err, want) {
			t.Errorf("stop without an emulator: got %+v, want exit code 1 and %q", got, want)
		}
	}
	for range 3 {
		s := p.dev()
		got := p.devtool("stop")
		if want := "stopped " + s.URL + " (basic, process "; got.code != 0 || !strings.HasPrefix(got.out, want) {
			t.Errorf("stop: got %+v, want %q", got, want)
		}
		// The next emulator can use the state at once.
		next := p.start("--port", "0")
		next.awaitReady()
		if code := s.await(); code != 0 {
			t.Errorf("the stopped emulator: got exit code %d, want 0", code)
		}
		p.succeed(nil, "stop", "--url", next.URL)
	}
}

func TestTheErrorOfASecondDevNamesTheFirst(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	for _, args := range [][]string{
		{"dev"},
		{"dev", "--port", s.URL[strings.LastIndex(s.URL, ":")+1:]},
		{"dev", "--persist-to", filepath.Join(p.dir, ".devtool", "state")},
	} {
		got := p.devtool(args...)
		for _, want := range []string{
			" is in use by another devtool (process ",
			s.URL + ", since ",
			"`devtool dev --attach` follows it, `devtool stop` ends it",
		} {
			if got.code != 1 || !strings.Contains(got.err, want) {
				t.Errorf("%q: got exit code %d and %q, want %q in it", args, got.code, got.err, want)
			}
		}
	}
	if got := p.devtool("dev", "--grace", "soon"); got.code != 2 || !strings.Contains(got.err, `can't be "soon"`) {
		t.Errorf("a second dev with a bad flag: got exit code %d and %q, want the flag's error", got.code, got.err)
	}
	// A second emulator may use another state. A killed one no longer counts.
	other := p.dev("--persist-to", "other")
	if got := p.devtool("status"); got.code != 1 || !strings.Contains(got.err, "2 emulators run for ") {
		t.Errorf("status of two: got %+v", got)
	}
	other.kill()
	if got := p.report(); got.URL != s.URL {
		t.Errorf("after the other was killed: got %s, want %s", got.URL, s.URL)
	}
	s.kill()
	p.dev()
}

func TestAttachFollowsTheEmulatorThatRuns(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	follower := command(t, p.dir, "dev", "--attach")
	var out, errs output
	follower.Stdout, follower.Stderr = &out, &errs
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the follower shows the start screen", func() bool {
		return strings.Contains(out.String(), "Ready on "+s.URL+" (")
	})
	eventually(t, "the follower shows the log", func() bool {
		s.post("/", "")
		return strings.Contains(errs.String(), "POST / 200 OK")
	})
	if err := follower.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := follower.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	s.post("/", "") // the emulator goes on

	// A second follower ends with the emulator.
	follower = command(t, p.dir, "dev", "--attach", "--log-format", "json")
	var screen, lines output
	follower.Stdout, follower.Stderr = &screen, &lines
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the follower shows the start screen", func() bool {
		return strings.Contains(screen.String(), "Ready on ")
	})
	s.interrupt()
	if err := follower.Wait(); err != nil {
		t.Errorf("after the emulator's end: %v", err)
	}
	for line := range strings.Lines(lines.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line that is not JSON: %q", line)
		}
	}
}
