package durabletest

import (
	"net/http"
	"net/url"
	"time"
)

// Alarms are the pending alarms of all objects.
type Alarms struct{ asker }

// An Alarm is one that is pending.
type Alarm struct {
	Object
	// Scheduled is the time that it was set for, Due when it runs: the same, but for an alarm that has failed
	// and waits for a retry.
	Scheduled time.Time `json:"scheduled"`
	Due       time.Time `json:"due"`
	Retry     int       `json:"retry"` // the failed runs so far
	Running   bool      `json:"running"`
	Held      bool      `json:"held,omitempty"` // never so in a test, whose state is fresh
}

// String is whose alarm it is and when it is due, such as "Counter/home, due 2030-01-02T15:04:05Z".
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

// Get returns the alarm of an object, and whether it has one. The object is named by its class, or a binding of that, and by its
// name or id.
func (a Alarms) Get(class, object string) (alarm Alarm, ok bool) {
	a.t.Helper()
	var kind struct {
		Alarms []Alarm `json:"alarms"`
	}
	a.ask("list alarms", http.MethodGet, "alarms?class="+url.QueryEscape(class), nil, &kind)
	for _, alarm := range kind.Alarms {
		if which := objectOf(class, object); which.ID != "" && which.ID == alarm.ID || which.ID == "" && which.Name == alarm.Name {
			return alarm, true
		}
	}
	return Alarm{}, false
}

// Trigger runs the alarm of an object at once, whenever it is due, and returns what came of it. The clock does not move.
func (a Alarms) Trigger(class, object string) Fired {
	a.t.Helper()
	var fired Fired
	a.ask("trigger the alarm of "+class+"/"+object, http.MethodPost, "alarms/trigger", objectOf(class, object), &fired)
	return fired
}
