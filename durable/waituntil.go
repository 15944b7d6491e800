package durable

import (
	"context"
	"errors"
	"fmt"
)

// WaitUntil runs fn as an event of its own, for work that goes on after the response. ctx is the
// context of a handler, of the worker or of an object. The context of fn is another one, which
// outlives the handler. An error of fn is only logged.
//
// No request that comes after the answer to the calling event runs before fn.
//
// In the worker, fn runs beside the calling handler, because the worker has no turn. In an object,
// WaitUntil is State.WaitUntil: fn waits for the object's turn and keeps the object in memory.
func WaitUntil(ctx context.Context, fn func(ctx context.Context) error) error {
	inv, err := invocationOf(ctx), error(nil)
	if inv == nil {
		err = errNoHandler
	}
	return waitUntil(inv, err, fn)
}

// errNoHandler is returned to calls with a context that belongs to no event.
var errNoHandler = errors.New("the context is not a handler's: pass on the context that the handler was called with")

// waitUntil makes inv run fn in the background, unless err says that there is no such invocation.
func waitUntil(inv *invocation, err error, fn func(ctx context.Context) error) error {
	if err == nil {
		err = inv.background(fn)
	}
	if err != nil {
		return fmt.Errorf("wait until: %w", err)
	}
	return nil
}
