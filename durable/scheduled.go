package durable

import "time"

// A ScheduledEvent is one run of a cron trigger.
type ScheduledEvent struct {
	// Cron is the expression exactly as the configuration has it. It says which trigger this is.
	Cron string
	// ScheduledTime is the time at which the trigger was due.
	ScheduledTime time.Time
}
