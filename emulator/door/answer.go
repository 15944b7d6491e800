package door

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/world"
)

// An answer passes a response on to the client.
type answer struct {
	w       http.ResponseWriter
	r       *http.Request
	in      *incomingBody // the request's body
	rewrite originRewrite
	served  world.Served // the objects that took part
	status  int          // 0 until the head has left
	started bool         // the head has left and a body follows
	length  int64        // of the body, or -1 if it is unknown
	sent    int64        // bytes of the body
	failed  bool         // a write to the client has failed
	gone    bool         // the client has gone before it had the whole response
}

// errMalformedBody is returned in place of a response to a request whose body is malformed.
var errMalformedBody = errors.New("the body of the request is malformed")

func (a *answer) Head(m *wire.Response, end bool) error {
	if a.in.fault() != nil {
		return errMalformedBody // which conclude answers
	}
	a.rewrite.response(m.Header)
	h := a.w.Header()
	for _, f := range m.Header {
		h.Add(f.Name, f.Value)
	}
	a.length = m.ContentLength
	switch {
	case m.Status == http.StatusNoContent, m.Status == http.StatusNotModified:
		a.length = 0
	case a.length >= 0:
		h.Set("Content-Length", strconv.FormatInt(a.length, 10))
	}
	if a.r.Method == http.MethodHead {
		a.length = 0
	}
	if end && a.clientGone() {
		a.gone = true
		return context.Cause(a.r.Context())
	}
	a.status = int(m.Status)
	a.started = !end
	a.w.WriteHeader(a.status)
	if len(m.Body) > 0 {
		if err := a.send(m.Body); err != nil {
			return err
		}
	}
	if end {
		return nil
	}
	return a.flush()
}

func (a *answer) Write(p []byte) (int, error) {
	if err := a.send(p); err != nil {
		return 0, err
	}
	return len(p), a.flush()
}

func (a *answer) send(p []byte) error {
	n, err := a.w.Write(p)
	a.sent += int64(n)
	return a.noted(err)
}

func (a *answer) flush() error { return a.noted(http.NewResponseController(a.w).Flush()) }

// noted returns err, the error of a write. Unless the response is to blame, the client has gone.
func (a *answer) noted(err error) error {
	if err != nil {
		a.failed = true
		a.gone = !errors.Is(err, http.ErrContentLength) && !errors.Is(err, http.ErrBodyNotAllowed)
	}
	return err
}

func (a *answer) Close() error {
	// The client of a body of known length may go once it has the whole.
	a.gone = a.gone || a.clientGone() && (a.length < 0 || a.sent < a.length)
	return nil
}

func (a *answer) clientGone() bool { return a.r.Context().Err() != nil }
