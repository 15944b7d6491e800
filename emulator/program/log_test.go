package program

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

// A lockedBuffer is written by the program's connection and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func TestALogOfAHandlerNamesItsObject(t *testing.T) {
	s := scripted.New(handlers{
		"/log": func(c *call) (string, error) {
			send := func(level slog.Level, message, attrs string, event uint64) error {
				m := &wire.Log{Event: event, Level: int64(level), Message: message, Attrs: []byte(attrs)}
				return c.Program.Conn.NotifyAtOnce(wire.MethodLog, m)
			}
			return "", errors.Join(
				send(slog.LevelWarn, "hello", `{"b":1,"a":{"c":2}}`, c.Event),
				send(slog.LevelDebug, "hidden", "", c.Event),
				send(slog.LevelInfo, "no JSON", `{"b"`, c.Event),
				send(slog.LevelInfo, "of nobody", "", 1<<40),
				c.Program.Conn.NotifyAtOnce(wire.MethodLog, new(wire.Empty)),
			)
		},
	})
	var logged lockedBuffer
	w := newWorld(t, s)
	w.host.Log = slog.New(slog.NewJSONHandler(&logged, nil))
	w.want("a", "/log", "")
	logged.mu.Lock()
	defer logged.mu.Unlock()
	got := logged.b.String()
	for _, want := range []string{
		`"level":"WARN","msg":"hello","source":"logger","worker":"`,
		`"object":"Lab/a","attrs":{"b":1,"a":{"c":2}}}` + "\n",
		`"msg":"no JSON"`, `"object":"Lab/a"}` + "\n",
		`"msg":"of nobody","source":"logger"`, `"event":1099511627776,"at":"`,
		`"msg":"the handler program has broken the protocol: a notice does not decode: `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
	if strings.Contains(got, "hidden") {
		t.Errorf("a line below the log's level was logged:\n%s", got)
	}
}
