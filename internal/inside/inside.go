// Package inside lets durabletest reach what package durable keeps from handlers. It serves a
// worker on a connection of the test's own, runs functions as events of objects, and answers
// requests to the outside that handlers make. It stands below internal, so that no handler can
// import it. It knows no types of durable, because durable imports it and sets Serve.
package inside

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Options say how to serve a worker.
type Options struct {
	// Outside is called for each request to the outside that a handler makes. It returns the
	// function that answers the request, or nil to let the request leave.
	Outside func() func(*http.Request) (*http.Response, error)
}

// A Program is a worker that is being served.
type Program interface {
	// Done is closed when the connection is gone.
	Done() <-chan struct{}
	// Visit calls f as an event of an object: with the object's turn, and with the object in
	// memory. The object is identified by its class, or a binding of that class, and by its name or
	// id. f gets the object as its class has made it, and its *durable.State. Visit returns when
	// the writes of f are committed, or with an error if they are not.
	Visit(ctx context.Context, class, object string, f func(ctx context.Context, object, state any) error) error
	// Wrote reports whether a handler of this worker is the author, and returns its object, as
	// CLASS/NAME or CLASS/ID, or empty for the worker itself.
	Wrote(Author) (object string, ours bool)
	// Close ends the connection, and waits for the handlers to return. After patience it gives up
	// and returns how many still run.
	Close(patience time.Duration) (running int)
}

// An Author is the event that a goroutine works for: a handler's own or one that it has started.
type Author [3]uint64

// CurrentAuthor returns the author that the calling goroutine is or works for, as far as its stack
// tells.
var CurrentAuthor func() (a Author, found bool)

// Serve introduces worker, a durable.Worker, to the emulator at the other end of conn. Then it
// serves the worker there. It closes conn.
var Serve func(conn io.ReadWriteCloser, worker any, o Options) (Program, error)
