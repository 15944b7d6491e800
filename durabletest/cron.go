package durabletest

import (
	"net/http"
	"time"
)

// Cron are the cron triggers of the configuration.
type Cron struct{ asker }

// A CronTrigger is a cron trigger and the times of its next runs. A trigger that never runs has
// none.
type CronTrigger struct {
	Cron string      `json:"cron"` // the expression, such as "*/5 * * * *"
	Next []time.Time `json:"next"`
}

// List returns the cron triggers, in the order of the configuration.
func (c Cron) List() []CronTrigger {
	c.t.Helper()
	var all struct {
		Crons []CronTrigger `json:"crons"`
	}
	c.ask("list cron triggers", http.MethodGet, "cron", nil, &all)
	return all.Crons
}

// Trigger runs a cron trigger now, whenever it is due, and returns the outcome. The handler sees
// the clock's time as the scheduled one. The clock does not move, and the trigger's own runs stay
// as they are. cron is the expression; empty means the trigger that is due first.
func (c Cron) Trigger(cron string) Fired {
	c.t.Helper()
	var fired Fired
	c.trigger("trigger cron "+cron, "cron/trigger", struct {
		Cron string `json:"cron,omitempty"`
	}{cron}, "cron", &fired)
	return fired
}
