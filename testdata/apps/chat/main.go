// Command chat has rooms whose messages reach everybody in them at once, as server-sent events.
//
// It shows handlers that wait for each other in one object (durable.Cond), a stream that survives
// its connection because history is in storage, timeouts on the emulator's clock, log lines that
// name the object, and an alarm that clears old messages.
package main

import (
	"net/http"
	"regexp"

	"devtool.internal/durable"
)

// worker is what devtool serves and what the tests start.
var worker = durable.Worker{
	Handler: newHandler,
	Classes: durable.Classes{"Room": durable.NewClass(newRoom)},
}

func main() { durable.Serve(worker) }

func newHandler(env *durable.Env) http.Handler {
	rooms := env.Namespace("ROOMS")
	mux := http.NewServeMux()
	mux.HandleFunc("/rooms/{room}/", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("room")
		http.StripPrefix("/rooms/"+name, rooms.GetByName(name)).ServeHTTP(w, r)
	})
	return logged(named(mux))
}

// named refuses requests without a name of who speaks. A real chat would check more.
func named(next http.Handler) http.Handler {
	valid := regexp.MustCompile(`^[a-z]{1,20}$`)
	return durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if !valid.MatchString(r.URL.Query().Get("name")) {
			return durable.HTTPError(http.StatusBadRequest, "add ?name=NAME to the URL, at most 20 small letters")
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// logged logs when a request ends, and how much was written. For a stream that may be hours later.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := durable.Now(r.Context())
		counter := &counter{ResponseWriter: w}
		defer func() {
			durable.Logger(r.Context()).Info("request ended", "method", r.Method, "path", r.URL.Path,
				"took", durable.Now(r.Context()).Sub(began), "bytes", counter.bytes)
		}()
		next.ServeHTTP(counter, r)
	})
}

// A counter counts what is written to a response.
type counter struct {
	http.ResponseWriter
	bytes int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController flush the response.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
