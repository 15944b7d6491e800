package durable

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

func gzipped(pieces ...string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for _, piece := range pieces {
		z.Write([]byte(piece)) //nolint:errcheck // it is in memory
		z.Flush()              //nolint:errcheck // as above
	}
	z.Close() //nolint:errcheck // as above
	return b.String()
}

func headerOf(pairs ...string) (fields []wire.Field) {
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, wire.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return fields
}

// A received is what a handler sees of a response.
type received struct {
	Header       http.Header
	Length       int64
	Uncompressed bool
	Body         string
	Broken       bool
}

func receive(resp *http.Response) received {
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return received{resp.Header, resp.ContentLength, resp.Uncompressed, string(b), err != nil}
}

// exchanges are requests of handlers, and what a server answers.
var exchanges = []struct {
	name     string
	method   string
	own      []string // fields of the request's header
	encoding string   // of the response
	body     string
	chunked  bool // the length is not declared
}{
	{name: "plain", body: "plain"},
	{name: "compressed", encoding: "gzip", body: gzipped("plain")},
	{name: "compressed and of unknown length", encoding: "gzip", body: gzipped("plain"), chunked: true},
	{name: "compressed, in capitals", encoding: "GZIP", body: gzipped("plain")},
	{name: "compressed twice over", encoding: "gzip, gzip", body: gzipped(gzipped("plain"))},
	{name: "compressed in two parts", encoding: "gzip", body: gzipped("one") + gzipped("two")},
	{name: "compressed otherwise", encoding: "br", body: "brotli"},
	{name: "long", encoding: "gzip", body: gzipped(strings.Repeat("plain", 1<<17))},
	{name: "nothing, compressed", encoding: "gzip", body: gzipped("")},
	{name: "nothing at all", encoding: "gzip", body: ""},
	{name: "nothing at all, of unknown length", encoding: "gzip", body: "", chunked: true},
	{name: "not compressed, although it says so", encoding: "gzip", body: "plain"},
	{name: "broken off", encoding: "gzip", body: gzipped("plain")[:20]},
	{name: "a POST", method: "POST", encoding: "gzip", body: gzipped("plain")},
	{name: "a HEAD", method: "HEAD", encoding: "gzip", body: gzipped("plain")},
	{name: "own encodings", own: []string{"Accept-Encoding", "gzip"}, encoding: "gzip", body: gzipped("plain")},
	{name: "other encodings", own: []string{"Accept-Encoding", "br"}, encoding: "gzip", body: gzipped("plain")},
	{name: "a range", own: []string{"Range", "bytes=0-9"}, encoding: "gzip", body: gzipped("plain")[:10]},
}

// HTTPClient compresses as net/http's own client does: the server and the handler see the same.
func TestHTTPClientCompressesAsNetHTTPDoes(t *testing.T) {
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) {
			var asked http.Header
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Header
				w.Header()["Date"] = nil
				w.Header().Set("Content-Type", "text/plain")
				w.Header().Set("Content-Encoding", x.encoding)
				if x.chunked {
					w.(http.Flusher).Flush()
				}
				io.WriteString(w, x.body) //nolint:errcheck // the client notices
			}))
			defer server.Close()
			send := func(client *http.Client) (got received) {
				r, err := http.NewRequest(x.method, server.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := 0; i < len(x.own); i += 2 {
					r.Header.Set(x.own[i], x.own[i+1])
				}
				before := r.Header.Clone()
				resp, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, r.Header); diff != "" || resp.Request != r {
					t.Errorf("the handler's request has changed, or is not that of the response:\n%s", diff)
				}
				return receive(resp)
			}
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			want := send(&http.Client{Transport: transport})
			wantAsked := asked

			// exact is the emulator's: it sends and returns everything as it is.
			exact := &http.Transport{DisableCompression: true}
			defer exact.CloseIdleConnections()
			got := send(&http.Client{Transport: compressing(exact.RoundTrip)})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the handler sees (-net/http +HTTPClient):\n%s", diff)
			}
			if diff := cmp.Diff(wantAsked, asked); diff != "" {
				t.Errorf("the server sees (-net/http +HTTPClient):\n%s", diff)
			}
		})
	}
}

func TestHTTPClientAsksTheOutsideForGzip(t *testing.T) {
	inHandler(t, func(h handling) {
		for _, length := range []int64{-1, int64(len(gzipped("plain")))} {
			h.on(wire.MethodSubrequest, func(s *wire.Stream) {
				q := subrequest(s)
				if diff := cmp.Diff(headerOf("Accept-Encoding", "gzip"), q.Request.Header); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				s.Answer(&wire.Response{
					Status: 200, ContentLength: length, Body: []byte(gzipped("plain")),
					Header: headerOf("Content-Encoding", "gzip", "Content-Length", "29", "X-A", "1"),
				}, true)
			})
			resp, err := HTTPClient.Do(h.request("GET", "https://api.test/v1", nil))
			h.check(err)
			want := received{http.Header{"X-A": {"1"}}, -1, true, "plain", false}
			if diff := cmp.Diff(want, receive(resp)); diff != "" {
				t.Errorf("length %d (-want +got):\n%s", length, diff)
			}
		}
		// Objects are no outside: a stub sends and returns what it is given.
		h.on(wire.MethodSubrequest, func(s *wire.Stream) {
			if q := subrequest(s); len(q.Request.Header) > 0 {
				t.Errorf("asked an object with %v", q.Request.Header)
			}
			s.Answer(&wire.Response{
				Status: 200, ContentLength: 2, Body: []byte("as"), Header: headerOf("Content-Encoding", "gzip"),
			}, true)
		})
		resp, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(h.request("GET", "http://two", nil))
		h.check(err)
		want := received{http.Header{"Content-Encoding": {"gzip"}}, 2, false, "as", false}
		if diff := cmp.Diff(want, receive(resp)); diff != "" {
			t.Errorf("of a stub (-want +got):\n%s", diff)
		}
	})
}

