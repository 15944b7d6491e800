package durabletest_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// laterWorker answers at once, and counts in Lab/a a minute later.
var laterWorker = durable.Worker{
	Handler: func(env *durable.Env) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", worker.Handler(env))
		mux.Handle("/later", durable.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
			return durable.WaitUntil(r.Context(), func(ctx context.Context) error {
				if err := durable.Sleep(ctx, time.Minute); err != nil {
					return err
				}
				q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://lab/a/count", nil)
				if err != nil {
					return err
				}
				response, err := env.Namespace("LAB").GetByName("a").Fetch(q)
				if err != nil {
					return err
				}
				return response.Body.Close()
			})
		}))
		return mux
	},
	Classes: worker.Classes,
}

func TestAnAdvanceWaitsForWorkOfTheWorker(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, laterWorker, durabletest.Options{Dir: "testdata/lab", Time: at})
	want(t, srv, "/later", "")
	srv.Clock.Next() // which waits until the work sleeps
	want(t, srv, "/a/count", "2")
}
