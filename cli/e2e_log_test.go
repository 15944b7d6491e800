package cli_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTimeoutsFollowTheClockAndTheLogShowsEachEvent moves the clock past a handler's timeouts, and
// reads the events from the JSON log.
func TestTimeoutsFollowTheClockAndTheLogShowsEachEvent(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "timeouts")
	s := p.dev("--frozen", "--log-format", "json", "--log-level", "debug")
	s.post("/", "")
	p.advance("1h")
	if got, want := s.get("/"), "5s: context deadline exceeded\n10s: context deadline exceeded\n"; got != want {
		t.Errorf("timeouts: got %q, want %q", got, want)
	}
	s.interrupt()

	// The events in order, with the fields whose values are the same in each run.
	var events []string
	fields := make(map[string]string)
	printed := ""
	for line := range strings.Lines(s.stderr.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("the log has a line that is not JSON: %v\n%s", err, line)
		}
		for _, field := range []string{"time", "level", "msg"} {
			if record[field] == nil {
				t.Errorf("no %s in %s", field, line)
			}
		}
		if record["source"] == "handler" {
			printed += fmt.Sprintln(record["msg"])
		}
		if record["event"] != nil && record["source"] == nil {
			event := fmt.Sprint(record["event"], " ", record["outcome"])
			events = append(events, event)
			fields[event] = strings.Join(slices.Sorted(maps.Keys(record)), " ")
		}
	}
	if want := "slow: nobody waits for this event any more: context canceled\n"; printed != want {
		t.Errorf("the handler printed %q, want %q", printed, want)
	}
	slices.Sort(events)
	// In the hour, each of the two objects is evicted once, and the one with the alarm once more.
	want := []string{
		"alarm ok",
		"evict ok", "evict ok", "evict ok",
		"fetch canceled",
		"fetch ok", "fetch ok",
		"request ok", "request ok",
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	wantFields := map[string]string{
		"alarm ok":       "at duration_ms event late_ms level msg object outcome retry time",
		"evict ok":       "duration_ms event level msg object outcome time",
		"fetch canceled": "about duration_ms event level msg object outcome time",
		"fetch ok":       "about duration_ms event level msg object outcome status time",
		"request ok":     "about duration_ms event level msg object outcome status time",
	}
	if diff := cmp.Diff(wantFields, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// TestALogThatNobodyReadsDelaysNobody writes more lines than a pipe holds, into one that nobody
// reads.
func TestALogThatNobodyReadsDelaysNobody(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--log-format", "json"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			unread, log, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer unread.Close()
			defer log.Close()
			s := handlerProject(t, "basic").startInto(log, args...)
			s.awaitReady()
			for range 3000 {
				s.get("/var")
			}
			s.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // await sees that it runs on
			if code := s.await(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

// TestALogThatIsReadIsComplete lets a handler print more than a pipe holds at once, as into tee.
func TestALogThatIsReadIsComplete(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.write("print.go", "package main\n\nimport \"fmt\"\n\n"+
		"func init() {\n\tfor i := range 100000 {\n\t\tfmt.Println(\"line\", i)\n\t}\n}\n")
	s := p.dev()
	s.interrupt()
	next := 0
	for line := range strings.Lines(s.stderr.String()) {
		if line == fmt.Sprintf("line %d\n", next) {
			next++
		}
	}
	if next != 100000 || strings.Contains(s.stderr.String(), "dropped") {
		t.Errorf("got %d lines, want 100000", next)
	}
}
