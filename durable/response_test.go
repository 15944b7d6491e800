package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
)

func TestShortResponseLeavesInOneFrame(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name    string
		method  string
		handler func(w http.ResponseWriter)
		want    wire.Response
	}{
		{"nothing written", "GET", func(http.ResponseWriter) {}, wire.Response{Status: 200}},
		{
			"written", "GET",
			func(w http.ResponseWriter) { io.WriteString(w, "a"); io.WriteString(w, "b") },
			wire.Response{Status: 200, ContentLength: 2, Body: []byte("ab")},
		},
		{
			"as long as the limit", "GET",
			func(w http.ResponseWriter) { io.WriteString(w, text(maxBuffered-1)); io.WriteString(w, "y") },
			wire.Response{Status: 200, ContentLength: maxBuffered, Body: []byte(text(maxBuffered-1) + "y")},
		},
		{
			"status and header", "GET",
			func(w http.ResponseWriter) {
				w.Header().Set("x-set", "1")
				w.Header().Add("X-Set", "2")
				w.WriteHeader(418)
			},
			wire.Response{Status: 418, Header: []wire.Field{{Name: "X-Set", Value: "1"}, {Name: "X-Set", Value: "2"}}},
		},
		{
			"header changed after WriteHeader", "GET",
			func(w http.ResponseWriter) {
				w.Header().Set("X-A", "before")
				w.WriteHeader(201)
				w.Header().Set("X-A", "after")
				w.Header().Set("X-B", "after")
			},
			wire.Response{Status: 201, Header: []wire.Field{{Name: "X-A", Value: "before"}}},
		},
		{
			"header changed after Write", "GET",
			func(w http.ResponseWriter) { io.WriteString(w, "a"); w.Header().Set("X-A", "after") },
			wire.Response{Status: 200, ContentLength: 1, Body: []byte("a")},
		},
		{
			"WriteHeader twice", "GET",
			func(w http.ResponseWriter) { w.WriteHeader(404); w.WriteHeader(500) },
			wire.Response{Status: 404},
		},
		{
			"the highest status", "GET",
			func(w http.ResponseWriter) { w.WriteHeader(599) },
			wire.Response{Status: 599},
		},
		{
			"HEAD", "HEAD",
			func(w http.ResponseWriter) { io.WriteString(w, text(3*maxBuffered)) },
			wire.Response{Status: 200, ContentLength: 3 * maxBuffered},
		},
		{
			"HEAD with a declared length", "HEAD",
			func(w http.ResponseWriter) { w.Header().Set("Content-Length", "12") },
			wire.Response{Status: 200, Header: []wire.Field{{Name: "Content-Length", Value: "12"}}, ContentLength: 12},
		},
		{
			"HEAD without a length", "HEAD", func(http.ResponseWriter) {},
			wire.Response{Status: 200, ContentLength: -1},
		},
		{
			"declared length", "GET",
			func(w http.ResponseWriter) { w.Header().Set("Content-Length", "2"); io.WriteString(w, "ab") },
			wire.Response{
				Status:        200,
				Header:        []wire.Field{{Name: "Content-Length", Value: "2"}},
				ContentLength: 2,
				Body:          []byte("ab"),
			},
		},
		{
			"length that is no number", "GET",
			func(w http.ResponseWriter) { w.Header().Set("Content-Length", "-2"); io.WriteString(w, "ab") },
			wire.Response{
				Status:        200,
				Header:        []wire.Field{{Name: "Content-Length", Value: "-2"}},
				ContentLength: 2,
				Body:          []byte("ab"),
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := withFetch(func(_ *probe, w http.ResponseWriter, _ *http.Request) { tt.handler(w) })
			emulate(t, w, func(e *emulation) {
				x := e.fetch(e.construct("Object", "one"), wire.Request{Method: tt.method})
				got := x.head()
				if len(got.Body) == 0 {
					got.Body = nil
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				lines := e.tap.take()
				if len(lines) != 1 || !strings.HasSuffix(lines[0], " END") {
					t.Errorf("the program sent %q, want a reply alone", lines)
				}
			})
		})
	}
}

