// Command counter counts the visits to each path. Every path has an object of
// its own, and each object counts in its own storage, so the count survives
// anything.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"devtool.internal/durable"
)

var worker = durable.Worker{
	Fetch:   fetch,
	Classes: durable.Classes{"Counter": durable.NewClass(newCounter)},
}

func main() { durable.Serve(worker) }

func fetch(w http.ResponseWriter, r *http.Request, env *durable.Env) {
	name := cmp.Or(strings.Trim(r.URL.Path, "/"), "default")
	env.Namespace("COUNTER").GetByName(name).ServeHTTP(w, r)
}

// Counter is one path's count.
type Counter struct{ storage *durable.Storage }

func newCounter(_ context.Context, state *durable.State, _ *durable.Env) (*Counter, error) {
	return &Counter{storage: state.Storage}, nil
}

// ServeHTTP counts a GET. An object handles one request at a time, so no visit
// is lost between reading the count and writing it.
func (c *Counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	}
	count, err := c.increment(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer(count))
}

func (c *Counter) increment(ctx context.Context) (count int, err error) {
	if _, err := c.storage.Get(ctx, "count", &count); err != nil {
		return 0, err
	}
	count++
	return count, c.storage.Put(ctx, "count", count)
}

func answer(count int) []byte {
	body, _ := json.Marshal(map[string]int{"count": count}) // a number always can
	return append(body, '\n')
}
