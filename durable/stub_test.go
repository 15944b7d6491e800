package durable

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

// subrequest reads the question of s.
func subrequest(s *wire.Stream) wire.Subrequest {
	var q wire.Subrequest
	mustDecode(s.Message, &q)
	return q
}

// answerWith answers subrequests with m and no further body.
func (e *emulation) answerWith(m wire.Response) {
	e.on(wire.MethodSubrequest, func(s *wire.Stream) { s.Answer(&m, true) })
}

// request returns a request with the context of the handler.
func (h handling) request(method, url string, body io.Reader) *http.Request {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.ctx, method, url, body)
	if err != nil {
		h.t.Error(err)
	}
	return r
}

// onlyReader hides the type of body, and so its length.
func onlyReader(body string) io.Reader { return struct{ io.Reader }{strings.NewReader(body)} }

func TestFetchSendsTheRequestToTheObject(t *testing.T) {
	id := objects.IDFromName("two")
	inHandler(t, func(h handling) {
		ns := h.env.Namespace("OBJECTS")
		parsed, err := ns.IDFromString(id.String())
		h.check(err)
		withHeader := h.request("PUT", "https://a.test/p?q", nil)
		withHeader.Header["X-Two"] = []string{"1", "2"}
		withHeader.Host = "b.test"
		tests := []struct {
			name string
			stub *Stub
			r    *http.Request
			want wire.Subrequest
		}{
			{
				"by name", ns.GetByName("two"), h.request("GET", "http://a.test/p", nil),
				wire.Subrequest{
					Name:    "two",
					HasName: true,
					Request: wire.Request{Method: "GET", URL: "http://a.test/p", Host: "a.test"},
				},
			},
			{
				"by id", ns.Get(parsed), h.request("GET", "http://a.test/p", nil),
				wire.Subrequest{Request: wire.Request{Method: "GET", URL: "http://a.test/p", Host: "a.test"}},
			},
			{
				"Host and header", ns.Get(parsed), withHeader,
				wire.Subrequest{Request: wire.Request{
					Method: "PUT", URL: "https://a.test/p?q", Host: "b.test",
					Header: []wire.Field{{Name: "X-Two", Value: "1"}, {Name: "X-Two", Value: "2"}},
				}},
			},
			{
				"no method, no host", ns.Get(parsed), (&http.Request{URL: h.r.URL}).WithContext(h.ctx),
				wire.Subrequest{Request: wire.Request{Method: "GET", URL: "http://object/", Host: "object"}},
			},
			{
				"received", ns.Get(parsed), h.r,
				wire.Subrequest{
					Request: wire.Request{Method: "GET", URL: "http://localhost:8787/", Host: "localhost:8787"},
				},
			},
		}
		for _, tt := range tests {
			if !tt.stub.ID().Equal(id) {
				h.t.Errorf("%s: stub of %s, want %s", tt.name, tt.stub.ID(), id)
			}
			var got wire.Subrequest
			h.on(wire.MethodSubrequest, func(s *wire.Stream) {
				got = subrequest(s)
				s.Answer(&wire.Response{Status: 200}, true)
			})
			for _, fetch := range []func(*http.Request) (*http.Response, error){tt.stub.Fetch, tt.stub.RoundTrip} {
				resp, err := fetch(tt.r)
				if err != nil {
					t.Errorf("%s: %v", tt.name, err)
					continue
				}
				resp.Body.Close()
				tt.want.Event, tt.want.Binding, tt.want.ID = got.Event, "OBJECTS", id.String()
				tt.want.Request.Body = got.Request.Body
				if diff := cmp.Diff(tt.want, got); diff != "" || len(got.Request.Body) > 0 {
					t.Errorf("%s (-want +got):\n%s", tt.name, diff)
				}
			}
		}
	})
}

func TestHTTPClientSendsToTheOutside(t *testing.T) {
	inHandler(t, func(h handling) {
		h.on(wire.MethodSubrequest, func(s *wire.Stream) {
			if q := subrequest(s); q.Binding != "" || q.ID != "" || q.HasName {
				t.Errorf("asked for %+v, want the outside", q)
			}
			s.Answer(&wire.Response{Status: 200, ContentLength: 2, Body: []byte("ok")}, true)
		})
		resp, err := HTTPClient.Do(h.request("GET", "https://api.test/v1", nil))
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); string(b) != "ok" || err != nil {
			t.Errorf("got %q, %v; want ok", b, err)
		}
		h.expectSent("subrequest GET https://api.test/v1 +0")
	})
}

