package durable

import (
	"context"
	"slices"
	"sync"
)

// An expiry is a context that ends when it is told to. It is here because a context of
// package context can be told to end only with context.Canceled.
//
// All that was derived from it has ended when end returns, also what was derived from another
// expiry: whoever ends it knows then who goes on.
type expiry struct {
	context.Context
	done chan struct{}
	// release unties the expiry from the contexts that it comes from.
	release func()

	// mu guards what follows.
	mu    sync.Mutex
	err   error
	after []*func() // what is called at the end, in this order: a context comes after its parent
}

type expiryKey struct{}

// newExpiry returns an expiry that ends with parent, at the latest.
func newExpiry(parent context.Context) *expiry {
	e := &expiry{Context: parent, done: make(chan struct{}), release: func() {}}
	if err := parent.Err(); err != nil {
		e.end(err)
		return e
	}
	stop := context.AfterFunc(parent, func() { e.end(parent.Err()) })
	leave := func() bool { return true }
	// AfterFunc takes its time. It does not matter how fast the end of an event or a cancel gets
	// here; that of another expiry must at once.
	if outer, ok := parent.Value(expiryKey{}).(*expiry); ok {
		leave = outer.AfterFunc(func() {
			if err := parent.Err(); err != nil { // else there is a context.WithoutCancel between them
				e.end(err)
			}
		})
	}
	e.release = func() {
		stop()
		leave()
	}
	return e
}

// end ends e with err, unless it has ended already.
func (e *expiry) end(err error) {
	e.mu.Lock()
	if e.err != nil {
		e.mu.Unlock()
		return
	}
	e.err = err
	close(e.done)
	after := e.after
	e.after = nil
	e.mu.Unlock()
	for _, f := range after {
		(*f)()
	}
}

// Done is part of context.Context.
func (e *expiry) Done() <-chan struct{} { return e.done }

// Err is part of context.Context.
func (e *expiry) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Value is part of context.Context.
func (e *expiry) Value(key any) any {
	if key == (expiryKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// AfterFunc is how package context ends what was derived from e: with e, and not some time
// later by a goroutine that waits for it.
func (e *expiry) AfterFunc(f func()) (stop func() bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		go f()
		return func() bool { return false }
	}
	e.after = append(e.after, &f)
	return func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		i := slices.Index(e.after, &f)
		if i < 0 {
			return false
		}
		e.after = slices.Delete(e.after, i, i+1)
		return true
	}
}
