package client

import (
	"context"
	"net/http"

	"devtool.internal/emulator/control"
)

// SnapshotObject returns everything that an object stores. Its lists are never nil. It returns an
// error if the object stores too much for one answer.
func (c *Client) SnapshotObject(ctx context.Context, o control.Object) (control.Snapshot, error) {
	s, err := quick[control.Snapshot](ctx, c, http.MethodGet, objectPath(o)+"/snapshot")
	s.Entries = append([]control.StoredEntry{}, s.Entries...)
	s.Tables = append([]control.StoredTable{}, s.Tables...)
	return s, err
}
