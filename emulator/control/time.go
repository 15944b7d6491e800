package control

import "time"

// Modes of the clock.
const (
	Running = "running"
	Frozen  = "frozen"
)

// Time is the state of the virtual clock.
type Time struct {
	Now    time.Time `json:"now"`
	Mode   string    `json:"mode"`
	Rate   float64   `json:"rate"`           // speed of the running clock, relative to real time
	Offset string    `json:"offset"`         // virtual minus real time, as a duration
	Next   *Alarm    `json:"next,omitempty"` // the alarm that is due next
	// NextCron is the cron trigger that is due next.
	NextCron *NextCron `json:"nextCron,omitempty"`
	// Unsaved says why the clock's time can't be saved, or is empty. Until it can, the clock can't
	// be moved, and at a rate other than 1 it stands still.
	Unsaved string `json:"unsaved,omitempty"`
}

// NextCron is a cron trigger with the time of its next run.
type NextCron struct {
	Cron string    `json:"cron"`
	Due  time.Time `json:"due"`
}

// AdvanceRequest moves the clock on by Duration, up to To, or to what is due Next. One of the three
// is set.
type AdvanceRequest struct {
	Duration string     `json:"duration,omitempty"`
	To       *time.Time `json:"to,omitempty"`
	Next     bool       `json:"next,omitempty"`
	// Jump moves the clock to its new time at once. What fell due on the way runs then, late.
	Jump bool `json:"jump,omitempty"`
	// Settle lets all handlers come to rest before the clock moves, as POST time/settle does.
	Settle bool `json:"settle,omitempty"`
	// Limits that end an advance early: more runs than MaxRuns, more runs than MaxStanding at one
	// time of the clock, or a step that takes longer than MaxStep of real time. Empty limits have
	// defaults.
	MaxRuns     int    `json:"maxRuns,omitempty"`
	MaxStanding int    `json:"maxStanding,omitempty"`
	MaxStep     string `json:"maxStep,omitempty"`
}

// AdvanceEvent is a line of the answer to an AdvanceRequest: a run, the progress of the clock or,
// in the last line, the report.
type AdvanceEvent struct {
	Fired    *Fired    `json:"fired,omitempty"`
	Progress *Progress `json:"progress,omitempty"`
	Advanced *Advanced `json:"advanced,omitempty"`
}

// Progress says how far an advance has moved the clock.
type Progress struct {
	Now time.Time `json:"now"`
	Ran int       `json:"ran"`
}

// Advanced reports an advance. If the advance ended early, Stopped says why, and To is the time
// that the clock has reached.
type Advanced struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Mode   string    `json:"mode"`
	Ran    int       `json:"ran"`    // number of events that ran
	Failed int       `json:"failed"` // number of events that failed for good
	Next   *Alarm    `json:"next,omitempty"`
	// NextCron is the cron trigger that is due next.
	NextCron *NextCron `json:"nextCron,omitempty"`
	Stopped  string    `json:"stopped,omitempty"`
	// StoppedBy is the code of Stopped, for programs.
	StoppedBy StopCode `json:"stoppedBy,omitempty"`
	// Fired lists what ran. It is not part of the line: Client.Advance collects it.
	Fired []Fired `json:"-"`
}

// A StopCode is the kind of reason that ended an advance early.
type StopCode string

// The codes in Advanced.StoppedBy.
const (
	StoppedByRuns     StopCode = "max_runs"     // AdvanceRequest.MaxRuns, or its default
	StoppedByStanding StopCode = "max_standing" // AdvanceRequest.MaxStanding, or its default
	StoppedByStep     StopCode = "max_step"     // AdvanceRequest.MaxStep, or its default
	StoppedByRequest  StopCode = "canceled"     // the client, or POST time/stop
	StoppedBySave     StopCode = "not_saved"    // the next time of the clock can't be saved
	StoppedByError    StopCode = "error"        // another error, which is in Stopped
)

// Limit reports whether a higher limit would have let the advance go on.
func (c StopCode) Limit() bool {
	return c == StoppedByRuns || c == StoppedByStanding || c == StoppedByStep
}

// SpeedRequest makes the clock run at Rate times real time.
type SpeedRequest struct {
	Rate float64 `json:"rate"`
}

// ResetRequest sets the clock back to real time. Without Force it is refused while
// alarms are pending.
type ResetRequest struct {
	Force bool `json:"force,omitempty"`
}

// SettleRequest waits until all handlers rest, for at most Limit of real time. The default is 10 s.
type SettleRequest struct {
	Limit string `json:"limit,omitempty"`
}

// Waiting lists what waits for the clock, in the order of the times at which it goes on.
type Waiting struct {
	Now     time.Time `json:"now"`
	Mode    string    `json:"mode"`
	Waiting []Waiter  `json:"waiting"`
}

// A Waiter is a request, an alarm or another event that waits for the clock until a time. Object is
// the object whose handler sleeps or has a timer. Without a class it is the worker's own handler.
type Waiter struct {
	Object
	// Event is the number of the event, which is unique as long as the emulator runs.
	Event uint64 `json:"event"`
	Kind  string `json:"kind"` // "fetch", "alarm", "cron", "waitUntil", "visit"
	// About is the method and path of a request, the expression of a cron trigger, or the object
	// or worker of another event.
	About string    `json:"about"`
	Until time.Time `json:"until"`
}

// String returns what waits, as the log names it: "GET /sleep", "alarm Batcher/orders".
func (w Waiter) String() string {
	if w.Kind == "fetch" {
		return w.About
	}
	return w.Kind + " " + w.About
}
