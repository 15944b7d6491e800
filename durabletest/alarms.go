package durabletest

import (
	"net/http"
	"time"
)

// Alarms are the pending alarms of all objects.
type Alarms struct{ asker }

// An Alarm is a pending alarm.
type Alarm struct {
	Identity
	// Scheduled is the time that the handler has set, and Due is when the alarm runs. They differ
	// if the alarm has failed and waits for a retry.
	Scheduled time.Time `json:"scheduled"`
	Due       time.Time `json:"due"`
	Retry     int       `json:"retry"` // the number of failed runs so far
	Running   bool      `json:"running"`
	Held      bool      `json:"held,omitempty"` // always false here, because a test's state is fresh
}

// String returns the object and when its alarm is due, such as "Counter/home, due
// 2030-01-02T15:04:05Z".
func (a Alarm) String() string {
	return a.Identity.String() + ", due " + a.Due.Format(time.RFC3339Nano)
}

// List returns the pending alarms, in the order in which they are due.
func (a Alarms) List() []Alarm {
	a.t.Helper()
	var pending struct {
		Alarms []Alarm `json:"alarms"`
	}
	a.ask("list alarms", http.MethodGet, "alarms", nil, &pending)
	return pending.Alarms
}
