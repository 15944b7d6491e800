// Command bookings lets customers book rooms, several at once, and pay for them with their credit.
//
// It shows two classes. A room takes no two bookings of the same hour. A customer books in steps
// that cross objects (a saga): it takes the money, reserves each room, and gives everything back if
// a room refuses. Whatever crashes on the way, an alarm completes it. The flags of an error say
// whether a client may repeat its request.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"devtool.internal/durable"
)

// worker is what devtool serves and what the tests start.
var worker = durable.Worker{
	Handler: newHandler,
	Classes: durable.Classes{
		"Customer": durable.NewClass(newCustomer),
		"Room":     durable.NewClass(newRoom),
	},
}

func main() { durable.Serve(worker) }

func newHandler(env *durable.Env) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/customers/{name}/", forward(env.Namespace("CUSTOMERS")))
	mux.Handle("GET /rooms/{name}/", forward(env.Namespace("ROOMS"))) // only customers book
	return mux
}

// forward passes a request to the object that its path names, and the response back. If the object
// failed in a way that may pass, the client learns when to repeat the request.
func forward(objects *durable.Namespace) http.Handler {
	return durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		response, err := objects.GetByName(r.PathValue("name")).Fetch(r)
		if failed, ok := errors.AsType[*durable.Error](err); ok && failed.Retryable {
			w.Header().Set("Retry-After", "5")
			return durable.HTTPError(http.StatusServiceUnavailable, "something failed: repeat the same request")
		}
		if err != nil {
			return err
		}
		defer response.Body.Close()
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.WriteHeader(response.StatusCode)
		_, err = io.Copy(w, response.Body)
		return err
	})
}

func decode(r *http.Request, v any) error {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		return durable.HTTPError(http.StatusBadRequest, "the body is no such JSON: "+err.Error())
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}
