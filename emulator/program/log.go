package program

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

// The fields of a line that a handler has written with durable.Logger, or printed.
const (
	FieldSource     = "source"
	FieldWorker     = "worker"
	FieldObject     = "object"
	FieldEvent      = "event"
	FieldAt         = "at"
	FieldAttributes = "attrs"
)

// log logs a line of a handler's durable.Logger. A goroutine may log after its event is over: then
// the line names no object.
func (p *Program) log(q *wire.Log) {
	level := slog.Level(q.Level)
	ctx := context.Background()
	if !p.host.Log.Enabled(ctx, level) {
		return
	}
	fields := []slog.Attr{
		slog.String(FieldSource, control.SourceLogger),
		slog.String(FieldWorker, p.w.Worker()),
		slog.Uint64(FieldEvent, q.Event),
		slog.Time(FieldAt, p.w.Clock().Now().UTC().Truncate(time.Millisecond)),
	}
	if ev, err := p.event(q.Event); err == nil && ev.Object() != nil {
		fields = append(fields, slog.String(FieldObject, ev.Object().String()))
	}
	if len(q.Attrs) > 0 && len(q.Attrs) <= wire.MaxLogText && json.Valid(q.Attrs) {
		fields = append(fields, slog.Any(FieldAttributes, json.RawMessage(q.Attrs)))
	}
	p.host.Log.LogAttrs(ctx, level, cut(q.Message, wire.MaxLogText), fields...)
}

// NamedLine returns a line that an object has printed, for people.
func NamedLine(object, line string) string {
	if object == "" {
		return line
	}
	return "[" + printable.Line(object) + "] " + line
}

// NamePrinted replaces the marks of printed lines by the names of their objects (see
// wire.MarkPrinted).
func NamePrinted(text []byte) []byte {
	before, _, object, rest, marked := wire.CutPrinted(text)
	if !marked {
		return text
	}
	var b []byte
	for {
		b = append(b, before...)
		if !marked {
			return b
		}
		b = append(b, NamedLine(object, "")...)
		before, _, object, rest, marked = wire.CutPrinted(rest)
	}
}
