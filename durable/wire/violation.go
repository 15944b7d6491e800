package wire

import (
	"errors"
	"fmt"
	"strconv"
)

// Limits on what the emulator keeps for a program, on one connection. A program that exceeds one
// has broken the protocol. See the package comment.
const (
	// MaxStreams is how many questions may be open at a time.
	MaxStreams = 16 << 10
	// MaxHeld is how many bytes of open questions, and of bodies that were not yet read, the
	// emulator keeps.
	MaxHeld = 256 << 20
	// MaxNotedPuts is how many bytes of keys and values an event may put by notices (Write) before
	// it asks something.
	MaxNotedPuts = 4 << 20
	// MaxCredit is how much body Window frames may allow on a stream, in bytes.
	MaxCredit = 1 << 40
)

// Further limits, which fail the operation or cut the text.
const (
	// MaxTimers is how many timers an event may have.
	MaxTimers = 10_000
	// MaxCursors is how many queries of an event may have rows that were not yet read.
	MaxCursors = 4096
	// MaxLogText is how many bytes a line of the log has, and likewise its attributes.
	MaxLogText = 64 << 10
	// MaxClasses is how many classes a program may register.
	MaxClasses = 1000
)

// A Violation is the error of a connection whose peer has broken a rule of the protocol.
type Violation struct {
	Rule string // what the peer did, and what the protocol says
}

func (v *Violation) Error() string { return v.Rule }

// violation returns a Violation.
func violation(format string, args ...any) error { return &Violation{fmt.Sprintf(format, args...)} }

// on returns err, unless it is nil, with the stream that it is about.
func (s *Stream) on(err error) error {
	v := (*Violation)(nil)
	if errors.As(err, &v) || err == nil {
		return err
	}
	return violation("stream %d: %v (%s)", s.id, err, s.Method)
}

// Break ends the connection because the peer has broken a rule of the protocol.
func (c *Conn) Break(rule string) { c.end(&Violation{rule}) }

// methodNames are the names of the methods, as in this package's constants.
var methodNames = map[Method]string{
	MethodHello: "Hello", MethodReady: "Ready",
	MethodConstruct: "Construct", MethodFetch: "Fetch", MethodAlarm: "Alarm", MethodDestroy: "Destroy",
	MethodStack: "Stack", MethodForget: "Forget", MethodScheduled: "Scheduled", MethodPing: "Ping",
	MethodVisited: "Visited",
	MethodGet:     "Get", MethodPut: "Put", MethodDelete: "Delete", MethodList: "List",
	MethodDeleteAll: "DeleteAll", MethodGetAlarm: "GetAlarm", MethodSetAlarm: "SetAlarm",
	MethodDeleteAlarm: "DeleteAlarm", MethodSync: "Sync", MethodGetMany: "GetMany",
	MethodPutMany: "PutMany", MethodPutPart: "PutPart", MethodDeleteMany: "DeleteMany", MethodWrite: "Write",
	MethodSubrequest: "Subrequest", MethodNow: "Now", MethodSleep: "Sleep", MethodPause: "Pause",
	MethodResume: "Resume", MethodBlock: "Block", MethodUnblock: "Unblock", MethodReset: "Reset",
	MethodBackground: "Background", MethodBegin: "Begin", MethodCommit: "Commit",
	MethodRollback: "Rollback", MethodTimer: "Timer", MethodVisit: "Visit", MethodWait: "Wait",
	MethodWake: "Wake",
	MethodExec: "Exec", MethodNextRows: "NextRows", MethodCloseRows: "CloseRows",
	MethodDatabaseSize: "DatabaseSize",
	MethodLog:          "Log",
}

// String returns the method's name and number.
func (m Method) String() string {
	number := "method " + strconv.Itoa(int(m))
	if name := methodNames[m]; name != "" {
		return name + ", " + number
	}
	return number
}

// hold notes that n more bytes of the stream wait for the emulator. It returns a Violation if too
// many do. The program's end trusts the emulator.
func (s *Stream) hold(n int) error {
	if s.conn.parity != uint64(Emulator)%2 {
		return nil
	}
	s.kept.Add(int64(n))
	if s.conn.held.Add(int64(n)) > MaxHeld {
		return violation("more than %d MiB of questions and bodies wait: ask less at a time (%s)",
			MaxHeld>>20, s.Method)
	}
	return nil
}

// letGo undoes hold for n bytes, or for all if n is negative.
func (s *Stream) letGo(n int) {
	if n < 0 {
		s.conn.held.Add(-s.kept.Swap(0))
		return
	}
	for {
		held := s.kept.Load()
		less := min(int64(n), held)
		if s.kept.CompareAndSwap(held, held-less) {
			s.conn.held.Add(-less)
			return
		}
	}
}
