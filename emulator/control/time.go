package control

import "time"

// Modes of the clock.
const (
	Running = "running"
	Frozen  = "frozen"
)

// Time is where the virtual clock stands.
type Time struct {
	Now    time.Time `json:"now"`
	Mode   string    `json:"mode"`
	Rate   float64   `json:"rate"`           // how much faster than real time it runs when it runs
	Offset string    `json:"offset"`         // virtual minus real time, as a duration
	Next   *Alarm    `json:"next,omitempty"` // the alarm that is due next
	// NextCron is the cron trigger that is due next.
	NextCron *NextCron `json:"nextCron,omitempty"`
}

// NextCron is when a cron trigger runs.
type NextCron struct {
	Cron string    `json:"cron"`
	Due  time.Time `json:"due"`
}

// AdvanceRequest moves the clock: on by Duration, up to To, or to whatever is due Next. One
// of the three is set.
type AdvanceRequest struct {
	Duration string     `json:"duration,omitempty"`
	To       *time.Time `json:"to,omitempty"`
	Next     bool       `json:"next,omitempty"`
	// Jump leaps to the target at once: what fell due on the way runs there, late.
	Jump bool `json:"jump,omitempty"`
	// What makes an advance end early: more runs than MaxRuns, more than MaxStanding
	// without time moving, or a step that takes longer than MaxStep of real time. Empty
	// ones have defaults.
	MaxRuns     int    `json:"maxRuns,omitempty"`
	MaxStanding int    `json:"maxStanding,omitempty"`
	MaxStep     string `json:"maxStep,omitempty"`
}

// AdvanceEvent is a line of the answer to an AdvanceRequest: something that has run, where
// the clock is by now or, the last one, what came of it all.
type AdvanceEvent struct {
	Fired    *Fired    `json:"fired,omitempty"`
	Progress *Progress `json:"progress,omitempty"`
	Advanced *Advanced `json:"advanced,omitempty"`
}

// Progress is where an advance that takes a while has got to.
type Progress struct {
	Now time.Time `json:"now"`
	Ran int       `json:"ran"`
}

// Advanced reports an advance. When the advance ended early, Stopped says why
// and To is where the clock stands.
type Advanced struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Mode   string    `json:"mode"`
	Ran    int       `json:"ran"`    // how many events ran
	Failed int       `json:"failed"` // and how many of them failed for good
	Next   *Alarm    `json:"next,omitempty"`
	// NextCron is the cron trigger that is due next.
	NextCron *NextCron `json:"nextCron,omitempty"`
	Stopped  string    `json:"stopped,omitempty"`
	// StoppedBy is the code of Stopped, for programs.
	StoppedBy StopCode `json:"stoppedBy,omitempty"`
	// Fired is what ran. It is not part of the line: Client.Advance collects it.
	Fired []Fired `json:"-"`
}

// A StopCode says what ended an advance early.
type StopCode string

// The codes in Advanced.StoppedBy.
const (
	StoppedByRuns     StopCode = "max_runs"     // AdvanceRequest.MaxRuns, or its default
	StoppedByStanding StopCode = "max_standing" // AdvanceRequest.MaxStanding, or its default
	StoppedByStep     StopCode = "max_step"     // AdvanceRequest.MaxStep, or its default
	StoppedByRequest  StopCode = "canceled"     // the client, or POST time/stop
	StoppedByError    StopCode = "error"        // something else, which Stopped tells
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
