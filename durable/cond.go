package durable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// A Cond lets handlers of one object wait until another event of the object has changed something:
// a stream of server-sent events waits for messages, a long poll for its answer. It is to handlers
// what sync.Cond is to goroutines, and the object's turn takes the place of the lock. Its zero
// value is ready to use. Make it a field of the object, and do not copy it.
//
//	for room.seen(last) { // the condition
//		if err := room.changed.Wait(ctx); err != nil {
//			return err
//		}
//	}
//
// The first Wait of a handler binds the Cond to the handler's object. Outside of handlers, as in
// unit tests, a Cond works without an object and without a turn.
type Cond struct {
	mu      sync.Mutex // guards what follows
	state   *State     // of the object whose handlers wait; nil before the first Wait of a handler
	waiters []*condWaiter
}

// A condWaiter is a goroutine that waits in a Cond.
type condWaiter struct {
	// woken is closed to wake a waiter without an invocation. It is nil for others.
	woken chan struct{}
	// host is that of the waiter's invocation, and parking where it waits.
	host    host
	parking parking
	// signaled is set by a Signal, which woke no other waiter. Cond.mu guards it.
	signaled bool
}

// A parking is where a goroutine of a handler waits for another event of its object. host.park
// returns one, and host.wake ends the wait.
type parking interface {
	// await returns after wake, with the turn. If ctx ends, it calls leave. If leave reports true,
	// wake will not be called: await takes the turn and returns the cause.
	await(ctx context.Context, leave func() bool) error
}

// Wait gives the object's turn up until Signal or Broadcast wakes the handler, and returns with the
// turn. As in every wait, the writes before it are committed. If ctx ends earlier, Wait returns the
// cause. Otherwise it returns only after a Signal or Broadcast.
//
// Other events run before Wait returns, and perhaps between the Signal and the return. So call Wait
// in a loop that checks the condition. In a constructor, BlockConcurrencyWhile or a transaction
// Wait fails: the handler keeps its turn there, so nobody could signal. In a handler of another
// object, or of the worker, it fails, too.
func (c *Cond) Wait(ctx context.Context) error {
	inv := invocationOf(ctx)
	if inv == nil {
		return c.waitOutside(ctx)
	}
	if ctx = inv.lasting(ctx); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w, err := c.add(ctx, inv)
	if err != nil {
		return fmt.Errorf("wait for a Cond: %w", err)
	}
	err = w.parking.await(ctx, func() bool { return c.remove(w) })
	if err != nil && !c.remove(w) && w.signaled {
		c.Signal() // the handler has ended meanwhile, or its object was reset: another one may go on
	}
	return err
}

// add makes the invocation wait. The host knows of that before a Signal can find the waiter.
func (c *Cond) add(ctx context.Context, inv *invocation) (*condWaiter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case inv.state == nil:
		return nil, errors.New("the context belongs to an event of the worker: only objects have a turn to give up")
	case c.state == nil:
		c.state = inv.state
	case c.state != inv.state:
		return nil, fmt.Errorf("handlers of another object (%s) wait for it: make it a field of the object",
			c.state.ID)
	}
	w := &condWaiter{host: inv.host, parking: inv.park(ctx)}
	c.waiters = append(c.waiters, w)
	return w, nil
}

// waitOutside is Wait without an invocation.
func (c *Cond) waitOutside(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w := &condWaiter{woken: make(chan struct{})}
	c.mu.Lock()
	c.waiters = append(c.waiters, w)
	c.mu.Unlock()
	select {
	case <-w.woken:
	case <-ctx.Done():
		if c.remove(w) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// remove removes w, and reports whether it was still there: nothing has woken it.
func (c *Cond) remove(w *condWaiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiters, w)
	if i < 0 {
		return false
	}
	c.waiters = slices.Delete(c.waiters, i, i+1)
	return true
}

// Signal wakes the handler that has waited longest, if any waits. It runs when the handler that
// calls Signal has given its turn up or returned.
func (c *Cond) Signal() { c.wake(false) }

// Broadcast wakes all handlers that wait, in the order in which they began to wait.
func (c *Cond) Broadcast() { c.wake(true) }

// wake wakes the first waiter, or all.
func (c *Cond) wake(all bool) {
	c.mu.Lock()
	n := len(c.waiters)
	if !all {
		n = min(n, 1)
	}
	woken := slices.Clone(c.waiters[:n])
	c.waiters = slices.Delete(c.waiters, 0, n)
	for _, w := range woken {
		w.signaled = !all
	}
	c.mu.Unlock()

	var parkings []parking
	var of host
	for _, w := range woken {
		if w.woken != nil {
			close(w.woken)
			continue
		}
		of, parkings = w.host, append(parkings, w.parking)
	}
	if len(parkings) > 0 { // all are of one object, and so of one host's connection
		of.wake(parkings)
	}
}
