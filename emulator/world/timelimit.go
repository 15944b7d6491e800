package world

import (
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
)

// BlockLimit is how long BlockConcurrencyWhile and a constructor may take, on the clock. Source:
// workerd's io-context.h.
const BlockLimit = 30 * time.Second

var errBlockLimit = &wire.Error{
	Message: "A call to BlockConcurrencyWhile (or a constructor) waited for more than 30 s. " +
		"The call was canceled and the object was reset.",
	Overloaded: true,
	Reset:      true,
}

// alarmLimit is how long one run of an alarm's handler may take, on the clock. Source: the
// platform's limits, and workerd's server.c++.
const alarmLimit = 15 * time.Minute

// errAlarmLimit is the error of an alarm that exceeds alarmLimit. The words are the platform's.
var errAlarmLimit = &wire.Error{
	Message:    "Alarm exceeded its allowed execution time",
	Overloaded: true,
	Reset:      true,
}

// A timeLimit resets an object unless it is stopped in time.
type timeLimit struct {
	timer *clock.Timer
	once  sync.Once
	ended chan struct{} // closed by stop
}

// limit resets the object with cause when ev has taken d on the clock. It leaves a handler
// Waits.BlockGrace of real time at least:
//
//   - A clock that runs may be so fast that d passes while a handler does its ordinary work. The
//     grace counts from the beginning.
//   - In an advance, the clock does not stand still for events that the outside has caused. A
//     handler that is at work gets the grace from when d has passed. One that only the clock, or
//     another event of its object, could make go on gets none.
//
// While a debugger stops the handler's program, the limit waits.
func (o *object) limit(ev *Event, d time.Duration, cause *wire.Error) *timeLimit {
	w, l, began := o.ns.w, &timeLimit{ended: make(chan struct{})}, time.Now()
	l.timer = w.clock.AtMaintenance(w.clock.Now().Add(d), func(step *clock.Step) {
		grace, waits := w.waits.BlockGrace, ev.waiting() > 0
		if step == nil {
			grace -= time.Since(began)
		} else if waits = ev.dependsOn(make(map[*Event]int64)) != onWork; waits {
			grace = 0
		}
		if grace <= 0 && (waits || !ev.prog.Attached()) {
			o.resetIn(step, ev.instance(), cause, waitingFirst)
			return
		}
		step.Add()
		w.Go(func() {
			defer step.Done()
			timer := time.NewTimer(grace)
			defer timer.Stop()
			select {
			case <-l.ended:
				return
			case <-timer.C:
			}
			if ev.outlastDebugger(l.ended) {
				o.resetIn(step, ev.instance(), cause, waitingFirst)
			}
		})
	})
	return l
}

// stop ends the limit. It may be called more than once.
func (l *timeLimit) stop() {
	l.timer.Stop()
	l.once.Do(func() { close(l.ended) })
}

const (
	// recovery is how long limits in real time do not apply to a program after a debugger was last
	// seen to stop it. In single steps, a debugger stops it again and again.
	recovery = 30 * time.Second
	// recoveryPoll is how often, in real time, outlastDebugger asks whether the program is still
	// spared.
	recoveryPoll = 250 * time.Millisecond
)

// outlastDebugger waits while the event's program is spared, and until ended is closed at most. It
// returns false if ended was closed: the limited work has ended in time.
func (ev *Event) outlastDebugger(ended <-chan struct{}) bool {
	tick := time.NewTicker(recoveryPoll)
	defer tick.Stop()
	for ev.prog.Spared(recovery) {
		select {
		case <-ended:
			return false
		case <-tick.C:
		}
	}
	select {
	case <-ended:
		return false
	default:
		return true
	}
}
