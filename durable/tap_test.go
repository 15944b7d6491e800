package durable

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/wire"
)

// A tap is the program's end of a connection. It writes down, one line a frame and in
// their order, what the program sends:
//
//	put k                   an operation, with what it is about
//	told write k            a notice
//	subrequest GET URL +3   with 3 bytes of body in the frame; "..." if more follows
//	reply 200 +3 END        the head of a response, with 3 bytes of body
//	data 10                 a piece of body; END, alone, is its end
//	done alarm              the answer to any other event
//	fail TEXT               an event has failed
//	withdraw                the program takes a question back
//
// It leaves out what every conversation has: Hello, Window frames, the answers to Cancel and
// Destroy, and frames for streams that are over, which nobody minds.
type tap struct {
	net.Conn
	in, out deframer

	mu      sync.Mutex
	methods map[uint64]wire.Method // what each stream asks
	over    map[uint64]bool        // the streams whose answers have ended
	lines   []string
	readErr error // instead of the end of what is read, if not nil
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

// take returns the lines since the last time.
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
			return map[wire.Method]string{wire.MethodConstruct: "done construct", wire.MethodAlarm: "done alarm"}[method]
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
		return "told " + question(wire.Method(payload[0]), payload[1:], end)
	}
	return ""
}

// question describes what the program asks.
func question(method wire.Method, message []byte, end bool) string {
	switch method {
	case wire.MethodHello:
		return ""
	case wire.MethodGet:
		var m wire.Get
		mustDecode(message, &m)
		return "get " + m.Key
	case wire.MethodPut:
		var m wire.Put
		mustDecode(message, &m)
		return "put " + m.Key
	case wire.MethodDelete:
		var m wire.Delete
		mustDecode(message, &m)
		return "delete " + m.Key
	case wire.MethodGetMany, wire.MethodDeleteMany:
		var m wire.Keys
		mustDecode(message, &m)
		verb := map[wire.Method]string{wire.MethodGetMany: "get many", wire.MethodDeleteMany: "delete many"}[method]
		return verb + " " + strings.Join(m.Keys, " ")
	case wire.MethodPutMany, wire.MethodWrite:
		var m wire.PutMany
		mustDecode(message, &m)
		line := map[wire.Method]string{wire.MethodPutMany: "put many", wire.MethodWrite: "write"}[method]
		for _, entry := range m.Entries {
			line += " " + entry.Key
		}
		return line
	case wire.MethodSetAlarm:
		var m wire.SetAlarm
		mustDecode(message, &m)
		return fmt.Sprintf("set alarm %d", m.Time)
	case wire.MethodSleep, wire.MethodTimer:
		var m wire.Sleep
		mustDecode(message, &m)
		verb := map[wire.Method]string{wire.MethodSleep: "sleep ", wire.MethodTimer: "timer "}[method]
		return verb + time.Duration(m.Duration).String()
	case wire.MethodReset:
		var m wire.Reset
		mustDecode(message, &m)
		if m.DropAlarm {
			return "reset " + m.Reason + ", drop alarm"
		}
		return "reset " + m.Reason
	case wire.MethodExec:
		var m wire.Exec
		mustDecode(message, &m)
		line := "exec " + m.Query
		for _, arg := range m.Args {
			line += fmt.Sprintf(" %T(%v)", arg, arg)
		}
		return line
	case wire.MethodNextRows, wire.MethodCloseRows:
		var m wire.Cursor
		mustDecode(message, &m)
		return fmt.Sprintf("%s %d", map[wire.Method]string{wire.MethodNextRows: "next rows", wire.MethodCloseRows: "close rows"}[method], m.Cursor)
	case wire.MethodSubrequest:
		var m wire.Subrequest
		mustDecode(message, &m)
		line := fmt.Sprintf("subrequest %s %s +%d", m.Request.Method, m.Request.URL, len(m.Request.Body))
		if !end {
			line += " ..."
		}
		return line
	}
	return map[wire.Method]string{
		wire.MethodList:         "list",
		wire.MethodDatabaseSize: "database size",
		wire.MethodDeleteAll:    "delete all",
		wire.MethodGetAlarm:     "get alarm",
		wire.MethodDeleteAlarm:  "delete alarm",
		wire.MethodSync:         "sync",
		wire.MethodNow:          "now",
		wire.MethodPause:        "pause",
		wire.MethodResume:       "resume",
		wire.MethodBlock:        "block",
		wire.MethodUnblock:      "unblock",
		wire.MethodBackground:   "background",
		wire.MethodBegin:        "begin",
		wire.MethodCommit:       "commit",
		wire.MethodRollback:     "rollback",
	}[method]
}

func mustDecode(b []byte, m wire.Message) {
	if err := wire.Decode(b, m); err != nil {
		panic(err)
	}
}

// A deframer finds the frames in what is fed to it piece by piece.
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
