package world

import (
	"fmt"
	"net/url"
	"slices"
	"sync"

	"devtool.internal/durable/wire"
)

// Served are the objects that a request to the worker has reached. The zero value has none.
type Served struct {
	mu      sync.Mutex
	objects []*object // the first ones, each once
	more    bool      // there were others
}

// maxServed is how many objects the log line of a request names.
const maxServed = 2

// add adds an object. A nil s ignores it.
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

// Find returns the object with this id, or nil if it is not one of the first maxServed objects. A
// nil s has none.
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

// Describe returns the name of the object, if there is exactly one, and a text for people that
// names the first objects.
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

// requestLine returns the method and path of a request.
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
