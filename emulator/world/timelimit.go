package world

import (
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
)

// blockLimit is how long BlockConcurrencyWhile and a constructor may take, on the
// clock. Source: workerd's io-context.h.
const BlockLimit = 30 * time.Second

var errBlockLimit = &wire.Error{
	Message:    "A call to BlockConcurrencyWhile (or a constructor) waited for more than 30 s. The call was canceled and the object was reset.",
	Overloaded: true,
	Reset:      true,
}

// alarmLimit is how long one run of an alarm's handler may take, on the clock. Source: the
// platform's limits, and workerd's server.c++.
const alarmLimit = 15 * time.Minute

// errAlarmLimit has the platform's words.
var errAlarmLimit = &wire.Error{
	Message:    "Alarm exceeded its allowed execution time",
	Overloaded: true,
	Reset:      true,
}

// A timeLimit resets an object, unless it is stopped in time.
type timeLimit struct {
	timer *clock.Timer
	once  sync.Once
	ended chan struct{} // closed by stop
}

// limit resets the object for cause when ev has taken d on the clock. A handler that does not wait for the clock gets
// grace more of real time in an advance, and what it takes to leave a debugger.
func (o *object) limit(ev *Event, d time.Duration, cause *wire.Error, grace time.Duration) *timeLimit {
	w, l := o.ns.w, &timeLimit{ended: make(chan struct{})}
	l.timer = w.clock.AtUpkeep(w.clock.Now().Add(d), func(step *clock.Step) {
		if step == nil { // real time has passed as well
			grace = 0
		}
		if ev.waiting() > 0 || grace == 0 && !ev.prog.Attached() {
			o.resetIn(step, ev.instance(), cause)
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
				o.resetIn(step, ev.instance(), cause)
			}
		})
	})
	return l
}

// stop may be called again and again.
func (l *timeLimit) stop() {
	l.timer.Stop()
	l.once.Do(func() { close(l.ended) })
}

const (
	// recovery is how long after it was last seen standing a program is bound by nothing in real time:
	// it may stand again every now and then, as it does when somebody goes through it step by step.
	recovery = 30 * time.Second
	// recoveryPoll is how often, in real time, it is looked whether that is over.
	recoveryPoll = 250 * time.Millisecond
)

// outlastDebugger waits as long as the event's program is spared, and for ended at most. It reports whether
// that was not closed: what is limited in real time goes on, and has had its time.
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
