package world

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"devtool.internal/clock"
)

// A step of the clock is one present instant: time stands still until nobody holds the step any
// more. This file is the state machine that decides who does.
//
// A holder (an event, or anybody else who claims an object's turn) is in one of three states:
//
//	outside  it holds no step: a request from outside caused it, or it waits for the clock
//	inside   it holds a step, which cannot end before the holder leaves
//	retired  it is over, and never joins a step again
//
// An event joins the step of whatever caused it. It leaves the step while all that its handler
// waits for is the clock, or an event that has joined the step in its place. It joins again when
// something wakes the handler up.
type holder struct {
	// stepMu guards all fields of a holder. It is the last lock to take but for the step's own.
	stepMu  sync.Mutex
	step    *clock.Step // the step held, or nil
	last    *clock.Step // the step held last
	retired bool

	// ending, unless it is nil, is called when the holder retires (see aftermath).
	ending func()

	// The rest says what an event's handler is doing. Nobody else has any of it.

	caller     *Event              // its handler waits for this event, or nil
	callees    map[*Event]struct{} // events of other objects that the handler waits for
	naps       map[*nap]struct{}   // Sleeps that the handler waits for
	canceled   bool                // the caller waits no longer, and this event has joined its step
	operations int64               // how often the handler has asked for something
	waits      int                 // goroutines of the handler that sleep or wait for a callee
	paused     bool                // the handler gives its turn up, or wants it back
	outside    int                 // answers and bodies from outside that the handler may wait for
}

// join makes h hold step in place of the one it held. A nil step only gives that one back.
// A retired holder stays out: nobody would take it out again.
func (h *holder) join(step *clock.Step) {
	step.Add()
	h.stepMu.Lock()
	old := step
	if !h.retired {
		old, h.step = h.step, step
	}
	if step != nil {
		h.last = step
	}
	h.stepMu.Unlock()
	old.Done()
}

// leave gives the step back: h waits for the clock, or for an event that holds the step for it.
func (h *holder) leave() { h.join(nil) }

// retire gives the step back for good. A callee that the handler has canceled, and that has not
// heard of it yet, holds the step on.
func (h *holder) retire() {
	h.stepMu.Lock()
	old := h.step
	h.step, h.retired = nil, true
	ending := h.ending
	h.ending = nil
	callees := slices.Collect(maps.Keys(h.callees))
	h.stepMu.Unlock()
	for _, callee := range callees {
		if callee.ctx.Err() != nil {
			callee.StopWaiting(old)
		}
	}
	old.Done()
	if ending != nil {
		ending()
	}
}

// endsSoon makes retire call ended. It does nothing for a holder that has retired, or will call
// another one.
func (h *holder) endsSoon(ended func()) bool {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	if h.retired || h.ending != nil {
		return false
	}
	h.ending = ended
	return true
}

// currentStep returns the step that h holds, or nil. The step cannot end before h leaves it.
func (h *holder) currentStep() *clock.Step {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.step
}

// HoldStep returns the step that h holds, or nil, after it has taken another hold on it.
func (h *holder) HoldStep() *clock.Step {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	h.step.Add()
	return h.step
}

// lastStep returns the step that h holds or, if it has left for a callee, held last. That step may
// be over: to join it then has no effect.
func (h *holder) lastStep() *clock.Step {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.last
}

// asked counts an operation of the handler.
func (h *holder) asked() {
	h.stepMu.Lock()
	h.operations++
	h.stepMu.Unlock()
}

func (h *holder) operationCount() int64 {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.operations
}

// beginWait counts a goroutine of the handler that begins to wait, endWait one that goes on.
// endWait returns how many others still wait.
func (h *holder) beginWait() {
	h.stepMu.Lock()
	h.waits++
	h.stepMu.Unlock()
}

func (h *holder) endWait() (left int) {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	h.waits--
	return h.waits
}

func (h *holder) waiting() int {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.waits
}

