package client

import (
	"context"
	"net/http"

	"devtool.internal/emulator/control"
)

// InjectFault injects a fault, which strikes once. The emulator forgets it when it ends.
func (c *Client) InjectFault(ctx context.Context, f control.Fault) (control.Fault, error) {
	return call[control.Fault](ctx, c, http.MethodPost, "faults", f)
}

// ListFaults lists the faults that have not struck yet. The list is never nil.
func (c *Client) ListFaults(ctx context.Context) (control.Faults, error) {
	return c.faults(ctx, http.MethodGet)
}

// DropFaults drops the faults that have not struck yet, and returns them. The list is never nil.
func (c *Client) DropFaults(ctx context.Context) (control.Faults, error) {
	return c.faults(ctx, http.MethodDelete)
}

func (c *Client) faults(ctx context.Context, method string) (control.Faults, error) {
	waiting, err := quick[control.Faults](ctx, c, method, "faults")
	waiting.Faults = append([]control.PendingFault{}, waiting.Faults...)
	return waiting, err
}
