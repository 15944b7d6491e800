package durabletest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// An Object is one object of the worker, as a test reaches it. It need not exist yet.
type Object struct {
	asker
	class, object string
}

// Object returns the object of a class, or of a binding of that class. The object is named by its
// name or by its id, which has 64 hexadecimal digits. A name that has 64 of them itself is written
// with "name:" in front.
func (s *Server) Object(class, nameOrID string) Object { return Object{s.asker, class, nameOrID} }

// String returns the object as commands write it, such as "Counter/home".
func (o Object) String() string { return o.class + "/" + o.object }

// Alarm returns the object's alarm, and whether it has one.
func (o Object) Alarm() (alarm Alarm, ok bool) {
	o.t.Helper()
	var kind struct {
		Alarms []Alarm `json:"alarms"`
	}
	o.ask("list alarms", http.MethodGet, "alarms?class="+url.QueryEscape(o.class), nil, &kind)
	which := o.identity()
	for _, alarm := range kind.Alarms {
		if which.ID != "" && which.ID == alarm.ID || which.ID == "" && which.Name == alarm.Name {
			return alarm, true
		}
	}
	return Alarm{}, false
}

// Trigger runs the object's alarm now, whenever it is due, and returns the outcome. The clock does
// not move.
func (o Object) Trigger() Fired {
	o.t.Helper()
	var fired Fired
	o.trigger("trigger the alarm of "+o.String(), "alarms/trigger", o.identity(), "alarm", &fired)
	return fired
}

// Snapshot returns everything that the object stores. It does not construct the object. For an
// object that neither stores anything nor is in memory, the snapshot is empty, whether or not it
// once did.
func (o Object) Snapshot() Snapshot {
	o.t.Helper()
	var s Snapshot
	if !o.askIfThere("read the storage of "+o.String(), http.MethodGet, o.path("snapshot"), &s) {
		s.Identity, s.Entries, s.Tables = o.identity(), []Entry{}, []Table{}
	}
	return s
}

// Evict removes the object from memory, as the emulator does with idle ones, and reports whether it
// was there. The object's next event constructs it again. A running object can't be evicted.
func (o Object) Evict() bool {
	o.t.Helper()
	var evicted struct {
		Evicted bool `json:"evicted"`
	}
	o.askIfThere("evict "+o.String(), http.MethodPost, o.path("evict"), &evicted)
	return evicted.Evicted
}

// Abort resets the object, as State.Abort does. The object loses its memory and its uncommitted
// writes, and its events fail with reason.
func (o Object) Abort(reason string) {
	o.t.Helper()
	o.ask("abort "+o.String(), http.MethodPost, o.path("abort"), struct {
		Reason string `json:"reason,omitempty"`
	}{reason}, new(json.RawMessage))
}

// path returns a path of the control API that is about the object.
func (o Object) path(what string) string {
	return "objects/" + segment(o.class) + "/" + segment(o.object) + "/" + what
}

// segment returns s as one segment of a path. It escapes "." and "..", which mean folders.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

// An Identity says which object something is about. Name is empty if the object was only ever
// reached by its id.
type Identity struct {
	Class string `json:"class,omitempty"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"` // 64 hexadecimal digits
}

// String returns the object as commands write it: CLASS/NAME, or CLASS/ID for an object without a
// name.
func (i Identity) String() string {
	if i.Name == "" {
		return i.Class + "/" + i.ID
	}
	name := i.Name
	if (Object{object: name}).identity().Name != name {
		name = nameMark + name
	}
	return i.Class + "/" + name
}

// identity returns the object in the form of the control API.
func (o Object) identity() Identity {
	name, marked := strings.CutPrefix(o.object, nameMark)
	id := strings.TrimPrefix(o.object, idMark)
	switch {
	case looksLikeID(id):
		return Identity{Class: o.class, ID: strings.ToLower(id)}
	case marked && looksLikeID(unmarked(name)):
		return Identity{Class: o.class, Name: name}
	}
	return Identity{Class: o.class, Name: o.object}
}

// The marks say what 64 hexadecimal digits are, as in commands.
const (
	nameMark = "name:"
	idMark   = "id:"
)

// unmarked returns what follows all marks.
func unmarked(text string) string {
	for {
		rest := strings.TrimPrefix(strings.TrimPrefix(text, nameMark), idMark)
		if rest == text {
			return text
		}
		text = rest
	}
}

func looksLikeID(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}
