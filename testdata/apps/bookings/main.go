// Command bookings lets customers book rooms, several at once, and pay for them with their credit.
//
// It shows two classes. A room takes no two bookings of the same hour. A customer books in steps
// that cross objects (a saga): it takes the money, reserves each room, and gives everything back if
// a room refuses. Whatever crashes on the way, an alarm completes it. Errors tell the customer what
// it may do: their status if the room refused, their flags if the room failed.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

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
	mux.Handle("/customers/{name}/", forward("/customers/", env.Namespace("CUSTOMERS")))
	mux.Handle("GET /rooms/{name}/", forward("/rooms/", env.Namespace("ROOMS"))) // only customers book
	return mux
}

// forward passes a request to the object whose name follows prefix, and its response back. The
// object sees the rest of the path. If it failed in a way that may pass, the client learns when to
// repeat.
func forward(prefix string, objects *durable.Namespace) http.Handler {
	return durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		name := r.PathValue("name")
		out := r.Clone(r.Context())
		out.URL.Path, out.URL.RawPath = strings.TrimPrefix(r.URL.Path, prefix+name), ""
		response, err := objects.GetByName(name).Fetch(out)
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

// A Refusal is the error of a room that answered, and said no.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return "refused: " + r.Reason }

// call sends a request to an object. It returns a *Refusal if the object answered with a status of
// 300 or more.
func call(ctx context.Context, stub *durable.Stub, method, path string, question any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://object"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := stub.Fetch(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = &Refusal{strings.TrimSpace(string(text))}
	}
	return err
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
