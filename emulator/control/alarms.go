package control

import "time"

// AlarmsRequest selects alarms: those of a class, which may be named by a binding, or all.
type AlarmsRequest struct {
	Class string
}

// AlarmDetails is one pending alarm, seen from Now.
type AlarmDetails struct {
	Now time.Time `json:"now"`
	Alarm
}

// SetAlarmRequest is what to set an alarm to: a time, or how long it is from the clock's
// present until then. One of the two is set.
type SetAlarmRequest struct {
	At *time.Time `json:"at,omitempty"`
	In string     `json:"in,omitempty"`
}

// SnoozeRequest says by how much an alarm is to come later: than it is due or, if that is
// past, than now.
type SnoozeRequest struct {
	By string `json:"by"`
}
