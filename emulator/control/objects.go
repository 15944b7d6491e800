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