func TestWriteRejectsABodyThatIsNotAllowed(t *testing.T) {
	inHandler(t, func(h handling) {
		h.w.WriteHeader(http.StatusNoContent)
		if n, err := io.WriteString(h.w, "a"); n != 0 || err != http.ErrBodyNotAllowed {
			t.Errorf("204: write returns %d, %v; want 0, %v", n, err, http.ErrBodyNotAllowed)
		}
	})
	inHandler(t, func(h handling) {
		h.w.WriteHeader(http.StatusNotModified)
		if n, err := io.WriteString(h.w, "a"); n != 0 || err != http.ErrBodyNotAllowed {
			t.Errorf("304: write returns %d, %v; want 0, %v", n, err, http.ErrBodyNotAllowed)
		}
	})
	inHandler(t, func(h handling) {
		h.w.Header().Set("Content-Length", "3")
		mustWrite(t, h.w, "ab")
		if n, err := io.WriteString(h.w, "cd"); n != 0 || err != http.ErrContentLength {
			t.Errorf("too long: write returns %d, %v; want 0, %v", n, err, http.ErrContentLength)
		}
		mustWrite(t, h.w, "c")
	})
}

func TestLongResponseIsSentWhilePaused(t *testing.T) {
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", maxBuffered))
		p.state.Storage.Put(r.Context(), "kept back", true)
		io.WriteString(w, "y")
		p.state.Storage.Put(r.Context(), "sent", true)
		io.WriteString(w, "rest")
	})
	emulate(t, w, func(e *emulation) {
		pause, resume := e.hold(wire.MethodPause), e.hold(wire.MethodResume)
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.expectSent("put kept back", "pause")
		pause()
		e.expectSent("reply 200 +65536", "data 1", "resume")
		resume()
		e.expectSent("put sent", "pause", "data 4", "END")
		if m := x.head(); m.ContentLength != -1 {
			t.Errorf("length %d, want -1: it is unknown", m.ContentLength)
		}
		if got := x.text(); len(got) != maxBuffered+5 || !strings.HasSuffix(got, "yrest") {
			t.Errorf("got %d bytes", len(got))
		}
	})
}

func TestLongResponseOfDeclaredLengthSaysSo(t *testing.T) {
	w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "70000")
		io.WriteString(w, strings.Repeat("x", 70000))
	})
	emulate(t, w, func(e *emulation) {
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		if got := x.head().ContentLength; got != 70000 {
			t.Errorf("length %d, want 70000", got)
		}
		x.text()
	})
}

func TestResponseWaitsForASlowClientWithoutTheTurn(t *testing.T) {
	w := withFetch(func(_ *probe, w http.ResponseWriter, _ *http.Request) {
		mustWrite(t, w, strings.Repeat("x", 2*wire.InitialWindow))
	})
	emulate(t, w, func(e *emulation) {
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.expectSent("pause", "reply 200 +0", "data 65536", "data 65536", "data 65536", "data 65536")
		if got := x.text(); len(got) != 2*wire.InitialWindow {
			t.Errorf("got %d bytes, want %d", len(got), 2*wire.InitialWindow)
		}
		e.settle()
		if lines := e.tap.take(); len(lines) < 2 || lines[len(lines)-2] != "resume" || lines[len(lines)-1] != "END" {
			t.Errorf("the program sent %q, want resume and END at the end", lines)
		}
	})
}

func TestFlushSendsEarlierWrites(t *testing.T) {
	tests := []struct {
		name  string
		flush func(w http.ResponseWriter) error
	}{
		{"http.Flusher", func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil }},
		{"http.ResponseController", func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
				for _, s := range []string{"", "one", "two"} {
					io.WriteString(w, s)
					if err := tt.flush(w); err != nil {
						t.Errorf("flush: %v", err)
					}
				}
			})
			emulate(t, w, func(e *emulation) {
				x := e.fetch(e.construct("Object", "one"), wire.Request{})
				if got, want := x.text(), "onetwo"; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				e.expectSent(
					"pause", "reply 200 +0", "resume",
					"pause", "data 3", "resume",
					"pause", "data 3", "resume",
					"END",
				)
			})
		})
	}
}

