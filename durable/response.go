package durable

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
)

// maxBuffered is how many bytes of a response are kept until the handler has returned. A response
// that fits leaves whole and never gives the turn up.
const maxBuffered = maxPiece

// responseWriter writes the response of a fetch event. If the response does not fit into the
// buffer, its pieces leave while the invocation is paused.
type responseWriter struct {
	inv    *invocation
	sink   sink
	method string // of the request

	header   http.Header
	status   int   // 0 until WriteHeader
	length   int64 // as the handler declared it, or -1
	written  int64
	refused  int64 // bytes that Write did not take because they exceed length
	buf      []byte
	streamed bool  // the head has left
	err      error // why nothing more is sent
}

var _ http.Flusher = (*responseWriter)(nil)

func newResponseWriter(inv *invocation, to sink, method string) *responseWriter {
	return &responseWriter{inv: inv, sink: to, method: method, header: make(http.Header), length: -1}
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) wrote() bool { return w.status != 0 }

// WriteHeader fixes status and header. It panics for a status that no response of the platform may
// have. Informational ones (1xx) are among them: nothing could pass them on.
func (w *responseWriter) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return
	case !validStatus(status):
		panic(fmt.Sprintf("durable: WriteHeader(%d): %s", status, statusRule))
	}
	w.status = status
	w.length = -1
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
	w.sink.fix(status, w.header)
}

// statusRule is the platform's rule for statuses.
const statusRule = "the status of a response is from 200 to 599, as on the platform"

func validStatus(status int) bool { return status >= 200 && status <= 599 }

func (w *responseWriter) bodyAllowed() bool {
	return w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.bodyAllowed() {
		return 0, http.ErrBodyNotAllowed
	}
	if err := w.failure(); err != nil {
		return 0, err
	}
	if w.length >= 0 && w.written+int64(len(p)) > w.length {
		w.refused += int64(len(p))
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	if w.method == http.MethodHead {
		return len(p), nil
	}
	if len(w.buf)+len(p) <= maxBuffered {
		w.buf = append(w.buf, p...)
		return len(p), nil
	}
	if err := w.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// failure returns why nothing can be written any more, or nil.
func (w *responseWriter) failure() error {
	if w.err == nil {
		w.err = w.sink.lost()
	}
	return w.err
}

// errClientGone is the error of a write when the client has gone, or a caller that has closed the
// response or whose own client has gone.
var errClientGone error = clientGone{}

type clientGone struct{}

func (clientGone) Error() string { return "write response: the client has gone" }

// Is makes it a kind of context.Canceled: the context of the handler has ended for the same reason.
func (clientGone) Is(target error) bool { return target == context.Canceled }

// Flush sends what was written so far. It gives the turn up.
func (w *responseWriter) Flush() { w.FlushError() } //nolint:errcheck // the next Write returns it

// FlushError is Flush for http.ResponseController.
func (w *responseWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.send(nil)
}

// send sends the buffer and p, while the invocation is paused. A proxy flushes in a goroutine of
// its own while the handler waits for a body. Then the turn is given up already, and send must not
// take it for a handler that waits.
func (w *responseWriter) send(p []byte) error {
	if err := w.failure(); err != nil {
		return err
	}
	w.inv.giving.Lock()
	defer w.inv.giving.Unlock()
	if w.inv.reading.Load() > 0 {
		w.err = w.sendPaused(p)
		return w.err
	}
	if w.err = w.inv.pause(); w.err != nil {
		return w.err
	}
	w.err = w.sendPaused(p)
	if err := w.inv.resume(); w.err == nil {
		w.err = err
	}
	return w.err
}

func (w *responseWriter) sendPaused(p []byte) error {
	head := !w.streamed
	w.streamed = true
	if head {
		if err := w.sink.start(w.length, w.buf, false); err != nil {
			return err
		}
	} else if _, err := w.sink.Write(w.buf); err != nil {
		return err
	}
	w.buf = w.buf[:0]
	_, err := w.sink.Write(p)
	return err
}

// finish ends the response after the handler has returned.
func (w *responseWriter) finish() error {
	if w.err != nil {
		return w.err // a part is missing, and the rest must not pass for the whole
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.written < w.length && w.method != http.MethodHead && w.bodyAllowed() {
		return fmt.Errorf("the handler declared a Content-Length of %d and wrote %d bytes",
			w.length, w.written+w.refused)
	}
	if !w.streamed {
		length := w.length
		// A handler that answers HEAD and writes nothing does not say how long the body is.
		if length < 0 && (w.method != http.MethodHead || w.written > 0) {
			length = w.written
		}
		return w.sink.start(length, w.buf, true)
	}
	if len(w.buf) > 0 {
		if err := w.inv.pause(); err != nil {
			return err
		}
		if _, err := w.sink.Write(w.buf); err != nil {
			return err
		}
	}
	return w.sink.CloseWrite()
}
