package durable

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

// serving is a program whose worker and objects handle requests with a HandlerFunc, behind the
// middleware, if there is any.
func serving(f HandlerFunc, middleware ...func(http.Handler) http.Handler) Worker {
	var h http.Handler = f
	for _, around := range middleware {
		h = around(h)
	}
	return withFetch(func(_ *probe, w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) })
}

// onBoth sends a request to the worker and one to an object, and calls check with each.
func onBoth(t *testing.T, w Worker, check func(t *testing.T, x exchange)) {
	t.Helper()
	for _, where := range []string{"worker", "object"} {
		t.Run(where, func(t *testing.T) {
			emulate(t, w, func(e *emulation) {
				instance := uint64(0)
				if where == "object" {
					instance = e.construct("Object", "one")
				}
				for range 2 { // the second shows that the program goes on
					check(t, e.fetch(instance, wire.Request{}))
				}
			})
		})
	}
}

func TestAnErrorOfAHandlerFuncFailsTheEventWithoutAStack(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want wire.Error
	}{
		"an error": {errors.New("no luck"), wire.Error{Message: "no luck", Remote: true}},
		"flags in the chain": {
			fmt.Errorf("ask: %w", &Error{
				Message: "later", Retryable: true, Overloaded: true, Reset: true, ObjectID: "0a",
			}),
			wire.Error{
				Message: "ask: later", Remote: true, Retryable: true, Overloaded: true, Reset: true, ObjectID: "0a",
			},
		},
		"a status that no response may have": {
			fmt.Errorf("load: %w", HTTPError(700, "odd")),
			wire.Error{
				Message: "load: odd (status 700): the status of a response is from 200 to 599, as on the platform",
				Remote:  true,
			},
		},
		"an error that panics": {
			(*fragile)(nil),
			wire.Error{
				Message: "the error is a nil *durable.fragile, which is not nil as an error: return nil itself",
				Remote:  true,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := serving(func(http.ResponseWriter, *http.Request) error { return tt.err })
			onBoth(t, w, func(t *testing.T, x exchange) {
				if diff := cmp.Diff(&tt.want, x.failure()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestHTTPErrorAnswersWithItsStatus(t *testing.T) {
	none := HTTPError(http.StatusNotFound, "no such order")
	for name, tt := range map[string]struct {
		err    error
		status uint64
		body   string
	}{
		"itself":       {none, 404, "no such order\n"},
		"wrapped":      {fmt.Errorf("load: %w", none), 404, "no such order\n"},
		"joined":       {errors.Join(&Error{Message: "later", Retryable: true}, none), 404, "no such order\n"},
		"without text": {HTTPError(http.StatusConflict, ""), 409, "Conflict\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := serving(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("X-Kept", "yes")
				return tt.err
			})
			onBoth(t, w, func(t *testing.T, x exchange) {
				want := wire.Response{
					Status: tt.status,
					Header: []wire.Field{
						{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
						{Name: "X-Content-Type-Options", Value: "nosniff"},
						{Name: "X-Kept", Value: "yes"},
					},
					ContentLength: int64(len(tt.body)), Body: []byte(tt.body),
				}
				if diff := cmp.Diff(want, x.head()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A response that is still in the SDK's buffer is dropped, as after a panic.
func TestAnErrorAfterAWriteFailsTheEvent(t *testing.T) {
	for want, err := range map[string]error{
		"no luck":                    errors.New("no luck"),
		"no such order (status 404)": HTTPError(http.StatusNotFound, "no such order"),
	} {
		for what, write := range map[string]func(http.ResponseWriter){
			"a status": func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) },
			"a body":   func(w http.ResponseWriter) { io.WriteString(w, "not to be seen") },
		} {
			t.Run(want+" after "+what, func(t *testing.T) {
				w := serving(func(w http.ResponseWriter, _ *http.Request) error { write(w); return err })
				onBoth(t, w, func(t *testing.T, x exchange) {
					if got := x.failure().Message; got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				})
			})
		}
	}
}

func TestAnErrorAfterTheHeadBreaksTheBodyOff(t *testing.T) {
	for want, err := range map[string]error{
		"no luck":                    errors.New("no luck"),
		"no such order (status 404)": HTTPError(http.StatusNotFound, "no such order"),
	} {
		w := serving(func(w http.ResponseWriter, _ *http.Request) error {
			io.WriteString(w, "begin")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("flush: %v", err)
			}
			io.WriteString(w, "lost")
			return err
		})
		onBoth(t, w, func(t *testing.T, x exchange) {
			head := x.head()
			if head.Status != 200 || string(head.Body) != "begin" {
				t.Errorf("got %d %q, want 200 begin", head.Status, head.Body)
			}
			rest, err := io.ReadAll(x)
			var failed *wire.Error
			if len(rest) != 0 || !errors.As(err, &failed) || failed.Message != want {
				t.Errorf("then %q, %v; want %q", rest, err, want)
			}
		})
	}
}

// A plainWriter is that of a middleware that knows nothing of flushing.
type plainWriter struct{ http.ResponseWriter }

// An openWriter is that of a middleware for http.ResponseController.
type openWriter struct{ plainWriter }

func (w openWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestAHandlerFuncWorksInsideMiddleware(t *testing.T) {
	for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"its own writer": func(w http.ResponseWriter) http.ResponseWriter { return plainWriter{w} },
		"one to unwrap":  func(w http.ResponseWriter) http.ResponseWriter { return openWriter{plainWriter{w}} },
		"another HandlerFunc": func(w http.ResponseWriter) http.ResponseWriter {
			return &trackingWriter{ResponseWriter: plainWriter{w}}
		},
	} {
		var after []string // what ran after the handler, in the middleware
		middleware := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Middleware", "yes")
				defer func() { after = append(after, "deferred") }()
				next.ServeHTTP(wrap(w), r)
				after = append(after, "next")
			})
		}
		run := func(what string, f HandlerFunc, wantAfter string, check func(t *testing.T, x exchange)) {
			t.Run(name+" "+what, func(t *testing.T) {
				after = nil
				onBoth(t, serving(f, middleware), check)
				if got := strings.Join(after[:len(after)/4], " "); got != wantAfter {
					t.Errorf("after the handler: got %q, want %q", got, wantAfter)
				}
			})
		}
		run("answers", func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, "ok")
			return err
		}, "next deferred", func(t *testing.T, x exchange) {
			if got := x.text(); got != "ok" {
				t.Errorf("got %q, want ok", got)
			}
		})
		run("HTTPError", func(http.ResponseWriter, *http.Request) error { return HTTPError(404, "none") },
			"next deferred", func(t *testing.T, x exchange) {
				if got := x.head(); got.Status != 404 || string(got.Body) != "none\n" {
					t.Errorf("got %d %q, want 404 none", got.Status, got.Body)
				}
			})
		run("error", func(http.ResponseWriter, *http.Request) error { return errors.New("no luck") },
			"deferred", func(t *testing.T, x exchange) {
				if got := x.failure(); got.Message != "no luck" || got.Detail != "" {
					t.Errorf("got %q %q, want no luck and no stack", got.Message, got.Detail)
				}
			})
		for what, write := range map[string]func(http.ResponseWriter){
			"status": func(w http.ResponseWriter) { w.WriteHeader(202) },
			"body":   func(w http.ResponseWriter) { io.WriteString(w, "no") },
		} {
			run("HTTPError after a "+what, func(w http.ResponseWriter, _ *http.Request) error {
				write(w)
				return HTTPError(404, "none")
			}, "deferred", func(t *testing.T, x exchange) {
				if got := x.failure().Message; got != "none (status 404)" {
					t.Errorf("got %q, want none (status 404)", got)
				}
			})
		}
	}
}

func TestAnErrorAfterAWriteOfTheMiddlewareFailsTheEvent(t *testing.T) {
	w := serving(func(http.ResponseWriter, *http.Request) error { return HTTPError(404, "none") },
		func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "begin")
				next.ServeHTTP(openWriter{plainWriter{w}}, r)
			})
		})
	onBoth(t, w, func(t *testing.T, x exchange) {
		if got := x.failure().Message; got != "none (status 404)" {
			t.Errorf("got %q, want none (status 404)", got)
		}
	})
}

