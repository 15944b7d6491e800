// Package inside is how durabletest reaches what package durable keeps from handlers: it serves a
// worker on a connection of the test's own, runs functions as events of objects, and answers what
// handlers ask of the outside. It stands below internal so that no handler can reach any of that. It
// knows no types of durable, which imports it and fills in Serve.
package inside

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Options say how a worker is served.
type Options struct {
	// Outside returns what answers the requests of handlers to the outside from now on, or nil where they
	// are to go there. It is called for each of them.
	Outside func() func(*http.Request) (*http.Response, error)
}

// A Program is a worker that is served.
type Program interface {
	// Done is closed when the connection is gone.
	Done() <-chan struct{}
	// Visit calls f as an event of an object: with the object's turn, and once it is in memory. The
	// object is named by its class, or a binding of that, and by its name or id. f gets the object as
	// its class has made it, and its *durable.State. Visit returns when what f wrote is committed, and
	// with an error if it was not.
	Visit(ctx context.Context, class, object string, f func(ctx context.Context, object, state any) error) error
	// Frame is a text that stands in the stack of each goroutine that runs a handler of this worker.
	Frame() string
	// Close ends the connection, and waits for the handlers to return. It gives up after patience, and
	// returns how many then still run.
	Close(patience time.Duration) (running int)
}

// Serve introduces worker, a durable.Worker, to the emulator at the other end of conn, and serves it
// from then on. It closes conn.
var Serve func(conn io.ReadWriteCloser, worker any, o Options) (Program, error)
