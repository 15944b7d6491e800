package emulator

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/door"
	"devtool.internal/emulator/world"
	"devtool.internal/internal/printable"
)

// An eventLine is a happening in the form of the log: a sentence for people, and the same in fields
// for programs.
type eventLine struct{ world.Happening }

// logEvent writes the line of an event.
func (e *Emulator) logEvent(h world.Happening) {
	if h.Event == door.EventRequest {
		e.requests.Add(1)
	}
	l := eventLine{h}
	level := l.level()
	ctx := context.Background()
	if e.log.Enabled(ctx, level) {
		e.log.LogAttrs(ctx, level, l.sentence(), l.fields()...)
	}
}

// logsDetails reports whether the log shows happenings with Detail set.
func (e *Emulator) logsDetails() bool {
	return e.log.Enabled(context.Background(), slog.LevelDebug)
}

// lowestLevel returns the lowest level that the log shows.
func (e *Emulator) lowestLevel() slog.Level {
	for _, level := range []slog.Level{math.MinInt32, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if e.log.Enabled(context.Background(), level) {
			return level
		}
	}
	return slog.LevelError
}

func (l eventLine) level() slog.Level {
	switch {
	case l.Detail:
		return slog.LevelDebug
	case l.Outcome == control.OutcomeDropped:
		return slog.LevelWarn
	case l.Err != nil && !world.IsCanceled(l.Err):
		return slog.LevelError
	}
	return slog.LevelInfo
}

// noticeable is how late an event must be before its log line says so.
const noticeable = time.Second

// sentence returns the line for people.
func (l eventLine) sentence() string {
	var b strings.Builder
	name, object, outcome := l.Event, l.Object, l.Outcome
	if l.Status != 0 {
		outcome = fmt.Sprintf("%d %s", l.Status, http.StatusText(l.Status))
	}
	if l.Event == door.EventRequest {
		name, object = "", "" // the method and path say it
		if l.Outcome == world.OutcomeCanceled {
			outcome = l.canceled()
		}
	}
	for _, word := range []string{name, object, l.About, outcome} {
		if word != "" {
			b.WriteString(printable.Line(word) + " ")
		}
	}
	line := strings.TrimSuffix(b.String(), " ")
	if l.Retry > 0 {
		line += fmt.Sprintf(", retry %d of %d", l.Retry, world.RetryMax)
	}
	line += " (" + milliseconds(l.Took)
	if late := l.Late(); late >= noticeable {
		line += fmt.Sprintf(", %s late", late.Round(noticeable/10))
	}
	if l.By != "" {
		line += ", by " + printable.Line(l.By)
	}
	line += ")"
	if why := l.Reason(); why != "" {
		line += ": " + printable.Line(why)
	}
	switch {
	case !l.RetryAt.IsZero():
		line += "; next try at " + l.RetryAt.Format(time.RFC3339Nano)
	case l.Outcome == control.OutcomeFailed:
		line += "; it is not tried again"
	}
	return line + printable.Text(world.Detail(l.Err))
}

// canceled returns what the line of a canceled request says about its response.
func (l eventLine) canceled() string {
	if l.Status == 0 {
		return "canceled by the client"
	}
	return fmt.Sprintf("%d %s, canceled by the client after %d bytes", l.Status, http.StatusText(l.Status), l.Sent)
}

// The fields of an event line, which docs/cli.md promises.
const (
	fieldEvent    = "event"
	fieldObject   = "object"
	fieldWhat     = "about"
	fieldOutcome  = "outcome"
	fieldStatus   = "status"
	fieldSent     = "sent"
	fieldDuration = "duration_ms"
	fieldLate     = "late_ms"
	fieldAt       = "at"
	fieldRetry    = "retry"
	fieldNext     = "retry_at"
	fieldError    = "error"
)

// fields returns the line for programs.
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
	if l.Status != 0 && l.Outcome == world.OutcomeCanceled {
		fields = append(fields, slog.Int64(fieldSent, l.Sent))
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

// WithoutFields drops the fields of event lines, because their sentence says the same. It fits
// slog.HandlerOptions.ReplaceAttr of handlers that write for people.
func WithoutFields(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case fieldEvent, fieldObject, fieldWhat, fieldOutcome, fieldStatus, fieldSent, fieldDuration,
		fieldLate, fieldAt, fieldRetry, fieldNext, fieldError:
		return slog.Attr{}
	}
	return a
}

func milliseconds(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
