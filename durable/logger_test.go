package durable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

// A secret shows another value in logs.
type secret string

func (secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

// inLogger runs test as inHandler does, with an emulator that shows lines from level on.
func inLogger(t *testing.T, level slog.Level, test func(h handling, l *slog.Logger)) {
	t.Helper()
	inHandler(t, func(h handling) { test(h, Logger(h.ctx)) }, func(e *emulation) { e.logLevel = int64(level) })
}

func TestLoggerSendsLevelMessageAndAttributes(t *testing.T) {
	inLogger(t, slog.LevelInfo, func(h handling, l *slog.Logger) {
		l.Info("plain")
		l.Warn("sent batch", "items", 3, "to", "a b", "level", "own", "msg", "own", "time", 7)
		l.Error("", slog.Group("request", "id", 7, "key", secret("x")), "empty", slog.GroupValue())
		l.With("a", 1).WithGroup("g").With("b", secret("x")).WithGroup("h").Info("grouped", "c", 2)
		l.WithGroup("g").Info("an empty group")
		l.Log(h.ctx, slog.LevelInfo+2, "between")
		h.expectSent(
			"notice log 0 plain ",
			`notice log 4 sent batch {"items":3,"to":"a b","level":"own","msg":"own","time":7}`,
			`notice log 8  {"request":{"id":7,"key":"(secret)"}}`,
			`notice log 0 grouped {"a":1,"g":{"b":"(secret)","h":{"c":2}}}`,
			"notice log 0 an empty group ",
			"notice log 2 between ",
		)
	})
}

// A problem is an error that encodes itself as JSON.
type problem struct{ code int }

func (p problem) Error() string              { return fmt.Sprintf("problem %d", p.code) }
func (problem) MarshalJSON() ([]byte, error) { return []byte(`{"bare":true}`), nil }

func TestLoggerSendsDurationsTimesAndErrorsAsText(t *testing.T) {
	inLogger(t, slog.LevelInfo, func(h handling, l *slog.Logger) {
		at := time.Date(2030, 1, 2, 3, 4, 5, 6e6, time.UTC)
		l.Info("took", "took", 48*time.Hour, "none", time.Duration(0), "at", at)
		l.With("a", time.Second).WithGroup("g").With("b", 1500*time.Millisecond).Info("grouped",
			slog.Group("h", "c", time.Minute))
		l.Info("failed", "err", fmt.Errorf("read: %w", errors.New("no")), "own", problem{7}, "nil", error(nil))
		h.expectSent(
			`notice log 0 took {"took":"48h0m0s","none":"0s","at":"2030-01-02T03:04:05.006Z"}`,
			`notice log 0 grouped {"a":"1s","g":{"b":"1.5s","h":{"c":"1m0s"}}}`,
			`notice log 0 failed {"err":"read: no","own":"problem 7","nil":null}`,
		)
	})
}

func TestLoggersShareNothing(t *testing.T) {
	inLogger(t, slog.LevelInfo, func(h handling, l *slog.Logger) {
		base := l.With("a", 1)
		one, two := base.With("b", 2), base.With("c", 3)
		one.Info("one")
		two.Info("two")
		h.expectSent(`notice log 0 one {"a":1,"b":2}`, `notice log 0 two {"a":1,"c":3}`)
	})
}

func TestLinesThatNobodySeesAreNotSent(t *testing.T) {
	inLogger(t, slog.LevelWarn, func(h handling, l *slog.Logger) {
		l.Debug("no")
		l.Info("no")
		l.Warn("yes")
		h.expectSent("notice log 4 yes ")
	})
	inLogger(t, slog.LevelDebug, func(h handling, l *slog.Logger) {
		l.Debug("yes")
		h.expectSent("notice log -4 yes ")
	})
}

func TestALongLineIsCutAndSaysSo(t *testing.T) {
	inLogger(t, slog.LevelInfo, func(h handling, l *slog.Logger) {
		l.Info(strings.Repeat("ä", maxLogged))
		l.Info("short", "long", strings.Repeat("x", maxLogged))
		h.settle()
		sent := h.tap.take()
		want := "notice log 0 " + strings.Repeat("ä", maxLogged/2) +
			fmt.Sprintf("… (cut: the message has %d bytes) ", 2*maxLogged)
		if sent[0] != want {
			t.Errorf("got %d bytes: %.40s…%s", len(sent[0]), sent[0], sent[0][max(0, len(sent[0])-80):])
		}
		want = fmt.Sprintf("notice log 0 short (without its attributes, which have %d bytes) ", maxLogged+11)
		if sent[1] != want {
			t.Errorf("got  %.200q\nwant %q", sent[1], want)
		}
	})
}

func TestTheLoggerOfTheWorkerAndOfNobody(t *testing.T) {
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) { Logger(r.Context()).Info("hello") })
	emulate(t, w, func(e *emulation) {
		e.fetch(0, wire.Request{}).text()
		e.expectSent("notice log 0 hello ", "reply 200 +0 END")
	})
	if got := Logger(context.Background()); got != slog.Default() {
		t.Error("without an event the logger is not the default one")
	}
}
