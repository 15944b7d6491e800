package client

import (
	"context"
	"net/http"

	"devtool.internal/emulator/control"
)

// Crons lists the cron triggers. The list is never nil.
func (c *Client) Crons(ctx context.Context) (control.Crons, error) {
	crons, err := quick[control.Crons](ctx, c, http.MethodGet, "cron")
	crons.Crons = append([]control.Cron{}, crons.Crons...)
	return crons, err
}

// TriggerCron runs one cron trigger at once and waits for its handler.
func (c *Client) TriggerCron(ctx context.Context, which control.CronTriggerRequest) (control.Fired, error) {
	return call[control.Fired](ctx, c, http.MethodPost, "cron/trigger", which)
}
