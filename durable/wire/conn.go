package wire

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is the error of a stream whose connection is gone.
var ErrClosed = errors.New("connection closed")

// A Conn is one end of a connection. Its methods may be called concurrently.
//
// One goroutine at a time reads the connection. At the program's end that goroutine never writes.
// Otherwise two ends that are both busy writing could wait for each other.
type Conn struct {
	rw    io.ReadWriteCloser
	calls Callbacks
	done  chan struct{}
	// parity is the parity of the ids that this end opens.
	parity uint64

	// calling counts the calls of Call that wait for an answer.
	calling atomic.Int32
	// held counts the bytes of questions and bodies that wait for the emulator (see Stream.hold).
	held atomic.Int64
	// answered is set if the last frame was a question that was answered inline. Only the goroutine
	// that reads the connection uses it.
	answered bool

	// wmu guards the writing side. A writer that finds another one about to flush leaves the flush
	// to it. So frames that are written together leave together: to wake the other process costs
	// more than everything else.
	wmu      sync.Mutex
	w        *bufio.Writer
	flushing bool // a goroutine is about to flush w
	scratch  []byte
	nextID   uint64

	// mu guards what follows. It is taken after wmu and before a stream's mu.
	mu       sync.Mutex
	streams  map[uint64]*Stream
	begun    uint64 // how many streams there have been
	lastPeer uint64 // highest id that the peer has opened
	asked    int    // how many of streams the peer has opened, at the emulator's end
	opened   uint64 // highest id that this end has opened
	err      error  // why the connection ended; set before done is closed
}

// A Side is an end of the connection.
type Side int

// The sides. They differ in the ids of the streams that they open.
const (
	Emulator Side = 1
	Program  Side = 2
)

// Callbacks handle what the peer sends.
type Callbacks struct {
	// Serve answers a stream. If Serve is Concurrent and returns without an answer, the stream
	// fails.
	Serve func(*Stream)
	// Manner says how Serve is called for a method. If it is nil, that is Concurrent.
	// Only the emulator may set it, because Serve writes (see Conn).
	Manner func(Method) Manner
	// Notice takes a notice, before the connection looks at anything that the peer has sent after
	// it. It must neither write nor wait.
	Notice func(Method, []byte)
	// Ended, unless it is nil, is called once, when the connection has ended. Err has the reason by
	// then, and no stream has failed because of it yet.
	Ended func()
	// Convert, unless it is nil, returns the error that this end sees in place of the one with
	// which a stream has ended: ErrOver, ErrClosed, or an *Error. Reads, writes, answers and the
	// causes of contexts have that error.
	Convert func(error) error
}

// A Manner is how the connection calls Serve for a question.
type Manner int

// The manners.
const (
	// Concurrent calls Serve on a goroutine of its own.
	Concurrent Manner = iota
	// Inline calls Serve on the goroutine that reads the connection. That saves a switch of
	// goroutines, and often the wakeup of a processor. If Serve takes long, another goroutine
	// reads on, and later frames may overtake it.
	Inline
	// InOrder is Inline for a question that must not wait: the connection looks at nothing that
	// comes later before Serve has returned.
	InOrder
)

// NewConn starts to speak the protocol on rw, as side.
func NewConn(rw io.ReadWriteCloser, side Side, calls Callbacks) *Conn {
	c := &Conn{
		rw:      rw,
		calls:   calls,
		done:    make(chan struct{}),
		w:       bufio.NewWriterSize(rw, MaxData+headerSize),
		parity:  uint64(side) % 2,
		nextID:  uint64(side),
		streams: make(map[uint64]*Stream),
	}
	go c.read(bufio.NewReaderSize(eager(rw, c.expectsFrame), MaxData+headerSize))
	return c
}

// Done returns a channel that is closed when the connection has ended, for any reason.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended, or nil while it has not. It is set before the streams fail
// and Done is closed. If the peer closed the connection between two frames, it is io.EOF.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection. Streams that are not over fail with ErrClosed, in the order in which
// they began.
func (c *Conn) Close() error {
	c.end(ErrClosed)
	return nil
}

