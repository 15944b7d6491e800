package durabletest

import (
	"net/http"
	"net/url"
	"time"
)

// Alarms are the pending alarms of all objects.
type Alarms struct{ asker }

// An Alarm is a pending alarm.
type Alarm struct {
	Object
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
	return a.Object.String() + ", due " + a.Due.Format(time.RFC3339Nano)
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

// Get returns the alarm of an object, and whether the object has one. It takes the object's class,
// or a binding of that class, and the object's name or id.
func (a Alarms) Get(class, object string) (alarm Alarm, ok bool) {
	a.t.Helper()
	var kind struct {
		Alarms []Alarm `json:"alarms"`
	}
	a.ask("list alarms", http.MethodGet, "alarms?class="+url.QueryEscape(class), nil, &kind)
	which := objectOf(class, object)
	for _, alarm := range kind.Alarms {
		if which.ID != "" && which.ID == alarm.ID || which.ID == "" && which.Name == alarm.Name {
			return alarm, true
		}
	}
	return Alarm{}, false
}

// Trigger runs the alarm of an object now, whenever it is due, and returns the outcome. The clock
// does not move.
func (a Alarms) Trigger(class, object string) Fired {
	a.t.Helper()
	var fired Fired
	a.ask("trigger the alarm of "+class+"/"+object, http.MethodPost, "alarms/trigger", objectOf(class, object), &fired)
	return fired
}
