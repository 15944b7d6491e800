package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

func TestACallTravelsAsSpecified(t *testing.T) {
	c, peer := connectRaw(t, pipe, wire.Program, ignore)
	result := make(chan error, 1)
	var answer wire.Time
	go func() { result <- c.Call(t.Context(), wire.MethodNow, &wire.Operation{Event: 300}, &answer) }()

	got := make([]byte, 14+3)
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	want := "\x00\x00\x00\x03" + "\x00\x00\x00\x00\x00\x00\x00\x02" + "\x01" + "\x01" + "\x31\xac\x02"
	if string(got) != want {
		t.Errorf("the question is\n%q, want\n%q", got, want)
	}
	peer.send(2, reply, end, []byte("\x09"))
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if answer.Time != -5 {
		t.Errorf("the answer is %d, want -5", answer.Time)
	}
}

func TestStreamIDsGrowAndShowTheOpener(t *testing.T) {
	for side, want := range map[wire.Side][]uint64{wire.Emulator: {1, 3, 5}, wire.Program: {2, 4, 6}} {
		c, peer := connectRaw(t, unix, side, ignore)
		var got []uint64
		for range want {
			mustOpen(t, c, true)
			got = append(got, peer.next().Stream)
		}
		if !slices.Equal(got, want) {
			t.Errorf("side %d opens %v, want %v", side, got, want)
		}
	}
}

func TestTheServedStreamIsTheQuestion(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		serve, held := hold()
		p := connect(t, tr, ignore, serve)
		want := &wire.Alarm{Instance: 7, Scheduled: -1, RetryCount: 2}
		asking, err := p.emulator.Open(wire.MethodAlarm, want, true)
		if err != nil {
			t.Fatal(err)
		}
		answering := <-held
		if answering.Method != wire.MethodAlarm || asking.Method != wire.MethodAlarm {
			t.Errorf("method %d was asked and %d served, want %d", asking.Method, answering.Method, wire.MethodAlarm)
		}
		got := new(wire.Alarm)
		if err := wire.Decode(answering.Message, got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("the question changed (-asked +served):\n%s", d)
		}
	})
}

func TestManyCallsBothWaysAtOnce(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		const calls = 1000
		p := connect(t, tr, answerGets, answerGets)
		var wg sync.WaitGroup
		for name, c := range map[string]*wire.Conn{"emulator": p.emulator, "program": p.program} {
			for i := range calls {
				wg.Go(func() {
					key := fmt.Sprintf("%s %d", name, i)
					var v wire.Value
					if err := c.Call(t.Context(), wire.MethodGet, &wire.Get{Key: key}, &v); err != nil {
						t.Errorf("call %s: %v", key, err)
					} else if string(v.Value) != key {
						t.Errorf("call %s got the answer to %s", key, v.Value)
					}
				})
			}
		}
		wg.Wait()
	})
}

func TestStreamsThatAreOverAreForgotten(t *testing.T) {
	ends := map[string]func(t *testing.T, asking, answering *wire.Stream){
		"answer without a body": func(t *testing.T, _, s *wire.Stream) { s.Answer(new(wire.Response), true) },
		"answer with a body": func(t *testing.T, _, s *wire.Stream) {
			s.Answer(new(wire.Response), false)
			s.CloseWrite()
		},
		"failure":  func(t *testing.T, _, s *wire.Stream) { s.Fail(new(wire.Error)) },
		"withdraw": func(t *testing.T, s, _ *wire.Stream) { s.Withdraw() },
	}
	for name, finish := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, asking, answering := ask(t, pipe)
				if p.emulator.Streams() != 1 || p.program.Streams() != 1 {
					t.Errorf("an open stream is not kept")
				}
				finish(t, asking, answering)
				synctest.Wait()
				if p.emulator.Streams() != 0 || p.program.Streams() != 0 {
					t.Errorf("the ends keep %d and %d streams", p.emulator.Streams(), p.program.Streams())
				}
			})
		})
	}
}

func TestFailureArrivesWithAllItsFields(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		want := full(new(wire.Error)).(*wire.Error)
		p := connect(t, tr, func(s *wire.Stream) { s.Fail(want) }, ignore)
		err := p.program.Call(t.Context(), wire.MethodGet, new(wire.Get), new(wire.Value))
		var got *wire.Error
		if !errors.As(err, &got) {
			t.Fatalf("got %v, want an *Error", err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("the failure changed (-sent +arrived):\n%s", d)
		}
	})
}

func TestUnansweredQuestionFails(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		p := connect(t, tr, ignore, ignore)
		err := p.emulator.Call(t.Context(), wire.MethodAlarm, new(wire.Alarm), new(wire.Empty))
		var got *wire.Error
		if !errors.As(err, &got) || got.Message != "the question was not answered" {
			t.Errorf("got %v, want an *Error that says so", err)
		}
	})
}

