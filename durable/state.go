package durable

import (
	"context"
	"errors"
	"fmt"
	"log"
	"runtime"
	"runtime/debug"
	"sync"
)

// A State has the id and the storage of one object. The constructor gets it and keeps it with the
// object.
type State struct {
	// ID is the object's id. It knows its name if the object was reached by name.
	ID ID
	// Storage is the object's storage.
	Storage *Storage

	class    string // as the program has registered it
	instance uint64 // the number of the instance of which this is the state

	mu  sync.Mutex
	txn *transaction // the innermost open transaction, or nil; guarded by mu

	// running is held by the handler that runs (see wireturn.go).
	running sync.Mutex

	// execMu is held while SQL runs, and until its changes have been counted (see
	// dbConn.ExecContext).
	execMu sync.Mutex
}

// title returns the object's name for people: CLASS/NAME, or CLASS/ID without a name.
func (s *State) title() string {
	if name, ok := s.ID.Name(); ok {
		return s.class + "/" + name
	}
	return s.class + "/" + s.ID.String()
}

func newState(id ID) *State {
	s := &State{ID: id}
	s.Storage = newStorage(s)
	return s
}

// BlockConcurrencyWhile runs fn. No other event of the object runs until fn has returned,
// whatever fn waits for.
//
// A client that goes does not end fn: ctx, and all contexts that fn derives from it, go on until fn
// has returned. So a Sleep in fn, or a request, fails only for another reason.
//
// If fn fails, or has not returned after 30 s of the emulator's clock, the object is reset: it
// loses its memory and what it has not committed, and all its events fail. Then
// BlockConcurrencyWhile returns the reason, so that the handler can return. Nothing that the
// handler does from there on reaches the object or the caller.
//
// At most 64 blocks and transactions may be nested. One more is refused, which resets nothing.
func (s *State) BlockConcurrencyWhile(ctx context.Context, fn func(ctx context.Context) error) error {
	inv, err := s.invocation(ctx)
	if err != nil {
		return err
	}
	if err := inv.block(); err != nil {
		return err
	}
	ctx, leave := inv.section(ctx)
	defer leave()
	done := false
	defer func() {
		if done {
			return
		}
		reason := "BlockConcurrencyWhile ended its goroutine"
		v := recover()
		if v != nil {
			reason = fmt.Sprintf("panic in BlockConcurrencyWhile: %v", v)
			caught := &panicError{value: v, stack: debug.Stack()}
			log.Printf("%s\n%s", reason, caught.trace()) // the reset does not carry the stack
		}
		inv.reset(reason, false, true) //nolint:errcheck // the panic matters more
		if v != nil {
			panic(failure{&panicError{value: v, stack: debug.Stack()}}) // keeps the original stack
		}
	}()
	err = fn(ctx)
	done = true
	if err != nil {
		return errors.Join(err, inv.reset(textOf(err), false, true))
	}
	return inv.unblock()
}

// WaitUntil runs fn as an event of its own, after the calling handler has given its turn up or
// returned, and before every event that comes later. fn has the object's turn while it runs, and
// keeps the object in memory. ctx is the handler's. The context of fn outlives it. An error of fn
// is only logged.
func (s *State) WaitUntil(ctx context.Context, fn func(ctx context.Context) error) error {
	inv, err := s.invocation(ctx)
	return waitUntil(inv, err, fn)
}

// AbortOptions say how Abort treats the alarm.
type AbortOptions struct {
	// DropAlarm removes the alarm that is running, so that it is not tried again.
	DropAlarm bool
}

// defaultAbortReason is the platform's.
const defaultAbortReason = "Application called abort() to reset Durable Object."

// Abort resets the object: it loses its memory and what it has not committed, and all its events,
// including this one, fail with reason. The next event constructs it again. Abort does not return:
// it runs the deferred functions of the calling goroutine and ends it. (Source: the platform's
// ctx.abort.)
//
// It panics if ctx does not belong to a handler of this object.
func (s *State) Abort(ctx context.Context, reason string, o AbortOptions) {
	inv, err := s.invocation(ctx)
	if err != nil {
		panic("durable: abort: " + err.Error())
	}
	if reason == "" {
		reason = defaultAbortReason
	}
	inv.reset(reason, o.DropAlarm, false) //nolint:errcheck // if it fails, the object is already gone
	runtime.Goexit()
}

// invocation returns the invocation of ctx. It fails if that is not one of this object.
func (s *State) invocation(ctx context.Context) (*invocation, error) {
	inv := invocationOf(ctx)
	switch {
	case inv == nil:
		return nil, errNoHandler
	case inv.state != s:
		return nil, fmt.Errorf("the context belongs to another event than one of object %s", s.ID)
	}
	return inv, nil
}
