package scripted

import (
	"sync"
	"testing"

	"devtool.internal/durable/wire"
)

// A Caller is the object "caller", which sends requests to the object "callee" and keeps the errors
// that it gets. The zero Caller is ready to use.
type Caller struct {
	mu   sync.Mutex
	path string      // of the request that Ask wants
	err  *wire.Error // that the request ended with
}

// Relay is the handler of "/ask": it sends the request that Ask wants.
func (c *Caller) Relay(fetch func(object, path string) (string, error)) (string, error) {
	c.mu.Lock()
	path := c.path
	c.mu.Unlock()
	text, err := fetch("callee", path)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = WireError(err)
	return text, nil
}

// Ask lets the caller request path of the callee, and returns the error that the caller gets, or
// nil. The function get sends a request to an object.
func (c *Caller) Ask(t *testing.T, get func(name, path string) (int, string), path string) *wire.Error {
	t.Helper()
	c.mu.Lock()
	c.path, c.err = path, nil
	c.mu.Unlock()
	if status, body := get("caller", "/ask"); status != 200 {
		t.Errorf("ask %s: got %d %q from the caller, want 200", path, status, body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// A CalleeError is an error that a callee may fail with.
type CalleeError struct {
	Name       string
	Path       string // of the request
	Want       wire.Error
	Constructs bool // the next event constructs the callee again
}

// CalleeErrors returns the errors of a callee whose handlers for these paths fail in the ways that
// the names say.
func CalleeErrors() []CalleeError {
	id := LabID("callee")
	return []CalleeError{
		{
			Name: "error",
			Path: "/error",
			Want: wire.Error{Message: "no luck", Remote: true, ObjectID: id},
		},
		{
			Name: "panic",
			Path: "/panic",
			Want: wire.Error{Message: "panic: no luck", Remote: true, ObjectID: id},
		},
		{
			Name: "flags of its own",
			Path: "/own",
			Want: wire.Error{Message: "later", Remote: true, Retryable: true, Overloaded: true, ObjectID: id},
		},
		{
			Name: "what another object failed with",
			Path: "/of another",
			Want: wire.Error{Message: "no luck there", Remote: true, ObjectID: LabID("another")},
		},
		{
			Name: "a path that nothing handles",
			Path: "/nowhere",
			Want: wire.Error{Message: "no handler for /nowhere", Remote: true, ObjectID: id},
		},
		{
			Name:       "abort",
			Path:       "/reset",
			Want:       wire.Error{Message: "enough", Remote: true, Reset: true, ObjectID: id},
			Constructs: true,
		},
		{
			Name:       "failure in a block",
			Path:       "/block",
			Want:       wire.Error{Message: "not loaded", Remote: true, Reset: true, ObjectID: id},
			Constructs: true,
		},
	}
}
