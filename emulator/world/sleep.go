package world

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"devtool.internal/clock"
)

// Sleep commits, gives the turn up, waits for d on the clock and takes the turn again. Then it
// calls answer, which lets the handler go on. If ctx ends first, or the object is reset, answer
// gets the cause, and the event is left without its turn.
//
// Sleeps that end at the same time go on in the order in which they were set.
func (ev *Event) Sleep(ctx context.Context, d time.Duration, answer func(error)) {
	ctx, cancel := ev.untilReset(ctx)
	defer cancel()
	place, err := ev.sleep(ctx, d)
	answer(err)
	place.Leave()
}

// sleep is Sleep up to the answer. The caller then leaves the place.
func (ev *Event) sleep(ctx context.Context, d time.Duration) (*Place, error) {
	if err := ev.Pause(ctx); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	n, err := ev.beginSleep(d)
	if err != nil {
		return nil, err
	}
	defer n.forget()
	ev.w.nameFrozen(ev)
	select {
	case <-n.woken:
	case <-ctx.Done():
		if n.end() {
			ev.unpark(nil)
			ev.woken(nil)
			return nil, context.Cause(ctx)
		}
		<-n.woken // it is due all the same
	}
	n.step.Done()
	ev.woken(n.step)
	if n.queued != nil {
		n.place.Leave()
		n.err = ev.obj.await(ctx, n.queued)
	} else {
		n.place.Wait()
	}
	if n.err == nil {
		ev.setPaused(false)
	}
	return n.place, n.err
}

// A sleepTimer is the timer of one Sleep.
type sleepTimer struct {
	ev     *Event
	timer  *clock.Timer
	forget func()
	woken  chan struct{} // closed when the sleep is due
	due    atomic.Bool   // the same, for adopt

	// mu guards what follows. It is taken before all locks of the world.
	mu    sync.Mutex
	ended bool // the sleep ended before it was due

	// These are set when the sleep is due.

	step   *clock.Step // of the timer, with a hold
	queued *waiter     // the event's place in the queue for the turn, or nil if it has the turn
	err    error       // why it gets no turn
	place  *Place      // among the timers of a running clock, or nil
}

// beginSleep sets the timer of a sleep, and takes the event out of its step. It fails if the object
// was reset.
func (ev *Event) beginSleep(d time.Duration) (*sleepTimer, error) {
	n := &sleepTimer{ev: ev, woken: make(chan struct{})}
	n.mu.Lock() // the timer may be due at once, but the event must have left its step before
	defer n.mu.Unlock()
	// The timer is set before the event leaves its step: the clock must not go past it.
	c := ev.w.clock
	n.timer = c.At(c.Now().Add(d), n.wake)
	n.forget = remember(&ev.stepHolder, &ev.sleeps, n)
	if inst := ev.instance(); inst != nil && inst.ctx.Err() != nil {
		n.ended = true
		n.timer.Stop()
		n.forget()
		return nil, context.Cause(inst.ctx)
	}
	ev.beginWait()
	ev.park()
	return n, nil
}

// wake is called by the clock. It already takes the event's place in the queue for the turn,
// because goroutines that the clock wakes at the same time race from here on.
func (n *sleepTimer) wake(step *clock.Step) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return
	}
	n.due.Store(true)
	step.Add()
	n.step = step
	n.ev.unpark(step)
	if o := n.ev.obj; o != nil {
		n.queued, n.err = o.enqueue(context.Background(), &n.ev.ticket)
	}
	n.place = n.ev.w.PlaceInTime(step)
	close(n.woken)
}

// end stops the timer, and reports whether it was not due yet. A second call reports the same.
func (n *sleepTimer) end() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.woken:
		return false
	default:
	}
	n.ended = true
	n.timer.Stop()
	return true
}

// endSleeps stops the timers of all sleeps of the event, whose object was reset. Their goroutines
// may notice the reset later.
func (ev *Event) endSleeps() {
	ev.stepMu.Lock()
	sleeps := slices.Collect(maps.Keys(ev.sleeps))
	ev.stepMu.Unlock()
	for _, n := range sleeps {
		n.end()
	}
}

// untilReset returns a context that ends with ctx, and when the event's object is reset. The caller
// calls cancel.
func (ev *Event) untilReset(ctx context.Context) (_ context.Context, cancel func()) {
	ctx, end := context.WithCancelCause(ctx)
	stop := func() bool { return true }
	if inst := ev.instance(); inst != nil {
		stop = context.AfterFunc(inst.ctx, func() { end(context.Cause(inst.ctx)) })
	}
	return ctx, func() {
		stop()
		end(nil)
	}
}