func (h *holder) setPaused(paused bool) {
	h.stepMu.Lock()
	h.paused = paused
	h.stepMu.Unlock()
}

// AwaitOutside counts what the handler may wait for and the emulator does not control.
func (h *holder) AwaitOutside(n int) {
	h.stepMu.Lock()
	h.outside += n
	h.stepMu.Unlock()
}

// atRest reports whether the handler waits for something that the emulator knows of.
func (h *holder) atRest() bool {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.waits > 0 || h.outside > 0 || h.paused
}

func (h *holder) setCaller(caller *Event) {
	h.stepMu.Lock()
	h.caller = caller
	h.stepMu.Unlock()
}

func (h *holder) callerEvent() *Event {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.caller
}

// remember puts v into one of the sets of h until forget is called.
func remember[T comparable](h *holder, set *map[T]struct{}, v T) (forget func()) {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	if *set == nil {
		*set = make(map[T]struct{})
	}
	(*set)[v] = struct{}{}
	return func() {
		h.stepMu.Lock()
		defer h.stepMu.Unlock()
		delete(*set, v)
	}
}

// park takes the event, which waits for the clock, out of its step. With it go the events that
// wait for a turn which this event, or one that waits for it, keeps.
func (ev *Event) park() {
	ev.leave()
	for ; ev != nil; ev = ev.callerEvent() {
		if ev.obj != nil {
			ev.obj.park(&ev.ticket)
		}
	}
}

// unpark undoes park when step has woken the event. A nil step means that something else did, and
// the event stays outside.
func (ev *Event) unpark(step *clock.Step) {
	if step != nil {
		ev.join(step)
	}
	for ; ev != nil; ev = ev.callerEvent() {
		if ev.obj != nil {
			ev.obj.unpark(&ev.ticket, step)
		}
	}
}

// park takes the tickets in the queue out of their steps, if t has the turn.
func (o *object) park(t *ticket) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.turn == t {
		o.parked = true
		for _, w := range o.queue {
			w.ticket.leave()
		}
	}
}

// unpark undoes park.
func (o *object) unpark(t *ticket, step *clock.Step) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.turn == t && o.parked {
		o.parked = false
		for _, w := range o.queue {
			w.ticket.join(step)
		}
	}
}

// joinAll makes the events that a reset of inst ends part of step: what their callers make of it
// happens at that time. Without a step the next move of the clock waits for them.
func (o *object) joinAll(inst *Instance, step *clock.Step) {
	if inst == nil {
		return
	}
	join := func(ev *Event) {
		if step != nil {
			ev.join(step)
		} else {
			o.ns.w.aftermath.add(ev)
		}
	}
	events := o.events()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.queue {
		switch {
		case w.ticket.ev == nil:
		case w.ticket.isMain():
			join(w.ticket.ev)
		case step != nil:
			w.ticket.join(step)
		}
	}
	for _, ev := range events {
		if ev.inst == inst {
			join(ev)
		}
	}
}

// callFor makes ev, an event that the handler of caller waits for, hold the step in the caller's
// place. The caller goes on with answered, and forgets ev with done.
func (ev *Event) callFor(caller *Event) (done func()) {
	ev.setCaller(caller)
	ev.join(caller.lastStep())
	done = remember(&caller.holder, &caller.callees, ev)
	caller.beginWait()
	caller.leave()
	return done
}

// Answered gives the step back to the caller, which goes on.
func (ev *Event) Answered(caller *Event) {
	ev.setCaller(nil)
	step := ev.currentStep()
	caller.unpark(step)
	caller.woken(step)
}

// woken ends the wait of one of the handler's goroutines, which goes on as part of step. A handler
// whose program is gone does not go on: it must not look like one that ran (see underWay).
func (ev *Event) woken(step *clock.Step) {
	if ev.prog.Lost() {
		return
	}
	if ev.endWait() > 0 && step != nil {
		ev.w.Go(func() { ev.leaveWhenSilent(step) })
	}
}

