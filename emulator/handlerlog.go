package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/program"
	"devtool.internal/internal/printable"
)

// FieldAttributes is the field of a line of durable.Logger that has the handler's own attributes.
const FieldAttributes = program.FieldAttributes

// NamedLine returns a line that an object has printed, for people.
func NamedLine(object, line string) string { return program.NamedLine(object, line) }

// NamingWriter returns a writer that passes printed lines on to w. It replaces marks of lines by
// the names of the objects that have printed them.
func NamingWriter(w io.Writer) io.Writer { return namingWriter{w} }

type namingWriter struct{ w io.Writer }

func (n namingWriter) Write(p []byte) (int, error) {
	if _, err := n.w.Write(program.NamePrinted(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// AuthorOf returns a printed line without its mark, and the fields that the mark stands for.
func AuthorOf(line []byte) ([]byte, []slog.Attr) {
	before, event, object, after, marked := wire.CutPrinted(line)
	if !marked {
		return line, nil
	}
	fields := []slog.Attr{slog.Uint64(program.FieldEvent, event)}
	if object != "" {
		fields = append(fields, slog.String(program.FieldObject, object))
	}
	return append(bytes.Clone(before), after...), fields
}

// ForPeople returns a handler that shows lines of durable.Logger as people read them: the object in
// front, the handler's own attributes behind and, if the clock does not show the real time, its
// time at the end. These lines go to logger. All other lines go to rest.
func ForPeople(rest, logger slog.Handler) slog.Handler { return &forPeople{rest, logger} }

type forPeople struct {
	slog.Handler
	logger slog.Handler
}

func (h *forPeople) WithAttrs(a []slog.Attr) slog.Handler {
	return &forPeople{h.Handler.WithAttrs(a), h.logger}
}

func (h *forPeople) WithGroup(name string) slog.Handler {
	return &forPeople{h.Handler.WithGroup(name), h.logger}
}

// realTime is how far the clock may be from the real time before a line shows it.
const realTime = time.Second

func (h *forPeople) Handle(ctx context.Context, r slog.Record) error {
	source, object, at := "", "", r.Time
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case program.FieldSource:
			source = a.Value.String()
		case program.FieldObject:
			object = a.Value.String()
		case program.FieldAt:
			at = timeOf(a.Value)
		case program.FieldAttributes:
			if raw, ok := a.Value.Any().(json.RawMessage); ok {
				attrs = attributesIn(raw)
			}
		}
		return true
	})
	message := printable.Text(r.Message)
	if source != control.SourceLogger {
		line := slog.NewRecord(r.Time, r.Level, indented(message), r.PC)
		r.Attrs(func(a slog.Attr) bool {
			line.AddAttrs(a)
			return true
		})
		return h.Handler.Handle(ctx, line)
	}
	if object != "" {
		message = printable.Line(object) + " " + message
	}
	line := slog.NewRecord(r.Time, r.Level, indented(message), 0)
	line.AddAttrs(attrs...)
	if at.Sub(r.Time).Abs() >= realTime {
		line.AddAttrs(slog.String("clock", at.UTC().Format(time.RFC3339Nano)))
	}
	return h.logger.Handle(ctx, line)
}

// indented returns a message so that its first line alone looks like the beginning of a record.
func indented(message string) string { return strings.ReplaceAll(message, "\n", "\n    ") }

// timeOf returns the time that v is, or that its text says.
func timeOf(v slog.Value) time.Time {
	if v.Kind() == slog.KindTime {
		return v.Time()
	}
	t, _ := time.Parse(time.RFC3339Nano, v.String())
	return t
}

// attributesIn returns the fields of a JSON object in their order.
func attributesIn(object []byte) (attrs []slog.Attr) {
	in := json.NewDecoder(bytes.NewReader(object))
	if start, err := in.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	for in.More() {
		var value json.RawMessage
		key, err := in.Token()
		if err == nil {
			err = in.Decode(&value)
		}
		if err != nil {
			return attrs
		}
		attrs = append(attrs, slog.Attr{Key: printable.Line(key.(string)), Value: valueOf(value)})
	}
	return attrs
}

// valueOf returns a JSON value for people: an object is a group, a string is its text, and all
// others are as they are.
func valueOf(value json.RawMessage) slog.Value {
	switch value[0] {
	case '{':
		return slog.GroupValue(attributesIn(value)...)
	case '"':
		var text string
		if json.Unmarshal(value, &text) == nil {
			return slog.StringValue(printable.Text(text))
		}
	}
	return slog.StringValue(printable.Text(string(value)))
}
