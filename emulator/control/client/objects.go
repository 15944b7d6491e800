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

// ShowObject tells what there is to know of an object. Like all that follows it
// names the object by class and either name or id, and waits for its turn.
func (c *Client) ShowObject(ctx context.Context, o control.Object) (control.ObjectDetails, error) {
	return quick[control.ObjectDetails](ctx, c, http.MethodGet, objectPath(o))
}

// EvictObject drops the object's instance, unless it is running.
func (c *Client) EvictObject(ctx context.Context, o control.Object) (control.Evicted, error) {
	return quick[control.Evicted](ctx, c, http.MethodPost, objectPath(o)+"/evict")
}

// DeleteObject deletes the object's data, its alarm and its file. One that is in
// memory has to be forced, and one that is running can't be.
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

// PutEntry stores a value, and makes the object if there is none. It returns the
// entry as it is stored.
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

// pathOf names o in a path: by its id if that is known.
func pathOf(o control.Object) string { return segment(o.Class) + "/" + segment(cmp.Or(o.ID, o.Name)) }

func entryPath(o control.Object, key string) string {
	return objectPath(o) + "/entry?" + url.Values{"key": {key}}.Encode()
}

// segment is s as one segment of a path. One of dots alone would mean a folder.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}
