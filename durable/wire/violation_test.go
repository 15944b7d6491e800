package wire_test

import (
	"io"
	"strings"
	"testing"

	"devtool.internal/durable/wire"
)

// A script is the frames that a peer sends, one after the other.
type script []byte

func frames() script { return nil }

func (s script) frame(stream uint64, kind, flags byte, payload []byte) script {
	return appendFrame(s, stream, kind, flags, payload)
}

// open opens a stream with a valid question.
func (s script) open(stream uint64, flags byte) script {
	return s.frame(stream, open, flags, question(wire.MethodGet, new(wire.Get)))
}

func (s script) data(stream uint64, flags byte, n int) script {
	return s.frame(stream, data, flags, make([]byte, n))
}

// Each script is sent to an emulator that has opened stream 1 and leaves the
// streams of the peer open.
func TestViolationsCloseTheConnection(t *testing.T) {
	reason := wire.Encode(&wire.Error{Message: "no"})
	tests := []struct {
		name string
		sent script
		want string
	}{
		{"unknown kind", frames().frame(2, 8, 0, nil), "unknown kind 8"},
		{"notice on a stream", frames().frame(2, notice, end, []byte{1}), "notice on stream 2"},
		{"notice without a method", frames().frame(0, notice, end, nil), "notice without a method"},
		{"unknown flag", frames().open(2, 4), "unknown flags 0x4"},
		{"stream 0", frames().open(0, end), "stream id 0"},
		{
			"payload over the limit",
			frames().frame(2, open, end, make([]byte, wire.MaxPayload+1)),
			"the limit is 16777216",
		},
		{"data over the limit", frames().open(2, 0).data(2, 0, wire.MaxData+1), "the limit is 65536"},

		{"no method", frames().frame(2, open, end, nil), "no method"},
		{"id that was used", frames().open(2, end).open(2, end), "stream 2"},
		{
			"id that was used by a stream that is over",
			frames().open(2, end).frame(2, fail, 0, reason).open(2, end),
			"stream 2",
		},
		{"id that does not grow", frames().open(8, end).open(6, end), "stream 6"},
		{"id of the other side", frames().open(3, end), "stream 3"},

		{"answer to its own question", frames().open(2, end).frame(2, reply, end, nil), "stream 2"},
		{"second answer", frames().frame(1, reply, 0, nil).frame(1, reply, 0, nil), "stream 1"},
		{"body before the answer", frames().data(1, 0, 1), "stream 1"},
		{"body behind a question without one", frames().open(2, end).data(2, 0, 1), "stream 2"},
		{"body behind its end", frames().open(2, 0).data(2, end, 1).data(2, 0, 1), "stream 2"},
		{"cancel of somebody else's question", frames().frame(1, cancel, 0, nil), "bad cancel"},
		{"cancel with a payload", frames().open(2, end).frame(2, cancel, 0, []byte{1}), "bad cancel"},
		{"cancel with an end", frames().open(2, end).frame(2, cancel, end, nil), "bad cancel"},
		{"second end", frames().open(2, 0).data(2, end, 0).data(2, end, 0), "stream 2"},
		{
			"more body than the window allows",
			frames().open(2, 0).
				data(2, 0, wire.MaxData).
				data(2, 0, wire.MaxData).
				data(2, 0, wire.MaxData).
				data(2, 0, wire.MaxData).
				data(2, 0, 1),
			"stream 2: 1 bytes more than the window allows",
		},

		{"window without a number", frames().frame(1, window, 0, nil), "stream 1"},
		{"window of nothing", frames().frame(1, window, 0, grant(0)), "stream 1"},
		{"window with a broken number", frames().frame(1, window, 0, []byte{0x80}), "stream 1"},
		{"window with something behind it", frames().frame(1, window, 0, []byte{1, 1}), "stream 1"},
		{"window beyond all bounds", frames().frame(1, window, 0, grant(1<<63)), "stream 1"},

		{"failure that does not decode", frames().frame(1, fail, 0, []byte{5}), "stream 1: decode *wire.Error"},
		{
			"withdrawal that does not decode",
			frames().open(2, 0).frame(2, fail, 0, append(reason, 0)),
			"stream 2: decode *wire.Error",
		},

		{"stream that its opener never opened", frames().frame(4, fail, 0, reason), "stream 4, which nobody opened"},
		{"stream that we never opened", frames().frame(3, fail, 0, reason), "stream 3, which nobody opened"},
		{
			"stream that we never opened, below one of the peer's",
			frames().open(8, end).frame(3, fail, 0, reason),
			"stream 3, which nobody opened",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, peer := connectRaw(t, unix, wire.Emulator, leaveOpen)
			asking := mustOpen(t, c, false)
			peer.next()
			go func() {
				peer.Write(tt.sent) // fails where the connection ends before it is all read
				// This ends a connection that saw no violation.
				peer.Write(appendFrame(nil, 2, 0xee, 0, nil))
			}()
			<-c.Done()
			if err := c.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the connection ended with %v, want one about %q", err, tt.want)
			}
			peer.drain(func(wire.Frame) {}) // returns as the connection is closed
			<-asking.Context().Done()
		})
	}
}