func TestAHandlerFuncFlushesThroughAMiddlewareThatCan(t *testing.T) {
	w := serving(func(w http.ResponseWriter, _ *http.Request) error {
		io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		return HTTPError(404, "none")
	}, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(openWriter{plainWriter{w}}, r)
		})
	})
	onBoth(t, w, func(t *testing.T, x exchange) {
		if got := string(x.head().Body); got != "begin" {
			t.Errorf("got %q, want begin", got)
		}
		if _, err := io.ReadAll(x); err == nil {
			t.Error("the body ends as if it were whole")
		}
	})
}

func TestMiddlewareThatRecoversFindsTheErrorOfAHandlerFunc(t *testing.T) {
	why := &Error{Message: "later", Retryable: true}
	w := serving(func(http.ResponseWriter, *http.Request) error { return fmt.Errorf("ask: %w", why) },
		func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					err, _ := recover().(error)
					if !errors.Is(err, why) || fmt.Sprint(err) != "ask: later" {
						t.Errorf("recovered %v, want the handler's error", err)
					}
					http.Error(w, "mended", http.StatusServiceUnavailable)
				}()
				next.ServeHTTP(w, r)
			})
		})
	onBoth(t, w, func(t *testing.T, x exchange) {
		if got := x.head().Status; got != 503 {
			t.Errorf("got status %d, want 503", got)
		}
	})
}

func TestAHandlerFuncWithoutAnEventAnswersItsErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"none":       {nil, 200, ""},
		"an error":   {errors.New("no luck"), 500, "no luck\n"},
		"HTTPError":  {fmt.Errorf("load: %w", HTTPError(404, "none")), 404, "none\n"},
		"no status":  {HTTPError(0, "none"), 500, "none (status 0): the status of a response is from 200 to 599"},
		"that panic": {&fragile{}, 500, "the error is a *durable.fragile, whose Error method panicked: "},
	} {
		w := httptest.NewRecorder()
		HandlerFunc(func(http.ResponseWriter, *http.Request) error { return tt.err }).
			ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		got := w.Body.String()
		if w.Code != tt.status || !strings.HasPrefix(got, tt.body) || tt.body == "" && got != "" {
			t.Errorf("%s: got %d %q, want %d %q", name, w.Code, got, tt.status, tt.body)
		}
	}
}

func TestAHandlerFuncWithoutAnEventBreaksOffAfterAWrite(t *testing.T) {
	srv := httptest.NewUnstartedServer(HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		io.WriteString(w, "begin")
		http.NewResponseController(w).Flush()
		return HTTPError(404, "none")
	}))
	var logged strings.Builder
	srv.Config.ErrorLog = log.New(&logged, "", 0)
	srv.Start()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if string(got) != "begin" || err == nil {
		t.Errorf("got %q, %v; want begin and an error", got, err)
	}
	srv.Close()
	if !strings.Contains(logged.String(), "none (status 404)") {
		t.Errorf("the server's log does not have the error: %s", logged.String())
	}
}
