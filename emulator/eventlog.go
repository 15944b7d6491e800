package emulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// eventRequest is the event of a request from outside.
const eventRequest = "request"

// An eventLine is a happening as the log has it: a sentence for people, and the same in fields for
// programs.
type eventLine struct{ Happening }

// logEvent writes the line of an event.
func (e *Emulator) logEvent(h Happening) {
	l := eventLine{h}
	level := l.level()
	ctx := context.Background()
	if e.log.Enabled(ctx, level) {
		e.log.LogAttrs(ctx, level, l.sentence(), l.fields()...)
	}
}

func (l eventLine) level() slog.Level {
	switch {
	case l.Detail:
		return slog.LevelDebug
	case l.Outcome == control.OutcomeDropped:
		return slog.LevelWarn
	case l.Err != nil && !isCanceled(l.Err):
		return slog.LevelError
	}
	return slog.LevelInfo
}

// noticeable is from when on an event is so late that people are told.
const noticeable = time.Second

// sentence is the line for people.
func (l eventLine) sentence() string {
	var b strings.Builder
	name, object, outcome := l.Event, l.Object, l.Outcome
	if l.Status != 0 {
		outcome = fmt.Sprintf("%d %s", l.Status, http.StatusText(l.Status))
	}
	if l.Event == eventRequest {
		name, object = "", "" // they are plain from what follows
		if l.Outcome == outcomeCanceled {
			outcome = "canceled by the client"
		}
	}
	for _, word := range []string{name, object, l.About, outcome} {
		if word != "" {
			b.WriteString(word + " ")
		}
	}
	line := strings.TrimSuffix(b.String(), " ")
	if l.Retry > 0 {
		line += fmt.Sprintf(", retry %d of %d", l.Retry, retryMax)
	}
	line += " (" + milliseconds(l.Took)
	if late := l.Late(); late >= noticeable {
		line += fmt.Sprintf(", %s late", late.Round(noticeable/10))
	}
	if l.By != "" {
		line += ", by " + l.By
	}
	line += ")"
	if why := l.Reason(); why != "" {
		line += ": " + why
	}
	switch {
	case !l.RetryAt.IsZero():
		line += "; next try at " + l.RetryAt.Format(time.RFC3339Nano)
	case l.Outcome == control.OutcomeFailed:
		line += "; it is not tried again"
	}
	return line + detail(l.Err)
}

// The fields of an event line, which docs/cli.md promises.
const (
	fieldEvent    = "event"
	fieldObject   = "object"
	fieldWhat     = "about"
	fieldOutcome  = "outcome"
	fieldStatus   = "status"
	fieldDuration = "duration_ms"
	fieldLate     = "late_ms"
	fieldAt       = "at"
	fieldRetry    = "retry"
	fieldNext     = "retry_at"
	fieldError    = "error"
)

// fields are the line for programs.
func (l eventLine) fields() []slog.Attr {
	fields := make([]slog.Attr, 0, 10)
	text := func(key, value string) {
		if value != "" {
			fields = append(fields, slog.String(key, value))
		}
	}
	text(fieldEvent, l.Event)
	text(fieldObject, l.Object)
	text(fieldWhat, l.About)
	text(fieldOutcome, l.Outcome)
	if l.Status != 0 {
		fields = append(fields, slog.Int(fieldStatus, l.Status))
	}
	fields = append(fields, slog.Float64(fieldDuration, inMilliseconds(l.Took)))
	if !l.At.IsZero() {
		fields = append(fields, slog.Time(fieldAt, l.At), slog.Int(fieldRetry, l.Retry))
	}
	if !l.Due.IsZero() {
		fields = append(fields, slog.Int64(fieldLate, l.Late().Milliseconds()))
	}
	if !l.RetryAt.IsZero() {
		fields = append(fields, slog.Time(fieldNext, l.RetryAt))
	}
	text(fieldError, l.Reason())
	return fields
}

// inMilliseconds returns d to the microsecond.
func inMilliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// WithoutFields is for the ReplaceAttr of handlers that write for people: it drops the fields of
// event lines, whose sentence says the same.
func WithoutFields(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case fieldEvent, fieldObject, fieldWhat, fieldOutcome, fieldStatus, fieldDuration, fieldLate, fieldAt, fieldRetry, fieldNext, fieldError:
		return slog.Attr{}
	}
	return a
}

// logFetch writes the line of a request to an object, which is for those who ask for details:
// the worker's own request has a line, too, and tells of a failure that nobody took care of.
func (e *Emulator) logFetch(ev *event, status int, took time.Duration, err error) {
	if !e.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	outcome := outcomeOK
	switch {
	case err == nil && status == 0, isCanceled(err): // the response has found nobody
		outcome = outcomeCanceled
	case err != nil:
		outcome = outcomeError
	}
	e.logEvent(Happening{
		Event:   ev.kind,
		Object:  ev.obj.String(),
		About:   requestLine(ev.request),
		Outcome: outcome,
		Status:  status,
		Took:    took,
		Err:     err,
		Detail:  true,
	})
}

// served are the objects that a request to the worker has reached.
type served struct {
	mu      sync.Mutex
	objects []*object // the first ones, each once
	more    bool      // there were others
}

// maxServed is how many objects the line of a request names.
const maxServed = 2

// add does nothing to a nil served.
func (s *served) add(o *object) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case slices.Contains(s.objects, o):
	case len(s.objects) < maxServed:
		s.objects = append(s.objects, o)
	default:
		s.more = true
	}
}

// find returns the object with this id, or nil if it is none of those that are kept.
func (s *served) find(id string) *object {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if o.id.String() == id {
			return o
		}
	}
	return nil
}

// describe returns the object, if it was one, and what people are told of it.
func (s *served) describe() (object, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.objects) == 0:
		return "", ""
	case len(s.objects) == 1:
		object = s.objects[0].String()
		return object, object
	case s.more:
		return "", fmt.Sprintf("%s, %s and others", s.objects[0], s.objects[1])
	}
	return "", fmt.Sprintf("%s and %s", s.objects[0], s.objects[1])
}

// requestLine is how people call a request: its method and path.
func requestLine(r *wire.Request) string {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil:
		return r.Method + " " + r.URL
	case u.Path == "":
		return r.Method + " /"
	}
	return r.Method + " " + u.Path
}

// The outcomes of a request.
const (
	outcomeOK       = control.OutcomeOK // there is a response, with whatever status
	outcomeCanceled = "canceled"        // nobody waited for it any more
	outcomeError    = "error"
)

// detail is what stands below the line of a failure: the stack, if there is one.
func detail(err error) string {
	w := (*wire.Error)(nil)
	// An error that is not Remote has a Detail only if the program crashed. It is what the program
	// printed, which stands in the log already.
	if isCanceled(err) || !errors.As(err, &w) || w.Detail == "" || !w.Remote {
		return ""
	}
	return "\n" + strings.TrimRight(w.Detail, "\n")
}

// logFailure logs what went wrong, and below it the stack if there is one.
func (e *Emulator) logFailure(line string, err error) {
	if isCanceled(err) {
		e.log.Info(line)
		return
	}
	e.log.Error(line + detail(err))
}

func milliseconds(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
