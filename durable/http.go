package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"devtool.internal/durable/wire"
)

// HTTPClient sends requests to the outside world on behalf of a handler: they
// leave the object when the writes before them are committed, and the turn is given up
// until the response is there. The requests must carry the handler's context
// (http.NewRequestWithContext). With any other client the handler keeps its turn.
var HTTPClient = &http.Client{Transport: outside{}}

type outside struct{}

func (outside) RoundTrip(r *http.Request) (*http.Response, error) { return roundTrip(address{}, r) }

func roundTrip(to address, r *http.Request) (*http.Response, error) {
	ev := eventOf(r.Context())
	var err error
	switch {
	case ev == nil:
		err = errors.New("the request's context is not a handler's: make it with http.NewRequestWithContext and the context that the handler was called with")
	case r.URL == nil:
		err = errors.New("the request has no URL: make it with http.NewRequestWithContext")
	case r.Context().Err() != nil:
		err = causeOf(r.Context())
	}
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	ev.waiting.Add(1)
	defer ev.waiting.Add(-1)
	return ev.roundTrip(to, r)
}

// toRequest describes r without its body.
func toRequest(r *http.Request) wire.Request {
	u := *r.URL
	if u.Scheme == "" {
		u.Scheme = "http"
	}
	if u.Host == "" {
		u.Host = r.Host
	}
	if u.Host == "" {
		u.Host = "object" // nobody looks at it, but a URL has a host
	}
	host := r.Host
	if host == "" {
		host = u.Host
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	length := r.ContentLength
	if r.Body == nil || r.Body == http.NoBody {
		length = 0
	} else if length == 0 {
		length = -1
	}
	return wire.Request{
		Method:        method,
		URL:           u.String(),
		Host:          host,
		Header:        wire.Fields(r.Header),
		ContentLength: length,
	}
}

// fromRequest makes the request that a handler sees: as net/http gives it to a
// server's handler.
func fromRequest(m *wire.Request, body io.ReadCloser) (*http.Request, error) {
	u, err := url.Parse(m.URL)
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	u.Scheme, u.Host, u.User, u.Fragment, u.RawFragment = "", "", nil, "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return &http.Request{
		Method:        m.Method,
		URL:           u,
		RequestURI:    u.RequestURI(),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header(wire.Header(m.Header)),
		Host:          m.Host,
		ContentLength: m.ContentLength,
		Body:          body,
	}, nil
}

// requestBody is the body of the request that an event is about: the bytes that came
// with the request, then those of the stream.
type requestBody struct {
	first  []byte
	stream source // nil when first is all
	ev     *event
	closed atomic.Bool
}

func (b *requestBody) Read(p []byte) (int, error) { return b.read(p, b.ev.read) }

func (b *requestBody) pass(p []byte) (int, error) { return b.read(p, source.Read) }

func (b *requestBody) read(p []byte, from func(source, []byte) (int, error)) (int, error) {
	switch {
	case b.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	case len(b.first) > 0:
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	case b.stream == nil:
		return 0, io.EOF
	}
	return from(b.stream, p)
}

func (b *requestBody) Close() error {
	b.closed.Store(true)
	return nil
}

// copyResponse answers with resp. A body of unknown length is passed on piece by
// piece as it comes.
func copyResponse(w http.ResponseWriter, resp *http.Response) error {
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	if resp.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	w.WriteHeader(resp.StatusCode)
	if resp.ContentLength >= 0 {
		_, err := io.Copy(w, resp.Body)
		return err
	}
	buf := make([]byte, wire.MaxData)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// newResponse makes the response that a handler gets for its request r.
func newResponse(m *wire.Response, r *http.Request, body io.ReadCloser) *http.Response {
	resp := &http.Response{
		Status:        strings.TrimSpace(strconv.Itoa(int(m.Status)) + " " + http.StatusText(int(m.Status))),
		StatusCode:    int(m.Status),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header(wire.Header(m.Header)),
		ContentLength: m.ContentLength,
		Body:          body,
		Request:       r,
	}
	if body == nil {
		resp.Body = io.NopCloser(bytes.NewReader(m.Body))
		if r.Method != http.MethodHead {
			resp.ContentLength = int64(len(m.Body))
		}
	}
	return resp
}
