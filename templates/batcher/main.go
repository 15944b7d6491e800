// Command batcher collects what is posted to it and sends it on in batches:
// one request with everything that came in within ten seconds.
//
// Every request to /NAME goes to the object of that name, which keeps its own
// queue. See batcher.go.
package main

import (
	"cmp"
	"net/http"
	"strings"

	"devtool.internal/durable"
)

var worker = durable.Worker{
	Fetch:   fetch,
	Classes: durable.Classes{"Batcher": durable.NewClass(newBatcher)},
}

func main() { durable.Serve(worker) }

// fetch is the way in. It keeps no state: objects do.
func fetch(w http.ResponseWriter, r *http.Request, env *durable.Env) {
	env.Namespace("BATCHER").GetByName(objectName(r.URL.Path)).ServeHTTP(w, r)
}

// objectName is the path without its outer slashes, or "default".
func objectName(path string) string {
	return cmp.Or(strings.Trim(path, "/"), "default")
}