// leaveOpen keeps a stream open until the other side or the connection ends it.
func leaveOpen(s *wire.Stream) { <-s.Context().Done() }

func TestAnAnswerThatDoesNotDecodeFailsTheCallAlone(t *testing.T) {
	c, peer := connectRaw(t, unix, wire.Emulator, leaveOpen)
	result := make(chan error, 1)
	go func() { result <- c.Call(t.Context(), wire.MethodGet, new(wire.Get), new(wire.Value)) }()
	peer.next()
	peer.send(1, reply, end, []byte{2})
	if err := <-result; err == nil || !strings.Contains(err.Error(), "decode *wire.Value: boolean 2") {
		t.Errorf("the call returned %v, want what is wrong with the answer", err)
	}
	select {
	case <-c.Done():
		t.Error("the connection is closed")
	default:
	}
}

func TestStreamsFailWithErrClosedAfterAViolation(t *testing.T) {
	serve, held := hold()
	c, peer := connectRaw(t, unix, wire.Emulator, serve)
	asking := mustOpen(t, c, false)
	peer.send(2, open, 0, question(wire.MethodGet, new(wire.Get)))
	answering := <-held
	peer.send(2, 0xee, 0, nil)
	if _, err := asking.Await(t.Context()); err != wire.ErrClosed {
		t.Errorf("Await returns %v, want ErrClosed", err)
	}
	if _, err := answering.Read(make([]byte, 1)); err != wire.ErrClosed {
		t.Errorf("Read returns %v, want ErrClosed", err)
	}
	<-c.Done()
}

// Frames that are in flight when a stream ends are not a violation. After the opener has withdrawn
// it, the content of such frames does not matter either.
func TestFramesForStreamsThatAreOverAreIgnored(t *testing.T) {
	c, peer := connectRaw(t, unix, wire.Emulator, answerGets)
	mustOpen(t, c, false).Withdraw()
	if f := peer.next(); f.Kind != open {
		t.Errorf("got a frame of kind %d, want the question", f.Kind)
	}
	if f := peer.next(); f.Kind != fail || f.Stream != 1 {
		t.Errorf("got a frame of kind %d on stream %d, want the withdrawal of stream 1", f.Kind, f.Stream)
	}
	peer.send(2, open, 0, question(wire.MethodGet, new(wire.Get)))
	if f := peer.next(); f.Kind != reply || !f.End {
		t.Errorf("got %+v, want an answer that ends stream 2", f)
	}
	peer.send(1, reply, 0, nil)
	peer.send(1, reply, end, nil)
	for range wire.InitialWindow/wire.MaxData + 1 {
		peer.send(1, data, 0, make([]byte, wire.MaxData))
	}
	peer.send(1, data, end, nil)
	peer.send(1, data, end, nil)
	peer.send(1, window, 0, nil)
	peer.send(1, fail, 0, nil)

	peer.send(2, data, 0, make([]byte, wire.MaxData))
	peer.send(2, window, 0, grant(1))
	peer.send(2, data, end, nil)
	peer.send(2, fail, 0, wire.Encode(new(wire.Error)))
	// Ids may skip numbers.
	peer.send(100, open, end, question(wire.MethodGet, &wire.Get{Key: "k"}))
	f := peer.next()
	var got wire.Value
	if err := wire.Decode(f.Payload, &got); err != nil || f.Stream != 100 || string(got.Value) != "k" {
		t.Errorf("stream %d was answered %q, %v; want stream 100 and k", f.Stream, got.Value, err)
	}
	if err := c.Err(); err != nil {
		t.Errorf("the connection ended: %v", err)
	}
}

// The reading goroutine may find a stream that ends before it gets the frame. That frame is ignored
// as well.
func TestFramesThatMeetTheEndOfTheirStreamAreIgnored(t *testing.T) {
	late := map[string]wire.Frame{
		"answer":            {Kind: reply, Payload: wire.Encode(new(wire.Response))},
		"answer at its end": {Kind: reply, End: true},
		"body":              {Kind: data, Payload: []byte("x")},
		"end of body":       {Kind: data, End: true},
		"window":            {Kind: window, Payload: grant(1)},
		"failure":           {Kind: fail, Payload: wire.Encode(new(wire.Error))},
	}
	for name, f := range late {
		t.Run(name, func(t *testing.T) {
			_, asking, _ := ask(t, unix)
			asking.Withdraw()
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v", p)
				}
			}()
			if err := asking.Receive(f); err != nil {
				t.Errorf("taken for a violation: %v", err)
			}
			if _, err := asking.Await(t.Context()); err == nil {
				t.Error("a withdrawn question was answered")
			}
			if _, err := asking.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("reading a withdrawn answer: %v, want a failure", err)
			}
		})
	}
}
