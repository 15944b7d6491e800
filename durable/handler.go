package durable

import (
	"errors"
	"fmt"
	"net/http"
)

// A HandlerFunc is an http.Handler that can fail. It serves as the handler of a worker or, called
// by the ServeHTTP of a class, of an object.
//
// If it returns an error, the event fails as it does when a handler panics: the caller of a stub
// gets an *Error with the error's message, a browser gets the error page, and if a part of the
// response has left already, the response breaks off. An *Error in the chain of the error keeps its
// flags. An error of HTTPError answers with its status instead, unless something was written
// before. On the platform, there is no error page: a client gets a bare 500.
//
// If the request belongs to no event, as in a test with package httptest, the error is answered
// with status 500 and its text.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP calls f and fails the event with f's error.
func (f HandlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tracked, ok := w.(tracker)
	if !ok {
		tracked = &trackingWriter{ResponseWriter: w, begun: hasBegun(w)}
	}
	err := f(tracked, r)
	if err == nil {
		return
	}
	if !tracked.wrote() {
		if h := httpErrorIn(err); h != nil {
			if validStatus(h.status) {
				http.Error(tracked, h.text, h.status)
				return
			}
			err = fmt.Errorf("%w: %s", err, statusRule)
		}
		if invocationOf(r.Context()) == nil {
			http.Error(tracked, textOf(err), http.StatusInternalServerError)
			return
		}
	}
	panic(failure{err})
}

// HTTPError returns an error that a HandlerFunc answers with this status and text, also if the
// error is wrapped in others. Without a text it answers with that of the status. With a status that
// is not from 200 to 599 it is an error like any other.
func HTTPError(status int, text string) error {
	if text == "" {
		text = http.StatusText(status)
	}
	return &httpError{status, text}
}

// An httpError is an error for the client of a request.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return fmt.Sprintf("%s (status %d)", e.text, e.status) }

// httpErrorIn returns the error of HTTPError in the chain of err, or nil. A method of err that
// panics does not hide err itself.
func httpErrorIn(err error) (h *httpError) {
	defer func() {
		if recover() != nil { // in an Unwrap, Is or As
			h = nil
		}
	}()
	errors.As(err, &h)
	return h
}

// A tracker is an http.ResponseWriter that knows whether a response was begun.
type tracker interface {
	http.ResponseWriter
	// wrote reports whether a status or a part of the body was written.
	wrote() bool
}

var (
	_ tracker      = (*responseWriter)(nil)
	_ tracker      = (*trackingWriter)(nil)
	_ http.Flusher = (*trackingWriter)(nil)
)

// hasBegun reports whether the response of w was begun, as far as the writers that w wraps tell.
func hasBegun(w http.ResponseWriter) bool {
	for {
		switch inner := w.(type) {
		case tracker:
			return inner.wrote()
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return false
		}
	}
}

// A trackingWriter tracks a writer of another package, such as that of a middleware.
type trackingWriter struct {
	http.ResponseWriter
	begun bool
}

func (w *trackingWriter) wrote() bool { return w.begun }

// Unwrap is for http.ResponseController.
func (w *trackingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *trackingWriter) WriteHeader(status int) {
	w.begun = w.begun || status >= 200 // others are informational
	w.ResponseWriter.WriteHeader(status)
}

func (w *trackingWriter) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// Flush does nothing if the writer of the middleware does not flush.
func (w *trackingWriter) Flush() { w.FlushError() } //nolint:errcheck // http.Flusher has no error

// FlushError is Flush for http.ResponseController.
func (w *trackingWriter) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	w.begun = w.begun || err == nil
	return err
}
