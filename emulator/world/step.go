package world

import (
	"maps"
	"slices"
	"sync"
	"time"

	"devtool.internal/clock"
)

// A step of the clock is one present instant: time stands still until nobody holds the step any
// more. This file is the state machine of those holds.
//
// A stepHolder (an event, or any other claim to an object's turn) is in one of three states:
//
//	outside  it holds no step: a request from outside caused it, or it waits for the clock
//	inside   it holds a step, which cannot end before the holder leaves
//	retired  it is over, and never joins a step again
//
// An event joins the step of its cause. It leaves the step while its handler waits only for the
// clock, or for an event that has joined the step in its place. It joins a step again when
// something wakes the handler up.
type stepHolder struct {
	// stepMu guards all fields. It is taken last, before only the step's own lock.
	stepMu  sync.Mutex
	step    *clock.Step // the step held, or nil
	last    *clock.Step // the step held last
	retired bool
	stays   bool // it leaves no step before it retires

	// ending, unless it is nil, is called when the holder retires (see aftermath).
	ending func()

	// The rest is about an event's handler. It is zero for other holders.

	caller     *Event                   // the event whose handler waits for this one, or nil
	calledBy   *Event                   // the same event until the call is over, or nil
	callees    map[*Event]struct{}      // events of other objects that the handler waits for
	sleeps     map[*sleepTimer]struct{} // sleeps that the handler waits for
	canceled   bool                     // the caller no longer waits, and this event has joined its step
	operations int64                    // how many operations the handler has asked for
	waits      int                      // goroutines of the handler that sleep or wait for a callee
	paused     bool                     // the handler gives its turn up, or wants it back
	start      *Place                   // among what the clock starts; left when the handler was called or waits
	outside    int                      // answers and bodies from outside that the handler may wait for
	bodies     int                      // the part of outside that CarryBody has counted

	restCounts
}

// join makes h hold step in place of the one it held. A nil step only gives the old one back,
// unless h stays in it. A retired holder stays out, because it would never leave again.
func (h *stepHolder) join(step *clock.Step) {
	step.Add()
	h.stepMu.Lock()
	old := step
	if !h.retired && (step != nil || !h.stays) {
		old, h.step = h.step, step
	}
	if step != nil {
		h.last = step
	}
	h.stepMu.Unlock()
	old.Done()
}

// leave gives the step back: h waits for the clock, or for an event that holds the step in its
// place.
func (h *stepHolder) leave() { h.join(nil) }

// stay makes h hold step until it retires: its program is lost, so it waits for the clock no more.
// It does nothing if it was called before.
func (h *stepHolder) stay(step *clock.Step) {
	h.stepMu.Lock()
	stayed := h.stays
	h.stays = true
	h.stepMu.Unlock()
	if !stayed {
		h.join(step)
	}
}

// handTo is leave for a holder that waits for ev, which holds the step in its place. An advance may
// have begun, and given h a step, since ev has joined the last one.
func (h *stepHolder) handTo(ev *Event) {
	if step := h.HoldStep(); step != nil {
		ev.join(step)
		step.Done()
	}
	h.leave()
}

func (h *stepHolder) staysInStep() bool {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.stays
}

// retire gives the step back for good. A callee that the handler has canceled, but that does not
// know yet, holds the step on.
func (h *stepHolder) retire() {
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
func (h *stepHolder) endsSoon(ended func()) bool {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	if h.retired || h.ending != nil {
		return false
	}
	h.ending = ended
	return true
}

// currentStep returns the step that h holds, or nil. The step cannot end before h leaves it.
func (h *stepHolder) currentStep() *clock.Step {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.step
}

// HoldStep returns the step that h holds, or nil, after it has taken another hold on it.
func (h *stepHolder) HoldStep() *clock.Step {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	h.step.Add()
	return h.step
}

// lastStep returns the step that h holds or, if it has left for a callee, held last. That step may
// be over: to join it then has no effect.
func (h *stepHolder) lastStep() *clock.Step {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.last
}

// asked counts an operation of the handler.
func (h *stepHolder) asked() {
	h.stepMu.Lock()
	h.operations++
	clear(h.told)
	h.progress++
	h.several = h.several || h.waits > 0
	h.stepMu.Unlock()
}

func (h *stepHolder) operationCount() int64 {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.operations
}

// beginWait counts a goroutine of the handler that begins to wait. endWait undoes that when the
// goroutine goes on, and returns how many others still wait.
func (h *stepHolder) beginWait() {
	h.start.Leave()
	h.stepMu.Lock()
	h.waits++
	h.several = h.several || h.waits > 1
	h.stepMu.Unlock()
}

func (h *stepHolder) endWait() (left int) {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	h.waits--
	clear(h.told)
	h.progress++
	return h.waits
}

func (h *stepHolder) waiting() int {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.waits
}

func (h *stepHolder) setPaused(paused bool) {
	h.start.Leave()
	h.stepMu.Lock()
	h.paused = paused
	h.stepMu.Unlock()
}

// AwaitOutside adds n to the number of answers and bodies from outside that the handler may wait
// for. The emulator does not control these.
func (h *stepHolder) AwaitOutside(n int) {
	h.start.Leave()
	h.stepMu.Lock()
	h.outside += n
	h.progress++
	h.stepMu.Unlock()
}

// atRest reports whether the handler waits for something that the emulator knows of: the clock, a
// callee, the outside or its turn.
func (h *stepHolder) atRest() bool {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.waits > 0 || h.outside > 0 || h.paused
}

// carry is AwaitOutside for bodies.
func (h *stepHolder) carry(n int) {
	h.start.Leave()
	h.stepMu.Lock()
	h.outside += n
	h.bodies += n
	h.progress++
	h.stepMu.Unlock()
}

func (h *stepHolder) setCaller(caller *Event) {
	h.stepMu.Lock()
	h.caller = caller
	h.stepMu.Unlock()
}

func (h *stepHolder) setCalledBy(caller *Event) {
	h.stepMu.Lock()
	h.calledBy = caller
	h.stepMu.Unlock()
}

func (h *stepHolder) callerEvent() *Event {
	h.stepMu.Lock()
	defer h.stepMu.Unlock()
	return h.caller
}

// remember adds v to one of the sets of h, until forget is called.
func remember[T comparable](h *stepHolder, set *map[T]struct{}, v T) (forget func()) {
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

// park takes the event, which waits for the clock, out of its step. It also takes out the events
// that wait for a turn which this event, or one that waits for it, keeps.
func (ev *Event) park() {
	ev.leave()
	for ; ev != nil; ev = ev.callerEvent() {
		if ev.obj != nil {
			ev.obj.park(&ev.ticket)
		}
	}
}

// unpark undoes park when step has woken the event. A nil step means that the outside woke it: the
// event stays outside.
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
		if step == nil { // the tickets have left their steps
			return
		}
		for _, w := range o.queue {
			w.ticket.join(step)
		}
	}
}