// A body arrives unchanged in whatever pieces it is written. Each pause except that of the end is
// followed by a resume.
func TestBodyArrivesInAllPieces(t *testing.T) {
	var script []int // sizes of writes; a negative one is a Flush
	w := withFetch(func(_ *probe, w http.ResponseWriter, _ *http.Request) {
		next := byte(0)
		for _, n := range script {
			if n < 0 {
				w.(http.Flusher).Flush()
				continue
			}
			b := make([]byte, n)
			for i := range b {
				b[i] = next
				next++
			}
			if _, err := w.Write(b); err != nil {
				t.Errorf("write: %v", err)
			}
		}
	})
	emulate(t, w, func(e *emulation) {
		instance := e.construct("Object", "one")
		rapid.Check(t, func(t *rapid.T) {
			script = rapid.SliceOfN(rapid.IntRange(-20_000, 100_000), 0, 8).Draw(t, "script")
			body := e.fetch(instance, wire.Request{}).text()
			total := 0
			for _, n := range script {
				total += max(n, 0)
			}
			if len(body) != total {
				t.Fatalf("got %d bytes, want %d", len(body), total)
			}
			for i := range len(body) {
				if body[i] != byte(i) {
					t.Fatalf("byte %d is %d, want %d", i, body[i], byte(i))
				}
			}
			e.settle()
			paused := false
			for _, line := range e.tap.take() {
				switch {
				case line == "pause":
					paused = true
				case line == "resume":
					paused = false
				case line != "END" && !strings.HasSuffix(line, " END") && !paused:
					t.Fatalf("%s is sent by an event that holds its turn", line)
				}
			}
		})
	})
}

func TestPanicBeforeTheHeadFailsTheEvent(t *testing.T) {
	w := withFetch(func(_ *probe, w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "not to be seen")
		misbehave("no luck")
	})
	emulate(t, w, func(e *emulation) {
		got := e.fetch(e.construct("Object", "one"), wire.Request{}).failure()
		if got.Message != "panic: no luck" || !got.Remote || !strings.Contains(got.Detail, "durable.misbehave") {
			t.Errorf("got %+v", got)
		}
		e.expectSent("fail panic: no luck")
	})
}

func TestPanicAfterTheHeadBreaksTheBodyOff(t *testing.T) {
	for _, value := range []any{"no luck", http.ErrAbortHandler} {
		w := withFetch(func(_ *probe, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
			io.WriteString(w, "lost")
			misbehave(value)
		})
		emulate(t, w, func(e *emulation) {
			x := e.fetch(e.construct("Object", "one"), wire.Request{})
			if got, want := string(x.head().Body), "begin"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			rest, err := io.ReadAll(x)
			var failed *wire.Error
			if len(rest) != 0 || !errors.As(err, &failed) || !strings.HasPrefix(failed.Message, "panic: ") {
				t.Errorf("then %q, %v; want the panic", rest, err)
			}
		})
	}
}

func TestWriteFailsWhenTheClientHasGone(t *testing.T) {
	w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		if _, err := w.Write(make([]byte, 2*maxBuffered)); err == nil {
			t.Error("a long write succeeds")
		}
		if _, err := io.WriteString(w, "a"); err == nil {
			t.Error("a short write after it succeeds")
		}
		if err := http.NewResponseController(w).Flush(); err == nil {
			t.Error("a flush after it succeeds")
		}
	})
	emulate(t, w, func(e *emulation) {
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		x.head()
		e.settle()
		x.Withdraw()
		e.settle()
	})
}

// A client may go in the middle of a response, or before its first byte. The emulator still waits
// for the handler.
func TestWritesFailWhenTheEventIsCanceled(t *testing.T) {
	for name, begin := range map[string]func(w http.ResponseWriter){
		"before the head":   func(http.ResponseWriter) {},
		"after a write":     func(w http.ResponseWriter) { io.WriteString(w, "begin") },
		"after a flush":     func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"of a fixed length": func(w http.ResponseWriter) { w.Header().Set("Content-Length", "1000000") },
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			t.Run(name+" of "+method, func(t *testing.T) {
				w := withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) {
					begin(w)
					<-r.Context().Done()
					for _, size := range []int{1, 2 * maxBuffered, 1} {
						if n, err := w.Write(make([]byte, size)); n != 0 || !errors.Is(err, context.Canceled) {
							t.Errorf("write of %d bytes: got %d, %v, want 0, canceled", size, n, err)
						}
					}
					if err := http.NewResponseController(w).Flush(); !errors.Is(err, context.Canceled) {
						t.Errorf("flush: got %v, want canceled", err)
					}
				})
				emulate(t, w, func(e *emulation) {
					x := e.fetch(e.construct("Object", "one"), wire.Request{Method: method})
					e.settle()
					x.cancel()
					e.settle()
					_, err := x.Await(context.Background())
					if err == nil {
						_, err = io.ReadAll(x)
					}
					var failed *wire.Error
					if !errors.As(err, &failed) || !failed.Canceled {
						t.Errorf("the event ended with %v, want canceled", err)
					}
				})
			})
		}
	}
}

