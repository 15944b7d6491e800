package durable

import (
	"fmt"
	"net/http"
	"strconv"

	"devtool.internal/durable/wire"
)

// maxBuffered is how much of a response is kept back until the handler has
// returned. A response that fits leaves whole, in one frame, and never gives
// the turn up.
const maxBuffered = wire.MaxData

// responseWriter writes the response of a fetch event. What does not fit into its
// buffer is sent while the event is paused.
type responseWriter struct {
	ev     *event
	stream *wire.Stream
	method string // of the request

	header   http.Header
	status   int // 0 until WriteHeader
	fields   []wire.Field
	length   int64 // as the handler declared it, or -1
	written  int64
	buf      []byte
	streamed bool // the head has left
	err      error
}

var _ http.Flusher = (*responseWriter)(nil)

func (w *responseWriter) Header() http.Header { return w.header }

// WriteHeader fixes status and header. Informational responses are not passed on. For what is no status it
// panics, as that of net/http does.
func (w *responseWriter) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return
	case status < 100 || status > 999:
		panic(fmt.Sprintf("durable: WriteHeader(%d): a status is from 200 to 999", status))
	case status < 200:
		return
	}
	w.status = status
	w.length = -1
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
	w.fields = wire.Fields(w.header)
}

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
	if w.length >= 0 && w.written+int64(len(p)) > w.length {
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	if w.method == http.MethodHead {
		return len(p), nil
	}
	if len(w.buf)+len(p) <= maxBuffered {
		w.buf = append(w.buf, p...)
		return len(p), w.err
	}
	if err := w.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush sends what was written so far. It gives the turn up.
func (w *responseWriter) Flush() { w.FlushError() } //nolint:errcheck // the next Write tells

// FlushError is Flush for http.ResponseController.
func (w *responseWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.send(nil)
}

// send sends the buffer and p, while the event is paused.
func (w *responseWriter) send(p []byte) error {
	if w.err != nil {
		return w.err
	}
	if w.err = w.ev.pause(); w.err != nil {
		return w.err
	}
	w.err = w.sendPaused(p)
	if err := w.ev.resume(); w.err == nil {
		w.err = err
	}
	return w.err
}

func (w *responseWriter) sendPaused(p []byte) error {
	head := !w.streamed
	w.streamed = true
	if head {
		if err := w.stream.Answer(w.head(w.length, w.buf), false); err != nil {
			return err
		}
	} else if _, err := w.stream.Write(w.buf); err != nil {
		return err
	}
	w.buf = w.buf[:0]
	_, err := w.stream.Write(p)
	return err
}

func (w *responseWriter) head(length int64, body []byte) *wire.Response {
	return &wire.Response{Status: uint64(w.status), Header: w.fields, ContentLength: length, Body: body}
}

// finish ends the response after the handler has returned.
func (w *responseWriter) finish() error {
	if w.err != nil {
		return w.err // a part is missing: what is left must not pass for the whole
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.written < w.length && w.method != http.MethodHead && w.bodyAllowed() {
		return fmt.Errorf("the handler declared a Content-Length of %d and wrote %d bytes", w.length, w.written)
	}
	if !w.streamed {
		length := w.length
		// Who writes nothing in answer to HEAD says nothing about the length.
		if length < 0 && (w.method != http.MethodHead || w.written > 0) {
			length = w.written
		}
		return w.stream.Answer(w.head(length, w.buf), true)
	}
	if len(w.buf) > 0 {
		if err := w.ev.pause(); err != nil {
			return err
		}
		if _, err := w.stream.Write(w.buf); err != nil {
			return err
		}
	}
	return w.stream.CloseWrite()
}