func TestFetchReturnsTheResponse(t *testing.T) {
	tests := []struct {
		name   string
		method string
		answer wire.Response
		want   http.Response
		body   string
	}{
		{
			"whole", "GET",
			wire.Response{
				Status:        404,
				Header:        []wire.Field{{Name: "x-a", Value: "1"}, {Name: "X-A", Value: "2"}},
				ContentLength: 4,
				Body:          []byte("none"),
			},
			http.Response{
				Status:        "404 Not Found",
				StatusCode:    404,
				Header:        http.Header{"X-A": {"1", "2"}},
				ContentLength: 4,
			}, "none",
		},
		{
			"length unknown", "GET", wire.Response{Status: 200, ContentLength: -1, Body: []byte("abc")},
			http.Response{Status: "200 OK", StatusCode: 200, Header: http.Header{}, ContentLength: 3}, "abc",
		},
		{
			"to HEAD", "HEAD", wire.Response{Status: 200, ContentLength: 1000},
			http.Response{
				Status: "200 OK", StatusCode: 200, ContentLength: 1000, Header: http.Header{"Content-Length": {"1000"}},
			}, "",
		},
		{
			"nothing to HEAD", "HEAD", wire.Response{Status: 204},
			http.Response{Status: "204 No Content", StatusCode: 204, Header: http.Header{}}, "",
		},
		{
			"status without a text", "GET", wire.Response{Status: 299},
			http.Response{Status: "299", StatusCode: 299, Header: http.Header{}}, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inHandler(t, func(h handling) {
				h.answerWith(tt.answer)
				r := h.request(tt.method, "http://a.test/", nil)
				got, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(r)
				if err != nil {
					t.Error(err)
					return
				}
				defer got.Body.Close()
				if body, err := io.ReadAll(got.Body); string(body) != tt.body || err != nil {
					t.Errorf("body %q, %v; want %q", body, err, tt.body)
				}
				if got.Request != r || got.Proto != "HTTP/1.1" || !got.ProtoAtLeast(1, 1) {
					t.Errorf("request %p, protocol %s", got.Request, got.Proto)
				}
				if got.Status != tt.want.Status || got.StatusCode != tt.want.StatusCode ||
					got.ContentLength != tt.want.ContentLength {
					t.Errorf("got %q, %d, length %d; want %q, %d, %d", got.Status, got.StatusCode, got.ContentLength,
						tt.want.Status, tt.want.StatusCode, tt.want.ContentLength)
				}
				if diff := cmp.Diff(tt.want.Header, got.Header); diff != "" {
					t.Errorf("header (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A closer is a body that notes whether it was closed.
type closer struct {
	io.Reader
	closed int
}

func (c *closer) Close() error { c.closed++; return nil }

func TestFetchClosesTheRequestsBody(t *testing.T) {
	inHandler(t, func(h handling) {
		stub := h.env.Namespace("OBJECTS").GetByName("two")
		h.answerWith(wire.Response{Status: 200})
		h.on(wire.MethodSubrequest, func(s *wire.Stream) {
			io.Copy(io.Discard, s)
			s.Answer(&wire.Response{Status: 200}, true)
		})
		send := func(name string, change func(*http.Request)) {
			body := &closer{Reader: strings.NewReader("body")}
			r := h.request("POST", "http://a.test/", body)
			change(r)
			if resp, err := stub.Fetch(r); err == nil {
				resp.Body.Close()
			}
			h.settle()
			if body.closed != 1 {
				t.Errorf("%s: closed %d times, want once", name, body.closed)
			}
		}
		send("streamed", func(*http.Request) {})
		send("inlined", func(r *http.Request) {
			r.ContentLength, r.GetBody = 4, func() (io.ReadCloser, error) { return nil, nil }
		})
		send("without the handler's context", func(r *http.Request) { *r = *r.WithContext(context.Background()) })
		send("without a URL", func(r *http.Request) { r.URL = nil })
		send("too late", func(r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			cancel()
			*r = *r.WithContext(ctx)
		})
		h.fail(wire.MethodSubrequest, &wire.Error{Message: "no"})
		send("refused", func(*http.Request) {})
		send("larger than a message", func(r *http.Request) { r.Header.Set("X", strings.Repeat("x", wire.MaxPayload)) })
	})
}

func TestFetchClosesTheRequestsBodyAsSoonAsItIsSent(t *testing.T) {
	inHandler(t, func(h handling) {
		answer := make(chan struct{})
		h.on(wire.MethodSubrequest, func(s *wire.Stream) {
			<-answer
			s.Answer(&wire.Response{Status: 200}, true)
		})
		body := &closer{Reader: strings.NewReader("body")}
		go func() {
			h.settle()
			if body.closed != 1 {
				t.Errorf("closed %d times, want once", body.closed)
			}
			close(answer)
		}()
		resp, err := HTTPClient.Do(h.request("POST", "http://a.test/", body))
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
	})
}

func TestFetchSendsBodies(t *testing.T) {
	long := strings.Repeat("x", 5*wire.MaxData)
	tests := []struct {
		name       string
		body       io.Reader
		wantInline string
		wantRest   string
		wantLength int64
	}{
		{"none", nil, "", "", 0},
		{"http.NoBody", http.NoBody, "", "", 0},
		{"in memory", strings.NewReader("abc"), "abc", "", 3},
		{
			"in memory, as long as the limit",
			bytes.NewReader([]byte(long[:wire.MaxData])),
			long[:wire.MaxData],
			"",
			wire.MaxData,
		},
		{"in memory, longer", strings.NewReader(long), "", long, int64(len(long))},
		{"of unknown length", onlyReader("abc"), "", "abc", -1},
		{"of unknown length and empty", onlyReader(""), "", "", -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inHandler(t, func(h handling) {
				h.on(wire.MethodSubrequest, func(s *wire.Stream) {
					q := subrequest(s)
					rest, err := io.ReadAll(s)
					h.check(err)
					if string(q.Request.Body) != tt.wantInline || string(rest) != tt.wantRest {
						t.Errorf("got %d bytes, then %d; want %d and %d", len(q.Request.Body), len(rest),
							len(tt.wantInline), len(tt.wantRest))
					}
					if q.Request.ContentLength != tt.wantLength {
						t.Errorf("length %d, want %d", q.Request.ContentLength, tt.wantLength)
					}
					s.Answer(&wire.Response{Status: 200}, true)
				})
				resp, err := h.env.Namespace("OBJECTS").
					GetByName("two").
					Fetch(h.request("POST", "http://a.test/", tt.body))
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})
		})
	}
}

func TestRequestBodyThatBreaksOffWithdrawsTheRequest(t *testing.T) {
	why := errors.New("no more")
	broken := io.MultiReader(strings.NewReader("begin"), readerFunc(func([]byte) (int, error) { return 0, why }))
	inHandler(t, func(h handling) {
		h.on(wire.MethodSubrequest, func(s *wire.Stream) { <-s.Context().Done() })
		_, err := HTTPClient.Do(h.request("POST", "http://a.test/", broken))
		expectError(t, err, `Post "http://a.test/": read request body: no more`)
		if !errors.Is(err, why) {
			t.Errorf("got %v, want it to be %v", err, why)
		}
		// The emulator has taken the turn meanwhile.
		h.expectSent("subrequest POST http://a.test/ +0 ...", "data 5", "withdraw", "resume")
	})
}

func TestRequestBodyThatBreaksOffBreaksTheResponse(t *testing.T) {
	why := errors.New("no more")
	inHandler(t, func(h handling) {
		h.answerStreaming("begin")
		body, writer := io.Pipe()
		resp, err := HTTPClient.Do(h.request("POST", "http://a.test/", body))
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		writer.CloseWithError(why)
		if got, err := io.ReadAll(resp.Body); string(got) != "begin" || !errors.Is(err, why) {
			t.Errorf("got %q, %v; want begin and %v", got, err, why)
		}
		h.settle()
		if lines := h.tap.take(); !slices.Contains(lines, "withdraw") {
			t.Errorf("the program sent %q, want the question withdrawn", lines)
		}
	})
}

func TestRequestBodyShorterThanItsLengthIsNotSent(t *testing.T) {
	inHandler(t, func(h handling) {
		r := h.request("POST", "http://a.test/", strings.NewReader("abc"))
		r.ContentLength = 4
		if _, err := HTTPClient.Do(r); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want %v", err, io.ErrUnexpectedEOF)
		}
		h.expectSent()
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// answerStreaming answers the next subrequest with a head that includes first, and returns the
// stream for the rest.
func (e *emulation) answerStreaming(first string) <-chan *wire.Stream {
	streams := make(chan *wire.Stream, 1)
	e.on(wire.MethodSubrequest, func(s *wire.Stream) {
		s.Answer(&wire.Response{Status: 200, ContentLength: -1, Body: []byte(first)}, false)
		streams <- s
		<-s.Context().Done()
	})
	return streams
}

func TestResponseBodyGivesTheTurnUpOnlyToWait(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		resp, err := p.env.Namespace("OBJECTS").GetByName("two").Fetch(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		if resp.ContentLength != -1 {
			t.Errorf("length %d, want -1", resp.ContentLength)
		}
		body, err := io.ReadAll(resp.Body)
		if string(body) != "onetwothree" || err != nil {
			t.Errorf("got %q, %v", body, err)
		}
	})
	emulate(t, w, func(e *emulation) {
		streams := e.answerStreaming("one")
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.expectSent("subrequest GET http://localhost:8787/ +0", "pause")
		s := <-streams
		resume := e.hold(wire.MethodResume)
		mustWrite(t, s, "two")
		e.expectSent("resume")
		mustWrite(t, s, "three")
		s.CloseWrite()
		resume()
		e.expectSent("reply 200 +0 END")
		x.text()
	})
}

func TestResponseBodyThatBreaksOffFailsWithTheReason(t *testing.T) {
	inHandler(t, func(h handling) {
		h.on(wire.MethodSubrequest, func(s *wire.Stream) {
			s.Answer(&wire.Response{Status: 200, Body: []byte("begin")}, false)
			s.Fail(&wire.Error{Message: "panic: no luck", Remote: true})
		})
		resp, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(h.r)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		var failed *Error
		if string(body) != "begin" || !errors.As(err, &failed) || !failed.Remote || failed.Message != "panic: no luck" {
			t.Errorf("got %q, %v; want the panic", body, err)
		}
	})
}

func TestClosingAResponseWithdrawsTheRest(t *testing.T) {
	inHandler(t, func(h handling) {
		h.answerStreaming("begin")
		resp, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(h.r)
		if err != nil {
			t.Error(err)
			return
		}
		h.check(resp.Body.Close())
		h.check(resp.Body.Close())
		h.expectSent("subrequest GET http://localhost:8787/ +0", "withdraw")
	})
}

func TestResponseIsClosedWhenTheHandlerReturns(t *testing.T) {
	var kept *http.Response
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		var err error
		r = r.WithContext(context.WithoutCancel(r.Context())) // does not help
		if kept, err = p.env.Namespace("OBJECTS").GetByName("two").Fetch(r); err != nil {
			t.Error(err)
		}
	})
	emulate(t, w, func(e *emulation) {
		e.answerStreaming("")
		e.fetch(e.construct("Object", "one"), wire.Request{}).text()
		e.expectSent("subrequest GET http://localhost:8787/ +0", "reply 200 +0 END", "withdraw")
		if n, err := kept.Body.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("the body can still be read: %d, %v", n, err)
		}
	})
}

func TestCanceledFetchHasItsTurnBeforeTheHandlerGoesOn(t *testing.T) {
	why := errors.New("had enough")
	inHandler(t, func(h handling) {
		h.on(wire.MethodSubrequest, func(s *wire.Stream) { <-s.Context().Done() })
		ctx, cancel := context.WithCancelCause(h.ctx)
		result := make(chan error, 1)
		go func() {
			_, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(h.r.WithContext(ctx))
			result <- err
		}()
		h.expectSent("subrequest GET http://localhost:8787/ +0")
		resume := h.hold(wire.MethodResume)
		cancel(why)
		h.expectSent("withdraw", "resume")
		if len(result) > 0 {
			t.Error("Fetch has returned without the turn")
		}
		resume()
		if err := <-result; err != why {
			t.Errorf("got %v, want %v", err, why)
		}
	})
}

func TestCancelOfTheEventEndsItsFetchAndTheBodyOfTheResponse(t *testing.T) {
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		stub := p.env.Namespace("OBJECTS").GetByName("two")
		resp, err := stub.Fetch(r)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("read: %v, want context.Canceled", err)
		}
		if _, err := stub.Fetch(r); !errors.Is(err, context.Canceled) {
			t.Errorf("fetch: %v, want context.Canceled", err)
		}
	})
	emulate(t, w, func(e *emulation) {
		e.answerStreaming("begin")
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.settle()
		e.on(wire.MethodSubrequest, func(s *wire.Stream) { <-s.Context().Done() })
		x.cancel()
		x.text()
	})
}
