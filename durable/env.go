package durable

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync/atomic"

	"devtool.internal/durable/objectid"
)

// An Env holds the bindings of the configuration: namespaces and variables.
type Env struct {
	vars        map[string]variable
	namespaces  map[string]*Namespace
	notEmulated map[string]string // the kinds of the bindings that are not emulated, by name
}

// A variable of the environment. Its text is JSON if the configuration gives it another type than
// a string.
type variable struct {
	text   string
	isJSON bool
}

// checkEmulated returns an error if name is a binding that is not emulated.
func (e *Env) checkEmulated(name string) error {
	if kind, ok := e.notEmulated[name]; ok {
		return fmt.Errorf("the binding %q is not emulated (%s): devtool emulates Durable Objects and variables only", name, kind)
	}
	return nil
}

// Var returns the variable called name: its text, or JSON text if the configuration
// gives it another type than a string. It is empty when there is no such variable, and
// panics when that is the name of a binding that is not emulated.
func (e *Env) Var(name string) string {
	if err := e.checkEmulated(name); err != nil {
		panic("durable: " + err.Error())
	}
	return e.vars[name].text
}

// LookupVar is Var, and reports whether there is such a variable.
func (e *Env) LookupVar(name string) (value string, ok bool) {
	v, ok := e.vars[name]
	return v.text, ok
}

