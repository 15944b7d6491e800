package durable

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"

	"devtool.internal/durable/wire"
)

// A tap is the program's end of a connection. It writes down the frames that the program sends, in
// their order and one line each:
//
//	put k                   an operation and its arguments
//	notice write k          a notice
//	subrequest GET URL +3   with 3 bytes of body in the frame; "..." if more follows
//	reply 200 +3 END        the head of a response, with 3 bytes of body
//	data 10                 a piece of body; END, alone, is its end
//	done alarm              the answer to any other event
//	fail TEXT               an event has failed
//	withdraw                the program takes a question back
//
// It leaves out Hello, Window frames, the answers to Cancel and Destroy, and frames for streams
// that are over.
type tap struct {
	net.Conn
	in, out deframer

	mu      sync.Mutex
	methods map[uint64]wire.Method // what each stream asks
	over    map[uint64]bool        // the streams whose answers have ended
	lines   []string
	readErr error // returned by Read instead of the end, if not nil
}

func newTap(c net.Conn) *tap {
	return &tap{Conn: c, methods: make(map[uint64]wire.Method), over: make(map[uint64]bool)}
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.in.feed(p[:n], func(stream uint64, kind byte, end bool, payload []byte) {
		t.mu.Lock()
		defer t.mu.Unlock()
		switch {
		case kind == 1:
			t.methods[stream] = wire.Method(payload[0])
		case stream%2 == 0 && (end || kind == 5):
			t.over[stream] = true
		}
	})
	if err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.readErr != nil {
			err = t.readErr
		}
	}
	return n, err
}

func (t *tap) Write(p []byte) (int, error) {
	t.out.feed(p, func(stream uint64, kind byte, end bool, payload []byte) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if line := t.line(stream, kind, end, payload); line != "" && !t.over[stream] {
			t.lines = append(t.lines, line)
		}
	})
	return t.Conn.Write(p)
}

// take returns the lines since the last call.
func (t *tap) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	t.lines = nil
	return lines
}

func (t *tap) line(stream uint64, kind byte, end bool, payload []byte) string {
	suffix := ""
	if end {
		suffix = " END"
	}
	switch kind {
	case 1:
		method := wire.Method(payload[0])
		t.methods[stream] = method
		return question(method, payload[1:], end)
	case 2:
		if method := t.methods[stream]; method != wire.MethodFetch {
			done := map[wire.Method]string{wire.MethodConstruct: "done construct", wire.MethodAlarm: "done alarm"}
			return done[method]
		}
		var m wire.Response
		mustDecode(payload, &m)
		return fmt.Sprintf("reply %d +%d%s", m.Status, len(m.Body), suffix)
	case 3:
		if len(payload) == 0 {
			return strings.TrimSpace(suffix)
		}
		return fmt.Sprintf("data %d%s", len(payload), suffix)
	case 5:
		if stream%2 == 0 {
			return "withdraw"
		}
		var e wire.Error
		mustDecode(payload, &e)
		return "fail " + e.Message
	case 7:
		return "notice " + question(wire.Method(payload[0]), payload[1:], end)
	}
	return ""
}

// question describes a question of the program.
func question(method wire.Method, message []byte, end bool) string {
	if played, known := playedOperations[method]; known {
		return played.line(message, end)
	}
	return ""
}

// A deframer finds the frames in bytes that it gets piece by piece.
type deframer struct{ buf []byte }

func (d *deframer) feed(p []byte, visit func(stream uint64, kind byte, end bool, payload []byte)) {
	const header = 14
	d.buf = append(d.buf, p...)
	for len(d.buf) >= header {
		n := header + int(binary.BigEndian.Uint32(d.buf))
		if len(d.buf) < n {
			return
		}
		visit(binary.BigEndian.Uint64(d.buf[4:]), d.buf[12], d.buf[13] == 1, d.buf[header:n])
		d.buf = d.buf[n:]
	}
}
