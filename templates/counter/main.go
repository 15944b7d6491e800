// Command counter counts the visits to each path. Each path has its own object,
// and each object keeps its count in its own storage. So the counts survive a
// restart and a crash.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"devtool.internal/durable"
)

// worker is what devtool serves and what the tests start.
var worker = durable.Worker{
	Handler: newHandler,
	Classes: durable.Classes{"Counter": durable.NewClass(newCounter)},
}

func main() { durable.Serve(worker) }

// newHandler returns the handler of all requests. It passes each one to the
// object that the path names.
func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := cmp.Or(strings.Trim(r.URL.Path, "/"), "default")
		env.Namespace("COUNTER").GetByName(name).ServeHTTP(w, r)
	})
}

// Counter counts the visits to one path.
type Counter struct{ storage *durable.Storage }

func newCounter(_ context.Context, state *durable.State, _ *durable.Env) (*Counter, error) {
	return &Counter{storage: state.Storage}, nil
}

// ServeHTTP answers a request to the object. An error of serve fails the request.
func (c *Counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(c.serve).ServeHTTP(w, r)
}

// serve counts a GET and answers with the count.
func (c *Counter) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		return durable.HTTPError(http.StatusMethodNotAllowed, "use GET")
	}
	count, err := c.increment(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]int{"count": count})
}

// increment adds one to the stored count and returns it. An object handles one
// request at a time, so no visit is lost between the Get and the Put.
func (c *Counter) increment(ctx context.Context) (int, error) {
	count, _, err := durable.Get[int](ctx, c.storage, "count")
	if err != nil {
		return 0, err
	}
	count++
	return count, c.storage.Put(ctx, "count", count)
}
