package world

import (
	"fmt"
	"net/url"
	"slices"
	"sync"

	"devtool.internal/durable/wire"
)

// Served are the objects that a request to the worker has reached.
type Served struct {
	mu      sync.Mutex
	objects []*object // the first ones, each once
	more    bool      // there were others
}

// maxServed is how many objects the line of a request names.
const maxServed = 2

// add does nothing to a nil served.
func (s *Served) add(o *object) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case slices.Contains(s.objects, o):
	case len(s.objects) < maxServed:
		s.objects = append(s.objects, o)
	default:
		s.more = true
	}
}

// Find returns the object with this id, or nil if it is not kept here.
func (s *Served) Find(id string) *object {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if o.id.String() == id {
			return o
		}
	}
	return nil
}

// Describe returns the object, if it was a single one, and a text for people.
func (s *Served) Describe() (object, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.objects) == 0:
		return "", ""
	case len(s.objects) == 1:
		object = s.objects[0].String()
		return object, object
	case s.more:
		return "", fmt.Sprintf("%s, %s and others", s.objects[0], s.objects[1])
	}
	return "", fmt.Sprintf("%s and %s", s.objects[0], s.objects[1])
}

// requestLine is how people call a request: its method and path.
func requestLine(r *wire.Request) string {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil:
		return r.Method + " " + r.URL
	case u.Path == "":
		return r.Method + " /"
	}
	return r.Method + " " + u.Path
}
