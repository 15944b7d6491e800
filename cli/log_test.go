package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/emulator"
)

func TestALogForPeopleLeavesTheFieldsOfEventsOut(t *testing.T) {
	var b bytes.Buffer
	log := newEmulatorLog(logText, slog.LevelInfo, &b, &b, new(emulator.Journal), false)
	log.Info("alarm Batcher/orders ok (1.1 ms)",
		"event", "alarm",
		"object", "Batcher/orders",
		"outcome", "ok",
		"duration_ms", 1.1,
		"late_ms", 0,
		"retry", 0)
	log.Error("save clock", "err", errors.New("disk full"))
	log.Debug("not shown")
	fmt.Fprintln(log.text, "building…")
	fmt.Fprint(log.output, "hello")
	log.end()
	var got []string
	for line := range strings.Lines(b.String()) {
		if _, rest, ok := strings.Cut(line, " INF "); ok {
			line = rest
		} else if _, rest, ok := strings.Cut(line, " ERR "); ok {
			line = rest
		}
		got = append(got, strings.TrimSuffix(line, "\n"))
	}
	want := []string{"alarm Batcher/orders ok (1.1 ms)", `save clock err="disk full"`, "building…", "hello"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// records returns the records of a log of JSON lines, without their times.
func records(t *testing.T, text string) (records []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("the log has a line that is not JSON: %v\n%s", err, line)
		}
		if record["time"] == "" {
			t.Errorf("no time in %s", line)
		}
		delete(record, "time")
		records = append(records, record)
	}
	return records
}

func TestALogForProgramsIsAllJSON(t *testing.T) {
	var b bytes.Buffer
	log := newEmulatorLog(logJSON, slog.LevelWarn, &b, &b, new(emulator.Journal), true)
	log.Info("not shown")
	log.Warn("alarm Batcher/orders dropped", "event", "alarm", "late_ms", 7)
	fmt.Fprint(log.text, "wrangler.jsonc:3:5: what\n\n    \x1b[1mnow\x1b[0m\r\n")
	fmt.Fprint(log.output, "one\ntw")
	fmt.Fprint(log.output, "o\nthree")
	log.end()
	want := []map[string]any{
		{"level": "WARN", "msg": "alarm Batcher/orders dropped", "event": "alarm", "late_ms": 7.0},
		{"level": "INFO", "msg": "wrangler.jsonc:3:5: what", "source": "devtool"},
		{"level": "INFO", "msg": "    \x1b[1mnow\x1b[0m", "source": "devtool"},
		{"level": "INFO", "msg": "one", "source": "handler"},
		{"level": "INFO", "msg": "two", "source": "handler"},
		{"level": "INFO", "msg": "three", "source": "handler"},
	}
	if diff := cmp.Diff(want, records(t, b.String())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLinesDoNotDependOnThePiecesOfWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lines := rapid.SliceOf(rapid.StringMatching(`[a-z é"]{1,20}`)).Draw(rt, "lines")
		rest := strings.Join(lines, "\n")
		var b bytes.Buffer
		log := newEmulatorLog(logJSON, slog.LevelInfo, &b, &b, new(emulator.Journal), false)
		for rest != "" {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "bytes")
			if wrote, err := io.WriteString(log.output, rest[:n]); wrote != n || err != nil {
				rt.Fatalf("got %d, %v, want %d", wrote, err, n)
			}
			rest = rest[n:]
		}
		log.end()
		var got []string
		for _, r := range records(t, b.String()) {
			got = append(got, r["msg"].(string))
		}
		if strings.Join(got, "\n") != strings.Join(lines, "\n") {
			rt.Fatalf("got %q, want %q", got, lines)
		}
	})
}

func TestAnUnknownLogFormatIsMisuse(t *testing.T) {
	o := newDevOptions()
	o.logFormat = "xml"
	_, err := o.parse()
	if err == nil || !strings.Contains(err.Error(), `there is no log format "xml"`) || exitCode(err) != exitMisuse {
		t.Errorf("got %v, want misuse that names the format", err)
	}
}
