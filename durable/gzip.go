package durable

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// compressing is an http.RoundTripper that lets responses be compressed on their way, by the rules
// of net/http's own transport. The function sends requests as they are, and returns bodies as they
// arrive.
type compressing func(*http.Request) (*http.Response, error)

func (send compressing) RoundTrip(r *http.Request) (*http.Response, error) {
	// A handler with a header of its own gets the bytes that it has asked for.
	if r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Range") != "" || r.Method == http.MethodHead {
		return send(r)
	}
	resp, err := send(askForGzip(r))
	if err != nil {
		return nil, err
	}
	decompress(resp)
	resp.Request = r
	return resp, nil
}

// askForGzip returns a copy of r that asks for a compressed response.
func askForGzip(r *http.Request) *http.Request {
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	return r
}

// decompress makes the body of resp plain if it is compressed. After that, length and encoding in
// the header would be wrong, also for a client that a handler passes resp on to.
func decompress(resp *http.Response) {
	if resp.ContentLength == 0 || !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return
	}
	resp.Header = resp.Header.Clone() // a test's function may use its response again
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	resp.ContentLength = -1
	resp.Uncompressed = true
	resp.Body = &gzipBody{body: resp.Body}
}

// gzipBody is the plain text of a compressed body.
type gzipBody struct {
	body   io.ReadCloser
	closed atomic.Bool

	// Only the reader of the body uses what follows.
	plain   *gzip.Reader // nil before the first Read
	err     error        // why there is no plain
	carried bool         // a goroutine of this package carries the body on: see requestBody.pass
}

func (b *gzipBody) Read(p []byte) (int, error) { return b.read(p, false) }

func (b *gzipBody) pass(p []byte) (int, error) { return b.read(p, true) }

func (b *gzipBody) read(p []byte, carried bool) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	b.carried = carried
	if b.plain == nil && b.err == nil {
		b.plain, b.err = gzip.NewReader(compressed{b})
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.plain.Read(p)
}

// Close also ends a Read that waits, so it does not touch plain.
func (b *gzipBody) Close() error {
	b.closed.Store(true)
	return b.body.Close()
}

// compressed reads the compressed bytes of a gzipBody.
type compressed struct{ of *gzipBody }

func (c compressed) Read(p []byte) (int, error) {
	if body, ok := c.of.body.(passer); ok && c.of.carried {
		return body.pass(p)
	}
	return c.of.body.Read(p)
}
