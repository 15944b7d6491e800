package durable

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

// forwarding is a program whose handlers forward their requests to the object "two".
var forwarding = withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
	p.env.Namespace("OBJECTS").GetByName("two").ServeHTTP(w, r)
})

func TestServeHTTPPassesRequestAndResponseOn(t *testing.T) {
	emulate(t, forwarding, func(e *emulation) {
		e.on(wire.MethodSubrequest, func(s *wire.Stream) {
			q := subrequest(s).Request
			if q.Method != "POST" || q.URL != "http://a.test/p?q" || q.Host != "a.test" ||
				string(q.Body) != "question" || q.ContentLength != 8 {
				t.Errorf("asked %+v", q)
			}
			s.Answer(&wire.Response{
				Status:        201,
				Header:        []wire.Field{{Name: "X-A", Value: "1"}},
				ContentLength: 6,
				Body:          []byte("answer"),
			}, true)
		})
		x := e.fetch(e.construct("Object", "one"), wire.Request{
			Method:        "POST",
			URL:           "http://a.test/p?q",
			Host:          "a.test",
			ContentLength: 8,
			Body:          []byte("question"),
		})
		want := wire.Response{
			Status: 201, ContentLength: 6, Body: []byte("answer"),
			Header: []wire.Field{{Name: "Content-Length", Value: "6"}, {Name: "X-A", Value: "1"}},
		}
		if diff := cmp.Diff(want, x.head()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		e.expectSent("subrequest POST http://a.test/p?q +8", "reply 201 +6 END")
	})
}

func TestServeHTTPPassesABodyOnPieceByPiece(t *testing.T) {
	emulate(t, forwarding, func(e *emulation) {
		streams := e.answerStreaming("one")
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.expectSent("subrequest GET http://localhost:8787/ +0", "pause", "reply 200 +3", "resume", "pause")
		s := <-streams
		mustWrite(t, s, "two")
		e.expectSent("resume", "pause", "data 3", "resume", "pause")
		s.CloseWrite()
		e.expectSent("resume", "END")
		if got, want := x.text(), "onetwo"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// The client gets what the object has flushed, also if the failure is there before that is passed
// on.
func TestAResponseThatBreaksOffBeginsHoweverSoonTheObjectFails(t *testing.T) {
	var failed chan struct{}
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		resp, err := p.env.Namespace("OBJECTS").GetByName("two").Fetch(r)
		if err != nil {
			panic(failure{err})
		}
		defer resp.Body.Close()
		<-failed
		if err := copyResponse(w, resp); err != nil {
			panic(failure{err})
		}
	})
	emulate(t, w, func(e *emulation) {
		failed = make(chan struct{})
		e.on(wire.MethodSubrequest, func(s *wire.Stream) {
			s.Answer(&wire.Response{Status: 200, ContentLength: -1, Body: []byte("begin")}, false)
			s.Fail(&wire.Error{Message: "no luck", Remote: true})
		})
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.settle()
		close(failed)
		e.expectSent("subrequest GET http://localhost:8787/ +0", "pause", "reply 200 +5", "resume", "fail no luck")
		if head := x.head(); head.Status != 200 || string(head.Body) != "begin" {
			t.Errorf("got %d %q, want 200 and its beginning", head.Status, head.Body)
		}
	})
}

// A head that the object has flushed arrives at once, whatever it says about the body.
func TestServeHTTPPassesAFlushOnBeforeTheBody(t *testing.T) {
	for name, test := range map[string]struct {
		method string
		head   wire.Response
		reply  string
	}{
		"of unknown length":  {"GET", wire.Response{Status: 200, ContentLength: -1}, "reply 200 +0"},
		"of declared length": {"GET", wire.Response{Status: 200, ContentLength: 100}, "reply 200 +0"},
		"with a first piece": {
			"GET", wire.Response{Status: 200, ContentLength: 100, Body: []byte("x")}, "reply 200 +1",
		},
		"of HEAD":           {"HEAD", wire.Response{Status: 200, ContentLength: -1}, "reply 200 +0"},
		"of HEAD, declared": {"HEAD", wire.Response{Status: 200, ContentLength: 100}, "reply 200 +0"},
		"204":               {"GET", wire.Response{Status: 204, ContentLength: -1}, "reply 204 +0"},
		"304 with a length": {"GET", wire.Response{Status: 304, ContentLength: 100}, "reply 304 +0"},
	} {
		for _, by := range []string{"ServeHTTP", "ReverseProxy"} {
			t.Run(name+" by "+by, func(t *testing.T) {
				w := forwarding
				if by == "ReverseProxy" {
					w = withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
						proxy := &httputil.ReverseProxy{
							Rewrite: func(*httputil.ProxyRequest) {}, FlushInterval: -1,
							Transport: p.env.Namespace("OBJECTS").GetByName("two"),
						}
						proxy.ServeHTTP(w, r)
					})
				}
				emulate(t, w, func(e *emulation) {
					streams := make(chan *wire.Stream, 1)
					e.on(wire.MethodSubrequest, func(s *wire.Stream) {
						head := test.head
						s.Answer(&head, false) //nolint:errcheck // the test sees it
						streams <- s
						<-s.Context().Done()
					})
					x := e.fetch(0, wire.Request{Method: test.method})
					s := <-streams
					e.settle()
					got := e.tap.take()
					// A proxy may flush the head before it writes what has come with it.
					if split := slices.Index(got, "data 1"); split > 0 && got[split-1] == "reply 200 +0" {
						got[split-1] = "reply 200 +1"
					}
					if !slices.Contains(got, test.reply) {
						t.Errorf("before the end of the body the handler sent %q, want %s", got, test.reply)
					}
					s.CloseWrite() //nolint:errcheck // the handler ends
					x.Withdraw()
				})
			})
		}
	}
}

