package world

import (
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
)

// A Happening is what came of one event that is over. It is published once: the log, the journal
// and the report of an advance are made of it. What there is of it depends on the event.
type Happening struct {
	Event   string         // "request", "alarm", "cron", "fetch", "evict"
	Object  string         // CLASS/NAME; empty for an event of the worker
	Which   control.Object // the same object, for an alarm
	About   string         // what the event was about: "GET /add", an expression
	Outcome string         // one of control's
	Status  int            // of a response, or 0
	Took    time.Duration  // real time
	// Scheduled is the time that an alarm was set for or that a cron handler sees. Due is when the
	// event was to begin and At when it began. All are on the clock, and zero where it has no part.
	Scheduled, Due, At time.Time
	Retry              int       // 0 for the first run
	RetryAt            time.Time // when it is tried again, or zero
	By                 string    // which objects answered a request, for people
	Err                error     // what it failed with
	Why                string    // in place of Err's own text, if not empty
	// Detail is set where people want to know only when they ask for details.
	Detail bool
}

// Reason is what the event failed with, or why it was dropped; or empty.
func (h Happening) Reason() string {
	switch {
	case h.Why != "":
		return h.Why
	case h.Err != nil:
		return h.Err.Error()
	}
	return ""
}

// Late is how long after its time the event began.
func (h Happening) Late() time.Duration {
	if h.Due.IsZero() {
		return 0
	}
	return max(h.At.Sub(h.Due), 0)
}

// Fired describes the run of an alarm or a cron trigger as the control API does.
func (h Happening) Fired() control.Fired {
	f := control.Fired{
		Kind: h.Event, Object: h.Which, At: h.At, Scheduled: h.Scheduled,
		Retry: h.Retry, Outcome: h.Outcome, Error: h.Reason(),
	}
	if h.Event == control.KindCron {
		f.Cron = h.About
	}
	if !h.RetryAt.IsZero() {
		f.RetryAt = &h.RetryAt
	}
	return f
}

// Publish hands a happening to the subscriber of the world.
func (w *World) Publish(h Happening) {
	if w.happened != nil {
		w.happened(h)
	}
}

// publishRun publishes a run that began in one step and ends in another or the same, and adds it to
// the report of the advance.
func (w *World) publishRun(began, ends *clock.Step, h Happening) {
	w.Publish(h)
	w.mu.Lock()
	a := w.advance
	w.mu.Unlock()
	if ends != nil && a != nil {
		a.add(ends, ended{began.Number(), h.Fired()})
	}
}

// The outcomes of a request.
const (
	OutcomeOK       = control.OutcomeOK // there is a response, with whatever status
	OutcomeCanceled = "canceled"        // nobody waited for it any more
	OutcomeError    = "error"
)
