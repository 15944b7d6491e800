package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is what a stream fails with when its connection is gone.
var ErrClosed = errors.New("connection closed")

// A Conn is one end of a connection. Its methods may be called concurrently.
//
// One goroutine at a time reads the connection. At the program's end it never writes, so
// that two ends which are both busy writing can't wait for each other.
type Conn struct {
	rw    io.ReadWriteCloser
	calls Callbacks
	done  chan struct{}
	// parity is that of the ids we open.
	parity uint64

	calling  atomic.Int32 // questions of ours that Call waits with
	answered bool         // the last frame was a question that was answered at once; only who reads the connection knows

	// wmu guards the writing side. A writer that finds another one about to flush leaves
	// that to it: frames that are written together leave together, for to wake the other
	// process costs more than all the rest.
	wmu      sync.Mutex
	w        *bufio.Writer
	flushing bool // a goroutine is about to flush w
	scratch  []byte
	nextID   uint64

	// mu guards what follows. It is taken after wmu and before a stream's mu.
	mu       sync.Mutex
	streams  map[uint64]*Stream
	lastPeer uint64 // highest id that the peer has opened
	opened   uint64 // highest id that we have opened
	err      error  // why the connection ended; set before done is closed
}

// Side says which end of the connection a Conn is.
type Side int

// The sides. They differ in the ids of the streams they open.
const (
	Emulator Side = 1
	Program  Side = 2
)

// Callbacks handle what the peer sends.
type Callbacks struct {
	// Serve answers a stream. If Serve is Concurrent and returns without an answer, the stream fails.
	Serve func(*Stream)
	// Manner says how Serve is called for a method. If it is nil, that is Concurrent.
	// Only the emulator may set it, because Serve writes (see Conn).
	Manner func(Method) Manner
	// Notice takes a notice, before the connection looks at anything that the peer has sent after
	// it. It must neither write nor wait.
	Notice func(Method, []byte)
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

// NewConn speaks the protocol on rw, as side.
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
	go c.read(bufio.NewReaderSize(eager(rw, c.expectant), MaxData+headerSize))
	return c
}

// Done is closed when the connection has ended, for whatever reason.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended, or nil while it has not; it is set before the
// streams fail and Done is closed. After the peer
// closed it in good order that is io.EOF.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection. Streams that are not over fail with ErrClosed.
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
	for _, s := range streams {
		s.finish(ErrClosed)
	}
	close(c.done)
}

// Open asks the peer for method. With end set the question has no body;
// otherwise the caller writes it to the stream and calls CloseWrite.
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
	c.streams[s.id] = s
	c.mu.Unlock()

	b := append(c.frame(), byte(method))
	if err := c.writeLocked(frame{stream: s.id, kind: kindOpen, end: end}, appendMessage(b, m)); err != nil {
		c.forget(s.id)
		return nil, err
	}
	return s, nil
}

// Notify sends a notice: a message that gets no answer. The program's notices, which are many,
// leave together with whatever is sent next, for they have to be known before that, not sooner.
func (c *Conn) Notify(method Method, m Message) error {
	if c.Err() != nil {
		return ErrClosed
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.writeLocked(frame{kind: kindNotice, end: true}, appendMessage(append(c.frame(), byte(method)), m))
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

// frame returns the scratch buffer with room for a header at its front.
func (c *Conn) frame() []byte {
	return append(c.scratch[:0], make([]byte, headerSize)...)
}

// writeLocked writes b, which frame began and the caller has filled, as f. The
// caller holds wmu, which is free for a moment before the flush. An *Error is about this
// frame alone; any other means that the connection is gone.
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
		runtime.Gosched() // who can run now may have something to write, too
		c.wmu.Lock()
		c.flushing = false
		err = c.w.Flush()
	}
	if err != nil {
		c.end(fmt.Errorf("write: %w", err))
		return ErrClosed
	}
	return nil
}

// expectant reports whether the peer is about to send something, if all goes as it does in a handler that asks for one
// thing after the other: the answer to the one question that is open, or the next question. Only the goroutine that reads
// asks.
func (c *Conn) expectant() bool { return c.answered || c.calling.Load() == 1 }

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
	}
}

// errReadOn says that another goroutine reads the connection from here on.
var errReadOn = errors.New("another goroutine reads on")

// dispatch hands f to its stream. Other errors than errReadOn are violations of the protocol.
func (c *Conn) dispatch(f frame, r *bufio.Reader) error {
	switch f.kind {
	case kindOpen:
		return c.accept(f, r)
	case kindNotice:
		if len(f.payload) == 0 {
			return errors.New("notice without a method")
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
			return fmt.Errorf("frame for stream %d, which nobody opened", f.stream)
		}
		return nil // it is over
	}
	if err := s.receive(f); err != nil {
		return fmt.Errorf("stream %d: %w", f.stream, err)
	}
	return nil
}

// patience is how long the goroutine that reads may answer before another one reads on.
const patience = time.Millisecond

func (c *Conn) accept(f frame, r *bufio.Reader) error {
	if len(f.payload) == 0 {
		return fmt.Errorf("open stream %d: no method", f.stream)
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
		return fmt.Errorf("open stream %d: id is not the peer's next", f.stream)
	}
	c.lastPeer = f.stream
	c.streams[f.stream] = s
	c.mu.Unlock()

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
		if !readOn.Stop() { // it has begun
			return errReadOn
		}
	case InOrder:
		c.calls.Serve(s)
	}
	c.answered = true
	return nil
}

func (c *Conn) serve(s *Stream) {
	// Deferred, for a handler may end its goroutine (runtime.Goexit).
	defer s.Fail(&Error{Message: "the question was not answered"})
	c.calls.Serve(s)
}

func (c *Conn) forget(id uint64) {
	c.mu.Lock()
	delete(c.streams, id)
	c.mu.Unlock()
}
