package control

import (
	"errors"
	"fmt"
)

// A Code is the kind of an Error. Programs decide by it, and never by the message, whose words may
// change. The HTTP status of an answer follows from it.
type Code string

// Codes of the emulator's refusals.
const (
	CodeBadRequest Code = "bad_request" // the request is invalid
	CodeForbidden  Code = "forbidden"   // the caller may not use the API
	CodeMediaType  Code = "media_type"  // the body is not JSON
	CodeToken      Code = "token"       // the request lacks the emulator's token
	// CodeOtherEmulator also comes from the client: another server answers at the address of the
	// emulator.
	CodeOtherEmulator Code = "other_emulator"

	CodeNotFound   Code = "not_found"   // the API has no such path
	CodeNoClass    Code = "no_class"    // no class or binding has that name
	CodeNoObject   Code = "no_object"   // the object stores nothing and is not in memory
	CodeNoKey      Code = "no_key"      // the object has no such entry
	CodeNoAlarm    Code = "no_alarm"    // the object has no alarm, or no alarm is set at all
	CodeNoCron     Code = "no_cron"     // the configuration has no such cron trigger
	CodeNoState    Code = "no_state"    // the state folder does not exist
	CodeNothingDue Code = "nothing_due" // the clock has nothing to move to

	CodeRunning       Code = "running"            // the object or its alarm is running
	CodeInMemory      Code = "in_memory"          // the object is in memory: deleting it requires force
	CodeNotInMemory   Code = "not_in_memory"      // the object is not in memory
	CodeClockBusy     Code = "clock_busy"         // an advance is under way
	CodeNoAdvance     Code = "no_advance"         // no advance is under way
	CodeNotSettled    Code = "not_settled"        // a handler has not come to rest in time
	CodeAlarmsPending Code = "alarms_pending"     // alarms are pending: resetting the clock requires force
	CodeNoProgram     Code = "no_program"         // no version of the handler program serves
	CodeAttached      Code = "attached"           // the handler program was not started by the emulator
	CodeReplaced      Code = "replaced"           // another handler program has replaced this one
	CodeMigrations    Code = "migrations_pending" // migrations wait for the next start
	CodeTooManyFaults Code = "too_many_faults"    // the limit of waiting faults is reached
	CodeTooLarge      Code = "too_large"          // the object stores more than one answer may hold

	CodeNotSaved Code = "not_saved" // the clock has not moved, because its time can't be saved
	CodeInternal Code = "internal"  // the emulator failed
)

// Codes of errors that a command or the client finds by itself. They have no status.
const (
	CodeNoProject        Code = "no_project"        // the folder is in no project
	CodeNoEmulator       Code = "no_emulator"       // no emulator runs for the project
	CodeSeveralEmulators Code = "several_emulators" // several emulators run, and none was chosen
	CodeUnreachable      Code = "unreachable"       // nothing answers at the URL
	CodeNoAnswer         Code = "no_answer"         // the server at the URL does not answer in time
	CodeDisconnected     Code = "disconnected"      // the connection ended before the answer did
	CodeUntrusted        Code = "untrusted"         // the emulator's certificate is not trusted
	CodeWrongScheme      Code = "wrong_scheme"      // http:// was used for HTTPS, or https:// for HTTP
	CodeBadURL           Code = "bad_url"           // the URL cannot be an emulator's
	CodeNotDevtool       Code = "not_devtool"       // something else answers at the URL
)

// The HTTP statuses of the API's answers, as numbers so that this package needs no net/http.
const (
	statusBadRequest  = 400
	statusNoToken     = 401
	statusForbidden   = 403
	statusNotFound    = 404
	statusConflict    = 409
	statusMediaType   = 415
	statusMisdirected = 421
	statusInternal    = 500
)

var statuses = map[Code]int{
	CodeBadRequest: statusBadRequest,
	CodeForbidden:  statusForbidden,
	CodeMediaType:  statusMediaType,
	CodeToken:      statusNoToken,

	CodeOtherEmulator: statusMisdirected,

	CodeNotFound:   statusNotFound,
	CodeNoClass:    statusNotFound,
	CodeNoObject:   statusNotFound,
	CodeNoKey:      statusNotFound,
	CodeNoAlarm:    statusNotFound,
	CodeNoCron:     statusNotFound,
	CodeNoState:    statusNotFound,
	CodeNothingDue: statusNotFound,

	CodeRunning:       statusConflict,
	CodeInMemory:      statusConflict,
	CodeNotInMemory:   statusConflict,
	CodeClockBusy:     statusConflict,
	CodeNoAdvance:     statusConflict,
	CodeNotSettled:    statusConflict,
	CodeAlarmsPending: statusConflict,
	CodeNoProgram:     statusConflict,
	CodeAttached:      statusConflict,
	CodeReplaced:      statusConflict,
	CodeMigrations:    statusConflict,
	CodeTooManyFaults: statusConflict,
	CodeTooLarge:      statusConflict,
}

// Status returns the HTTP status of an answer with an error of this code. It is 500 for a code
// without a status of its own.
func (c Code) Status() int {
	if status, ok := statuses[c]; ok {
		return status
	}
	return statusInternal
}

// An Error is the body of an answer with a status of 400 or above. The client returns it as an
// error.
type Error struct {
	Message string `json:"error"`
	Code    Code   `json:"code,omitempty"`
	Hint    string `json:"hint,omitempty"` // what to do about it
	// Offset is the position of the error in the SQL of the request, in bytes, or nil if not known.
	Offset *int `json:"offset,omitempty"`
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Errorf returns an Error with a code and a message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the Error in err's chain, or "" if there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
