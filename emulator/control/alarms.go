package control

import "time"

// AlarmsRequest selects the alarms of a class, or all. Class may also be a binding.
type AlarmsRequest struct {
	Class string
}

// AlarmDetails is one pending alarm, with the clock's time Now.
type AlarmDetails struct {
	Now time.Time `json:"now"`
	Alarm
}

// SetAlarmRequest says when an alarm is due: At a time, or In a duration from the clock's time. One
// of the two is set.
type SetAlarmRequest struct {
	At *time.Time `json:"at,omitempty"`
	In string     `json:"in,omitempty"`
}

// SnoozeRequest delays an alarm by a duration. It counts from the alarm's due time or, if that is
// past, from now.
type SnoozeRequest struct {
	By string `json:"by"`
}
