package client_test

import (
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

func TestClientSendsTheRequestsOfAlarms(t *testing.T) {
	ctx := t.Context()
	id := strings.Repeat("0a", 32)
	plain, odd := control.Object{Class: "Batcher", Name: "a"}, control.Object{Class: "Batcher", Name: "a/b ?", ID: ""}
	noon := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		ask  func(c *client.Client) error
		want string
	}{
		{
			func(c *client.Client) error {
				_, err := c.ListAlarms(ctx, control.AlarmsRequest{})
				return err
			},
			"GET alarms ",
		},
		{
			func(c *client.Client) error {
				_, err := c.ListAlarms(ctx, control.AlarmsRequest{Class: "A&B"})
				return err
			},
			"GET alarms?class=A%26B ",
		},
		{func(c *client.Client) error { _, err := c.GetAlarm(ctx, plain); return err }, "GET alarms/Batcher/a "},
		{
			func(c *client.Client) error { _, err := c.GetAlarm(ctx, odd); return err },
			"GET alarms/Batcher/a%2Fb%20%3F ",
		},
		{
			func(c *client.Client) error {
				_, err := c.DeleteAlarm(ctx, control.Object{Class: "Batcher", Name: "a", ID: id})
				return err
			},
			"DELETE alarms/Batcher/" + id + " ",
		},
		{
			func(c *client.Client) error {
				_, err := c.SetAlarm(ctx, plain, control.SetAlarmRequest{In: "10s"})
				return err
			},
			`PUT alarms/Batcher/a {"in":"10s"}`,
		},
		{
			func(c *client.Client) error {
				_, err := c.SetAlarm(ctx, plain, control.SetAlarmRequest{At: &noon})
				return err
			},
			`PUT alarms/Batcher/a {"at":"2026-10-01T12:00:00Z"}`,
		},
		{
			func(c *client.Client) error {
				_, err := c.SnoozeAlarm(ctx, plain, control.SnoozeRequest{By: "1m"})
				return err
			},
			`POST alarms/Batcher/a/snooze {"by":"1m"}`,
		},
	} {
		wantRequest(t, test.ask, test.want)
	}
}

func TestAListOfAlarmsIsNeverNil(t *testing.T) {
	list, err := serve(t, answer(200, "application/json", "{}")).ListAlarms(t.Context(), control.AlarmsRequest{})
	if err != nil || list.Alarms == nil {
		t.Errorf("got %#v, %v, want an empty list", list.Alarms, err)
	}
}
