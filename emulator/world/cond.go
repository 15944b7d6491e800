package world

import (
	"context"
	"errors"
	"sync"

	"devtool.internal/clock"
)

// A CondWait is the wait of a handler for another event of its object: that event wakes it. Like
// Sleep, it is outside of all steps of the clock meanwhile. BeginWait makes one.
type CondWait struct {
	ev    *Event
	woken chan struct{} // closed by Wake

	// mu guards what follows. It is taken before all locks of the world.
	mu     sync.Mutex
	parked bool // the event has given its turn up and left its step
	over   bool // Wake was called, or has no effect any more
	// The rest is set by Wake.
	step  *clock.Step // that the event joined, or nil
	place *waiter     // of the event in the queue for the turn, if it is parked and has no turn yet
	err   error       // why the event gets no turn
}

// errKeepsTurn refuses a wait that nobody could end.
var errKeepsTurn = errors.New("no other event of the object can run here to signal: " +
	"wait outside of the constructor, BlockConcurrencyWhile and transactions")

// BeginWait begins a wait, which Wake can end from now on. The caller calls Await. It fails where
// the event keeps its turn.
func (ev *Event) BeginWait() (*CondWait, error) {
	if ev.obj == nil {
		return nil, errors.New("the worker has no turn, so no other event can signal")
	}
	ev.obj.mu.Lock()
	blocked := ev.blocked > 0
	ev.obj.mu.Unlock()
	if blocked {
		return nil, errKeepsTurn
	}
	ev.beginWait()
	return &CondWait{ev: ev, woken: make(chan struct{})}, nil
}

// Await commits, gives the turn up, waits for Wake and takes the turn again. If ctx ends first, or
// the object is reset, Await returns the cause, and the event is left without its turn.
func (c *CondWait) Await(ctx context.Context) error {
	ctx, cancel := c.ev.untilReset(ctx)
	defer cancel()
	err := c.park(ctx)
	if err == nil {
		select {
		case <-c.woken:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	woken := c.end()
	if woken {
		err = c.takeTurn(ctx)
	}
	c.ev.woken(c.step)
	if woken {
		c.ev.Serving(-1)
	}
	return err
}

// park gives the turn up and leaves the step, unless Wake was called. Wake waits meanwhile, so that
// it finds the event either before or after all of that.
func (c *CondWait) park(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil
	}
	if err := c.ev.Pause(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.ev.park()
	c.parked = true
	return nil
}

// end makes a later Wake have no effect, and reports whether there was an earlier one.
func (c *CondWait) end() (woken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	woken = c.over
	if !woken && c.parked {
		c.ev.unpark(nil)
	}
	c.over = true
	return woken
}

// takeTurn waits for the turn after Wake.
func (c *CondWait) takeTurn(ctx context.Context) error {
	switch {
	case !c.parked:
		return c.ev.Resume(ctx)
	case c.err != nil:
		return c.err
	case c.place != nil:
		if err := c.ev.obj.await(ctx, c.place); err != nil {
			return err
		}
	}
	c.ev.setPaused(false)
	return nil
}

// Wake ends the wait. The event joins the step of the event that has the turn of its object, which
// has called Wake if any has: that event cannot leave the step before. The woken event then waits
// for its turn, behind the events that were woken earlier. It does nothing if the wait is over.
func (c *CondWait) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	ev := c.ev
	ev.Serving(1) // it goes on, although it waits until Await returns
	c.step = ev.obj.holdStepOfTurn()
	defer c.step.Done()
	switch {
	case c.parked:
		ev.unpark(c.step)
		c.place, c.err = ev.obj.enqueue(context.Background(), &ev.ticket)
	case c.step != nil:
		ev.join(c.step)
	}
	close(c.woken)
}

// holdStepOfTurn returns the step of the event that has the turn, or nil, after it has taken a hold
// on it.
func (o *object) holdStepOfTurn() *clock.Step {
	o.mu.Lock()
	t := o.turn
	o.mu.Unlock()
	if t == nil || t.ev == nil {
		return nil
	}
	return t.ev.HoldStep()
}
