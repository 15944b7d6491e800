// Command basic is a worker that answers with what it knows. /var is the variable GREETING, /host
// the request's host, /headers its headers and /pid the id of the program's process. /proxy passes
// the request's headers to the URL in its query. Everything else goes to an object, which sets an
// alarm an hour ahead on a POST. After a POST to /again the alarm sets itself again after each run.
// A test expects `func main` on line 20.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Basic": durable.NewClass(newBasic)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/var":
			fmt.Fprint(w, env.Var("GREETING"))
		case "/host":
			fmt.Fprint(w, r.Host)
		case "/headers":
			json.NewEncoder(w).Encode(r.Header) //nolint:errcheck // the client notices
		case "/proxy":
			proxy(w, r)
		case "/pid":
			fmt.Fprint(w, os.Getpid())
		default:
			env.Namespace("BASIC").GetByName("one").ServeHTTP(w, r)
		}
	})
}

func proxy(w http.ResponseWriter, r *http.Request) {
	out, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.URL.Query().Get("url"), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out.Header = r.Header.Clone()
	answer, err := durable.HTTPClient.Do(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	io.Copy(w, answer.Body) //nolint:errcheck // the client notices
}

// Basic is an object with nothing but an alarm.
type Basic struct{ storage *durable.Storage }

func newBasic(_ context.Context, state *durable.State, _ *durable.Env) (*Basic, error) {
	return &Basic{storage: state.Storage}, nil
}

func (b *Basic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		return
	}
	ctx := r.Context()
	if r.URL.Path == "/again" {
		if err := b.storage.Put(ctx, "again", true); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if err := b.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Hour)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// Alarm sets the alarm again after a POST to /again, and does nothing else.
func (b *Basic) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	again, err := b.storage.Get(ctx, "again", new(bool))
	if again && err == nil {
		err = b.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Hour))
	}
	return err
}
