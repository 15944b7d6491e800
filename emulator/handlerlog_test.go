package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

func TestALineOfALoggerIsShownForPeople(t *testing.T) {
	now := time.Date(2026, 11, 21, 18, 14, 25, 0, time.Local)
	line := func(message, object string, at time.Time, attrs string) slog.Record {
		r := slog.NewRecord(now, slog.LevelInfo, message, 0)
		r.AddAttrs(slog.String("source", "logger"), slog.String("worker", "w"), slog.Uint64("event", 17),
			slog.Time("at", at), slog.String("object", object))
		if attrs != "" {
			r.AddAttrs(slog.Any("attrs", json.RawMessage(attrs)))
		}
		return r
	}
	own := slog.NewRecord(now, slog.LevelInfo, "reloaded", 0)
	own.AddAttrs(slog.String("object", "x"))
	tomorrow := now.Add(24 * time.Hour)
	for _, tt := range []struct {
		record slog.Record
		want   string
	}{
		{own, `rest: msg=reloaded object=x`},
		{slog.NewRecord(now, slog.LevelInfo, "a\x1b[2J\n01:02:03 ERR forged", 0),
			`rest: msg="a\\u001b[2J\n    01:02:03 ERR forged"`},
		{line("sent batch", "Batcher/orders", now, `{"items":3}`), `logger: msg="Batcher/orders sent batch" items=3`},
		{line("no attributes", "", now, ""), `logger: msg="no attributes"`},
		{line("later", "", tomorrow, ""), `logger: msg=later clock=` + tomorrow.UTC().Format(time.RFC3339)},
		{line("a\nb", "", now, ""), `logger: msg="a\n    b"`},
		{
			line("\x1b[31mred\r", "A/\x07", now,
				`{"k\u001b":"\u001b[0m","z":{"y":[1,"\u009b"],"n":null},"big":9007199254740993}`),
			`logger: msg="A/\\u0007 \\u001b[31mred\\r" k\u001b=\u001b[0m z.y="[1,\"\\u009b\"]" z.n=null ` +
				`big=9007199254740993`,
		},
		{line("broken", "", now, `{"a":1,`), `logger: msg=broken a=1`},
		{line("no object", "", now, `[1]`), `logger: msg="no object"`},
	} {
		var b bytes.Buffer
		handler := func(name string) slog.Handler {
			text := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: withoutTimeAndLevel})
			return prefixed{text, &b, name + ": "}
		}
		h := ForPeople(handler("rest"), handler("logger"))
		if err := h.Handle(context.Background(), tt.record); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(b.String(), "\n"); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// A prefixed handler writes a prefix first.
type prefixed struct {
	slog.Handler
	b      *bytes.Buffer
	prefix string
}

func (p prefixed) Handle(ctx context.Context, r slog.Record) error {
	p.b.WriteString(p.prefix)
	return p.Handler.Handle(ctx, r)
}

func withoutTimeAndLevel(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
		return slog.Attr{}
	}
	return a
}

func TestAPrintedLineNamesItsObject(t *testing.T) {
	var b bytes.Buffer
	w := NamingWriter(&b)
	text := string(wire.MarkPrinted(7, "Lab/a\x1b", []byte("one\ntwo\n"))) + "plain\n" +
		string(wire.MarkPrinted(8, "", []byte("of the worker\n")))
	if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
		t.Errorf("got %d, %v; want all", n, err)
	}
	if got, want := b.String(), "[Lab/a\\u001b] one\n[Lab/a\\u001b] two\nplain\nof the worker\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	line, fields := AuthorOf(wire.MarkPrinted(7, "Lab/a", []byte("one")))
	if string(line) != "one" || len(fields) != 2 ||
		fields[0].String() != "event=7" || fields[1].String() != "object=Lab/a" {
		t.Errorf("got %q and %v", line, fields)
	}
	if line, fields = AuthorOf([]byte("plain")); string(line) != "plain" || fields != nil {
		t.Errorf("got %q and %v, want the line as it is", line, fields)
	}
}
