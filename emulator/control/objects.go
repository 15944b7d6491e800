package control

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Types of a stored value.
const (
	TypeJSON    = "json"
	TypeBytes   = "bytes"   // a []byte; Value is a JSON string in base64
	TypeTime    = "time"    // a time.Time; Value is a JSON string in RFC 3339
	TypeUnknown = "unknown" // it can't be read; Value is missing and Problem says why
)

// ObjectInfo is what a list of objects tells of one.
type ObjectInfo struct {
	Object
	Size  int64      `json:"size"` // bytes on disk
	Alarm *time.Time `json:"alarm,omitempty"`
	// InMemory tells whether there is an instance, Running whether one of its
	// events is running or waiting.
	InMemory bool `json:"inMemory"`
	Running  bool `json:"running"`
	// Problem says why the object's file can't be read, if that is so: Name and
	// Alarm are then missing.
	Problem string `json:"problem,omitempty"`
}

// Objects lists the objects of all classes, by class, name and id.
type Objects struct {
	Now     time.Time    `json:"now"`
	Objects []ObjectInfo `json:"objects"`
}

// ObjectDetails is what there is to know of one object.
type ObjectDetails struct {
	ObjectInfo
	Keys int64  `json:"keys"`
	File string `json:"file"` // absolute path
}

// Evicted tells whether the object was in memory until then.
type Evicted struct {
	Object
	Evicted bool `json:"evicted"`
}

// Entry is a key with its value.
type Entry struct {
	Key     string          `json:"key"`
	Type    string          `json:"type"`
	Value   json.RawMessage `json:"value,omitempty"`
	Size    int             `json:"size"` // of the value, in bytes as stored
	Problem string          `json:"problem,omitempty"`
}

// Entries lists entries by the bytes of their keys. More tells that others follow.
type Entries struct {
	Object
	Entries []Entry `json:"entries"`
	More    bool    `json:"more"`
}

// EntriesRequest selects entries. A Limit of 0 is DefaultEntries.
type EntriesRequest struct {
	Prefix string
	Limit  int
}

// DefaultEntries is how many entries are listed unless more are asked for.
const DefaultEntries = 100

// PutRequest is the value to store, in the form of an Entry. An empty Type is TypeJSON.
type PutRequest struct {
	Type  string          `json:"type,omitempty"`
	Value json.RawMessage `json:"value"`
}

// ListObjects lists the objects that have a file or are in memory. The list is never nil.
func (c *Client) ListObjects(ctx context.Context) (Objects, error) {
	objects, err := quick[Objects](ctx, c, http.MethodGet, "objects")
	objects.Objects = append([]ObjectInfo{}, objects.Objects...)
	return objects, err
}

// ShowObject tells what there is to know of an object. Like all that follows it
// names the object by class and either name or id, and waits for its turn.
func (c *Client) ShowObject(ctx context.Context, o Object) (ObjectDetails, error) {
	return quick[ObjectDetails](ctx, c, http.MethodGet, objectPath(o))
}

// EvictObject drops the object's instance, unless it is running.
func (c *Client) EvictObject(ctx context.Context, o Object) (Evicted, error) {
	return quick[Evicted](ctx, c, http.MethodPost, objectPath(o)+"/evict")
}

// DeleteObject deletes the object's data, its alarm and its file. One that is in
// memory has to be forced, and one that is running can't be.
func (c *Client) DeleteObject(ctx context.Context, o Object, force bool) (Object, error) {
	return quick[Object](ctx, c, http.MethodDelete, objectPath(o)+"?force="+strconv.FormatBool(force))
}

// ListEntries lists entries of an object. The list is never nil.
func (c *Client) ListEntries(ctx context.Context, o Object, q EntriesRequest) (Entries, error) {
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
	entries, err := quick[Entries](ctx, c, http.MethodGet, path)
	entries.Entries = append([]Entry{}, entries.Entries...)
	return entries, err
}

// GetEntry returns one entry of an object.
func (c *Client) GetEntry(ctx context.Context, o Object, key string) (Entry, error) {
	return quick[Entry](ctx, c, http.MethodGet, entryPath(o, key))
}

// PutEntry stores a value, and makes the object if there is none. It returns the
// entry as it is stored.
func (c *Client) PutEntry(ctx context.Context, o Object, key string, value PutRequest) (Entry, error) {
	return call[Entry](ctx, c, http.MethodPut, entryPath(o, key), value)
}

// DeleteEntry deletes an entry, and returns it as it was.
func (c *Client) DeleteEntry(ctx context.Context, o Object, key string) (Entry, error) {
	return quick[Entry](ctx, c, http.MethodDelete, entryPath(o, key))
}

func objectPath(o Object) string { return "objects/" + o.path() }

// path names o in a path: by its id if that is known.
func (o Object) path() string { return segment(o.Class) + "/" + segment(cmp.Or(o.ID, o.Name)) }

func entryPath(o Object, key string) string {
	return objectPath(o) + "/entry?" + url.Values{"key": {key}}.Encode()
}

// segment is s as one segment of a path. One of dots alone would mean a folder.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}