// A Call does not wait for a body, which it does not need: it withdraws.
func TestCallDoesNotWaitForABody(t *testing.T) {
	over := make(chan error, 1)
	p := connect(t, pipe, ignore, func(s *wire.Stream) {
		s.Answer(&wire.Response{Status: 204}, false)
		<-s.Context().Done()
		over <- context.Cause(s.Context())
	})
	var got wire.Response
	if err := p.emulator.Call(t.Context(), wire.MethodFetch, new(wire.Fetch), &got); err != nil || got.Status != 204 {
		t.Fatalf("got status %d, %v", got.Status, err)
	}
	checkCanceled(t, <-over)
}

func checkCanceled(t *testing.T, err error) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || !e.Canceled {
		t.Errorf("got %v, want an *Error with Canceled", err)
	}
}

func TestCancelingTheCallCancelsTheOtherSide(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		lost := errors.New("lost interest")
		p, asking, answering := ask(t, tr)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(lost)
		if _, err := asking.Await(ctx); err != lost {
			t.Errorf("Await returns %v, want the context's cause", err)
		}
		<-answering.Context().Done()
		checkCanceled(t, context.Cause(answering.Context()))
		if _, err := asking.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("reading a withdrawn answer: %v, want a failure", err)
		}
		if err := answering.Answer(new(wire.Response), true); err != wire.ErrOver {
			t.Errorf("answering a withdrawn question: %v, want ErrOver", err)
		}
		if p.emulator.Err() != nil {
			t.Errorf("the connection ended: %v", p.emulator.Err())
		}
	})
}

func TestOversizedQuestionLeavesTheConnectionUsable(t *testing.T) {
	p := connect(t, pipe, answerGets, ignore)
	_, err := p.program.Open(wire.MethodPut, &wire.Put{Value: make([]byte, wire.MaxPayload)}, true)
	checkTooLarge(t, err)
	if n := p.program.Streams(); n != 0 {
		t.Errorf("%d streams are kept of a question that was not asked", n)
	}
	checkUsable(t, p.program)
}

func TestOversizedAnswerFailsTheQuestionAlone(t *testing.T) {
	answered := make(chan error, 1)
	p := connect(t, pipe, func(s *wire.Stream) {
		if s.Method != wire.MethodList {
			answerGets(s)
			return
		}
		answered <- s.Answer(&wire.Value{Value: make([]byte, wire.MaxPayload)}, true)
	}, ignore)
	checkTooLarge(t, p.program.Call(t.Context(), wire.MethodList, new(wire.List), new(wire.Listed)))
	checkTooLarge(t, <-answered)
	checkUsable(t, p.program)
}

func checkTooLarge(t *testing.T, err error) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "the limit is 16777216") {
		t.Errorf("got %v, want an *Error that names the limit", err)
	}
}

// A failure is sent even if its detail for the log is too long.
func TestOversizedFailureStillFailsTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, pipe, func(s *wire.Stream) {
			s.Fail(&wire.Error{Message: "out of memory", Detail: strings.Repeat("x", wire.MaxPayload)})
		}, ignore)
		// The bubble's clock moves only when everything waits.
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := p.program.Call(ctx, wire.MethodGet, new(wire.Get), new(wire.Value))
		var got *wire.Error
		if !errors.As(err, &got) || got.Message != "out of memory" {
			t.Errorf("the caller got %v, want an *Error: out of memory", err)
		}
	})
}

func TestTheLargestMessagePasses(t *testing.T) {
	// The method, the event, an empty key, and the length of the value.
	const rest = 1 + 1 + 1 + 4
	value := bytes.Repeat([]byte("v"), wire.MaxPayload-rest)
	got := make(chan int, 1)
	p := connect(t, pipe, func(s *wire.Stream) {
		var put wire.Put
		if err := wire.Decode(s.Message, &put); err != nil {
			t.Error(err)
		}
		got <- len(put.Value)
		s.Answer(new(wire.Empty), true)
	}, ignore)
	if err := p.program.Call(t.Context(), wire.MethodPut, &wire.Put{Value: value}, new(wire.Empty)); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != len(value) {
		t.Errorf("a value of %d bytes arrived, want %d", n, len(value))
	}
	_, err := p.program.Open(wire.MethodPut, &wire.Put{Value: append(value, 'v')}, true)
	checkTooLarge(t, err)
}