func (c *Conn) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	streams := c.streams
	c.streams = nil
	c.mu.Unlock()

	c.rw.Close()
	if c.calls.Ended != nil {
		c.calls.Ended()
	}
	byBeginning := func(a, b *Stream) int { return cmp.Compare(a.begun, b.begun) }
	for _, s := range slices.SortedFunc(maps.Values(streams), byBeginning) {
		s.finish(ErrClosed)
	}
	close(c.done)
}

// keepLocked adds a stream to the open ones.
func (c *Conn) keepLocked(s *Stream) {
	c.begun++
	s.begun = c.begun
	c.streams[s.id] = s
}

// Open asks the peer for method. With end set, the question has no body. Otherwise the caller
// writes the body to the stream and calls CloseWrite.
func (c *Conn) Open(method Method, m Message, end bool) (*Stream, error) {
	s := newStream(c, method)
	s.opener = true
	s.outEnd = end

	c.wmu.Lock()
	defer c.wmu.Unlock()

	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	s.id = c.nextID
	c.nextID += 2
	c.opened = s.id
	c.keepLocked(s)
	c.mu.Unlock()

	b := append(c.frame(), byte(method))
	if err := c.writeLocked(frame{stream: s.id, kind: kindOpen, end: end}, appendMessage(b, m)); err != nil {
		c.forget(s.id)
		return nil, err
	}
	return s, nil
}

// Notify sends a notice: a message without an answer. The program sends many, and they leave
// together with its next frame of another kind: the emulator needs them before that frame, and not
// sooner.
func (c *Conn) Notify(method Method, m Message) error {
	if c.Err() != nil {
		return ErrClosed
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.writeLocked(frame{kind: kindNotice, end: true}, appendMessage(append(c.frame(), byte(method)), m))
}

// NotifyAtOnce sends a notice without waiting for other frames. When it returns, the notice is in
// the system's hands: the peer receives it even if this process ends now.
func (c *Conn) NotifyAtOnce(method Method, m Message) error {
	if c.Err() != nil {
		return ErrClosed
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	b := appendMessage(append(c.frame(), byte(method)), m)
	if err := c.writeLocked(frame{kind: kindNotice, end: true}, b); err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return c.lostLocked(err)
	}
	return nil
}

// send writes one frame whose payload is m.
func (c *Conn) send(f frame, m Message) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.writeLocked(f, appendMessage(c.frame(), m))
}

// sendData writes one frame of body.
func (c *Conn) sendData(id uint64, p []byte, end bool) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.writeLocked(frame{stream: id, kind: kindData, end: end}, append(c.frame(), p...))
}

func (c *Conn) sendWindow(id uint64, n int) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.writeLocked(frame{stream: id, kind: kindWindow}, binary.AppendUvarint(c.frame(), uint64(n)))
}

// frame returns the scratch buffer, with room for a header at its front.
func (c *Conn) frame() []byte {
	return append(c.scratch[:0], make([]byte, headerSize)...)
}

// writeLocked writes b as f. The caller got b from frame and has appended the payload. The caller
// holds wmu, which is unlocked for a moment before the flush. An *Error concerns this frame alone.
// Any other error means that the connection is gone.
func (c *Conn) writeLocked(f frame, b []byte) error {
	n := len(b) - headerSize
	if n > MaxPayload {
		return &Error{Message: fmt.Sprintf("message of %d bytes, the limit is %d", n, MaxPayload)}
	}
	appendHeader(b[:0], f, n)
	if cap(b) <= 4*MaxData {
		c.scratch = b
	}
	_, err := c.w.Write(b)
	if err == nil && !c.flushing && (f.kind != kindNotice || c.parity == uint64(Emulator)%2) {
		c.flushing = true
		c.wmu.Unlock()
		runtime.Gosched() // other goroutines may have something to write, too
		c.wmu.Lock()
		c.flushing = false
		err = c.w.Flush()
	}
	if err != nil {
		return c.lostLocked(err)
	}
	return nil
}

// drainTime is how long a connection to which nothing can be written is still read.
const drainTime = time.Second

// lostLocked ends the connection after a write has failed. The emulator first reads what the
// program has sent before it ended: its last lines of the log. It returns when the connection has
// ended.
func (c *Conn) lostLocked(err error) error {
	err = fmt.Errorf("write: %w", err)
	if c.parity == uint64(Emulator)%2 {
		timer := time.AfterFunc(drainTime, func() { c.end(err) })
		<-c.done // ended by the goroutine that reads, which is another one after patience
		timer.Stop()
	} else {
		c.end(err)
	}
	return ErrClosed
}

