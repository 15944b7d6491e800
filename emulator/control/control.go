// Package control defines the control API of a running emulator: its requests, answers and errors.
// The emulator implements the handlers, and package client calls them. This package holds only
// types, so that a world can import it without the network.
//
// Each file has the types of one subject: control.go status and runs of alarms, time.go the clock,
// cron.go cron triggers, objects.go objects, alarms.go their alarms, sql.go their databases,
// snapshot.go everything they store, faults.go injected faults, session.go the emulator itself, and
// errors.go errors.
//
// The API is JSON over HTTP below Prefix on the dev server itself. Every request has the header
// "Authorization: Bearer TOKEN", with the token of this run of the emulator (client/token.go):
//
//	GET  status         -> Report
//	GET  logs?lines=&follow= -> LogRecord, a line each
//	POST program/restart -> Program
//	POST stop           -> Status; the connection lasts until the emulator has ended
//	GET  cron           -> Crons
//	POST cron/trigger   CronTriggerRequest -> Fired
//	GET  time           -> Time
//	POST time/advance   AdvanceRequest -> AdvanceEvent, a line each, the last with Advanced
//	POST time/stop      -> Time: the advance under way ends after its current step
//	POST time/settle    SettleRequest -> Waiting, when all handlers rest
//	GET  time/waiting   -> Waiting
//	POST time/freeze    -> Time
//	POST time/resume    -> Time
//	POST time/speed     SpeedRequest -> Time
//	POST time/reset     ResetRequest -> Time
//
//	GET    alarms?class=              -> Alarms
//	POST   alarms/trigger             TriggerRequest -> Triggered
//	GET    alarms/CLASS/OBJECT        -> AlarmDetails
//	PUT    alarms/CLASS/OBJECT        SetAlarmRequest -> AlarmDetails
//	DELETE alarms/CLASS/OBJECT        -> AlarmDetails
//	POST   alarms/CLASS/OBJECT/snooze SnoozeRequest -> AlarmDetails
//
//	GET    objects                          -> Objects
//	GET    objects/CLASS/OBJECT             -> ObjectDetails
//	DELETE objects/CLASS/OBJECT?force=      -> Object
//	POST   objects/CLASS/OBJECT/evict       -> Evicted
//	GET    objects/CLASS/OBJECT/entries?prefix=&limit= -> Entries
//	GET    objects/CLASS/OBJECT/entry?key=  -> Entry
//	PUT    objects/CLASS/OBJECT/entry?key=  PutRequest -> Entry
//	DELETE objects/CLASS/OBJECT/entry?key=  -> Entry
//	POST   objects/CLASS/OBJECT/sql         SQLRequest -> SQLResult
//	POST   objects/CLASS/OBJECT/abort       AbortRequest -> Object
//	GET    objects/CLASS/OBJECT/snapshot    -> Snapshot
//
//	GET    faults -> Faults: the pending ones
//	POST   faults Fault -> Fault
//	DELETE faults -> Faults: the ones that were pending
//
// CLASS is a class or a binding. OBJECT is a name, or an id of 64 hexadecimal digits; see Written
// for names that look like ids. Both are escaped as segments of a path. Of these requests only
// alarms/trigger wakes the object up.
//
// Times are RFC 3339 in UTC with milliseconds, on the virtual clock; durations are in Go's notation
// ("1h30m"). An error is an HTTP status of 400 or above with an Error as its body. Its Code
// (errors.go) decides the status: 400 for an invalid request, 401 without the token, 404 for an
// object, key or alarm that does not exist, 409 for a clock or an object that is busy, 500 for the
// rest.
package control

import "time"

// Prefix is the path prefix of the control API. The platform reserves /cdn-cgi/, so no worker
// expects requests there.
const Prefix = "/cdn-cgi/devtool/v1/"

// IdentityHeader says which emulator answers, and which one a request is for.
const IdentityHeader = "Devtool-Emulator"

// AcknowledgeHeader is the header of a request to the worker whose client wants to know when it has
// arrived. The answer is an informational response, before the worker's, with the number of the
// event in EventHeader. Handlers never see either.
const (
	AcknowledgeHeader = "Devtool-Acknowledge"
	EventHeader       = "Devtool-Event"
)

// HandlerHeader is the header in which the platform names the zone of the worker that sends a
// request. The emulator sets it on every request that a handler sends to the outside, and refuses
// requests with it below /cdn-cgi/.
const HandlerHeader = "CF-Worker"

// LinesType is the content type of an answer that has one JSON value a line.
const LinesType = "application/x-ndjson"

// Status identifies a running emulator.
type Status struct {
	Version string    `json:"version"`
	Worker  string    `json:"worker"`
	Config  string    `json:"config"` // absolute path of the config file
	State   string    `json:"state"`  // folder that holds the objects' files
	URL     string    `json:"url"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"` // real time
	// Attach is the path of the socket for programs that an IDE or a debugger starts, or empty.
	Attach string `json:"attach,omitempty"`
	// Attached reports whether an attached program serves.
	Attached bool `json:"attached,omitempty"`
}

// Object names one object. Name is empty for an object whose name is not known: it was reached only
// by its id.
type Object struct {
	Class string `json:"class,omitempty"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"`
}

// String returns the object as commands write it: CLASS/NAME, or CLASS/ID for an object without a
// name.
func (o Object) String() string {
	if o.Name == "" {
		return o.Class + "/" + o.ID
	}
	return o.Class + "/" + WriteName(o.Name)
}

// Alarm is one pending alarm.
type Alarm struct {
	Object
	// Scheduled is the time to which the alarm was set. Due is when it runs: later than Scheduled
	// if it has failed and waits for a retry.
	Scheduled time.Time `json:"scheduled"`
	Due       time.Time `json:"due"`
	// Retry counts the failed runs so far.
	Retry   int  `json:"retry"`
	Running bool `json:"running"`
	// Held reports whether the alarm was overdue at start and waits until a command moves the
	// clock.
	Held bool `json:"held,omitempty"`
}

// Alarms lists the pending alarms in the order in which they are due.
type Alarms struct {
	Now    time.Time `json:"now"`
	Alarms []Alarm   `json:"alarms"`
}

// TriggerRequest names the alarm to run at once: by class and name, or by class and id. If all are
// empty, it is the alarm that is due first.
type TriggerRequest struct {
	Class string `json:"class,omitempty"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"`
}

// Outcomes of an alarm's run.
const (
	OutcomeOK      = "ok"      // the handler returned without error
	OutcomeRetry   = "retry"   // the run failed, and the alarm runs again at RetryAt
	OutcomeFailed  = "failed"  // the run failed, and the alarm does not run again
	OutcomeDropped = "dropped" // there was no handler to run, or the alarm had been moved or deleted
)

// Fired is one run of an alarm or of a cron trigger. A run of a cron trigger has Cron and no
// Object.
type Fired struct {
	Kind string `json:"kind"` // KindAlarm or KindCron
	Cron string `json:"cron,omitempty"`
	Object
	At        time.Time  `json:"at"`        // virtual time of the run
	Scheduled time.Time  `json:"scheduled"` // when the alarm or the trigger was due
	Retry     int        `json:"retry"`     // 0 for the first run
	Outcome   string     `json:"outcome"`
	Error     string     `json:"error,omitempty"`
	RetryAt   *time.Time `json:"retryAt,omitempty"`
}

// Triggered is the answer to a TriggerRequest.
type Triggered struct {
	Fired
	Next *Alarm `json:"next,omitempty"` // the object's alarm after the run, or nil
}