// joinAll makes the events that a reset of inst ends join step, so that their callers go on in that
// step. Without a step, the next advance waits for them (see aftermath).
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

// callFor makes ev, for which the handler of caller waits, hold the step in the caller's place.
// Answered gives the step back, and done ends the call.
func (ev *Event) callFor(caller *Event) (done func()) {
	ev.setCaller(caller)
	ev.setCalledBy(caller)
	if last := caller.lastStep(); last != nil {
		ev.join(last)
	}
	forget := remember(&caller.stepHolder, &caller.callees, ev)
	done = func() {
		forget()
		ev.setCalledBy(nil)
	}
	caller.beginWait()
	caller.handTo(ev)
	return done
}

// Answered gives the step back to caller, which waited for ev and goes on.
func (ev *Event) Answered(caller *Event) {
	ev.setCaller(nil)
	step := ev.currentStep()
	caller.unpark(step)
	caller.woken(step)
	// An advance that has begun meanwhile has found caller waiting, and made ev part of its step.
	if ev.currentStep() != step {
		now := ev.HoldStep()
		caller.unpark(now)
		now.Done()
	}
}

// woken ends the wait of one of the handler's goroutines, which goes on as part of step. A handler
// whose program is lost does not go on: a crash report must not show it as running.
func (ev *Event) woken(step *clock.Step) {
	if ev.prog.Lost() {
		return
	}
	if ev.endWait() > 0 && step != nil {
		ev.w.Go(func() { ev.leaveWhenSilent(step) })
	}
}

// leaveWhenSilent takes the event out of step when its handler has come to rest. Handlers with
// several waiting goroutines need it: after one has gone on, nothing says when it waits again.
func (ev *Event) leaveWhenSilent(step *clock.Step) {
	tick := time.NewTicker(ev.w.waits.Silence)
	defer tick.Stop()
	for last := int64(-1); ; <-tick.C {
		n := ev.operationCount()
		// On a busy machine the program may not have run meanwhile. Once it has answered,
		// everything that it had asked for has arrived. One that a debugger stops may yet ask for
		// more.
		rests := n == last && (respondsOften(ev.prog) || !ev.prog.Attached()) && ev.operationCount() == n
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

// StopWaiting makes the event, which its caller has canceled in step, hold that step if its handler
// waits, until the handler has come to rest. It may be called more than once.
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

// Expire tells the handler, as part of step, that a timer is due. It calls notify, which reports
// whether the handler goes on, and whether that is known: if not, the handler may have withdrawn
// the timer.
//
// A handler that goes on says so before it ends its wait. Until then the world sees it wait, but
// must not believe that it rests: on a busy machine it may take long to go on.
func (ev *Event) Expire(step *clock.Step, notify func() (goesOn, known bool)) {
	waits := ev.waiting()
	if step != nil {
		if waits > 0 {
			ev.unpark(step)
		} else {
			ev.join(step)
		}
	}
	forget := remember(&ev.stepHolder, &ev.told, new(bool))
	goesOn, known := notify()
	if !goesOn || !known {
		forget()
	}
	switch {
	case step == nil:
	case known && goesOn && waits <= 1: // the whole handler goes on
	case waits == 0:
		ev.leave()
	case known && !goesOn:
		ev.park()
	default: // part of it goes on, or it has withdrawn the timer, perhaps because it goes on
		ev.leaveWhenSilent(step)
	}
}
