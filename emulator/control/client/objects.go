package client

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"devtool.internal/emulator/control"
)

// ListObjects lists the objects that have a file or are in memory. The list is never nil.
func (c *Client) ListObjects(ctx context.Context) (control.Objects, error) {
	objects, err := quick[control.Objects](ctx, c, http.MethodGet, "objects")
	objects.Objects = append([]control.ObjectInfo{}, objects.Objects...)
	return objects, err
}

// ShowObject returns everything that is known about an object. Like the methods that follow, it
// names the object by class and either name or id, and waits for its turn.
func (c *Client) ShowObject(ctx context.Context, o control.Object) (control.ObjectDetails, error) {
	return quick[control.ObjectDetails](ctx, c, http.MethodGet, objectPath(o))
}

// EvictObject drops the object's instance, unless it is running.
func (c *Client) EvictObject(ctx context.Context, o control.Object) (control.Evicted, error) {
	return quick[control.Evicted](ctx, c, http.MethodPost, objectPath(o)+"/evict")
}

// DeleteObject deletes the object's data, its alarm and its file. If the object is in memory, force
// is required. A running object can't be deleted.
func (c *Client) DeleteObject(ctx context.Context, o control.Object, force bool) (control.Object, error) {
	return quick[control.Object](ctx, c, http.MethodDelete, objectPath(o)+"?force="+strconv.FormatBool(force))
}

// ListEntries lists entries of an object. The list is never nil.
func (c *Client) ListEntries(ctx context.Context, o control.Object, q control.EntriesRequest) (control.Entries, error) {
	query := url.Values{}
	if q.Prefix != "" {
		query.Set("prefix", q.Prefix)
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	path := objectPath(o) + "/entries"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	entries, err := quick[control.Entries](ctx, c, http.MethodGet, path)
	entries.Entries = append([]control.Entry{}, entries.Entries...)
	return entries, err
}

// GetEntry returns one entry of an object.
func (c *Client) GetEntry(ctx context.Context, o control.Object, key string) (control.Entry, error) {
	return quick[control.Entry](ctx, c, http.MethodGet, entryPath(o, key))
}

// PutEntry stores a value, and creates the object if it does not exist. It returns the entry as it
// is stored.
func (c *Client) PutEntry(
	ctx context.Context, o control.Object, key string, value control.PutRequest,
) (control.Entry, error) {
	return call[control.Entry](ctx, c, http.MethodPut, entryPath(o, key), value)
}

// DeleteEntry deletes an entry, and returns it as it was.
func (c *Client) DeleteEntry(ctx context.Context, o control.Object, key string) (control.Entry, error) {
	return quick[control.Entry](ctx, c, http.MethodDelete, entryPath(o, key))
}

func objectPath(o control.Object) string { return "objects/" + pathOf(o) }

// pathOf returns the path of o: with its id if that is known.
func pathOf(o control.Object) string {
	return segment(o.Class) + "/" + segment(cmp.Or(o.ID, control.WriteName(o.Name)))
}

func entryPath(o control.Object, key string) string {
	return objectPath(o) + "/entry?" + url.Values{"key": {key}}.Encode()
}

// segment returns s as one segment of a path. It escapes a segment of dots, which would mean a
// folder.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}
