package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// ErrOver is the error of a write to a stream when the other side wants no more.
var ErrOver = errors.New("the other side has ended the stream")

// A Stream is a question and its answer. The opener calls Await, or Withdraw if it no longer needs
// the answer. The other side calls Answer or Fail. Both may read the other's body, and write their
// own until CloseWrite.
//
// One goroutine at a time may write a stream, and one may read it.
type Stream struct {
	// Method and Message are the question.
	Method  Method
	Message []byte

	conn   *Conn
	id     uint64
	begun  uint64       // its number among the streams of both sides
	kept   atomic.Int64 // bytes that wait for the emulator (see hold)
	opener bool
	// answered is closed when the answer has arrived or never will.
	answered chan struct{}

	mu     sync.Mutex
	change sync.Cond // signalled when anything below changes

	in       [][]byte // body that has arrived and was not read
	inEnd    bool     // nothing follows in
	inErr    error    // why nothing follows in, unless the body is complete
	window   int      // how many bytes the peer may still send
	consumed int      // how many bytes were read since the last Window frame

	credit int  // how many bytes this side may still send
	outEnd bool // this side has ended its body

	hasAnswer bool   // the answer was sent, or has arrived
	answer    []byte // the answer that arrived
	over      bool
	overErr   error // why it is over
	canceled  bool  // the opener has sent Cancel
	held      int   // how often HoldInterest was called, less ReleaseInterest

	// The contexts are made on demand, because most streams need none.
	life, interest ending
}

// An ending is a context that is made on demand.
type ending struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (e *ending) start() context.Context {
	if e.ctx == nil {
		e.ctx, e.cancel = context.WithCancelCause(context.Background())
	}
	return e.ctx
}

func (e *ending) end(cause error) {
	if e.cancel != nil {
		e.cancel(cause)
	}
}

func newStream(c *Conn, method Method) *Stream {
	s := &Stream{
		Method:   method,
		conn:     c,
		answered: make(chan struct{}),
		window:   InitialWindow,
		credit:   InitialWindow,
	}
	s.change.L = &s.mu
	return s
}

// Context returns a context that ends when the stream is over: the opener has withdrawn its
// question, the answer is complete, or the connection is gone. The context's cause says which.
func (s *Stream) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := s.life.start()
	if s.over {
		s.life.end(s.overErr)
	}
	return ctx
}

// ErrCanceled is the cause with which the context of Interest ends when the opener has called
// Cancel.
var ErrCanceled = fmt.Errorf("nobody waits for this event any more: %w", context.Canceled)

// Interest returns a context that ends when nobody waits for the answer any more: the opener has
// called Cancel, or the stream is over.
func (s *Stream) Interest() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := s.interest.start()
	switch {
	case s.canceled && s.held == 0:
		s.interest.end(ErrCanceled)
	case s.over:
		s.interest.end(s.overErr)
	}
	return ctx
}

// HoldInterest keeps a Cancel from ending the context of Interest, until ReleaseInterest was called
// as often. An earlier Cancel has ended it already.
func (s *Stream) HoldInterest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held++
}

// ReleaseInterest undoes one HoldInterest. The last one ends the context if Cancel came meanwhile.
func (s *Stream) ReleaseInterest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held--; s.held == 0 && s.canceled {
		s.interest.end(ErrCanceled)
	}
}

// Unwanted reports whether nobody waits for the answer any more: the opener has called Cancel, or
// the stream is over.
func (s *Stream) Unwanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.canceled || s.over
}

// Cancel tells the other side that nobody waits for the answer any more. Unlike Withdraw it leaves
// the stream open, and the answer still comes. It does nothing if the stream is over.
func (s *Stream) Cancel() {
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if !over {
		//nolint:errcheck // a dead connection has canceled it already
		s.conn.send(frame{stream: s.id, kind: kindCancel}, &Empty{})
	}
}

