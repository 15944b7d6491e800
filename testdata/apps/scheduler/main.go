// Command scheduler runs jobs at their time: each job is a request to a URL. Jobs that fail are
// tried again after growing pauses, and some jobs run again and again.
//
// It shows SQL with times and bools, a transaction over rows and the alarm, one alarm for the next
// due job, a cron trigger, and middleware that checks a token.
package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"devtool.internal/durable"
)

// worker is what devtool serves and what the tests start.
var worker = durable.Worker{
	Handler:   newHandler,
	Scheduled: clean,
	Classes:   durable.Classes{"Queue": durable.NewClass(newQueue)},
}

func main() { durable.Serve(worker) }

// newHandler returns the handler of the worker. It passes /queues/NAME/jobs to the queue NAME,
// which sees /jobs.
func newHandler(env *durable.Env) http.Handler {
	names := queueNames(env)
	queues := env.Namespace("QUEUES")
	mux := http.NewServeMux()
	mux.HandleFunc("/queues/{queue}/", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("queue")
		if !slices.Contains(names, name) {
			http.Error(w, fmt.Sprintf("no queue %q", name), http.StatusNotFound)
			return
		}
		http.StripPrefix("/queues/"+name, queues.GetByName(name)).ServeHTTP(w, r)
	})
	return authorized(env.Var("TOKEN"), mux)
}

// queueNames returns the names of the queues in the configuration. A program without them does not
// start.
func queueNames(env *durable.Env) []string {
	var names []string
	if err := env.DecodeVar("QUEUE_NAMES", &names); err != nil {
		panic(fmt.Errorf("read QUEUE_NAMES: %w", err))
	}
	return names
}

// authorized calls next for requests with the token.
func authorized(token string, next http.Handler) http.Handler {
	want := []byte("Bearer " + token)
	return durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			return durable.HTTPError(http.StatusUnauthorized, "send Authorization: Bearer TOKEN")
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// clean makes each queue forget its old jobs. A queue that fails does not keep the others from it.
func clean(ctx context.Context, _ durable.ScheduledEvent, env *durable.Env) error {
	var failed []error
	for _, name := range queueNames(env) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://queue/clean", nil)
		if err != nil {
			return err
		}
		response, err := env.Namespace("QUEUES").GetByName(name).Fetch(r)
		if err != nil {
			failed = append(failed, fmt.Errorf("clean %s: %w", name, err))
			continue
		}
		response.Body.Close()
	}
	return errors.Join(failed...)
}
