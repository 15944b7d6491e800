package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator"
	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

// TestALogLooksTheSameLater compares a log that is shown at once with one that is read from JSON
// lines later.
func TestALogLooksTheSameLater(t *testing.T) {
	for _, color := range []bool{false, true} {
		var now, later, kept bytes.Buffer
		journal := new(emulator.Journal)
		log := newEmulatorLog(logText, slog.LevelInfo, &now, &now, journal, color)
		// The same records, as the journal keeps them.
		asJSON := newEmulatorLog(logJSON, slog.LevelInfo, &kept, io.Discard, new(emulator.Journal), color)
		for _, l := range []emulatorLog{log, asJSON} {
			l.Info("alarm Batcher/orders ok (1.1 ms)", "event", "alarm", "object", "Batcher/orders", "duration_ms", 1.1)
			l.Warn("nothing to reload", "build", "3s", "a", 1)
			fmt.Fprintln(l.text, "wrangler.jsonc:3:5: what")
			fmt.Fprintln(l.output, "printed \x1b[1mbold\x1b[0m")
			fmt.Fprintf(l.output, "%s", wire.MarkPrinted(7, "Batcher/orders", []byte("by an object\n")))
			l.Info("sent batch", "source", "logger", "object", "Batcher/orders", "event", 7, "at", time.Now(),
				"attrs", json.RawMessage(`{"z":1,"a":{"text":"a b","list":[1,2]}}`))
			l.Error("the handler has failed\n  at main.go:1")
			l.end()
		}
		show := logPrinter{
			out: &later, printed: printable.NewColors(&later, color),
			handler: textHandler(&later, slog.LevelInfo, color),
		}
		for line := range strings.Lines(kept.String()) {
			if err := show.line([]byte(strings.TrimSuffix(line, "\n"))); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
		}
		// clean removes the times of the lines, which differ a little.
		clean := func(s string) string {
			var lines []string
			for line := range strings.Lines(s) {
				if at := strings.IndexAny(line, "IWE"); at > 0 && at < 24 && strings.Contains(line[:at], ":") {
					line = line[at:]
				}
				lines = append(lines, line)
			}
			return strings.Join(lines, "")
		}
		// The journal sorts the fields of a record by name.
		atOnce := strings.Replace(clean(now.String()), "build=3s a=1", "a=1 build=3s", 1)
		if diff := cmp.Diff(atOnce, clean(later.String())); !color && diff != "" {
			t.Errorf("(-at once +later):\n%s", diff)
		}
		if color && !strings.Contains(later.String(), "\x1b[93mWRN") {
			t.Errorf("got no colors: %q", later.String())
		}
	}
}

func TestAFollowedLogIsShownFromItsLevelOn(t *testing.T) {
	var b bytes.Buffer
	show := logPrinter{out: &b, printed: &b, handler: textHandler(&b, slog.LevelWarn, false), level: slog.LevelWarn}
	for _, line := range []string{
		`{"time":"2026-11-21T18:00:00Z","level":"INFO","msg":"no"}`,
		`{"time":"2026-11-21T18:00:00Z","level":"ERROR","msg":"yes"}`,
		`{"time":"2026-11-21T18:00:00Z","level":"INFO","msg":"printed","source":"handler"}`,
	} {
		if err := show.line([]byte(line)); err != nil {
			t.Error(err)
		}
	}
	if got := b.String(); strings.Contains(got, "no") || !strings.Contains(got, "ERR yes\nprinted\n") {
		t.Errorf("got %q", got)
	}
	for _, line := range []string{"", "x", `{"level":"LOUD"}`} {
		if err := show.line([]byte(line)); err == nil {
			t.Errorf("%q: got no error", line)
		}
	}
}

func TestTheStatusShowsWhatIsWrongLast(t *testing.T) {
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.Local)
	r := control.Report{
		Status: control.Status{
			Worker:  "shop",
			URL:     "http://localhost:1",
			PID:     7,
			Started: now.Add(-24 * time.Hour),
			State:   "/shop/.devtool/state",
		},
		Clock:    control.Time{Now: now, Mode: control.Running, Rate: 60, Offset: "0s"},
		Objects:  3,
		InMemory: 1,
		Alarms:   2,
		Program: control.Program{
			State:   control.ProgramFailing,
			Version: 2,
			Since:   now.Add(-time.Minute),
			PID:     8,
			Crashes: "it keeps\ncrashing",
			Build:   &control.Build{At: now.Add(-time.Minute), DurationMS: 371},
			Failure: &control.Failure{
				At:      now,
				Message: "it does not build",
				Text:    "main.go:1:1: what\n\tx\n\x1b[1m\n",
			},
		},
	}
	var b strings.Builder
	writeReport(&b, Streams{Dir: "/shop"}, r, now)
	want := `worker   shop
url      http://localhost:1
process  7, since 18:00:00, 2026-11-20
state    .devtool/state
clock    running at 60 times real time at ` + formatTime(now) + `, in step with real time
next     no alarm is set
objects  3, 1 in memory
alarms   2 pending
program  failing, version 2 since 17:59:00, process 8
build    371 ms, at 17:59:00

it keeps\ncrashing

The last change is not served, since 18:00:00: it does not build
main.go:1:1: what
    x
\u001b[1m
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.Program = control.Program{State: control.ProgramFailing, Failure: r.Program.Failure}
	b.Reset()
	writeReport(&b, Streams{Dir: "/shop"}, r, now)
	const nothing = "\nNothing is served, since 18:00:00: it does not build\n"
	if got := b.String(); !strings.Contains(got, nothing) {
		t.Errorf("without a program: got %s, want in it %s", got, nothing)
	}
	for want, r := range map[string]control.Report{
		"starting, no version has served yet": {
			Program: control.Program{State: control.ProgramStarting},
		},
		"serving, version 1 since 17:00:00, attached": {
			Status:  control.Status{Attached: true},
			Program: control.Program{State: control.ProgramServing, Version: 1, Since: now.Add(-time.Hour)},
		},
	} {
		if got := programText(r, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
