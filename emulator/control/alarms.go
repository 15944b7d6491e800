package control

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

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

// ListAlarms lists pending alarms in the order in which they are due. The list is
// never nil.
func (c *Client) ListAlarms(ctx context.Context, q AlarmsRequest) (Alarms, error) {
	path := "alarms"
	if q.Class != "" {
		path += "?" + url.Values{"class": {q.Class}}.Encode()
	}
	pending, err := quick[Alarms](ctx, c, http.MethodGet, path)
	pending.Alarms = append([]Alarm{}, pending.Alarms...)
	return pending, err
}

// GetAlarm returns the alarm of an object.
func (c *Client) GetAlarm(ctx context.Context, o Object) (AlarmDetails, error) {
	return quick[AlarmDetails](ctx, c, http.MethodGet, alarmPath(o))
}

// SetAlarm sets the alarm of an object, in place of any other, and makes the object if there
// is none.
func (c *Client) SetAlarm(ctx context.Context, o Object, q SetAlarmRequest) (AlarmDetails, error) {
	return call[AlarmDetails](ctx, c, http.MethodPut, alarmPath(o), q)
}

// DeleteAlarm deletes the alarm of an object, and returns it as it was.
func (c *Client) DeleteAlarm(ctx context.Context, o Object) (AlarmDetails, error) {
	return quick[AlarmDetails](ctx, c, http.MethodDelete, alarmPath(o))
}

// SnoozeAlarm sets the alarm of an object to a later time.
func (c *Client) SnoozeAlarm(ctx context.Context, o Object, q SnoozeRequest) (AlarmDetails, error) {
	return call[AlarmDetails](ctx, c, http.MethodPost, alarmPath(o)+"/snooze", q)
}

// Trigger runs one alarm at once and waits for its handler.
func (c *Client) Trigger(ctx context.Context, which TriggerRequest) (Triggered, error) {
	return call[Triggered](ctx, c, http.MethodPost, "alarms/trigger", which)
}

func alarmPath(o Object) string { return "alarms/" + o.path() }
