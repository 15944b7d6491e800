package client

import (
	"context"
	"net/http"

	"devtool.internal/emulator/control"
)

// RunSQL runs SQL on the database of an object. If it returns an error, none of the SQL has taken
// effect. It takes as long as the SQL does; the end of ctx ends the SQL. Columns and Rows are never
// nil.
func (c *Client) RunSQL(ctx context.Context, o control.Object, q control.SQLRequest) (control.SQLResult, error) {
	result, err := call[control.SQLResult](ctx, c, http.MethodPost, objectPath(o)+"/sql", q)
	result.Columns = append([]string{}, result.Columns...)
	result.Rows = append([][]control.SQLValue{}, result.Rows...)
	return result, err
}

// AbortObject resets an object that is in memory: its events fail, and what they have not
// committed is dropped.
func (c *Client) AbortObject(ctx context.Context, o control.Object, q control.AbortRequest) (control.Object, error) {
	return call[control.Object](ctx, c, http.MethodPost, objectPath(o)+"/abort", q)
}
