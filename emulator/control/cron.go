package control

import "time"

// Kinds of runs.
const (
	KindAlarm = "alarm"
	KindCron  = "cron"
)

// String returns what ran, as commands write it: the object, or the cron trigger's expression.
func (f Fired) String() string {
	if f.Kind == KindCron {
		return "cron " + f.Cron
	}
	return f.Object.String()
}

// Cron is a cron trigger of the configuration, and the times of its next runs. A trigger that never
// runs has none.
type Cron struct {
	Cron string      `json:"cron"`
	Next []time.Time `json:"next"`
}

// Crons lists the cron triggers in the order of the configuration.
type Crons struct {
	Now time.Time `json:"now"`
	// Handled reports whether the serving program has a Scheduled handler.
	Handled bool   `json:"handled"`
	Crons   []Cron `json:"crons"`
}

// CronTriggerRequest names the cron trigger to run at once by its expression. If that is empty, it
// is the trigger that is due first. Time is the scheduled time that the handler gets; nil means
// now.
type CronTriggerRequest struct {
	Cron string     `json:"cron,omitempty"`
	Time *time.Time `json:"time,omitempty"`
}
