package durabletest

import (
	"net/http"
	"time"
)

// Objects are the objects that store something or are in memory.
type Objects struct{ asker }

// ObjectInfo describes an object.
type ObjectInfo struct {
	Identity
	Size     int64      `json:"size"` // bytes on disk
	Alarm    *time.Time `json:"alarm,omitempty"`
	InMemory bool       `json:"inMemory"`
	Running  bool       `json:"running"`           // an event of it is running or waiting
	Problem  string     `json:"problem,omitempty"` // why its file can't be read; empty if it can
}

// List returns the objects of all classes, sorted by class, name and id.
func (o Objects) List() []ObjectInfo {
	o.t.Helper()
	var all struct {
		Objects []ObjectInfo `json:"objects"`
	}
	o.ask("list objects", http.MethodGet, "objects", nil, &all)
	return all.Objects
}