// expectsFrame reports whether the peer is likely to send something at once: the answer to the only
// open question, or the next question after an answer. So it is with a handler that asks for one
// thing after the other. Only the goroutine that reads the connection calls it.
func (c *Conn) expectsFrame() bool { return c.answered || c.calling.Load() == 1 }

func (c *Conn) read(r *bufio.Reader) {
	for {
		f, err := readFrame(r)
		c.answered = false
		if err == nil {
			err = c.dispatch(f, r)
		}
		if err == errReadOn {
			return
		}
		if err != nil {
			c.end(err)
			return
		}
		if c.parity == uint64(Program)%2 {
			// Of several goroutines that are woken, Go's scheduler runs the last one first. But
			// what the emulator has put in order, such as equal sleeps, must go on in that order.
			// The next frame may be in the socket already, even if nothing of it is buffered.
			runtime.Gosched()
			runtime.Gosched() // once in 61 times, the scheduler first runs the goroutine that has yielded
		}
	}
}

// errReadOn means that another goroutine reads the connection from here on.
var errReadOn = errors.New("another goroutine reads on")

// dispatch passes f to its stream. Errors other than errReadOn are violations of the protocol.
func (c *Conn) dispatch(f frame, r *bufio.Reader) error {
	switch f.kind {
	case kindOpen:
		return c.accept(f, r)
	case kindNotice:
		if len(f.payload) == 0 {
			return violation("notice without a method")
		}
		if c.calls.Notice != nil {
			c.calls.Notice(Method(f.payload[0]), f.payload[1:])
		}
		return nil
	}
	c.mu.Lock()
	s := c.streams[f.stream]
	last := c.lastPeer
	if f.stream%2 == c.parity {
		last = c.opened
	}
	c.mu.Unlock()
	if s == nil {
		if f.stream > last {
			return violation("frame for stream %d, which nobody opened", f.stream)
		}
		return nil // it is over
	}
	return s.on(s.receive(f))
}

// patience is how long Serve may take inline before another goroutine reads on.
const patience = time.Millisecond

func (c *Conn) accept(f frame, r *bufio.Reader) error {
	if len(f.payload) == 0 {
		return violation("open stream %d: no method", f.stream)
	}
	s := newStream(c, Method(f.payload[0]))
	s.id, s.Message, s.inEnd = f.stream, f.payload[1:], f.end

	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return c.err
	}
	if f.stream%2 == c.parity || f.stream <= c.lastPeer {
		c.mu.Unlock()
		return violation("open stream %d: ids only grow, and those of the program are even (%s)", f.stream, s.Method)
	}
	if c.parity == uint64(Emulator)%2 {
		if c.asked++; c.asked > MaxStreams {
			c.mu.Unlock()
			return violation("more than %d questions are open at a time (%s)", MaxStreams, s.Method)
		}
	}
	c.lastPeer = f.stream
	c.keepLocked(s)
	c.mu.Unlock()
	if err := s.hold(len(f.payload)); err != nil {
		return err
	}

	manner := Concurrent
	if c.calls.Manner != nil {
		manner = c.calls.Manner(s.Method)
	}
	switch manner {
	case Concurrent:
		go c.serve(s)
		return nil
	case Inline:
		readOn := time.AfterFunc(patience, func() { c.read(r) })
		c.calls.Serve(s)
		if !readOn.Stop() { // another goroutine has begun to read
			return errReadOn
		}
	case InOrder:
		c.calls.Serve(s)
	}
	c.answered = true
	return nil
}

func (c *Conn) serve(s *Stream) {
	// This is deferred because a handler may end its goroutine (runtime.Goexit).
	defer s.Fail(&Error{Message: "the question was not answered"})
	c.calls.Serve(s)
}

func (c *Conn) convert(err error) error {
	if c.calls.Convert == nil {
		return err
	}
	return c.calls.Convert(err)
}

func (c *Conn) forget(id uint64) {
	c.mu.Lock()
	if _, open := c.streams[id]; open && id%2 != c.parity {
		c.asked--
	}
	delete(c.streams, id)
	c.mu.Unlock()
}
