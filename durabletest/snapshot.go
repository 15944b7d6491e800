package durabletest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Snapshot is everything that an object stores, at one moment between two of its turns.
type Snapshot struct {
	ObjectInfo
	Keys    int64   `json:"keys"`    // the number of entries
	File    string  `json:"file"`    // the object's SQLite file
	Entries []Entry `json:"entries"` // sorted by the bytes of their keys
	Tables  []Table `json:"tables"`  // of SQL, sorted by name
}

// String returns the object's name and then each entry and each row on its own line.
func (s Snapshot) String() string {
	var b strings.Builder
	b.WriteString(s.Identity.String())
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
	Stored  []byte          `json:"stored"` // the value's bytes as they are stored
}

// A Table is a table of the object's database, with all its rows.
type Table struct {
	Name    string    `json:"name"`
	SQL     string    `json:"sql"` // the statement that creates it
	Columns []string  `json:"columns"`
	Rows    [][]Value `json:"rows"`
	Problem string    `json:"problem,omitempty"` // why the rows can't be read; empty if they can
}

// A Value is a value of a database. V is nil, an int64, a float64, a string or a []byte.
type Value struct{ V any }

// Get decodes the value of a key into v, a pointer as for Storage.Get, and reports whether the key
// exists.
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

// UnmarshalJSON reads a value in the form of the control API, where a JSON object with a type
// stands for values that JSON lacks.
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
