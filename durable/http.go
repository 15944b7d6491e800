package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// HTTPClient sends requests to the outside world on behalf of a handler. A request leaves the
// object when the writes before it are committed, and the turn is given up until the response
// arrives. The requests must carry the handler's context (http.NewRequestWithContext). With any
// other client the handler keeps its turn.
//
// As with net/http's own client, a response may be compressed on its way: a request without
// Accept-Encoding and Range, except HEAD, asks for gzip, and the body of the response is plain.
// Then Uncompressed is set, and Content-Encoding and Content-Length are gone.
var HTTPClient = &http.Client{Transport: outside{}}

type outside struct{}

func (outside) RoundTrip(r *http.Request) (*http.Response, error) {
	send := func(r *http.Request) (*http.Response, error) { return roundTrip(address{}, r) }
	return compressing(send).RoundTrip(r)
}

func roundTrip(to address, r *http.Request) (*http.Response, error) {
	inv := invocationOf(r.Context())
	if inv != nil && r.Context().Err() != nil {
		r = r.WithContext(inv.lasting(r.Context()))
	}
	var err error
	switch {
	case inv == nil:
		err = errors.New("the request's context is not a handler's: " +
			"make it with http.NewRequestWithContext and the context that the handler was called with")
	case r.URL == nil:
		err = errors.New("the request has no URL: make it with http.NewRequestWithContext")
	case r.Context().Err() != nil:
		err = context.Cause(r.Context())
	}
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	inv.waiting.Add(1)
	defer inv.waiting.Add(-1)
	return inv.roundTrip(to, r)
}

// target has everything of a request that a handler makes, except header and body.
type target struct {
	method, url, host string
	length            int64 // of the body, or -1 if it is unknown
}

// targetOf returns the target of r. It fills in what r may leave open.
func targetOf(r *http.Request) target {
	u := *r.URL
	if u.Scheme == "" {
		u.Scheme = "http"
	}
	if u.Host == "" {
		u.Host = r.Host
	}
	if u.Host == "" {
		u.Host = "object" // an object ignores it, but a URL has a host
	}
	t := target{method: r.Method, url: u.String(), host: r.Host, length: r.ContentLength}
	if t.host == "" {
		t.host = u.Host
	}
	if t.method == "" {
		t.method = http.MethodGet
	}
	if r.Body == nil || r.Body == http.NoBody {
		t.length = 0
	} else if t.length == 0 {
		t.length = -1
	}
	return t
}

// newRequest returns the request that a handler sees: as net/http gives it to a server's handler.
func newRequest(t target, header http.Header, body io.ReadCloser) (*http.Request, error) {
	u, err := url.Parse(t.url)
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	u.Scheme, u.Host, u.User, u.Fragment, u.RawFragment = "", "", nil, "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return &http.Request{
		Method:        t.method,
		URL:           u,
		RequestURI:    u.RequestURI(),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Host:          t.host,
		ContentLength: t.length,
		Body:          body,
	}, nil
}

// A passer is a body of this package. Its pass method is Read for a goroutine that carries it on
// (see requestBody.pass).
type passer interface {
	pass(p []byte) (int, error)
}

var (
	_ passer = (*requestBody)(nil)
	_ passer = (*gzipBody)(nil)
)

// requestBody is the body of the request that a handler was called for: the bytes that came
// with the request, and then those of the stream.
type requestBody struct {
	first  []byte
	stream source // nil if first is all
	inv    *invocation
	closed atomic.Bool
}

func (b *requestBody) Read(p []byte) (int, error) { return b.read(p, b.inv.read) }

// pass is Read for a goroutine of this package that carries the body on. It leaves the turn alone:
// the handler may hold it or have given it up.
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

// copyResponse answers with resp. It passes on at once what has arrived of it, before it waits for
// more or fails: the object may have flushed that. So a response that breaks off does so for the
// client, too, however soon the object has failed.
func copyResponse(w http.ResponseWriter, resp *http.Response) error {
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	if resp.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	w.WriteHeader(resp.StatusCode)
	arriving, _ := resp.Body.(source) // nil if all of the body is here
	unsent := true
	flush := func() error {
		if !unsent || arriving == nil {
			return nil
		}
		unsent = false
		err := http.NewResponseController(w).Flush()
		if errors.Is(err, http.ErrNotSupported) {
			return nil
		}
		return err
	}
	buf := make([]byte, maxPiece)
	for {
		if arriving != nil && !arriving.ReadReady() {
			if err := flush(); err != nil {
				return err
			}
		}
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			unsent = true
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			flush() //nolint:errcheck // the first error counts
			return err
		}
	}
}

// newResponse returns the response that a handler gets for its request r. The answer to HEAD has
// its length in the header too, as that of net/http's own client, for proxies that copy the header.
func newResponse(r *http.Request, status int, header http.Header, length int64, body io.ReadCloser) *http.Response {
	if r.Method == http.MethodHead && length > 0 && header.Get("Content-Length") == "" {
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	return &http.Response{
		Status:        strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status)),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		ContentLength: length,
		Body:          body,
		Request:       r,
	}
}
