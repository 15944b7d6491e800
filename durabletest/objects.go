package durabletest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Objects are those that store something, or are in memory. Its methods name one by its class, or a binding of that, and by its
// name or id.
type Objects struct{ asker }

// ObjectInfo tells of one object.
type ObjectInfo struct {
	Object
	Size     int64      `json:"size"` // bytes on disk
	Alarm    *time.Time `json:"alarm,omitempty"`
	InMemory bool       `json:"inMemory"`
	Running  bool       `json:"running"`           // one of its events is running, or waits
	Problem  string     `json:"problem,omitempty"` // why its file can't be read, if that is so
}

// List returns the objects of all classes, by class, name and id.
func (o Objects) List() []ObjectInfo {
	o.t.Helper()
	var all struct {
		Objects []ObjectInfo `json:"objects"`
	}
	o.ask("list objects", http.MethodGet, "objects", nil, &all)
	return all.Objects
}

// Evict takes an object out of memory, as happens to one that is idle, and reports whether it was there. The next event
// constructs it anew. One that is running can't be evicted.
func (o Objects) Evict(class, object string) bool {
	o.t.Helper()
	var evicted struct {
		Evicted bool `json:"evicted"`
	}
	o.ask("evict "+class+"/"+object, http.MethodPost, objectPath("objects", class, object)+"/evict", nil, &evicted)
	return evicted.Evicted
}

// Abort resets an object, as State.Abort does: it loses its memory and what it has not committed, and its events fail with reason.
func (o Objects) Abort(class, object, reason string) {
	o.t.Helper()
	o.ask("abort "+class+"/"+object, http.MethodPost, objectPath("objects", class, object)+"/abort", struct {
		Reason string `json:"reason,omitempty"`
	}{reason}, new(json.RawMessage))
}

// A Snapshot is all that an object stores, at one moment between two of its turns.
type Snapshot struct {
	ObjectInfo
	Keys    int64   `json:"keys"`    // how many entries there are
	File    string  `json:"file"`    // the object's SQLite file
	Entries []Entry `json:"entries"` // by the bytes of their keys
	Tables  []Table `json:"tables"`  // of SQL, by name
}

// String lists all of it, each entry and each row on a line of its own.
func (s Snapshot) String() string {
	var b strings.Builder
	b.WriteString(s.Object.String())
	for _, e := range s.Entries {
		fmt.Fprintf(&b, "\n%q: %s", e.Key, cmp.Or(string(e.Value), e.Problem))
	}
	for _, t := range s.Tables {
		fmt.Fprintf(&b, "\n%s %q", t.Name, t.Columns)
		for _, row := range t.Rows {
			values := make([]any, len(row))
			for i, v := range row {
				values[i] = v.V
			}
			fmt.Fprintf(&b, "\n\t%v", values)
		}
		if t.Problem != "" {
			fmt.Fprintf(&b, "\n\t%s", t.Problem)
		}
	}
	return b.String()
}

// Types of an Entry.
const (
	TypeJSON    = "json"
	TypeBytes   = "bytes"   // a []byte; Value is a JSON string in base64
	TypeTime    = "time"    // a time.Time; Value is a JSON string in RFC 3339
	TypeUnknown = "unknown" // it can't be read; Value is missing and Problem says why
)

// An Entry is a key with its value.
type Entry struct {
	Key     string          `json:"key"`
	Type    string          `json:"type"`
	Value   json.RawMessage `json:"value,omitempty"`
	Size    int             `json:"size"` // of the value, in bytes as stored
	Problem string          `json:"problem,omitempty"`
	Stored  []byte          `json:"stored"` // the value as it is stored
}

// A Table is one of the object's database, with all its rows.
type Table struct {
	Name    string    `json:"name"`
	SQL     string    `json:"sql"` // the statement that makes it
	Columns []string  `json:"columns"`
	Rows    [][]Value `json:"rows"`
	Problem string    `json:"problem,omitempty"` // why there are no rows, if they can't be read
}

// A Value is one of a database: V is nil, int64, float64, string or []byte.
type Value struct{ V any }

// Snapshot returns all that an object stores. It does not wake the object up.
func (o Objects) Snapshot(class, object string) Snapshot {
	o.t.Helper()
	var s Snapshot
	o.ask("look at what "+class+"/"+object+" stores", http.MethodGet, objectPath("objects", class, object)+"/snapshot", nil, &s)
	return s
}

// Get decodes the value of a key into v, which is a pointer as for Storage.Get, and reports whether there is one.
func (s Snapshot) Get(key string, v any) (found bool, err error) {
	i := slices.IndexFunc(s.Entries, func(e Entry) bool { return e.Key == key })
	if i < 0 {
		return false, nil
	}
	e := s.Entries[i]
	if e.Type == TypeUnknown {
		return true, fmt.Errorf("read %q: %s", key, e.Problem)
	}
	if err := json.Unmarshal(e.Value, v); err != nil {
		return true, fmt.Errorf("read %q: %w", key, err)
	}
	return true, nil
}

// UnmarshalJSON reads a value in the form of the control API: what JSON has no form for is an object with its type.
func (v *Value) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9') {
		var err error
		if bytes.ContainsAny(b, ".eE") {
			v.V, err = strconv.ParseFloat(string(b), 64)
		} else {
			v.V, err = strconv.ParseInt(string(b), 10, 64)
		}
		return err
	}
	if !bytes.HasPrefix(b, []byte("{")) {
		var s *string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		if v.V = nil; s != nil {
			v.V = *s
		}
		return nil
	}
	var marked struct{ Type, Value string }
	if err := json.Unmarshal(b, &marked); err != nil {
		return err
	}
	if marked.Type == "real" {
		v.V = math.Inf(1)
		if strings.HasPrefix(marked.Value, "-") {
			v.V = math.Inf(-1)
		}
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(marked.Value)
	if v.V = raw; marked.Type == "text" {
		v.V = string(raw)
	}
	return err
}