// A countingConn counts the writes to a connection.
type countingConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func connectCounting(t *testing.T) (p pair, counter *countingConn) {
	var tr transport
	tr.connect = func(t testing.TB) (net.Conn, net.Conn) {
		a, b := net.Pipe()
		counter = &countingConn{Conn: a}
		return counter, b
	}
	return connect(t, tr, ignore, answerGets), counter
}

func TestFramesThatAreWrittenTogetherLeaveTogether(t *testing.T) {
	p, counter := connectCounting(t)
	over := p.emulator.AnnounceFlush()
	first := mustOpen(t, p.emulator, true)
	if n := counter.writes.Load(); n != 0 {
		t.Errorf("%d writes while another writer is about to flush, want 0", n)
	}
	over()
	second := mustOpen(t, p.emulator, true)
	if n := counter.writes.Load(); n != 1 {
		t.Errorf("%d writes for two frames, want 1", n)
	}
	for _, s := range []*wire.Stream{first, second} {
		if _, err := s.Await(t.Context()); err == nil {
			t.Error("an unreadable question was answered")
		}
	}
}

func TestCloseIsIdempotentAndReachesBothEnds(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		p := connect(t, tr, ignore, ignore)
		if err := p.emulator.Err(); err != nil {
			t.Errorf("an open connection reports %v", err)
		}
		for range 3 {
			if err := p.emulator.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		<-p.emulator.Done()
		<-p.program.Done()
		if err := p.emulator.Err(); err != wire.ErrClosed {
			t.Errorf("the end that closed reports %v, want ErrClosed", err)
		}
		if err := p.program.Err(); err != io.EOF {
			t.Errorf("the other end reports %v, want io.EOF", err)
		}
		if err := p.program.Close(); err != nil || p.program.Err() != io.EOF {
			t.Errorf("Close changed the reason to %v, %v", p.program.Err(), err)
		}
	})
}

func TestCloseFromManyGoroutines(t *testing.T) {
	p := connect(t, pipe, answerGets, answerGets)
	var wg sync.WaitGroup
	for _, c := range []*wire.Conn{p.emulator, p.program} {
		for range 10 {
			wg.Go(func() { c.Call(t.Context(), wire.MethodGet, new(wire.Get), new(wire.Value)) })
			wg.Go(func() { c.Close() })
		}
	}
	wg.Wait()
	<-p.emulator.Done()
	<-p.program.Done()
}

func TestAFrameThatBreaksOffIsReported(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		for _, n := range []int{5, 14, 16} {
			c, peer := connectRaw(t, tr, wire.Emulator, ignore)
			if _, err := peer.Write(appendFrame(nil, 2, open, end, []byte("abc"))[:n]); err != nil {
				t.Fatal(err)
			}
			peer.Close()
			<-c.Done()
			if err := c.Err(); err == io.EOF || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("after %d bytes of a frame: %v, want io.ErrUnexpectedEOF", n, err)
			}
		}
	})
}

// A torn connection reads the bytes that it was made with, and drops all writes.
type torn struct{ io.Reader }

func (torn) Write(p []byte) (int, error) { return len(p), nil }
func (torn) Close() error                { return nil }

// For any bytes that arrive, the connection ends with a reason, and serving the streams does not
// panic.
func FuzzConn(f *testing.F) {
	hello := question(wire.MethodGet, &wire.Get{Key: "k"})
	f.Add(appendFrame(nil, 2, open, end, hello))
	f.Add(appendFrame(appendFrame(appendFrame(nil, 2, open, 0, hello), 2, data, 0, []byte("body")), 2, data, end, nil))
	f.Add(appendFrame(appendFrame(nil, 2, open, 0, hello), 2, fail, 0, wire.Encode(new(wire.Error))))
	f.Add(appendFrame(appendFrame(nil, 2, open, 0, hello), 2, window, 0, grant(1)))
	f.Add(appendFrame(appendFrame(nil, 2, open, 0, hello), 2, reply, 0, nil))
	f.Add(appendFrame(appendFrame(nil, 1, reply, 0, nil), 1, data, end, []byte("body")))
	f.Add(appendFrame(appendFrame(nil, 0, notice, end, hello), 0, notice, end, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		serve := func(s *wire.Stream) {
			io.Copy(io.Discard, s)
			answerGets(s)
		}
		noticed := func(wire.Method, []byte) {}
		c := wire.NewConn(torn{bytes.NewReader(b)}, wire.Emulator, wire.Callbacks{Serve: serve, Notice: noticed})
		if s, err := c.Open(wire.MethodFetch, new(wire.Fetch), false); err == nil {
			s.Await(t.Context())
			io.Copy(io.Discard, s)
		}
		<-c.Done()
		if c.Err() == nil {
			t.Error("the connection ended without a reason")
		}
	})
}