// leaveWhenSilent takes the event out of step when its handler has come to rest. Handlers with
// several waiting goroutines need it: when one goes on, nothing says that it is done and the
// handler waits for the others.
func (ev *Event) leaveWhenSilent(step *clock.Step) {
	tick := time.NewTicker(ev.w.waits.Silence)
	defer tick.Stop()
	for last := int64(-1); ; <-tick.C {
		n := ev.operationCount()
		// On a busy machine the program may not have run at all meanwhile. Once it has answered,
		// all that it had asked for is here. One that stands in a debugger may yet ask for more.
		rests := n == last && (ev.prog.Responds() || !ev.prog.Attached()) && ev.operationCount() == n
		if ev.currentStep() != step {
			return
		}
		if rests {
			ev.park()
			return
		}
		last = n
	}
}

// StopWaiting makes the event, which its caller has canceled in step, hold that step if it waits.
// It may be called more than once.
func (ev *Event) StopWaiting(step *clock.Step) {
	if step == nil {
		return
	}
	ev.stepMu.Lock()
	first := ev.waits > 0 && !ev.canceled
	ev.canceled = ev.canceled || first
	ev.stepMu.Unlock()
	if !first {
		return
	}
	ev.unpark(step)
	ev.w.Go(func() { ev.leaveWhenSilent(step) })
}

// Sleep gives the turn up, waits for d of the clock and takes the turn again. When ctx ends first,
// or the object is reset, the event is left without its turn.
func (ev *Event) Sleep(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if inst := ev.instance(); inst != nil {
		stop := context.AfterFunc(inst.ctx, func() { cancel(context.Cause(inst.ctx)) })
		defer stop()
	}
	if err := ev.Pause(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c := ev.w.clock
	woken := make(chan *clock.Step, 1)
	// The timer is set before the event leaves its step: the clock must not go past it.
	n := &nap{timer: c.At(c.Now().Add(d), func(step *clock.Step) {
		step.Add()
		woken <- step
	})}
	defer remember(&ev.holder, &ev.naps, n)()
	if inst := ev.instance(); inst != nil && inst.ctx.Err() != nil && n.end() {
		return context.Cause(inst.ctx)
	}
	ev.beginWait()
	ev.park()
	var step *clock.Step
	var err error
	select {
	case step = <-woken:
	case <-ctx.Done():
		err = context.Cause(ctx)
		if !n.end() {
			step = <-woken
		}
	}
	ev.unpark(step)
	step.Done()
	ev.woken(step)
	if err != nil {
		return err
	}
	return ev.Resume(ctx)
}

// A nap is one Sleep of a handler.
type nap struct {
	timer *clock.Timer

	mu    sync.Mutex
	ended bool // before its time
}

// end ends the nap before its time, and reports whether it could: if not, the time has come.
// A second call reports the same.
func (n *nap) end() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = n.ended || n.timer.Stop()
	return n.ended
}

// endNaps ends all Sleeps of the event, which was reset. From then on their timers are not due any
// more; their goroutines may hear of it later.
func (ev *Event) endNaps() {
	ev.stepMu.Lock()
	naps := slices.Collect(maps.Keys(ev.naps))
	ev.stepMu.Unlock()
	for _, n := range naps {
		n.end()
	}
}

// Expire tells the handler that a timer's time has come, by calling notify, as part of step.
// notify reports whether the handler goes on, and whether it has said so: if not, it may have
// withdrawn the timer.
func (ev *Event) Expire(step *clock.Step, notify func() (goesOn, known bool)) {
	waits := ev.waiting()
	if step != nil {
		if waits > 0 {
			ev.unpark(step)
		} else {
			ev.join(step)
		}
	}
	goesOn, known := notify()
	switch {
	case step == nil:
	case known && goesOn && waits <= 1: // all of the handler goes on
	case waits == 0:
		ev.leave()
	case known && !goesOn:
		ev.park()
	default: // some of it goes on, or it has withdrawn the timer, perhaps because it goes on
		ev.leaveWhenSilent(step)
	}
}
