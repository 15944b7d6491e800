package program

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/world"
)

// rawFrame returns a frame of the protocol.
func rawFrame(stream uint64, kind, flags byte, payload ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	b = binary.BigEndian.AppendUint64(b, stream)
	return append(append(b, kind, flags), payload...)
}

// The kinds of frames.
const (
	rawOpen  = 1
	rawReply = 2
	rawData  = 3
)

// A program of another language learns from the failed event, and so from the log, which rule it
// has broken.
func TestAProgramLearnsWhichRuleItHasBroken(t *testing.T) {
	get := append([]byte{byte(wire.MethodGet)}, wire.Encode(&wire.Get{Event: 1, Key: "k"})...)
	for name, test := range map[string]struct {
		sent func(event uint64) []byte
		want string
	}{
		"kind": {
			func(uint64) []byte { return rawFrame(2, 9, 0) },
			"read frame: unknown kind 9",
		},
		"length": {
			func(uint64) []byte { return append([]byte{0x40, 0, 0, 0}, rawFrame(2, rawReply, 0)[4:]...) },
			"payload of 1073741824 bytes, the limit is 16777216",
		},
		"odd id": {
			func(uint64) []byte { return rawFrame(1001, rawOpen, 1, get...) },
			"open stream 1001: ids only grow, and those of the program are even (Get, method 32)",
		},
		"no stream": {
			func(uint64) []byte { return rawFrame(1002, rawReply, 1) },
			"frame for stream 1002, which nobody opened",
		},
		"body": {
			func(event uint64) []byte {
				wait := append([]byte{byte(wire.MethodWait)}, wire.Encode(&wire.Wait{Event: event, Token: 7})...)
				return append(rawFrame(1000, rawOpen, 1, wait...), rawFrame(1000, rawData, 0, 1)...)
			},
			"stream 1000: body out of order (Wait, method 62)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			s := scripted.Memory()
			s.Handlers["/break"] = func(c *call) (string, error) {
				theirs.Write(test.sent(c.Event)) //nolint:errcheck // the connection ends within
				<-c.Context.Done()
				return "", nil
			}
			w := newEmptyWorld(t, Options{}, world.Options{})
			w.serveOn(ours, theirs, s)
			want := brokenProtocol + " while "
			status, body := w.get("a", "/break")
			if status != 500 || !strings.HasPrefix(body, want) || !strings.Contains(body, test.want) {
				t.Errorf("got %d %q, want %q with %q", status, body, want, test.want)
			}
		})
	}
}

// Each of these programs asks for more and more. It must meet a limit, and the limit must be named.
func TestWhatAProgramMayKeepIsBounded(t *testing.T) {
	entry := wire.Entry{Key: "k", Value: bytes.Repeat([]byte("x"), 60<<10)}
	open := func(c *call, method wire.Method, m wire.Message, end bool) error {
		_, err := c.Program.Conn.Open(method, m, end)
		return err
	}
	for name, test := range map[string]struct {
		more func(c *call, n int) error
		want string
	}{
		"puts by notices": {
			func(c *call, _ int) error {
				m := &wire.PutMany{Event: c.Event, Entries: []wire.Entry{entry}}
				return c.Program.Conn.NotifyAtOnce(wire.MethodWrite, m)
			},
			"has put more than 4 MiB by notices without a question in between (Write, method 44)",
		},
		"empty puts by notices": {
			func(c *call, _ int) error {
				m := &wire.PutMany{Event: c.Event, Entries: make([]wire.Entry, 1000)}
				return c.Program.Conn.NotifyAtOnce(wire.MethodWrite, m)
			},
			"has put more than 4 MiB by notices",
		},
		"questions": {
			func(c *call, n int) error {
				return open(c, wire.MethodWait, &wire.Wait{Event: c.Event, Token: uint64(n)}, true)
			},
			"more than 16384 questions are open at a time (Wait, method 62)",
		},
		"bodies": {
			func(c *call, n int) error {
				s, err := c.Program.Conn.Open(wire.MethodWait, &wire.Wait{Event: c.Event, Token: uint64(n)}, false)
				if err != nil {
					return err
				}
				_, err = s.Write(make([]byte, wire.InitialWindow))
				return err
			},
			"more than 256 MiB of questions and bodies wait",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted.Memory()
			s.Handlers["/more"] = func(c *call) (string, error) {
				for n := 1; ; n++ {
					if err := test.more(c, n); err != nil {
						<-c.Context.Done()
						return "", err
					}
				}
			}
			w := newWorld(t, s)
			if status, body := w.get("a", "/more"); status != 500 || !strings.Contains(body, test.want) {
				t.Errorf("got %d %q, want %q", status, body, test.want)
			}
		})
	}
}

func TestTheTimersOfAnEventAreBounded(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/timers"] = func(c *call) (string, error) {
		for range wire.MaxTimers + 1 {
			m := &wire.Sleep{Event: c.Event, Duration: int64(time.Hour)}
			if _, err := c.Program.Conn.Open(wire.MethodTimer, m, false); err != nil {
				return "", err
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		s, err := c.Program.Conn.Open(wire.MethodTimer, &wire.Sleep{Event: c.Event, Duration: int64(time.Hour)}, false)
		if err == nil {
			_, err = s.Await(ctx)
		}
		return fmt.Sprint(err), nil
	}
	w := newWorld(t, s)
	w.want("a", "/timers", "the event has 10000 timers, which is the limit")
}

// What fails only its question or notice is named once, however often it comes.
func TestABrokenRuleIsLoggedOnce(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/nonsense"] = func(c *call) (string, error) {
		for range 100 {
			if err := c.Program.Conn.NotifyAtOnce(wire.MethodGet, new(wire.Empty)); err != nil {
				return "", err
			}
			scripted.Op[wire.Empty](c, 99, new(wire.Empty))              //nolint:errcheck // it fails
			scripted.Op[wire.Empty](c, wire.MethodExec, new(wire.Empty)) //nolint:errcheck // it fails
		}
		return "", nil
	}
	w := newWorld(t, s)
	log := &lines{}
	w.host.Log = slog.New(log)
	w.want("a", "/nonsense", "")
	got := log.take()
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], "ERROR "+brokenProtocol+": ")
	}
	if len(got) != 3 ||
		!slices.Contains(got, "it has sent a notice that the protocol does not have (Get, method 32)") ||
		!slices.Contains(got, "it has asked a question that the protocol does not have (method 99)") {
		t.Errorf("got the log %q, want each rule once", got)
	}
}

func TestAHandlersLinesAreBounded(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/log"] = func(c *call) (string, error) {
		m := &wire.Log{Event: c.Event, Message: strings.Repeat("x", wire.MaxLogText+5)}
		if err := c.Program.Conn.NotifyAtOnce(wire.MethodLog, m); err != nil {
			return "", err
		}
		return "", c.Plain(wire.MethodSync)
	}
	w := newWorld(t, s)
	log := &lines{}
	w.host.Log = slog.New(log)
	w.want("a", "/log", "")
	want := "INFO " + strings.Repeat("x", wire.MaxLogText) + "… (5 more bytes)"
	if got := log.take(); len(got) != 1 || got[0] != want {
		t.Errorf("got %d lines, want one that is cut", len(got))
	}
}
