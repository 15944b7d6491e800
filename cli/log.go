package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/lmittmann/tint"

	"devtool.internal/emulator"
	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

// The formats of a log.
const (
	logText = "text"
	logJSON = "json"
)

// An emulatorLog is the log of an emulator.
type emulatorLog struct {
	*slog.Logger
	// text takes diagnostics and the progress of builds. output takes the output of the handler
	// program. Each line of the two is a line of the log.
	text, output io.Writer
	// end logs incomplete last lines.
	end func()
}

// newEmulatorLog returns a log that writes to out in a format, and to journal as JSON. As text, the
// handler program's output goes to printed, with its own colors if color is set. level applies to
// the emulator's own lines; lines of text and output are always shown.
func newEmulatorLog(
	format string, level slog.Level, out, printed io.Writer, journal *emulator.Journal, color bool,
) emulatorLog {
	leveled := &slog.HandlerOptions{Level: level}
	lines := io.Writer(journal)
	if format == logJSON {
		lines = io.MultiWriter(journal, out)
	}
	all := slog.New(slog.NewJSONHandler(lines, nil))
	text := &logLines{log: all.With("source", control.SourceDevtool), plain: format == logText}
	output := &logLines{log: all.With("source", control.SourceHandler), marked: true}
	log := emulatorLog{
		Logger: slog.New(slog.NewJSONHandler(lines, leveled)),
		text:   text, output: output,
		end: func() {
			text.end()
			output.end()
		},
	}
	if format == logText {
		log.Logger = slog.New(slog.NewMultiHandler(log.Handler(), textHandler(out, level, color)))
		log.text = io.MultiWriter(text, out)
		log.output = io.MultiWriter(output, emulator.NamingWriter(printable.NewColors(printed, color)))
	}
	return log
}

// textHandler writes lines for people.
func textHandler(out io.Writer, level slog.Level, color bool) slog.Handler {
	text := func(replace func([]string, slog.Attr) slog.Attr) slog.Handler {
		return tint.NewTextHandler(out, &tint.Options{
			Level: level, TimeFormat: time.TimeOnly, NoColor: !color, ReplaceAttr: replace,
		})
	}
	return emulator.ForPeople(text(emulator.WithoutFields), text(nil))
}

// maxLine is how many bytes a line of the log has at most. A longer one becomes several.
const maxLine = 64 << 10

// logLines logs each line that is written to it.
type logLines struct {
	log    *slog.Logger
	plain  bool // colors are left out
	marked bool // marks in front of lines say which object has printed them

	// mu guards what follows.
	mu     sync.Mutex
	rest   []byte      // of a line that is not complete
	author []slog.Attr // of rest, if the line is too long and its beginning was logged
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, complete := bytes.Cut(rest, []byte("\n"))
		room := maxLine - len(l.rest)
		full := len(line) > room
		if full {
			end := characterStart(line, room)
			line, after, complete = rest[:end], rest[end:], false
		}
		l.rest = append(l.rest, line...)
		if complete || full {
			l.author = l.line(l.rest)
			l.rest = l.rest[:0]
		}
		if complete {
			l.author = nil
		}
		rest = after
	}
	return len(p), nil
}

// characterStart returns the last index up to that one where a character of text begins. Where the
// text is not UTF-8, it returns the index itself.
func characterStart(text []byte, index int) int {
	for at := index; at > max(index-utf8.UTFMax, 0); at-- {
		if utf8.RuneStart(text[at]) {
			return at
		}
	}
	return index
}

// end logs an incomplete last line.
func (l *logLines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line(l.rest)
	l.rest, l.author = nil, nil
}

// line logs a line, or a piece of one, and returns the fields of its author.
func (l *logLines) line(line []byte) (author []slog.Attr) {
	if l.plain {
		line = printable.WithoutColors(line)
	}
	author = l.author
	if l.marked && author == nil {
		line, author = emulator.AuthorOf(line)
	}
	if line = bytes.TrimRight(line, "\r"); len(line) > 0 {
		l.log.LogAttrs(context.Background(), slog.LevelInfo, string(line), author...)
	}
	return author
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
