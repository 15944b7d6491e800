package control

import (
	"fmt"
	"time"
)

// A Report is the state of an emulator.
type Report struct {
	Status
	Clock    Time    `json:"clock"`
	Objects  int     `json:"objects"`  // objects that store something or are in memory
	InMemory int     `json:"inMemory"` // objects in memory
	Alarms   int     `json:"alarms"`   // pending alarms
	Program  Program `json:"program"`
}

// States of a Program.
const (
	ProgramServing  = "serving"  // it takes requests
	ProgramStarting = "starting" // requests wait for the first program, a swap or a restart
	ProgramFailing  = "failing"  // requests fail: it keeps crashing, or no version has started yet
)

// Program is the state of the handler program and of the last change of its files.
type Program struct {
	State string `json:"state"`
	// Version counts the programs that have served: the first is 1, and 0 means none yet.
	Version int       `json:"version"`
	Since   time.Time `json:"since,omitzero"` // when this version began to serve, in real time
	PID     int       `json:"pid,omitempty"`  // 0 for an attached program
	// Crashes says why the program does not run, if State is ProgramFailing. It is empty if Failure
	// is the reason.
	Crashes string `json:"crashes,omitempty"`
	// Build is the last build that succeeded.
	Build *Build `json:"build,omitempty"`
	// Failure says why the last saved version does not serve. It is nil if that version serves.
	Failure *Failure `json:"failure,omitempty"`
}

// Unserved returns why no program serves at all. It returns nil if one serves, or if none has been
// tried yet.
func (p Program) Unserved() *Failure {
	if p.State == ProgramFailing && p.Crashes == "" || p.State == ProgramStarting && p.Version == 0 {
		return p.Failure
	}
	return nil
}

// Build is a successful build.
type Build struct {
	At         time.Time `json:"at"` // when it ended, in real time
	DurationMS int64     `json:"durationMs"`
}

// A Failure is the reason why a change does not serve.
type Failure struct {
	At      time.Time `json:"at"`             // real time
	Message string    `json:"message"`        // one line
	Text    string    `json:"text,omitempty"` // the whole text as in the terminal, if it is longer
}

// A LogRecord is a line of the log: the object that `devtool dev --log-format json` writes. These
// are the fields that every line has, or that say where it is from.
type LogRecord struct {
	Time    time.Time `json:"time"` // real time
	Level   string    `json:"level"`
	Message string    `json:"msg"`
	// Source is SourceHandler or SourceDevtool for a printed line, SourceLogger for a line of
	// durable.Logger, and empty for the emulator's own lines.
	Source string `json:"source,omitempty"`
	// Object is the object that the line is about or from, or empty.
	Object string `json:"object,omitempty"`
}

// Sources of a LogRecord.
const (
	SourceHandler = "handler"
	SourceDevtool = "devtool"
	SourceLogger  = "logger"
)

// LogsRequest says which lines of the log to send: the last Lines of the kept ones, or all of them
// if Lines is negative. With Follow, new lines follow until the emulator ends.
type LogsRequest struct {
	Lines  int
	Follow bool
}

// Since returns began as text for a reader at now: the time of day, and the date if it is not
// today's.
func Since(began, now time.Time) string {
	began, now = began.Local(), now.Local()
	if began.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return began.Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s, %s", began.Format(time.TimeOnly), began.Format(time.DateOnly))
}