// Await returns the answer, a message to decode. If ctx ends first, Await withdraws the question.
// The error is an *Error if the peer sent one, ErrClosed if the connection is gone, or ctx's cause.
func (s *Stream) Await(ctx context.Context) ([]byte, error) {
	select {
	case <-s.answered:
	case <-ctx.Done():
		cause := context.Cause(ctx)
		s.WithdrawFor(cause)
		return nil, cause
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasAnswer {
		return s.answer, nil
	}
	return nil, s.overErr
}

// Call asks for method and waits for the answer. Neither has a body.
func (c *Conn) Call(ctx context.Context, method Method, question, answer Message) error {
	c.calling.Add(1)
	defer c.calling.Add(-1)
	s, err := c.Open(method, question, true)
	if err != nil {
		return err
	}
	b, err := s.Await(ctx)
	if err != nil {
		return err
	}
	if !s.Ended() { // the answer has a body, which nobody reads
		s.Withdraw()
	}
	return Decode(b, answer)
}

// Answer sends the answer. With end set, it has no body.
func (s *Stream) Answer(m Message, end bool) error {
	s.mu.Lock()
	if s.over || s.hasAnswer {
		s.mu.Unlock()
		if s.conn.Err() != nil {
			return s.conn.convert(ErrClosed)
		}
		return s.conn.convert(ErrOver)
	}
	s.hasAnswer = true
	s.outEnd = end
	s.mu.Unlock()
	err := s.conn.send(frame{stream: s.id, kind: kindReply, end: end}, m)
	if tooLarge := (*Error)(nil); errors.As(err, &tooLarge) {
		s.Fail(tooLarge)
	} else if end {
		s.finish(ErrOver)
	}
	return err
}

// Fail ends the stream with e, in place of the answer or of the rest of its body. It does nothing
// if the stream is over.
func (s *Stream) Fail(e *Error) {
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if over {
		return
	}
	s.finish(e)
	sent := *e
	sent.Message = sent.Message[:min(len(sent.Message), maxFailText)]
	sent.Detail = sent.Detail[:min(len(sent.Detail), maxFailText)]
	s.conn.send(frame{stream: s.id, kind: kindFail}, &sent) //nolint:errcheck // a dead connection has failed it already
}

// maxFailText limits the texts of an Error that is sent. A failure must always fit into a frame,
// because the other side learns of it in no other way.
const maxFailText = 1 << 20

// Withdraw tells the peer that nobody needs the answer, or the rest of it, any more. It does
// nothing if the stream is over.
func (s *Stream) Withdraw() { s.WithdrawFor(nil) }

// WithdrawFor is Withdraw. If cause is an *Error, it tells the peer the reason.
func (s *Stream) WithdrawFor(cause error) {
	e := &Error{Message: "canceled by the caller"}
	if w := (*Error)(nil); errors.As(cause, &w) {
		*e = *w
	}
	e.Canceled = true
	e.Remote = false // the handler of the stream is not a caller
	s.Fail(e)
}

// Ended reports whether the other side's body has ended and was read completely.
func (s *Stream) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inEnd && len(s.in) == 0
}

// ReadReady reports whether Read returns at once.
func (s *Stream) ReadReady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.in) > 0 || s.inEnd || s.inErr != nil
}

// Read reads the other side's body.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	for len(s.in) == 0 && !s.inEnd && s.inErr == nil {
		s.change.Wait()
	}
	if len(s.in) == 0 {
		defer s.mu.Unlock()
		if s.inErr != nil {
			return 0, s.inErr
		}
		return 0, io.EOF
	}
	n := copy(p, s.in[0])
	if s.in[0] = s.in[0][n:]; len(s.in[0]) == 0 {
		s.in = s.in[1:]
	}
	s.letGo(n)
	s.consumed += n
	grant := 0
	if s.consumed >= InitialWindow/2 && !s.inEnd && s.inErr == nil {
		grant, s.consumed = s.consumed, 0
		s.window += grant
	}
	s.mu.Unlock()
	if grant > 0 {
		s.conn.sendWindow(s.id, grant) //nolint:errcheck // the next Read returns the error
	}
	return n, nil
}

// BreakRead lets every further Read fail with err.
func (s *Stream) BreakRead(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inErr == nil && !s.inEnd {
		s.in, s.inErr = nil, err
		s.change.Broadcast()
	}
}

// WriteReady reports whether a Write of at most MaxData bytes returns at once.
func (s *Stream) WriteReady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over || s.credit >= MaxData
}

