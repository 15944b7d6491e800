//go:build !js

package durable

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"devtool.internal/durable/wire"
)

func (h *wireHost) roundTrip(to address, r *http.Request) (*http.Response, error) {
	if to.binding == "" {
		if answer := h.fakeOutside.get(); answer != nil {
			return h.fakeRoundTrip(answer, r)
		}
	}
	q := wire.Subrequest{Event: h.id, Binding: to.binding, Request: toRequest(r)}
	if to.binding != "" {
		q.ID, q.Name, q.HasName = to.id.String(), to.id.name, to.id.hasName
	}
	rest, err := firstOfBody(r, &q.Request)
	if err != nil {
		return nil, err
	}
	h.releaseTurn()
	s, err := h.conn.Open(wire.MethodSubrequest, &q, rest == nil)
	if err != nil {
		if rest != nil {
			rest.Close()
		}
		h.retakeTurn() // the question was not sent
		return nil, h.failed(err)
	}
	// A body that breaks off ends the request as its context does: the question is
	// withdrawn before the turn is taken again, in that order.
	ctx := r.Context()
	if rest != nil {
		var fail context.CancelCauseFunc
		ctx, fail = context.WithCancelCause(ctx)
		go sendBody(s, rest, fail)
	}
	done := h.waiting(ctx)
	b, err := s.Await(ctx)
	done()
	failed := h.failed
	if to.binding != "" {
		failed = h.callFailed
	}
	if err := h.afterWaitFor(ctx, err, failed); err != nil {
		return nil, err
	}
	var m wire.Response
	if err := wire.Decode(b, &m); err != nil {
		s.Withdraw()
		return nil, err
	}
	if s.Ended() {
		return fromResponse(&m, r, nil), nil
	}
	return fromResponse(&m, r, h.bodyOf(ctx, s, m.Body)), nil
}

// firstOfBody puts into q the part of r's body that can be read without waiting. It returns the
// rest of the body, or nil if there is none.
func firstOfBody(r *http.Request, q *wire.Request) (rest io.ReadCloser, err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if b, ok := r.Body.(*requestBody); ok && b.stream == nil && !b.closed.Load() {
		q.Body, b.first = b.first, nil
		q.ContentLength = int64(len(q.Body))
		return nil, nil
	}
	// A request with GetBody has its body in memory.
	if r.GetBody != nil && r.ContentLength > 0 && r.ContentLength <= maxPiece {
		defer r.Body.Close()
		q.Body = make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, q.Body)
		return nil, err
	}
	return r.Body, nil
}

var (
	_ passer = (*responseBody)(nil)
	_ source = (*responseBody)(nil)
)

// sendBody sends body as that of s. If body cannot be read, it calls fail with the reason. It
// closes body when all of it is sent, or when s is over, which also ends a Read that waits.
func sendBody(s *wire.Stream, body io.ReadCloser, fail context.CancelCauseFunc) {
	stop := context.AfterFunc(s.Context(), func() { body.Close() })
	defer func() {
		if stop() {
			body.Close()
		}
	}()
	read := body.Read
	if p, ok := body.(passer); ok {
		read = p.pass
	}
	buf := make([]byte, maxPiece)
	for {
		n, err := read(buf)
		if _, e := s.Write(buf[:n]); e != nil {
			return // the other side wants no more, or Await returns the reason
		}
		if err == io.EOF {
			s.CloseWrite() //nolint:errcheck // Await returns it
			return
		}
		if err != nil {
			fail(fmt.Errorf("read request body: %w", err))
			return
		}
	}
}

// responseBody is the body of a response that a handler reads.
type responseBody struct {
	first []byte
	s     *wire.Stream
	host  *wireHost
	inv   *invocation // that reads it
	ctx   context.Context
	stop  func() bool // ends the watch on ctx
}

func (h *wireHost) bodyOf(ctx context.Context, s *wire.Stream, first []byte) *responseBody {
	h.keep(s)
	stop := context.AfterFunc(ctx, s.Withdraw)
	return &responseBody{first: first, s: s, host: h, inv: invocationOf(ctx), ctx: ctx, stop: stop}
}

func (b *responseBody) Read(p []byte) (int, error) { return b.read(p, b.inv.read) }

func (b *responseBody) pass(p []byte) (int, error) { return b.read(p, source.Read) }

func (b *responseBody) read(p []byte, from func(source, []byte) (int, error)) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	n, err := from(b.s, p)
	if err != nil && err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

// ReadReady reports whether Read returns at once.
func (b *responseBody) ReadReady() bool { return len(b.first) > 0 || b.s.ReadReady() }

func (b *responseBody) Close() error {
	b.stop()
	b.s.Withdraw()
	b.host.forget(b.s)
	return nil
}
