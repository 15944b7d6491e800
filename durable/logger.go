package durable

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unicode/utf8"
)

// Logger returns a logger for the handler that ctx belongs to. Its lines appear in the log of the
// emulator, with the handler's worker, object and event, and with the time of the emulator's clock:
// in the terminal, in `devtool logs` and in the log of a test.
//
//	durable.Logger(ctx).Info("sent batch", "items", len(items))
//
// Durations, times and errors are shown as text: 48h0m0s, 2030-01-01T00:00:00Z, the error's text.
//
// The emulator's --log-level says which levels appear. Of a message or of attributes that are
// longer than 64 KiB, the line has the beginning or says that they are missing. Outside a handler
// Logger returns slog.Default().
func Logger(ctx context.Context) *slog.Logger {
	inv := invocationOf(ctx)
	if inv == nil {
		return slog.Default()
	}
	return slog.New(&eventHandler{host: inv.host})
}

// An eventHandler is the slog.Handler of an event's logger.
type eventHandler struct {
	host host
	// added are the calls of WithAttrs and WithGroup so far, which apply to each record.
	added []func(slog.Handler) slog.Handler
}

func (h *eventHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.host.logLevel()
}

func (h *eventHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

func (h *eventHandler) WithGroup(name string) slog.Handler {
	return h.with(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *eventHandler) with(add func(slog.Handler) slog.Handler) slog.Handler {
	return &eventHandler{host: h.host, added: append(slices.Clip(h.added), add)}
}

// maxLogged is how many bytes of a message, and of attributes, leave for the log.
const maxLogged = 64 << 10

func (h *eventHandler) Handle(ctx context.Context, r slog.Record) error {
	message, attrs := r.Message, attributesOf(ctx, r, h.added)
	if len(message) > maxLogged {
		end := maxLogged
		for end > maxLogged-utf8.UTFMax && !utf8.RuneStart(message[end]) {
			end--
		}
		message = fmt.Sprintf("%s… (cut: the message has %d bytes)", message[:end], len(message))
	}
	if len(attrs) > maxLogged {
		message += fmt.Sprintf(" (without its attributes, which have %d bytes)", len(attrs))
		attrs = nil
	}
	return h.host.log(r.Level, message, attrs)
}

// attributesOf returns the attributes of r as a JSON object, or nil if it has none. They are in the
// form of slog's own JSON handler, but durations are text as in its text handler: people read them.
func attributesOf(ctx context.Context, r slog.Record, added []func(slog.Handler) slog.Handler) []byte {
	if r.NumAttrs() == 0 && len(added) == 0 {
		return nil
	}
	var b bytes.Buffer
	own := 0 // how many attributes are still to come that are not the handler's own
	var to slog.Handler = slog.NewJSONHandler(&b, &slog.HandlerOptions{
		Level: r.Level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if own > 0 {
				own--
				return slog.Attr{}
			}
			a.Value = inText(a.Value)
			return a
		},
	})
	for _, add := range added {
		to = add(to)
	}
	bare := slog.NewRecord(time.Time{}, r.Level, "", 0)
	r.Attrs(func(a slog.Attr) bool {
		bare.AddAttrs(a)
		return true
	})
	own = 2 // level and message, which travel apart, come first
	if err := to.Handle(ctx, bare); err != nil {
		return nil
	}
	if text := bytes.TrimSpace(b.Bytes()); string(text) != "{}" {
		return text
	}
	return nil
}

// inText returns v with the text of a duration in place of its nanoseconds, and with an error that
// encodes itself as JSON in a form that does not. slog's JSON handler shows other errors, and
// times, as text.
func inText(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindDuration:
		return slog.StringValue(v.Duration().String())
	case slog.KindAny:
		if _, marshals := v.Any().(json.Marshaler); !marshals {
			return v
		}
		if err, ok := v.Any().(error); ok {
			return slog.AnyValue(errorText{err})
		}
	}
	return v
}

// An errorText is an error that is only its text.
type errorText struct{ error }
