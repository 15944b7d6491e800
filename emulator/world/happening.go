package world

import (
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
)

// A Happening is the outcome of one event. It is published once: the log, the journal and the
// report of an advance are made of it. Which fields are set depends on the event.
type Happening struct {
	Event   string         // "request", "alarm", "cron", "fetch", "evict"
	Object  string         // CLASS/NAME; empty for an event of the worker
	Which   control.Object // the same object, for an alarm
	About   string         // what the event was about: "GET /add", an expression
	Outcome string         // a control.Outcome… or, for a request, an Outcome… of this package
	Status  int            // of a response, or 0
	Sent    int64          // bytes of the body of a response that was canceled
	Took    time.Duration  // in real time
	// Scheduled is the time that an alarm was set for or that a cron handler sees. Due is when the
	// event was due, and At when it began. All are times of the clock, and zero for events that the
	// clock does not deliver.
	Scheduled, Due, At time.Time
	Retry              int       // 0 for the first run
	RetryAt            time.Time // when it is retried, or zero
	By                 string    // the objects that answered a request, for people
	Err                error     // the error of a failed event, or nil
	Why                string    // replaces Err's own text, unless it is empty
	// Detail is set if the log shows the happening only on its debug level.
	Detail bool
}

// Reason returns why the event failed or was dropped, or empty.
func (h Happening) Reason() string {
	switch {
	case h.Why != "":
		return h.Why
	case h.Err != nil:
		return h.Err.Error()
	}
	return ""
}

// Late returns how long after its due time the event began, on the clock; 0 without a due time.
func (h Happening) Late() time.Duration {
	if h.Due.IsZero() {
		return 0
	}
	return max(h.At.Sub(h.Due), 0)
}

// Fired returns the run of an alarm or a cron trigger in the form of the control API.
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

// Publish passes a happening to Options.Happened.
func (w *World) Publish(h Happening) {
	if w.happened != nil {
		w.happened(h)
	}
}

// publishRun publishes a run, and adds it to the report of the advance. began and ends are the
// steps in which the run began and ends; they may be the same, or nil.
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
	OutcomeOK       = control.OutcomeOK // OutcomeOK is a response, with whatever status
	OutcomeCanceled = "canceled"        // OutcomeCanceled is a request for which nobody waited any more
	OutcomeError    = "error"           // OutcomeError is a request that failed
)
