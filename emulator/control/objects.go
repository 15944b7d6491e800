package control

import (
	"encoding/json"
	"time"
)

// Types of a stored value.
const (
	TypeJSON    = "json"
	TypeBytes   = "bytes"   // a []byte; Value is a JSON string in base64
	TypeTime    = "time"    // a time.Time; Value is a JSON string in RFC 3339
	TypeUnknown = "unknown" // the value can't be read; Value is missing and Problem says why
)

// ObjectInfo is one object in a list.
type ObjectInfo struct {
	Object
	Size  int64      `json:"size"` // bytes on disk
	Alarm *time.Time `json:"alarm,omitempty"`
	// InMemory reports whether there is an instance. Running reports whether one of its events is
	// running or waiting.
	InMemory bool `json:"inMemory"`
	Running  bool `json:"running"`
	// Problem says why the object's file can't be read, or is empty. With a Problem, Name and Alarm
	// are missing.
	Problem string `json:"problem,omitempty"`
}

// Objects lists the objects of all classes, by class, name and id.
type Objects struct {
	Now     time.Time    `json:"now"`
	Objects []ObjectInfo `json:"objects"`
}

// ObjectDetails is everything that is known about one object.
type ObjectDetails struct {
	ObjectInfo
	Keys int64  `json:"keys"`
	File string `json:"file"` // absolute path
}

// Evicted reports whether the object was in memory until then.
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

// Entries lists entries in the order of their keys' bytes. More reports whether others follow.
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

// DefaultEntries is the number of listed entries if the request has no limit.
const DefaultEntries = 100

// PutRequest is the value to store, in the form of an Entry. An empty Type means TypeJSON.
type PutRequest struct {
	Type  string          `json:"type,omitempty"`
	Value json.RawMessage `json:"value"`
}