// net/http's proxy flushes in a goroutine of its own, while the handler waits for the body.
func TestAProxyThatFlushesLeavesTheTurnAlone(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		proxy := &httputil.ReverseProxy{
			Rewrite: func(*httputil.ProxyRequest) {}, FlushInterval: -1,
			Transport: p.env.Namespace("OBJECTS").GetByName("two"),
		}
		proxy.ServeHTTP(w, r)
	})
	emulate(t, w, func(e *emulation) {
		streams := e.answerStreaming("")
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		s := <-streams
		e.settle()
		sent := e.tap.take()
		turn := slices.DeleteFunc(slices.Clone(sent), func(line string) bool {
			return line != "pause" && line != "resume"
		})
		if !slices.Contains(sent, "reply 200 +0") || len(turn) == 0 || turn[len(turn)-1] != "pause" {
			t.Errorf("the program sent %q, want the reply, and a pause last", sent)
		}
		s.CloseWrite() //nolint:errcheck // the handler ends
		e.expectSent("resume", "END")
		x.text()
	})
}

func TestServeHTTPPassesTheObjectsFailureOn(t *testing.T) {
	emulate(t, forwarding, func(e *emulation) {
		e.fail(wire.MethodSubrequest,
			&wire.Error{Message: "too much", Overloaded: true, ObjectID: "0a", Detail: "the object's stack"})
		got := e.fetch(e.construct("Object", "one"), wire.Request{}).failure()
		want := wire.Error{
			Message: "too much", Remote: true, Overloaded: true, ObjectID: "0a", Detail: "the object's stack",
		}
		if *got != want {
			t.Errorf("got %+v, want %+v: no panic, no stack of its own", *got, want)
		}
	})
}

func TestServeHTTPsFailureCanBeReadAfterRecover(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		defer func() { http.Error(w, fmt.Sprint(recover()), http.StatusBadGateway) }()
		p.env.Namespace("OBJECTS").GetByName("two").ServeHTTP(w, r)
	})
	emulate(t, w, func(e *emulation) {
		e.fail(wire.MethodSubrequest, &wire.Error{Message: "no luck"})
		if got, want := e.fetch(0, wire.Request{}).text(), "no luck\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestServeHTTPPassesABodyThatBreaksOffOn(t *testing.T) {
	emulate(t, forwarding, func(e *emulation) {
		streams := e.answerStreaming("begin")
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		x.head()
		(<-streams).Fail(&wire.Error{Message: "no luck"})
		_, err := io.ReadAll(x)
		expectError(t, err, "no luck")
	})
}

func TestStubServesAsHandlerOfAMux(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		mux := http.NewServeMux()
		mux.Handle("/objects/", http.StripPrefix("/objects", p.env.Namespace("OBJECTS").GetByName("two")))
		mux.ServeHTTP(w, r)
	})
	emulate(t, w, func(e *emulation) {
		e.answerWith(wire.Response{Status: 204})
		x := e.fetch(0, wire.Request{URL: "http://a.test/objects/p", Host: "a.test"})
		if got := x.head().Status; got != 204 {
			t.Errorf("status %d, want 204", got)
		}
		e.expectSent("subrequest GET http://a.test/p +0", "reply 204 +0 END")
	})
}

func TestForwardingABodyThatIsStillArrivingTakesNoTurn(t *testing.T) {
	emulate(t, forwarding, func(e *emulation) {
		e.on(wire.MethodSubrequest, func(s *wire.Stream) {
			body, err := io.ReadAll(s)
			e.check(err)
			s.Answer(&wire.Response{Status: 200, Body: body}, true)
		})
		x := e.deliver(e.construct("Object", "one"), bodyOf("one"), false)
		e.expectSent("subrequest POST http://localhost:8787/ +0 ...", "data 3")
		mustWrite(t, x, "two")
		e.expectSent("data 3")
		mustWrite(t, x, "six")
		x.CloseWrite()
		if got, want := x.text(), "onetwosix"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		e.expectSent("data 3", "END", "reply 200 +9 END")
	})
}

