package durable

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

// looks has what a handler sees of a request.
type looks struct {
	Method, URL, Host, RequestURI, Proto string
	Header                               http.Header
	ContentLength                        int64
	NoBody                               bool
	Path, RawQuery, Fragment             string
}

func look(r *http.Request) looks {
	return looks{
		Method: r.Method, URL: r.URL.String(), Host: r.Host, RequestURI: r.RequestURI, Proto: r.Proto,
		Header:        r.Header,
		ContentLength: r.ContentLength,
		NoBody:        r.Body == http.NoBody,
		Path:          r.URL.Path, RawQuery: r.URL.RawQuery, Fragment: r.URL.Fragment,
	}
}

// The wanted results are those of net/http for the same request on a connection.
func TestRequestLooksAsOnAServer(t *testing.T) {
	tests := []struct {
		name, raw string
		asked     wire.Request
	}{
		{
			"root", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
			wire.Request{Method: "GET", URL: "http://a.test/", Host: "a.test"},
		},
		{
			"URL without path", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
			wire.Request{Method: "GET", URL: "http://a.test", Host: "a.test"},
		},
		{
			"URL without path but with query", "GET /?q=1 HTTP/1.1\r\nHost: a.test\r\n\r\n",
			wire.Request{Method: "GET", URL: "http://a.test?q=1", Host: "a.test"},
		},
		{
			"escaped path and query", "GET /a%2Fb/%C3%A4?x=%20&y HTTP/1.1\r\nHost: a.test:8787\r\n\r\n",
			wire.Request{Method: "GET", URL: "http://a.test:8787/a%2Fb/%C3%A4?x=%20&y", Host: "a.test:8787"},
		},
		{
			"empty query", "GET /a? HTTP/1.1\r\nHost: a.test\r\n\r\n",
			wire.Request{Method: "GET", URL: "http://a.test/a?", Host: "a.test"},
		},
		{
			"two slashes", "GET //a//b HTTP/1.1\r\nHost: a.test\r\n\r\n",
			wire.Request{Method: "GET", URL: "http://a.test//a//b", Host: "a.test"},
		},
		{
			"Host is not that of the URL, which has user and fragment", "GET /a HTTP/1.1\r\nHost: b.test\r\n\r\n",
			wire.Request{Method: "GET", URL: "https://me:secret@a.test/a#there", Host: "b.test"},
		},
		{
			"header", "DELETE /a HTTP/1.1\r\nHost: a.test\r\nX-Two: 1\r\nX-Two: 2\r\nx-lower: \xff\r\n\r\n",
			wire.Request{Method: "DELETE", URL: "http://a.test/a", Host: "a.test", Header: []wire.Field{
				{Name: "X-Two", Value: "1"}, {Name: "X-Two", Value: "2"}, {Name: "x-lower", Value: "\xff"},
			}},
		},
		{
			"body", "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc",
			wire.Request{
				Method: "POST", URL: "http://a.test/a", Host: "a.test", ContentLength: 3, Body: []byte("abc"),
				Header: []wire.Field{{Name: "Content-Length", Value: "3"}},
			},
		},
		{
			"body of unknown length", "PUT /a HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: " +
				"chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
			wire.Request{Method: "PUT", URL: "http://a.test/a", Host: "a.test", ContentLength: -1, Body: []byte("abc")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(tt.raw)))
			if err != nil {
				t.Fatal(err)
			}
			want := look(r)
			wantBody, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) {
				if diff := cmp.Diff(want, look(r)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				io.Copy(w, r.Body)
			})
			emulate(t, w, func(e *emulation) {
				for _, instance := range []uint64{0, e.construct("Object", "one")} {
					if got := e.fetch(instance, tt.asked).text(); got != string(wantBody) {
						t.Errorf("body %q, want %q", got, wantBody)
					}
				}
			})
		})
	}
}

func TestRequestThatCannotBeReadFails(t *testing.T) {
	emulate(t, withFetch(nil), func(e *emulation) {
		got := e.fetch(0, wire.Request{URL: "http://a.test/%zz"}).failure().Message
		if want := `read request: parse "http://a.test/%zz": invalid URL escape "%zz"`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// bodyOf returns a request with a body of unknown length that begins with first.
func bodyOf(first string) wire.Request {
	return wire.Request{Method: "POST", ContentLength: -1, Body: []byte(first)}
}

func mustWrite(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Errorf("write: %v", err)
	}
}

func TestRequestBodyGivesTheTurnUpOnlyToWait(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 3)
		for range 3 {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				t.Errorf("read: %v", err)
			}
			if err := p.state.Storage.Put(r.Context(), string(buf), true); err != nil {
				t.Error(err)
			}
		}
		if n, err := r.Body.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("read at the end: %d, %v; want 0, EOF", n, err)
		}
	})
	emulate(t, w, func(e *emulation) {
		x := e.deliver(e.construct("Object", "one"), bodyOf("one"), false)
		e.expectSent("put one", "pause") // it waits

		resume := e.hold(wire.MethodResume)
		mustWrite(t, x, "two")
		e.expectSent("resume") // nothing happens without the turn
		mustWrite(t, x, "six")
		x.CloseWrite()
		resume()
		e.expectSent("put two", "put six", "reply 200 +0 END") // nothing to wait for
	})
}

