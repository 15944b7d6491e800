// Package control defines the control API of a running emulator: its requests, answers and errors.
// The emulator implements the handlers, and package client calls them. This package holds types
// alone, so that the engine can import it without a network.
//
// Each file has the types of one subject: cron.go those of cron triggers, objects.go of objects,
// alarms.go of their alarms, sql.go of their databases, snapshot.go of all they store, faults.go
// of injected faults, session.go of the emulator itself, errors.go of errors.
//
// The API is JSON over HTTP below Prefix on the dev server itself:
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
//	GET    faults -> Faults: those that wait
//	POST   faults Fault -> Fault
//	DELETE faults -> Faults: those that waited
//
// CLASS is a class or a binding, OBJECT a name or, 64 hexadecimal digits, an id;
// both are escaped as segments of a path. None of these but alarms/trigger wakes the object up.
//
// Times are RFC 3339 in UTC with milliseconds, on the virtual clock; durations
// are Go's notation ("1h30m"). An error is an HTTP status of 400 or above
// with an Error as its body. Its Code (errors.go) says what is wrong, and decides
// the status: 400 for a request that makes no sense, 404 for an
// object, key or alarm that is not there, 409 for a clock or an object that is
// busy, 500 for the rest.
package control

import "time"

// Prefix is the path below which the control API lives. The platform reserves
// /cdn-cgi/, so no worker expects requests there.
const Prefix = "/cdn-cgi/devtool/v1/"

// LinesType is the content type of an answer in lines of JSON.
const LinesType = "application/x-ndjson"

// Status says which emulator is running.
type Status struct {
	Version string    `json:"version"`
	Worker  string    `json:"worker"`
	Config  string    `json:"config"` // absolute path of the config file
	State   string    `json:"state"`  // folder that holds the objects' files
	URL     string    `json:"url"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"` // real time
	// Attach is the socket for programs that an IDE or a debugger starts, or empty.
	Attach string `json:"attach,omitempty"`
	// Attached reports whether such a program serves.
	Attached bool `json:"attached,omitempty"`
}

// Object names one object. Name is empty for an object that was reached by a
// unique id only.
type Object struct {
	Class string `json:"class,omitempty"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"`
}

// String is the object as commands write it: CLASS/NAME, or CLASS/ID for an
// object without a name.
func (o Object) String() string {
	if o.Name == "" {
		return o.Class + "/" + o.ID
	}
	return o.Class + "/" + o.Name
}

// Alarm is one pending alarm.
type Alarm struct {
	Object
	// Scheduled is the time the alarm was set for, Due when it runs: the same,
	// but for a failed alarm that waits for a retry.
	Scheduled time.Time `json:"scheduled"`
	Due       time.Time `json:"due"`
	// Retry counts the failed runs so far.
	Retry   int  `json:"retry"`
	Running bool `json:"running"`
	// Held tells of an alarm that was overdue at start, and waits until the clock is moved
	// by hand.
	Held bool `json:"held,omitempty"`
}

// Alarms lists the pending alarms in the order in which they are due.
type Alarms struct {
	Now    time.Time `json:"now"`
	Alarms []Alarm   `json:"alarms"`
}

// TriggerRequest names the alarm to run at once: by class and name, by class
// and id, or, all empty, the one that is due first.
type TriggerRequest struct {
	Class string `json:"class,omitempty"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"`
}

// Outcomes of an alarm's run.
const (
	OutcomeOK      = "ok"      // the handler returned without error
	OutcomeRetry   = "retry"   // it failed and runs again at RetryAt
	OutcomeFailed  = "failed"  // it failed and does not run again
	OutcomeDropped = "dropped" // there was no handler to run, or the alarm had been moved or deleted
)

// Fired is one run: of an alarm, or of a cron trigger, which has Cron and no Object.
type Fired struct {
	Kind string `json:"kind"` // KindAlarm or KindCron
	Cron string `json:"cron,omitempty"`
	Object
	At        time.Time  `json:"at"`        // virtual time of the run
	Scheduled time.Time  `json:"scheduled"` // time the alarm was set for, or the trigger due
	Retry     int        `json:"retry"`     // 0 for the first run
	Outcome   string     `json:"outcome"`
	Error     string     `json:"error,omitempty"`
	RetryAt   *time.Time `json:"retryAt,omitempty"`
}

// Triggered is the answer to a TriggerRequest.
type Triggered struct {
	Fired
	Next *Alarm `json:"next,omitempty"` // the object's alarm afterwards, nil for none
}