func TestForwardingABodyThatIsThereConsumesIt(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		p.env.Namespace("OBJECTS").GetByName("two").ServeHTTP(w, r)
		if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("it can be read again: %d, %v", n, err)
		}
	})
	emulate(t, w, func(e *emulation) {
		e.on(wire.MethodSubrequest, func(s *wire.Stream) {
			if q := subrequest(s).Request; string(q.Body) != "whole" || q.ContentLength != 5 {
				t.Errorf("got %q of length %d, want all 5 bytes of it", q.Body, q.ContentLength)
			}
			s.Answer(&wire.Response{Status: 200}, true)
		})
		e.fetch(e.construct("Object", "one"), bodyOf("whole")).text()
	})
}

// A body that the handler has wrapped is passed on in the same way, while the handler waits for the
// response.
func TestForwardingAWrappedBodyTakesNoTurn(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1000)
		p.env.Namespace("OBJECTS").GetByName("two").ServeHTTP(w, r)
	})
	emulate(t, w, func(e *emulation) {
		e.on(wire.MethodSubrequest, func(s *wire.Stream) {
			io.Copy(io.Discard, s)
			s.Answer(&wire.Response{Status: 200}, true)
		})
		x := e.deliver(e.construct("Object", "one"), bodyOf(""), false)
		e.settle()
		mustWrite(t, x, "late")
		e.settle()
		x.CloseWrite()
		e.expectSent("subrequest POST http://localhost:8787/ +0 ...", "data 4", "END", "reply 200 +0 END")
	})
}

// The object answers before it has read its request, for example because it echoes. Then the
// handler has its turn, and the rest of the body must not give that up.
func TestForwardingABodyGoesOnBesideTheHandler(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		resp, err := p.env.Namespace("OBJECTS").GetByName("two").Fetch(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		Sleep(r.Context(), 1) // the handler is at work
		io.Copy(w, resp.Body)
	})
	emulate(t, w, func(e *emulation) {
		wake := e.hold(wire.MethodSleep)
		streams := e.answerStreaming("")
		x := e.deliver(e.construct("Object", "one"), bodyOf(""), false)
		e.expectSent("subrequest POST http://localhost:8787/ +0 ...", "sleep 1ns")
		for range 2 {
			mustWrite(t, x, "more")
			e.expectSent("data 4") // neither pause nor resume
		}
		x.CloseWrite()
		e.expectSent("END")
		wake()
		s := <-streams
		mustWrite(t, s, "end")
		s.CloseWrite()
		if got, want := x.text(), "end"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestResponseBodyCanBeTheBodyOfARequest(t *testing.T) {
	inHandler(t, func(h handling) {
		stub := h.env.Namespace("OBJECTS").GetByName("two")
		streams := h.answerStreaming("one")
		first, err := stub.Fetch(h.r)
		if err != nil {
			t.Error(err)
			return
		}
		h.on(wire.MethodSubrequest, func(s *wire.Stream) {
			body, err := io.ReadAll(s)
			h.check(err)
			s.Answer(&wire.Response{Status: 200, Body: body}, true)
		})
		go func() {
			h.settle()
			s := <-streams
			mustWrite(t, s, "two")
			s.CloseWrite()
		}()
		second, err := stub.Fetch(h.request("POST", "http://a.test/", first.Body))
		if err != nil {
			t.Error(err)
			return
		}
		defer second.Body.Close()
		if got, err := io.ReadAll(second.Body); string(got) != "onetwo" || err != nil {
			t.Errorf("got %q, %v; want onetwo", got, err)
		}
		h.expectSent(
			"subrequest GET http://localhost:8787/ +0",
			"subrequest POST http://a.test/ +0 ...", "data 3", "data 3", "END",
		)
	})
}

func TestForwardingAClosedBodyFails(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		_, err := p.env.Namespace("OBJECTS").GetByName("two").Fetch(r)
		if err == nil || !strings.Contains(err.Error(), http.ErrBodyReadAfterClose.Error()) {
			t.Errorf("got %v, want %v", err, http.ErrBodyReadAfterClose)
		}
	})
	emulate(t, w, func(e *emulation) {
		e.on(wire.MethodSubrequest, func(s *wire.Stream) { <-s.Context().Done() })
		instance := e.construct("Object", "one")
		e.fetch(instance, bodyOf("whole")).text()
		e.deliver(instance, bodyOf("part"), false).text()
	})
}

// A request's body may be a pipe. Its writer must not wait for ever if the object does not read the
// body.
func TestBodyIsClosedWhenTheObjectHasAnswered(t *testing.T) {
	inHandler(t, func(h handling) {
		h.answerWith(wire.Response{Status: 413})
		body, writer := io.Pipe()
		resp, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(h.request("POST", "http://a.test/", body))
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
		h.settle()
		if _, err := writer.Write([]byte("late")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write: %v, want %v", err, io.ErrClosedPipe)
		}
	})
}
