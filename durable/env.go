package durable

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"sync/atomic"

	"devtool/durable/wire"
)

// An Env holds the bindings of the configuration: namespaces and variables.
type Env struct {
	vars       map[string]wire.Var
	namespaces map[string]*Namespace
}

func newEnv(vars []wire.Var, bindings []wire.Binding) *Env {
	e := &Env{vars: make(map[string]wire.Var), namespaces: make(map[string]*Namespace)}
	for _, v := range vars {
		e.vars[v.Name] = v
	}
	for _, b := range bindings {
		e.namespaces[b.Name] = &Namespace{binding: b.Name, uniqueKey: b.UniqueKey}
	}
	return e
}

// Var returns the variable called name: its text, or JSON text if the configuration
// gives it another type than a string. It is empty when there is no such variable.
func (e *Env) Var(name string) string { return e.vars[name].Value }

// LookupVar is Var, and reports whether there is such a variable.
func (e *Env) LookupVar(name string) (value string, ok bool) {
	v, ok := e.vars[name]
	return v.Value, ok
}

// DecodeVar stores the variable called name in what v points to, as encoding/json
// does; one that the configuration gives as a string is decoded as a JSON string.
func (e *Env) DecodeVar(name string, v any) error {
	w, ok := e.vars[name]
	if !ok {
		return fmt.Errorf("decode variable %q: the configuration has no such variable", name)
	}
	text := []byte(w.Value)
	if !w.JSON {
		text, _ = json.Marshal(w.Value) // a string always marshals
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("decode variable %q: %w", name, err)
	}
	return nil
}

// Namespace returns the objects of the class that the configuration binds as name. It
// panics when there is no such binding, for then program and configuration do
// not belong together.
func (e *Env) Namespace(name string) *Namespace {
	ns, ok := e.namespaces[name]
	if !ok {
		known := make([]string, 0, len(e.namespaces))
		for k := range e.namespaces {
			known = append(known, k)
		}
		sort.Strings(known)
		list := strings.Join(known, ", ")
		if list == "" {
			list = "none"
		}
		panic(fmt.Sprintf("durable: no class is bound as %q in durable_objects.bindings (bound are: %s)", name, list))
	}
	return ns
}

// A Namespace is the objects of one class.
type Namespace struct {
	binding   string
	uniqueKey string
}

// An ID names an object. IDs of one name are equal, and equal to those that
// the platform derives for the same worker, class and name. They can be compared with Equal.
type ID struct {
	id      wire.ID
	name    string
	hasName bool
}

// String returns the 64 hex digits of id.
func (id ID) String() string { return id.id.String() }

// Name returns the name that id was made from, and whether there is one.
func (id ID) Name() (name string, ok bool) { return id.name, id.hasName }

// parse takes the id from 64 hex digits of which it is known that they are right.
func (id *ID) parse(s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id.id) {
		return wire.ErrMalformedID
	}
	id.id = wire.ID(b)
	return nil
}

// Equal reports whether id and other name the same object. Only one of the two
// may know its name.
func (id ID) Equal(other ID) bool { return id.id == other.id }

// IDFromName returns the id of the object called name. Any text is a name.
func (n *Namespace) IDFromName(name string) ID {
	return ID{id: wire.IDFromName(n.uniqueKey, name), name: name, hasName: true}
}

// IDFromString reads an id from the 64 hex digits that String returned. It fails if
// they are malformed or belong to another namespace.
func (n *Namespace) IDFromString(s string) (ID, error) {
	id, err := wire.ParseID(n.uniqueKey, s)
	if err != nil {
		return ID{}, err
	}
	return ID{id: id}, nil
}

// NewUniqueID returns an id that no other call returns and no name leads to. Keep
// it to find the object again.
func (n *Namespace) NewUniqueID() ID { return ID{id: wire.NewUniqueID(n.uniqueKey)} }

// Get returns the stub of the object id. That alone does nothing to the
// object: it begins to exist with the first call.
func (n *Namespace) Get(id ID) *Stub { return &Stub{to: address{binding: n.binding, id: id}} }

// GetByName is Get(IDFromName(name)).
func (n *Namespace) GetByName(name string) *Stub { return n.Get(n.IDFromName(name)) }

// A Stub sends requests to an object. It can be given to whatever takes an
// http.Handler (a request comes in) or an http.RoundTripper (a client sends one).
//
// Once a call has found that its object was reset, all further calls of the stub fail
// in the same way: get another one. Source: the platform's stubs.
type Stub struct {
	to     address
	broken atomic.Pointer[Error] // why the object was reset
}

var (
	_ http.Handler      = (*Stub)(nil)
	_ http.RoundTripper = (*Stub)(nil)
)

// ID returns the id of the object.
func (s *Stub) ID() ID { return s.to.id }

// Fetch sends r to the object and returns its response. The context of r must be
// the handler's. r may be one that the handler has received, to pass it on. The caller
// closes the body of the response; it is closed for him when his handler returns.
//
// The error is an *Error when the object failed.
func (s *Stub) Fetch(r *http.Request) (*http.Response, error) {
	if e := s.broken.Load(); e != nil {
		return nil, e
	}
	resp, err := roundTrip(s.to, r)
	if e := (*Error)(nil); errors.As(err, &e) && e.Reset {
		s.broken.CompareAndSwap(nil, e)
	}
	return resp, err
}

// RoundTrip is Fetch.
func (s *Stub) RoundTrip(r *http.Request) (*http.Response, error) { return s.Fetch(r) }

// ServeHTTP passes r on to the object and its response to w. When the object fails, so
// does the handler's own event, with the object's error.
func (s *Stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp, err := s.Fetch(r)
	if err != nil {
		panic(failure{err})
	}
	defer resp.Body.Close()
	if err := copyResponse(w, resp); err != nil {
		panic(failure{err})
	}
}

// failure is what ServeHTTP panics with, as it can't return an error: the event fails
// with err and without a stack.
type failure struct{ err error }

func (f failure) String() string { return f.err.Error() }
