package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/world"
)

// A logbook keeps what an emulator logs, as JSON.
type logbook struct{ scripted.Buffer }

// lines returns the messages, with "_" for the milliseconds of real time, and the records.
func (l *logbook) lines(t *testing.T) (lines []string, records []map[string]any) {
	t.Helper()
	for text := range strings.Lines(l.String()) {
		var r map[string]any
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		message := r["msg"].(string)
		if i := strings.Index(message, " ms"); i >= 0 {
			message = message[:strings.LastIndex(message[:i], "(")+1] + "_" + message[i:]
		}
		lines = append(lines, r["level"].(string)+" "+message)
		records = append(records, r)
	}
	return lines, records
}

// newLoggedWorld is newWorld for an emulator that logs to a book, from level on. The book does not
// have the lines of the start.
func newLoggedWorld(t *testing.T, s *script, level slog.Level) (*testWorld, *logbook) {
	t.Helper()
	book := &logbook{}
	w := newStoppedWorld(t, func(o *Options) {
		o.Log = slog.New(slog.NewJSONHandler(book, &slog.HandlerOptions{Level: level}))
	})
	w.start(s)
	book.Reset()
	return w, book
}

func TestEachEventHasItsLine(t *testing.T) {
	s := scripted.Alarms(func(c *call) error {
		switch c.Alarm.RetryCount {
		case 0:
			return &wire.Error{Message: "no luck", Remote: true, Detail: "goroutine 1:\nmain.go:7\n"}
		case 1:
			return nil
		}
		return errors.New("not reached")
	})
	w, book := newLoggedWorld(t, s, slog.LevelDebug)
	logged := func(n int) { // the line of a request comes after its response
		eventually(t, "all is logged", func() bool { got, _ := book.lines(t); return len(got) >= n })
	}
	w.want("a", "/set1s", "")
	logged(2)
	retried := w.fires(2 * time.Second)[0].RetryAt
	w.moveOn(time.Minute)
	w.get("a", "/nothing")
	logged(7)
	got, records := book.lines(t)
	want := []string{
		"DEBUG fetch Lab/a GET /set1s 200 OK (_ ms)",
		"INFO GET /set1s 200 OK (_ ms, by Lab/a)",
		"ERROR alarm Lab/a retry (_ ms): no luck; next try at " + retried.Format(time.RFC3339Nano) +
			"\ngoroutine 1:\nmain.go:7",
		"INFO alarm Lab/a ok, retry 1 of 6 (_ ms)",
		"DEBUG evict Lab/a ok (_ ms)",
		"DEBUG fetch Lab/a GET /nothing error (_ ms): no handler for /nothing",
		"ERROR GET /nothing 500 Internal Server Error (_ ms): Lab/a failed: no handler for /nothing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	retry := records[2]
	for field, want := range map[string]any{
		"event": "alarm", "object": "Lab/a", "outcome": "retry", "retry": 0.0, "late_ms": 0.0, "error": "no luck",
		"retry_at": retried.Format(time.RFC3339Nano),
	} {
		if retry[field] != want {
			t.Errorf("%s: got %v, want %v", field, retry[field], want)
		}
	}
	if _, ok := retry["duration_ms"].(float64); !ok {
		t.Errorf("duration_ms: got %v, want a number", retry["duration_ms"])
	}
}

func TestTheLogShowsWhatIsNotRoutine(t *testing.T) {
	s := scripted.Alarms(func(*call) error { return errNoLuck })
	s.Handlers["construct"] = func(c *call) (string, error) { return "", nil }
	w, book := newLoggedWorld(t, s, slog.LevelWarn)
	w.want("a", "/set1s", "")
	w.moveOn(time.Hour)
	got, _ := book.lines(t)
	if len(got) != 7 {
		t.Fatalf("got %q, want the seven failures", got)
	}
	if want := "ERROR alarm Lab/a failed, retry 6 of 6 (_ ms): no luck; it is not tried again"; got[6] != want {
		t.Errorf("got  %s\nwant %s", got[6], want)
	}
}

func TestALineSaysHowLateTheEventWas(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		line world.Happening
		want string
		late any
	}{
		{world.Happening{Due: at, At: at}, "alarm ok (1.0 ms)", 0.0},
		{world.Happening{Due: at, At: at.Add(999 * time.Millisecond)}, "alarm ok (1.0 ms)", 999.0},
		{
			world.Happening{Due: at, At: at.Add(90*time.Minute + 1234*time.Millisecond)},
			"alarm ok (1.0 ms, 1h30m1.2s late)", 5401234.0,
		},
		{world.Happening{Due: at.Add(time.Hour), At: at}, "alarm ok (1.0 ms)", 0.0},
		{world.Happening{At: at}, "alarm ok (1.0 ms)", nil},
	} {
		tt.line.Event, tt.line.Outcome, tt.line.Took = "alarm", world.OutcomeOK, time.Millisecond
		book := &logbook{}
		e := &Emulator{log: slog.New(slog.NewJSONHandler(book, nil))}
		e.logEvent(tt.line)
		_, records := book.lines(t)
		if got := records[0]["msg"]; got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
		if got := records[0]["late_ms"]; got != tt.late {
			t.Errorf("late_ms: got %v, want %v", got, tt.late)
		}
	}
}

func TestTextHandlersDropTheFieldsOfEvents(t *testing.T) {
	full := eventLine{world.Happening{
		Event: "alarm", Object: "Lab/a", About: "x", Outcome: "retry", Status: 200, Took: 1,
		Due: time.Unix(1, 0), At: time.Unix(2, 0), Retry: 1, RetryAt: time.Unix(3, 0), Err: errNoLuck,
	}}
	for _, a := range full.fields() {
		if kept := WithoutFields(nil, a); !kept.Equal(slog.Attr{}) {
			t.Errorf("%s is kept", a.Key)
		}
		if kept := WithoutFields([]string{"group"}, a); !kept.Equal(a) {
			t.Errorf("%s of a group is dropped", a.Key)
		}
	}
	if a := slog.String("err", "x"); !WithoutFields(nil, a).Equal(a) {
		t.Error("a field that does not belong to events is dropped")
	}
	var names []string
	for _, a := range full.fields() {
		names = append(names, a.Key)
	}
	slices.Sort(names)
	const want = "[about at duration_ms error event late_ms object outcome retry retry_at status]"
	if got := fmt.Sprint(names); got != want {
		t.Errorf("got the fields %s, want %s, as in docs/cli.md", got, want)
	}
}
