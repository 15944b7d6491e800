package durabletest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A doomed object is reset while one of its handlers waits.
type doomed struct {
	state   *durable.State
	outside string // an URL that never answers
	changed durable.Cond
	began   chan struct{}
	// saw receives what the handler's wait has returned, and then each other call.
	saw chan map[string]error
}

// waits are the ways in which a handler can wait, by the names of its requests.
func (d *doomed) waits(w http.ResponseWriter, r *http.Request) map[string]func(context.Context) error {
	storage := d.state.Storage
	sleep := func(ctx context.Context) error { return durable.Sleep(ctx, time.Hour) }
	request := func(ctx context.Context, method, url string, body io.Reader) *http.Request {
		q, err := http.NewRequestWithContext(ctx, method, url, body)
		if err != nil {
			panic(err)
		}
		return q
	}
	return map[string]func(context.Context) error{
		"sleep": sleep,
		"sleep with a timeout": func(ctx context.Context) error {
			ctx, cancel := durable.WithTimeout(ctx, 2*time.Hour)
			defer cancel()
			return durable.Sleep(ctx, time.Hour)
		},
		"cond": d.changed.Wait,
		"outside": func(ctx context.Context) error {
			resp, err := durable.HTTPClient.Do(request(ctx, http.MethodGet, d.outside, nil))
			if err == nil {
				resp.Body.Close()
			}
			return err
		},
		"stream to the outside": func(ctx context.Context) error {
			body := io.MultiReader(strings.NewReader("x"), r.Body)
			resp, err := durable.HTTPClient.Do(request(ctx, http.MethodPost, d.outside, body))
			if err == nil {
				resp.Body.Close()
			}
			return err
		},
		"transaction": func(ctx context.Context) error { return storage.Transaction(ctx, sleep) },
		"block":       func(ctx context.Context) error { return d.state.BlockConcurrencyWhile(ctx, sleep) },
		"flush": func(context.Context) error {
			for {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
					return err
				}
			}
		},
	}
}

// calls are the calls that a handler may make after that.
func (d *doomed) calls(w http.ResponseWriter) map[string]func(context.Context) error {
	storage := d.state.Storage
	nothing := func(context.Context) error { return nil }
	return map[string]func(context.Context) error{
		"Get":    func(ctx context.Context) error { _, _, err := durable.Get[int](ctx, storage, "k"); return err },
		"Put":    func(ctx context.Context) error { return storage.Put(ctx, "k", 1) },
		"Delete": func(ctx context.Context) error { _, err := storage.Delete(ctx, "k"); return err },
		"List": func(ctx context.Context) error {
			_, err := storage.List(ctx, durable.ListOptions{})
			return err
		},
		"PutMany":   func(ctx context.Context) error { return storage.PutMany(ctx, map[string]any{"k": 1}) },
		"DeleteAll": storage.DeleteAll,
		"Sync":      storage.Sync,
		"SetAlarm":  func(ctx context.Context) error { return storage.SetAlarm(ctx, at.Add(time.Hour)) },
		"GetAlarm":  func(ctx context.Context) error { _, _, err := storage.GetAlarm(ctx); return err },
		"Exec":      func(ctx context.Context) error { _, err := storage.SQL().Exec(ctx, "SELECT 1"); return err },
		"Transaction": func(ctx context.Context) error {
			return storage.Transaction(ctx, nothing)
		},
		"BlockConcurrencyWhile": func(ctx context.Context) error { return d.state.BlockConcurrencyWhile(ctx, nothing) },
		"Sleep":                 func(ctx context.Context) error { return durable.Sleep(ctx, time.Second) },
		"Sleep for nothing":     func(ctx context.Context) error { return durable.Sleep(ctx, 0) },
		"Cond.Wait":             d.changed.Wait,
		"WaitUntil":             func(ctx context.Context) error { return d.state.WaitUntil(ctx, nothing) },
		"HTTPClient": func(ctx context.Context) error {
			q, err := http.NewRequestWithContext(ctx, http.MethodGet, d.outside, nil)
			if err != nil {
				return err
			}
			resp, err := durable.HTTPClient.Do(q)
			if err == nil {
				resp.Body.Close()
			}
			return err
		},
		"Write":         func(context.Context) error { _, err := w.Write([]byte("x")); return err },
		"Flush":         func(context.Context) error { return http.NewResponseController(w).Flush() },
		"context.Cause": func(ctx context.Context) error { return context.Cause(ctx) },
		// Not an error, but the time of another clock would be one.
		"Now": func(ctx context.Context) error {
			if now := durable.Now(ctx); now.Year() != at.Year() {
				return errors.New("it is " + now.String())
			}
			return &durable.Error{Message: "no more", Reset: true}
		},
	}
}

func (d *doomed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	wait := d.waits(w, r)[r.URL.Query().Get("wait")]
	close(d.began)
	saw := map[string]error{"the wait": wait(ctx)}
	for name, call := range d.calls(w) {
		saw[name] = call(ctx)
	}
	d.saw <- saw
}

// Whatever a handler waits in when its object is reset, it learns the reason there, and from all
// that it calls afterwards.
func TestAfterAResetEveryCallReturnsTheReason(t *testing.T) {
	t.Parallel()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // the client may break off
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	for name := range new(doomed{state: &durable.State{}}).waits(nil, nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &doomed{outside: silent.URL, began: make(chan struct{}), saw: make(chan map[string]error, 1)}
			w := worker
			w.Classes = durable.Classes{"Lab": durable.NewClass(
				func(_ context.Context, state *durable.State, _ *durable.Env) (*doomed, error) {
					d.state = state
					return d, nil
				})}
			srv := durabletest.Start(t, w, durabletest.Options{Dir: "testdata/lab", Time: at})
			body, unsent := io.Pipe()
			t.Cleanup(func() { unsent.Close() })
			target := "/a?wait=" + strings.ReplaceAll(name, " ", "+")
			q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, body)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				resp, err := srv.Client().Do(q)
				if err == nil {
					<-t.Context().Done() // it does not read the response
					resp.Body.Close()
				}
			}()
			<-d.began
			srv.Object("Lab", "a").Abort("no more")
			for call, err := range <-d.saw {
				e := (*durable.Error)(nil)
				if !errors.As(err, &e) || e.Message != "no more" || !e.Reset || e.Remote {
					t.Errorf("%s: got %T %v, want the reset's reason", call, err, err)
				}
			}
		})
	}
}
