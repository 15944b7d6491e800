package control

import (
	"fmt"
	"time"
)

// A Report is how an emulator is getting on.
type Report struct {
	Status
	Clock    Time    `json:"clock"`
	Objects  int     `json:"objects"`  // that store something or are in memory
	InMemory int     `json:"inMemory"` // how many of them are in memory
	Alarms   int     `json:"alarms"`   // that are pending
	Program  Program `json:"program"`
}

// States of a Program.
const (
	ProgramServing  = "serving"  // it takes requests
	ProgramStarting = "starting" // requests wait for it: for the first one, a swap or a restart
	ProgramFailing  = "failing"  // it can't be kept running, or there is none yet that could, and requests fail
)

// Program is the handler program, and what became of the last change of its files.
type Program struct {
	State string `json:"state"`
	// Version counts those that were put in place: 1 is the first, 0 says that there was none yet.
	Version int       `json:"version"`
	Since   time.Time `json:"since,omitzero"` // when that was, in real time
	PID     int       `json:"pid,omitempty"`  // 0 for a program that devtool has not started
	// Crashes says what keeps it from running, if State is ProgramFailing. It is empty if Failure
	// is the reason.
	Crashes string `json:"crashes,omitempty"`
	// Build is the last build that succeeded.
	Build *Build `json:"build,omitempty"`
	// Failure says why the version that serves, if any, is not the last one that was saved; nil
	// when it is.
	Failure *Failure `json:"failure,omitempty"`
}

// Unserved says why there is no program at all, or nil if there is one or none has been tried yet.
func (p Program) Unserved() *Failure {
	if p.State == ProgramFailing && p.Crashes == "" || p.State == ProgramStarting && p.Version == 0 {
		return p.Failure
	}
	return nil
}

// Build is one that succeeded.
type Build struct {
	At         time.Time `json:"at"` // when it was done, in real time
	DurationMS int64     `json:"durationMs"`
}

// A Failure is what was wrong with a change.
type Failure struct {
	At      time.Time `json:"at"`             // real time
	Message string    `json:"message"`        // one line
	Text    string    `json:"text,omitempty"` // all there is to say, as the terminal has shown it, if that is more
}

// A LogRecord is a line of the log: the object that `devtool dev --log-format json` writes. These
// are the fields that every line has, or that say where it is from.
type LogRecord struct {
	Time    time.Time `json:"time"` // real time
	Level   string    `json:"level"`
	Message string    `json:"msg"`
	// Source is SourceHandler or SourceDevtool for what was printed, and empty for what the
	// emulator tells.
	Source string `json:"source,omitempty"`
}

// Sources of a LogRecord.
const (
	SourceHandler = "handler"
	SourceDevtool = "devtool"
)

// LogsRequest says which lines of the log to send: the last Lines of those that are kept, and with
// Follow those that come, until the emulator ends. Negative Lines are all of them.
type LogsRequest struct {
	Lines  int
	Follow bool
}

// Since says when something began, for people who look at it at now: the time of day, and the date
// if that was not today.
func Since(began, now time.Time) string {
	began, now = began.Local(), now.Local()
	if began.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return began.Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s, %s", began.Format(time.TimeOnly), began.Format(time.DateOnly))
}