// DecodeVar stores the variable called name in what v points to, as encoding/json
// does; one that the configuration gives as a string is decoded as a JSON string.
func (e *Env) DecodeVar(name string, v any) error {
	w, ok := e.vars[name]
	if err := e.checkEmulated(name); err != nil {
		return fmt.Errorf("decode variable: %w", err)
	}
	if !ok {
		return fmt.Errorf("decode variable %q: the configuration has no such variable", name)
	}
	text := []byte(w.text)
	if !w.isJSON {
		text, _ = json.Marshal(w.text) // a string always marshals
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
	if err := e.checkEmulated(name); err != nil {
		panic("durable: " + err.Error())
	}
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

// A Namespace is the objects of one class, or those of them that are restricted to a
// jurisdiction.
type Namespace struct {
	binding      string
	uniqueKey    string
	jurisdiction string // empty for the objects of all
}

// An ID names an object. IDs of one name are equal, and equal to those that
// the platform derives for the same worker, class and name. They can be compared with Equal.
type ID struct {
	id           objectid.ID
	name         string
	hasName      bool
	jurisdiction string
}

// String returns the 64 hex digits of id.
func (id ID) String() string { return id.id.String() }

// Name returns the name that id was made from, and whether there is one.
func (id ID) Name() (name string, ok bool) { return id.name, id.hasName }

// Jurisdiction returns the jurisdiction that id is restricted to, and whether there is
// one. It is part of the id: the 64 digits carry it.
func (id ID) Jurisdiction() (jurisdiction string, ok bool) {
	return id.jurisdiction, id.jurisdiction != ""
}

// Equal reports whether id and other name the same object. Only one of the two
// may know its name.
func (id ID) Equal(other ID) bool { return id.id == other.id }

// Jurisdiction returns the objects of n that are restricted to a jurisdiction: "eu", "us",
// "fedramp" or "fedramp-high". Their ids are their own, so one name is another object
// in each jurisdiction, and another one without. Here all objects stay on this machine;
// where the program is deployed, the platform keeps them in their jurisdiction.
//
// It panics if there is no such jurisdiction, or n is restricted to another, for then the
// objects would not be where the program says they are.
func (n *Namespace) Jurisdiction(jurisdiction string) *Namespace {
	known := objectid.Jurisdictions()
	if !slices.Contains(known, jurisdiction) {
		panic(fmt.Sprintf("durable: there is no jurisdiction %q (there are: %s)", jurisdiction, strings.Join(known, ", ")))
	}
	if n.jurisdiction != "" && n.jurisdiction != jurisdiction {
		panic(fmt.Sprintf("durable: the namespace is restricted to the jurisdiction %q already, not to %q", n.jurisdiction, jurisdiction))
	}
	restricted := *n
	restricted.jurisdiction = jurisdiction
	return &restricted
}

// IDFromName returns the id of the object called name. Any text is a name.
func (n *Namespace) IDFromName(name string) ID {
	return ID{
		id:   objectid.FromName(n.uniqueKey, n.jurisdiction, name),
		name: name, hasName: true, jurisdiction: n.jurisdiction,
	}
}

// IDFromString reads an id from the 64 hex digits that String returned. It fails if
// they are malformed, belong to another namespace, or to another jurisdiction than the one
// that n is restricted to.
func (n *Namespace) IDFromString(s string) (ID, error) {
	id, jurisdiction, err := objectid.Parse(n.uniqueKey, s)
	if err == nil && !n.includes(jurisdiction) {
		err = errOtherJurisdiction
	}
	if err != nil {
		return ID{}, err
	}
	return ID{id: id, jurisdiction: jurisdiction}, nil
}

// NewUniqueID returns an id that no other call returns and no name leads to. Keep
// it to find the object again.
func (n *Namespace) NewUniqueID() ID {
	return ID{id: objectid.NewUnique(n.uniqueKey, n.jurisdiction), jurisdiction: n.jurisdiction}
}

// includes reports whether objects of jurisdiction are among those of n.
func (n *Namespace) includes(jurisdiction string) bool {
	return n.jurisdiction == "" || n.jurisdiction == jurisdiction
}

// errOtherJurisdiction is in the platform's words.
var errOtherJurisdiction = &Error{Message: "get called on jurisdictional subnamespace with an ID from a different jurisdiction"}

// A GetOption says more about the object that a stub is for. LocationHint makes one.
type GetOption func(*getOptions)

type getOptions struct{ locationHint string }

// LocationHint asks for an object near a place, such as "weur" for Western Europe. Only the
// first call to an object can follow it. Here it has no effect, but is checked, so that a
// hint that the platform does not know shows before the program is deployed.
func LocationHint(hint string) GetOption {
	return func(o *getOptions) { o.locationHint = hint }
}

// The location hints there are. Source: the platform's documentation.
var locationHints = []string{"wnam", "enam", "sam", "weur", "eeur", "apac", "apac-ne", "apac-se", "oc", "afr", "me"}

func (o getOptions) check() *Error {
	if o.locationHint == "" || slices.Contains(locationHints, o.locationHint) {
		return nil
	}
	return &Error{Message: fmt.Sprintf("there is no location hint %q (there are: %s)", o.locationHint, strings.Join(locationHints, ", "))}
}

// Get returns the stub of the object id. That alone does nothing to the
// object: it begins to exist with the first call. That is also where it shows if id does not
// belong to n, or an option is wrong.
func (n *Namespace) Get(id ID, options ...GetOption) *Stub {
	s := &Stub{to: address{binding: n.binding, id: id}}
	var o getOptions
	for _, set := range options {
		set(&o)
	}
	if !n.includes(id.jurisdiction) {
		s.broken.Store(errOtherJurisdiction)
	} else if e := o.check(); e != nil {
		s.broken.Store(e)
	}
	return s
}

// GetByName is Get(IDFromName(name)).
func (n *Namespace) GetByName(name string, options ...GetOption) *Stub {
	return n.Get(n.IDFromName(name), options...)
}

// A Stub sends requests to an object. It can be given to whatever takes an
// http.Handler (a request comes in) or an http.RoundTripper (a client sends one).
//
// Once a call has found that its object was reset, all further calls of the stub fail
// in the same way: get another one. Source: the platform's stubs.
type Stub struct {
	to     address
	broken atomic.Pointer[Error] // why every call fails: the object was reset, or Get refused it
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
		if r.Body != nil {
			r.Body.Close() // as an http.RoundTripper has to
		}
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
