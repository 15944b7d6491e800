package durable

import (
	"context"
	"slices"
	"sync"
)

// An expiry is a context that ends with the error that end is called with. Package context has
// none: its cancel functions end a context with context.Canceled only.
//
// When end returns, all contexts derived from the expiry have ended, even if another expiry is in
// between. So the caller of end knows what goes on.
type expiry struct {
	context.Context
	done chan struct{}
	// release detaches the expiry from the contexts that it was derived from.
	release func()

	// mu guards what follows.
	mu    sync.Mutex
	err   error
	after []*func() // run at the end in this order, in which a context comes after its parent
}

type expiryKey struct{}

// newExpiry returns an expiry that ends with parent at the latest.
func newExpiry(parent context.Context) *expiry {
	e := &expiry{Context: parent, done: make(chan struct{}), release: func() {}}
	if err := parent.Err(); err != nil {
		e.end(err)
		return e
	}
	stop := context.AfterFunc(parent, func() { e.end(parent.Err()) })
	leave := func() bool { return true }
	// AfterFunc runs some time later. That is fast enough for the end of an event and for a cancel,
	// but the end of another expiry must arrive at once.
	if outer, ok := parent.Value(expiryKey{}).(*expiry); ok {
		leave = outer.AfterFunc(func() {
			if err := parent.Err(); err != nil { // or else a context.WithoutCancel is between them
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

// AfterFunc lets package context end a context derived from e together with e. Without it, a
// goroutine that waits for e would do so some time later.
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
