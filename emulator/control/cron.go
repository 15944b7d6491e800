package control

import "time"

// Kinds of what runs when its time comes.
const (
	KindAlarm = "alarm"
	KindCron  = "cron"
)

// String is what ran, as commands write it: the object, or the cron trigger's expression.
func (f Fired) String() string {
	if f.Kind == KindCron {
		return "cron " + f.Cron
	}
	return f.Object.String()
}

// Cron is a cron trigger of the configuration, and the times at which it runs next: none if it
// never does.
type Cron struct {
	Cron string      `json:"cron"`
	Next []time.Time `json:"next"`
}

// Crons lists the cron triggers in the order of the configuration.
type Crons struct {
	Now time.Time `json:"now"`
	// Handled reports whether the program that is being served has a handler for them.
	Handled bool   `json:"handled"`
	Crons   []Cron `json:"crons"`
}

// CronTriggerRequest names the cron trigger to run at once, by its expression or, if that is
// empty, the one that is due first. The handler is told that it was due at Time, which is now
// if it is nil.
type CronTriggerRequest struct {
	Cron string     `json:"cron,omitempty"`
	Time *time.Time `json:"time,omitempty"`
}
