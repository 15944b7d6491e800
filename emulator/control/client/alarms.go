package client

import (
	"context"
	"net/http"
	"net/url"

	"devtool.internal/emulator/control"
)

// ListAlarms lists pending alarms in the order in which they are due. The list is never nil.
func (c *Client) ListAlarms(ctx context.Context, q control.AlarmsRequest) (control.Alarms, error) {
	path := "alarms"
	if q.Class != "" {
		path += "?" + url.Values{"class": {q.Class}}.Encode()
	}
	pending, err := quick[control.Alarms](ctx, c, http.MethodGet, path)
	pending.Alarms = append([]control.Alarm{}, pending.Alarms...)
	return pending, err
}

// GetAlarm returns the alarm of an object.
func (c *Client) GetAlarm(ctx context.Context, o control.Object) (control.AlarmDetails, error) {
	return quick[control.AlarmDetails](ctx, c, http.MethodGet, alarmPath(o))
}

// SetAlarm sets the alarm of an object and replaces an earlier one. It creates the object if it
// does not exist.
func (c *Client) SetAlarm(
	ctx context.Context, o control.Object, q control.SetAlarmRequest,
) (control.AlarmDetails, error) {
	return call[control.AlarmDetails](ctx, c, http.MethodPut, alarmPath(o), q)
}

// DeleteAlarm deletes the alarm of an object, and returns it as it was.
func (c *Client) DeleteAlarm(ctx context.Context, o control.Object) (control.AlarmDetails, error) {
	return quick[control.AlarmDetails](ctx, c, http.MethodDelete, alarmPath(o))
}

// SnoozeAlarm sets the alarm of an object to a later time.
func (c *Client) SnoozeAlarm(
	ctx context.Context, o control.Object, q control.SnoozeRequest,
) (control.AlarmDetails, error) {
	return call[control.AlarmDetails](ctx, c, http.MethodPost, alarmPath(o)+"/snooze", q)
}

// Trigger runs one alarm at once and waits for its handler.
func (c *Client) Trigger(ctx context.Context, which control.TriggerRequest) (control.Triggered, error) {
	return call[control.Triggered](ctx, c, http.MethodPost, "alarms/trigger", which)
}

func alarmPath(o control.Object) string { return "alarms/" + pathOf(o) }
