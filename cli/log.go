package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"

	"github.com/lmittmann/tint"

	"devtool/emulator"
)

// The formats of a log.
const (
	logText = "text"
	logJSON = "json"
)

// An emulatorLog is where an emulator tells what it does.
type emulatorLog struct {
	*slog.Logger
	// text takes what others write: diagnostics and the progress of builds. output takes what the
	// handler program prints. Each line of the two is a line of the log.
	text, output io.Writer
	// end completes the last lines.
	end func()
}

// newEmulatorLog returns a log in one of the formats that writes to out. Level is for what the
// emulator tells; what others write is always shown.
func newEmulatorLog(format string, level slog.Level, out io.Writer, color bool) (emulatorLog, error) {
	switch format {
	case logText:
		return emulatorLog{
			Logger: slog.New(tint.NewTextHandler(out, &tint.Options{
				Level: level, TimeFormat: "15:04:05", NoColor: !color, ReplaceAttr: emulator.WithoutFields,
			})),
			text: out, output: out, end: func() {},
		}, nil
	case logJSON:
		all := slog.New(slog.NewJSONHandler(out, nil))
		text := &logLines{log: all.With("source", "devtool")}
		output := &logLines{log: all.With("source", "handler")}
		return emulatorLog{
			Logger: slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})),
			text:   text, output: output,
			end: func() {
				text.end()
				output.end()
			},
		}, nil
	}
	return emulatorLog{}, misuse("choose text or json", "there is no log format %q", format)
}

// logLines logs each line that is written to it.
type logLines struct {
	log *slog.Logger

	mu   sync.Mutex
	rest []byte // of a line that is not complete
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, complete := bytes.Cut(l.rest, []byte("\n"))
		if !complete {
			return len(p), nil
		}
		l.line(line)
		l.rest = rest
	}
}

// end logs the line that was not completed.
func (l *logLines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line(l.rest)
	l.rest = nil
}

func (l *logLines) line(line []byte) {
	if line = bytes.TrimRight(line, "\r"); len(line) > 0 {
		l.log.LogAttrs(context.Background(), slog.LevelInfo, string(line))
	}
}

// withoutColor is env for text that becomes part of a line of JSON.
func withoutColor(env func(string) string) func(string) string {
	return func(name string) string {
		if name == "NO_COLOR" {
			return "1"
		}
		return env(name)
	}
}
