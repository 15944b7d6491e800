package client

import (
	"context"
	"net/http"

	"devtool.internal/emulator/control"
)

// SnapshotObject returns all that an object stores. Its lists are never nil. It is an error for an
// object that stores too much for one answer.
func (c *Client) SnapshotObject(ctx context.Context, o control.Object) (control.Snapshot, error) {
	s, err := quick[control.Snapshot](ctx, c, http.MethodGet, objectPath(o)+"/snapshot")
	s.Entries = append([]control.StoredEntry{}, s.Entries...)
	s.Tables = append([]control.StoredTable{}, s.Tables...)
	return s, err
}