// getOutside sends a request to the outside for the handler of r.
func getOutside(r *http.Request) (*http.Response, error) {
	q, err := http.NewRequestWithContext(r.Context(), "GET", "http://a.test", nil)
	if err != nil {
		return nil, err
	}
	return HTTPClient.Do(q)
}

// A handler that reads a compressed body gives the turn up while it waits, and gets each piece as
// it arrives.
func TestACompressedBodyArrivesPieceByPiece(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		resp, err := getOutside(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		buf := make([]byte, 10)
		for {
			n, err := resp.Body.Read(buf)
			if n > 0 {
				if err := p.state.Storage.Put(r.Context(), string(buf[:n]), true); err != nil {
					t.Error(err)
				}
			}
			if err != nil {
				return
			}
		}
	})
	whole := gzipped("one", "two")
	const header = 10                                      // bytes of every compressed body
	first := header + len(gzipped("one")) - len(gzipped()) // up to the end of the first piece
	emulate(t, w, func(e *emulation) {
		streams := make(chan *wire.Stream, 1)
		e.on(wire.MethodSubrequest, func(s *wire.Stream) {
			s.Answer(&wire.Response{
				Status: 200, ContentLength: -1, Header: headerOf("Content-Encoding", "gzip"),
			}, false)
			streams <- s
			<-s.Context().Done()
		})
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.expectSent("subrequest GET http://a.test +0", "pause")
		s := <-streams
		mustWrite(t, s, whole[:first])
		e.expectSent("resume", "put one", "pause")
		mustWrite(t, s, whole[first:])
		s.CloseWrite()
		x.text()
		e.expectSent("resume", "put two", "reply 200 +0 END")
	})
}

// A plain body can be the body of the handler's next request. What carries it on takes no turn.
func TestACompressedBodyIsPassedOn(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		resp, err := getOutside(r)
		if err != nil {
			t.Error(err)
			return
		}
		next, err := http.NewRequestWithContext(r.Context(), "POST", "http://two", resp.Body)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := p.env.Namespace("OBJECTS").GetByName("two").Fetch(next)
		if err != nil {
			t.Error(err)
			return
		}
		answer.Body.Close()
		if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("read after the end: %v", err)
		}
	})
	emulate(t, w, func(e *emulation) {
		streams := make(chan *wire.Stream, 1)
		e.on(wire.MethodSubrequest, func(s *wire.Stream) {
			if subrequest(s).Binding == "" {
				s.Answer(&wire.Response{
					Status: 200, ContentLength: -1, Header: headerOf("Content-Encoding", "gzip"),
				}, false)
				streams <- s
				<-s.Context().Done()
				return
			}
			body, err := io.ReadAll(s)
			if string(body) != "onetwo" || err != nil {
				t.Errorf("the object got %q, %v", body, err)
			}
			s.Answer(&wire.Response{Status: 200}, true)
		})
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		s := <-streams
		e.settle()
		mustWrite(t, s, gzipped("one", "two"))
		s.CloseWrite()
		x.text()
		for _, sent := range e.tap.take() {
			if sent == "pause" || sent == "resume" {
				t.Errorf("sent %s", sent)
			}
		}
	})
}

// A proxy passes on what the client can read: bytes as they are if it has named its encodings,
// else plain text.
func TestAProxyPassesOnWhatTheClientAcceptsAsItIs(t *testing.T) {
	outside, err := url.Parse("http://outside.test")
	if err != nil {
		t.Fatal(err)
	}
	w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) {
		proxy := &httputil.ReverseProxy{
			Transport: HTTPClient.Transport,
			Rewrite:   func(q *httputil.ProxyRequest) { q.SetURL(outside) },
		}
		proxy.ServeHTTP(w, r)
	})
	emulate(t, w, func(e *emulation) {
		body := gzipped("plain")
		e.answerWith(wire.Response{
			Status: 200, ContentLength: int64(len(body)), Body: []byte(body),
			Header: headerOf("Content-Encoding", "gzip"),
		})
		object := e.construct("Object", "one")
		if got := e.fetch(object, wire.Request{}).text(); got != "plain" {
			t.Errorf("without Accept-Encoding: got %q, want plain text", got)
		}
		got := e.fetch(object, wire.Request{Header: headerOf("Accept-Encoding", "gzip, br")}).head()
		if string(got.Body) != body || !cmp.Equal(got.Header, headerOf("Content-Encoding", "gzip")) {
			t.Errorf("with Accept-Encoding: got %v and %q, want the bytes as they are", got.Header, got.Body)
		}
	})
}