// Write sends a piece of this side's body. It waits until the other side is willing to take all of
// it.
func (s *Stream) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		s.mu.Lock()
		for s.credit == 0 && !s.over && !s.outEnd {
			s.change.Wait()
		}
		if s.over || s.outEnd {
			err := s.overErr
			if err == nil {
				err = ErrOver
			}
			s.mu.Unlock()
			return written, err
		}
		n := min(len(p), s.credit, MaxData)
		s.credit -= n
		s.mu.Unlock()
		if err := s.conn.sendData(s.id, p[:n], false); err != nil {
			return written, err
		}
		written += n
		p = p[n:]
	}
	return written, nil
}

// CloseWrite ends this side's body.
func (s *Stream) CloseWrite() error {
	s.mu.Lock()
	if s.over || s.outEnd {
		s.mu.Unlock()
		return nil
	}
	s.outEnd = true
	s.mu.Unlock()
	err := s.conn.sendData(s.id, nil, true)
	if !s.opener {
		s.finish(ErrOver)
	}
	return err
}

// receive handles a frame of the peer. An error is a violation of the protocol.
func (s *Stream) receive(f frame) error {
	switch f.kind {
	case kindReply:
		return s.receiveReply(f)
	case kindData:
		return s.receiveData(f)
	case kindWindow:
		n, size := binary.Uvarint(f.payload)
		if size != len(f.payload) || n == 0 || n > 1<<40 {
			return errors.New("bad window")
		}
		s.mu.Lock()
		s.credit = min(s.credit+int(n), MaxCredit)
		s.change.Broadcast()
		s.mu.Unlock()
		return nil
	case kindCancel:
		if s.opener || len(f.payload) > 0 || f.end {
			return errors.New("bad cancel")
		}
		s.mu.Lock()
		s.canceled = true
		if s.held == 0 {
			s.interest.end(ErrCanceled)
		}
		s.mu.Unlock()
		return nil
	default: // kindFail
		e := new(Error)
		if err := Decode(f.payload, e); err != nil {
			return err
		}
		e.Message, e.Detail = e.Message[:min(len(e.Message), maxFailText)], e.Detail[:min(len(e.Detail), maxFailText)]
		s.finish(e)
		return nil
	}
}

func (s *Stream) receiveReply(f frame) error {
	s.mu.Lock()
	if s.over { // it ended after dispatch looked it up
		s.mu.Unlock()
		return nil
	}
	if !s.opener || s.hasAnswer {
		s.mu.Unlock()
		return errors.New("answer out of order")
	}
	s.hasAnswer = true
	s.answer = f.payload
	s.inEnd = f.end
	close(s.answered)
	s.mu.Unlock()
	if f.end {
		s.finish(ErrOver)
	}
	return nil
}

func (s *Stream) receiveData(f frame) error {
	s.mu.Lock()
	if s.over { // it ended after dispatch looked it up
		s.mu.Unlock()
		return nil
	}
	if s.opener && !s.hasAnswer || s.inEnd {
		s.mu.Unlock()
		return errors.New("body out of order")
	}
	if s.window -= len(f.payload); s.window < 0 {
		s.mu.Unlock()
		return fmt.Errorf("%d bytes more than the window allows", -s.window)
	}
	if len(f.payload) > 0 && s.inErr == nil {
		if err := s.hold(len(f.payload)); err != nil {
			s.mu.Unlock()
			return err
		}
		s.addLocked(f.payload)
	}
	s.inEnd = f.end
	s.change.Broadcast()
	s.mu.Unlock()
	if f.end && s.opener {
		s.finish(ErrOver)
	}
	return nil
}

// addLocked adds a piece of body. Small pieces become one, because each costs more than its bytes.
func (s *Stream) addLocked(piece []byte) {
	last := len(s.in) - 1
	if last < 0 || len(s.in[last])+len(piece) > smallPiece {
		s.in = append(s.in, piece)
		return
	}
	s.in[last] = append(s.in[last], piece...)
}

// smallPiece is up to which size pieces of body become one.
const smallPiece = 4 << 10

// finish ends the stream. An answer, and a body, that have arrived complete can still be read.
// Otherwise reading and waiting for the answer fail with err.
func (s *Stream) finish(err error) {
	err = s.conn.convert(err)
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.over, s.overErr = true, err
	if !s.inEnd && s.inErr == nil {
		s.inErr = err
	}
	if s.opener && !s.hasAnswer {
		close(s.answered)
	}
	s.change.Broadcast()
	s.life.end(err)
	s.interest.end(err)
	s.mu.Unlock()
	s.letGo(-1)
	s.conn.forget(s.id)
}
