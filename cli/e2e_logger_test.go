package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// handlerLines returns the lines of a JSON log that handlers have written: logged ones with their
// fields, and printed ones with their object.
func handlerLines(t *testing.T, text []byte) (logged, printed []string) {
	t.Helper()
	for line := range bytes.Lines(text) {
		var r struct {
			Level, Msg, Source, Worker, Object string
			At                                 string
			Event                              any
			Attrs                              json.RawMessage
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		switch r.Source {
		case "logger":
			if n, ok := r.Event.(float64); !ok || n < 1 {
				t.Errorf("event %v is no number", r.Event)
			}
			logged = append(logged, fmt.Sprintf("%s %s %s %s %q %s", r.At, r.Level, r.Worker, r.Object, r.Msg, r.Attrs))
		case "handler":
			printed = append(printed, fmt.Sprintf("%s: %s", r.Object, r.Msg))
		}
	}
	return logged, printed
}

// TestLinesOfHandlersNameTheirObject reads what handlers log and print from the JSON log, from the
// terminal and from `devtool logs`.
func TestLinesOfHandlersNameTheirObject(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "logging")
	s := p.dev("--frozen", "--time", "2030-01-01T00:00:00Z", "--log-format", "json")
	s.post("/", "")
	p.advance("24h")
	s.awaitLog("printed without package log") // through a pipe: it may come later than all others
	shown := p.devtool("logs").out
	s.interrupt()

	logged, printed := handlerLines(t, []byte(s.stderr.String()))
	wantLogged := []string{
		`2030-01-01T00:00:00Z WARN logging  "logged by the worker" `,
		`2030-01-02T00:00:00Z INFO logging Room/one "sent \x1b[31mbatch" {"to":"a b","batch":{"items":3}}`,
	}
	if diff := cmp.Diff(wantLogged, logged); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}
	wantPrinted := []string{
		": printed by the worker", "Room/one: printed by the constructor", // …
		"Room/one: printed by the constructor", // it was evicted meanwhile
		"Room/one: printed", "Room/one: in two lines", "Room/one: INFO by slog n=1",
		"Room/one: printed by a goroutine", ": printed without package log",
	}
	if diff := cmp.Diff(wantPrinted, printed); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	for _, want := range []string{
		"WRN logged by the worker clock=2030-01-01T00:00:00Z\n",
		" INF Room/one sent \\u001b[31mbatch to=\"a b\" batch.items=3 clock=2030-01-02T00:00:00Z\n",
		"\n[Room/one] printed by a goroutine\n", "\nprinted without package log\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("devtool logs: got\n%s\nwant %q in it", shown, want)
		}
	}
	if strings.ContainsRune(shown, '\x1b') || strings.Contains(shown, "nobody sees this") {
		t.Errorf("devtool logs: got\n%q", shown)
	}
}

// TestTheLastLinesOfAProgramAreNotLost wants the lines that a handler logs and prints right before
// it ends the program.
func TestTheLastLinesOfAProgramAreNotLost(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "logging").dev()
	const times = 3 // after more crashes in a row, requests fail at once
	for range times {
		status, body := s.fetch(http.MethodGet, "/exit", "")
		if want := "\n[Room/one] the last line that is printed"; status != 500 || !strings.Contains(body, want) {
			t.Errorf("got %d %q, want 500 with %q", status, body, want)
		}
	}
	s.interrupt()
	lines := strings.Split(s.stderr.String(), "\n")
	count := func(end string) (n int) {
		for _, line := range lines {
			if strings.HasSuffix(line, end) {
				n++
			}
		}
		return n
	}
	if got := count("ERR Room/one the last line that is logged"); got != times {
		t.Errorf("%d lines were logged, want %d:\n%s", got, times, s.stderr.String())
	}
	if !slices.Contains(lines, "[Room/one] the last line that is printed") {
		t.Errorf("got no printed line:\n%s", s.stderr.String())
	}
}