func TestRequestBodyWaitsWhileTheEndIsNotThere(t *testing.T) {
	w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	emulate(t, w, func(e *emulation) {
		x := e.deliver(e.construct("Object", "one"), bodyOf("all"), false)
		e.expectSent("pause")
		x.CloseWrite()
		e.expectSent("resume", "reply 200 +3 END")
	})
}

func TestRequestBodyOfTheWorkerHasNoTurnToGiveUp(t *testing.T) {
	w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	emulate(t, w, func(e *emulation) {
		x := e.deliver(0, bodyOf(""), false)
		e.settle()
		mustWrite(t, x, "late")
		x.CloseWrite()
		e.expectSent("reply 200 +4 END")
	})
}

func TestReadFailsIfItGetsNoTurn(t *testing.T) {
	for _, method := range []wire.Method{wire.MethodPause, wire.MethodResume} {
		w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			expectError(t, err, "the object was reset")
		})
		emulate(t, w, func(e *emulation) {
			e.fail(method, &wire.Error{Message: "the object was reset", Reset: true})
			x := e.deliver(e.construct("Object", "one"), bodyOf(""), false)
			e.settle()
			x.CloseWrite()
			x.text()
		})
	}
}

func TestRequestBodyMayBeLargerThanTheWindow(t *testing.T) {
	const size = 3 * wire.InitialWindow
	w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || strings.Count(string(b), "x") != size || len(b) != size {
			t.Errorf("got %d bytes, %v; want %d", len(b), err, size)
		}
	})
	emulate(t, w, func(e *emulation) {
		x := e.deliver(e.construct("Object", "one"), bodyOf(""), false)
		mustWrite(t, x, strings.Repeat("x", size))
		x.CloseWrite()
		x.text()
	})
}

func TestRequestBodyCannotBeReadAfterClose(t *testing.T) {
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) {
		if err := r.Body.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err != http.ErrBodyReadAfterClose {
			t.Errorf("read: %d, %v; want 0, %v", n, err, http.ErrBodyReadAfterClose)
		}
	})
	emulate(t, w, func(e *emulation) {
		e.fetch(0, bodyOf("whole")).text()
		e.deliver(0, bodyOf("part"), false).text()
	})
}

func TestCancelBreaksAWaitingReadAndEndsTheContext(t *testing.T) {
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if ctx.Err() != nil {
			t.Errorf("context has ended before: %v", ctx.Err())
		}
		_, err := io.ReadAll(r.Body)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("read: %v, want context.Canceled", err)
		}
		if ctx.Err() != context.Canceled || !errors.Is(context.Cause(ctx), context.Canceled) {
			t.Errorf("context ended with %v because of %v, want context.Canceled", ctx.Err(), context.Cause(ctx))
		}
		expectError(t, context.Cause(ctx), "nobody waits for this event any more: context canceled")
		if _, err := r.Body.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("read again: %v, want context.Canceled", err)
		}
		// Its storage still works.
		if err := p.state.Storage.Put(ctx, "k", "v"); err != nil {
			t.Errorf("put: %v", err)
		}
	})
	emulate(t, w, func(e *emulation) {
		x := e.deliver(e.construct("Object", "one"), bodyOf("part"), false)
		e.expectSent("pause")
		x.cancel()
		e.expectSent("resume", "put k", "reply 200 +0 END")
	})
}

func TestCancelReachesOnlyItsEvent(t *testing.T) {
	w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusNoContent)
	})
	emulate(t, w, func(e *emulation) {
		first := e.fetch(e.construct("Object", "one"), wire.Request{})
		second := e.fetch(e.construct("Object", "two"), wire.Request{})
		e.settle()
		second.cancel()
		e.expectSent("reply 204 +0 END")
		second.head()
		first.cancel()
		first.head()
	})
}

func TestContextEndsWhenTheEmulatorWithdrawsTheEvent(t *testing.T) {
	ended := false
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended = true
	})
	emulate(t, w, func(e *emulation) {
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.settle()
		x.Withdraw()
		e.expectSent()
		if !ended {
			t.Error("the handler runs on")
		}
	})
}

func TestContextEndsWithTheHandler(t *testing.T) {
	var kept context.Context
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) { kept = r.Context() })
	emulate(t, w, func(e *emulation) {
		e.fetch(0, wire.Request{}).text()
		e.settle()
		if kept.Err() == nil {
			t.Error("the context of an event that is over has not ended")
		}
	})
}

func TestRequestOfAFormCanBeParsed(t *testing.T) {
	w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.FormValue("name")) })
	emulate(t, w, func(e *emulation) {
		body := url.Values{"name": {"a b"}}.Encode()
		got := e.fetch(0, wire.Request{
			Method: "POST", URL: "http://a.test/", Host: "a.test", ContentLength: int64(len(body)), Body: []byte(body),
			Header: []wire.Field{{Name: "content-type", Value: "application/x-www-form-urlencoded"}},
		}).text()
		if want := "a b"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
