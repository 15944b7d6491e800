// Command batcher collects the bodies that are posted to it and sends them on
// in batches: one request with everything that arrived within ten seconds.
//
// A request to /NAME goes to the object called NAME, which keeps its own queue.
// See batcher.go.
package main

import (
	"cmp"
	"net/http"
	"strings"

	"devtool.internal/durable"
)

// worker is what devtool serves and what the tests start.
var worker = durable.Worker{
	Handler: newHandler,
	Classes: durable.Classes{"Batcher": durable.NewClass(newBatcher)},
}

func main() { durable.Serve(worker) }

// newHandler returns the handler of all requests. It passes each one to the
// object that the path names. The worker itself keeps no state: its objects do.
func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		env.Namespace("BATCHER").GetByName(objectName(r.URL.Path)).ServeHTTP(w, r)
	})
}

// objectName returns the path without its outer slashes, or "default" if
// nothing is left.
func objectName(path string) string {
	return cmp.Or(strings.Trim(path, "/"), "default")
}
