package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"devtool.internal/emulator"
	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

func logsCommand() *command {
	var q question
	request := control.LogsRequest{Lines: 100}
	return &command{
		name:    "logs",
		summary: "Show the log of the emulator that runs, and what handlers print",
		about: `The emulator keeps the last 5,000 lines, or 4 MiB of them. With --json each is the
object that --log-format json of ` + "`devtool dev`" + ` makes, on one line.`,
		flags: append([]flag{
			{name: "follow", short: "f", target: &request.Follow,
				usage: "go on with new lines as they come, until Ctrl-C or the end of the emulator"},
			{name: "lines", short: "n", value: "N", target: &request.Lines,
				usage: "begin so many lines before the end; -1 shows all that are kept (default: 100)"},
		}, q.flags()...),
		examples: []example{
			{"devtool logs", ""},
			{"devtool logs -f", "beside an editor"},
			{"devtool logs -n -1 --json", "for programs"},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			if request.Lines < -1 {
				return misuse("write -n -1 for all that are kept", "--lines is %d: it can't be negative", request.Lines)
			}
			client, err := q.client(s)
			if err != nil {
				return err
			}
			show := logPrinter{
				out: s.Out, printed: printable.NewColors(s.Out, colored(s, s.Out)),
				level: slog.LevelDebug, json: q.json,
				handler: textHandler(s.Out, slog.LevelDebug, colored(s, s.Out)),
			}
			err = client.Logs(ctx, request, show.line)
			if request.Follow && ctx.Err() != nil { // the wish to end is no failure
				return nil
			}
			return err
		},
	}
}

// A logPrinter shows lines of JSON from a log, in the form of the emulator's own terminal.
type logPrinter struct {
	out     io.Writer
	printed io.Writer // for what the handler program has printed
	handler slog.Handler
	level   slog.Level // less is left out, but for what was printed
	json    bool       // as they are
}

func (p logPrinter) line(line []byte) error {
	if p.json {
		_, err := p.out.Write(append(line, '\n'))
		return err
	}
	r, err := parseRecord(line)
	if err != nil {
		return err
	}
	switch r.Source {
	case control.SourceHandler:
		_, err = fmt.Fprintln(p.printed, emulator.NamedLine(r.Object, r.Message))
		return err
	case control.SourceDevtool:
		_, err = fmt.Fprintln(p.out, r.Message)
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.Level)); err != nil {
		return errBadLine
	}
	if level < p.level {
		return nil
	}
	record := slog.NewRecord(r.Time, level, r.Message, 0)
	record.AddAttrs(furtherAttributes(line)...)
	return p.handler.Handle(context.Background(), record)
}

// furtherAttributes are the fields of a line besides those of a LogRecord, in the order of their
// names.
func furtherAttributes(line []byte) (attributes []slog.Attr) {
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch name {
		case slog.TimeKey, slog.LevelKey, slog.MessageKey:
		case emulator.FieldAttributes:
			attributes = append(attributes, slog.Any(name, rawField(line, name)))
		default:
			attributes = append(attributes, slog.Any(name, fields[name]))
		}
	}
	return attributes
}

// rawField returns a field of a line as it is, so that its own fields keep their order.
func rawField(line []byte, name string) json.RawMessage {
	var fields map[string]json.RawMessage
	json.Unmarshal(line, &fields) //nolint:errcheck // the caller has decoded it
	return fields[name]
}

// errBadLine is the error for a line that is not a record of the log.
var errBadLine = errors.New("a line of the log is not JSON: are emulator and command of the same version?")

func parseRecord(line []byte) (r control.LogRecord, err error) {
	if json.Unmarshal(line, &r) != nil {
		return r, errBadLine
	}
	return r, nil
}
