package cli_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestACrashIsShownAndTheProgramRunsAgain(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "crash").dev()
	for _, test := range []struct{ path, want string }{
		{"/panic", "worker crash failed: panic: only this request"},
		{"/crash", "worker crash failed: the handler program has crashed (exit status 2): panic: all of the program"},
		{"/exit", "worker crash failed: the handler program has crashed (exit status 3)"},
	} {
		status, body := s.fetch(http.MethodGet, test.path, "")
		if status != http.StatusInternalServerError || strings.TrimSpace(body) != test.want {
			t.Errorf("%s: got %d %q, want 500 %q", test.path, status, body, test.want)
		}
		if got, want := s.get("/ok"), "ok"; got != want {
			t.Errorf("request after %s: got %q, want %q", test.path, got, want)
		}
	}
	if got, want := s.stderr.String(), "goroutine "; !strings.Contains(got, want) {
		t.Error("the stack of the crash was not printed")
	}
}

func TestACrashLoopSlowsDownAndIsSurvived(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "crash").dev()
	const reason = "panic: all of the program"
	// At first each request waits for the program; then some are told that it keeps crashing.
	keepsCrashing := false
	eventually(t, "a request is told that the program keeps crashing", func() bool {
		status, body := s.fetch(http.MethodGet, "/crash", "")
		if status != http.StatusInternalServerError || !strings.Contains(body, reason) {
			t.Fatalf("got %d %q, want 500 with %q", status, body, reason)
		}
		keepsCrashing = strings.Contains(body, "the handler program keeps crashing")
		return keepsCrashing
	})
	eventually(t, "requests are served again", func() bool {
		status, body := s.fetch(http.MethodGet, "/ok", "")
		return status == http.StatusOK && body == "ok"
	})
}

func TestAnAlarmThatCrashesTheProgramRunsAgain(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "crash")
	s := p.dev("--frozen")
	s.post("/", "")
	advanced := p.advance("10s")
	if got, want := outcomes(advanced), []string{"Fragile/one retry", "Fragile/one ok"}; !slices.Equal(got, want) {
		t.Fatalf("fired: got %q, want %q", got, want)
	}
	if got, want := advanced.Fired[0].Error, "panic: the alarm"; !strings.Contains(got, want) {
		t.Errorf("error of the first run: got %q, want %q in it", got, want)
	}
	// What the first run had committed counts, what it had not does not.
	if got, want := s.get("/"), "2"; got != want {
		t.Errorf("runs: got %s, want %s", got, want)
	}
	if got := p.alarms().Alarms; len(got) != 0 {
		t.Errorf("alarms afterwards: got %+v, want none", got)
	}
}
