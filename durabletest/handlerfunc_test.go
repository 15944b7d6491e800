package durabletest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A Thrower fails as the path of a request says. Its ServeHTTP is a HandlerFunc.
type Thrower struct {
	state *durable.State
	env   *durable.Env
}

func (o *Thrower) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(o.serve).ServeHTTP(w, r)
}

func (o *Thrower) serve(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	_, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if what == "written" {
		n, _, err := durable.Get[int](ctx, o.state.Storage, "n")
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(w, n)
		return err
	}
	if err := o.state.Storage.Put(ctx, "n", 1); err != nil {
		return err
	}
	switch what {
	case "panic":
		panic("no luck")
	case "flags":
		return fmt.Errorf("wrapped: %w", &durable.Error{Message: "later", Retryable: true, Overloaded: true})
	case "passed on": // what another object fails with
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://b/b/flags", nil)
		if err != nil {
			return err
		}
		_, err = o.env.Namespace("LAB").GetByName("b").Fetch(q) //nolint:bodyclose // it fails
		return fmt.Errorf("ask b: %w", err)
	case "status":
		return fmt.Errorf("wrapped: %w", durable.HTTPError(http.StatusTeapot, "a pot"))
	case "late", "late status":
		if _, err := io.WriteString(w, "begin"); err != nil {
			return err
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		if what == "late status" {
			return durable.HTTPError(http.StatusTeapot, "a pot")
		}
	}
	return errors.New("no luck")
}

// throwers is a worker whose objects are Throwers. It passes requests on, but for those to /ask,
// which it answers with the error of the object's stub.
var throwers = durable.Worker{
	Handler: func(env *durable.Env) http.Handler {
		stub := func(r *http.Request) *durable.Stub {
			name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			return env.Namespace("LAB").GetByName(name)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { stub(r).ServeHTTP(w, r) })
		mux.Handle("/ask/", http.StripPrefix("/ask", durable.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) error {
				_, err := stub(r).Fetch(r) //nolint:bodyclose // it fails
				failed, ok := errors.AsType[*durable.Error](err)
				if !ok {
					return fmt.Errorf("got %w, want an *Error", err)
				}
				_, err = fmt.Fprintf(w, "%s: remote %t retryable %t overloaded %t reset %t",
					failed.Message, failed.Remote, failed.Retryable, failed.Overloaded, failed.Reset)
				return err
			})))
		return mux
	},
	Classes: durable.Classes{
		"Lab": durable.NewClass(func(_ context.Context, s *durable.State, env *durable.Env) (*Thrower, error) {
			return &Thrower{s, env}, nil
		}),
	},
}

func TestAHandlerFuncFailsItsEventAsAPanicDoes(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, throwers, durabletest.Options{Dir: "testdata/lab"})

	t.Run("the caller of a stub gets the error", func(t *testing.T) {
		for what, answer := range map[string]string{
			"error":     "no luck: remote true retryable false overloaded false reset false",
			"panic":     "panic: no luck: remote true retryable false overloaded false reset false",
			"flags":     "wrapped: later: remote true retryable true overloaded true reset false",
			"passed on": "ask b: wrapped: later: remote true retryable true overloaded true reset false",
		} {
			want(t, srv.For(t), "/ask/a/"+strings.ReplaceAll(what, " ", "%20"), answer)
		}
	})
	t.Run("the writes before it stay", func(t *testing.T) {
		for _, what := range []string{"error", "panic"} {
			srv.For(t).Fetch("GET", "/"+what+"-writes/"+what, "")
			want(t, srv.For(t), "/"+what+"-writes/written", "1")
		}
	})
	t.Run("a client gets the error", func(t *testing.T) {
		status, got := srv.For(t).Fetch("GET", "/a/error", "")
		if status != 500 || !strings.Contains(got, ": no luck\nevent: fetch, GET /a/error") ||
			strings.Contains(got, "goroutine") {
			t.Errorf("got %d %q, want 500, the error and no stack", status, got)
		}
	})
	t.Run("a browser gets a page", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/a/error", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		resp := srv.For(t).Do(r)
		page, err := io.ReadAll(resp.Body)
		if resp.StatusCode != 500 || err != nil || !strings.Contains(string(page), "<pre>no luck</pre>") {
			t.Errorf("got %d %v %s", resp.StatusCode, err, page)
		}
	})
	t.Run("HTTPError answers", func(t *testing.T) {
		if status, got := srv.For(t).Fetch("GET", "/a/status", ""); status != 418 || got != "a pot\n" {
			t.Errorf("got %d %q, want 418 a pot", status, got)
		}
	})
	t.Run("a response that has begun breaks off", func(t *testing.T) {
		for _, what := range []string{"late", "late%20status"} {
			resp, err := srv.For(t).Client().Get("/a/" + what)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 || string(got) != "begin" || err == nil {
				t.Errorf("%s: got %d %q %v, want 200, begin and an error", what, resp.StatusCode, got, err)
			}
		}
	})
}

func TestAWorkerWhoseHandlerFailsDoesNotStart(t *testing.T) {
	t.Parallel()
	for want, handler := range map[string]func(*durable.Env) http.Handler{
		"the worker's Handler returned nil":        func(*durable.Env) http.Handler { return nil },
		"the worker's Handler panicked: not today": func(*durable.Env) http.Handler { panic("not today") },
	} {
		broken := throwers
		broken.Handler = handler
		record(t, func(t testing.TB) {
			durabletest.Start(t, broken, durabletest.Options{Dir: "testdata/lab"})
		}).wantFatal(t, "serve the worker: "+want)
	}
}