func TestResponseThatCannotBeSentFailsTheEvent(t *testing.T) {
	w := withFetch(func(_ *probe, w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 2*maxBuffered))
		var failed *Error
		if !errors.As(err, &failed) || !failed.Reset {
			t.Errorf("got %v, want the error of the pause", err)
		}
	})
	emulate(t, w, func(e *emulation) {
		e.fail(wire.MethodPause, &wire.Error{Message: "disk full", Reset: true})
		e.fetch(e.construct("Object", "one"), wire.Request{}).failure()
		e.expectSent("pause", "fail disk full")
	})
}

func TestWriteHeaderPanicsForAnInvalidStatus(t *testing.T) {
	for _, status := range []int{-5, 0, 99, 100, 101, 103, 199, 600, 999, 1000} {
		w := withFetch(func(_ *probe, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		emulate(t, w, func(e *emulation) {
			got := e.fetch(e.construct("Object", "one"), wire.Request{}).failure()
			want := fmt.Sprintf("panic: durable: WriteHeader(%d): the status of a response is from 200 to 599, "+
				"as on the platform", status)
			if got.Message != want || !strings.Contains(got.Detail, "response_test.go") {
				t.Errorf("got %+v, want %q and the stack", got, want)
			}
		})
	}
}

func TestAResponseThatIsShorterThanDeclaredFails(t *testing.T) {
	for _, flush := range []bool{false, true} {
		w := withFetch(func(_ *probe, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "abc") //nolint:errcheck // the event fails
			if flush {
				w.(http.Flusher).Flush()
			}
		})
		emulate(t, w, func(e *emulation) {
			x := e.fetch(e.construct("Object", "one"), wire.Request{})
			_, err := x.Await(context.Background())
			if flush {
				_, err = io.ReadAll(x)
			}
			expectError(t, err, "the handler declared a Content-Length of 10 and wrote 3 bytes")
		})
	}
}

func TestAResponseThatIsLongerThanDeclaredSaysHowLong(t *testing.T) {
	for name, test := range map[string]struct {
		writes []string
		want   string // the failure, or empty if the response is whole
	}{
		"in one write":            {[]string{"hello, world"}, "a Content-Length of 5 and wrote 12 bytes"},
		"in the second write":     {[]string{"hell", "o, world"}, "a Content-Length of 5 and wrote 12 bytes"},
		"in every write":          {[]string{"hello!", "hello!"}, "a Content-Length of 5 and wrote 12 bytes"},
		"behind the declared end": {[]string{"hello", "!"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := withFetch(func(_ *probe, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "5")
				for _, text := range test.writes {
					io.WriteString(w, text) //nolint:errcheck // the event fails
				}
			})
			emulate(t, w, func(e *emulation) {
				_, err := e.fetch(e.construct("Object", "one"), wire.Request{}).Await(context.Background())
				if test.want != "" {
					expectError(t, err, "the handler declared "+test.want)
				} else if err != nil {
					t.Errorf("got %v, want the declared part", err)
				}
			})
		})
	}
}

func TestHandlerThatEndsItsGoroutineFailsTheEvent(t *testing.T) {
	var ended context.Context
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) {
		ended = r.Context()
		runtime.Goexit() // as FailNow does in a test
	})
	emulate(t, w, func(e *emulation) {
		got := e.fetch(0, wire.Request{}).failure()
		if got.Message != endedGoroutine || !got.Remote || !strings.Contains(got.Detail, "response_test.go") {
			t.Errorf("got %+v, want that it ended its goroutine, and where", got)
		}
		e.settle()
		if ended.Err() == nil {
			t.Error("the context has not ended")
		}
	})
}
