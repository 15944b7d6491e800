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
		return fmt.Errorf("the binding %q is not emulated (%s): devtool emulates Durable Objects and variables only",
			name, kind)
	}
	return nil
}

// Var returns the text of the variable called name. The text is JSON if the configuration gives the
// variable another type than a string. Without such a variable it is empty. Var panics if name is a
// binding that is not emulated.
func (e *Env) Var(name string) string {
	if err := e.checkEmulated(name); err != nil {
		panic("durable: " + err.Error())
	}
	return e.vars[name].text
}

// LookupVar returns what Var returns, and whether there is such a variable. It does not panic.
func (e *Env) LookupVar(name string) (value string, ok bool) {
	v, ok := e.vars[name]
	return v.text, ok
}

// DecodeVar decodes the variable called name into the value that v points to, as encoding/json
// does. A variable that the configuration gives as a string is decoded as a JSON string. If v
// cannot take a string, DecodeVar decodes the text as JSON, because --var, .dev.vars, .env and
// durabletest's Options.Vars replace a number such as 1000 by the text "1".
func (e *Env) DecodeVar(name string, v any) error {
	w, ok := e.vars[name]
	if err := e.checkEmulated(name); err != nil {
		return fmt.Errorf("decode variable: %w", err)
	}
	if !ok {
		return fmt.Errorf("decode variable %q: the configuration has no such variable", name)
	}
	if err := w.decode(v); err != nil {
		return fmt.Errorf("decode variable %q: %w", name, err)
	}
	return nil
}

func (w variable) decode(v any) error {
	text := []byte(w.text)
	if w.isJSON {
		return json.Unmarshal(text, v)
	}
	quoted, _ := json.Marshal(w.text) // a string always marshals
	err := json.Unmarshal(quoted, v)
	if err != nil && json.Valid(text) {
		return json.Unmarshal(text, v)
	}
	return err
}

// Namespace returns the objects of the class that the configuration binds as name. It panics if
// there is no such binding, because then program and configuration do not fit together.
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
		panic(fmt.Sprintf("durable: no class is bound as %q in durable_objects.bindings (bound are: %s)",
			name, list))
	}
	return ns
}

// A Namespace has the objects of one class, or of one class in one jurisdiction.
type Namespace struct {
	binding      string
	uniqueKey    string
	jurisdiction string // empty if the namespace is not restricted
}

// An ID identifies an object. All IDs of one name are equal, and equal to the platform's ID for the
// same worker, class and name. IDs are compared with Equal, and String returns the key for a map.
type ID struct {
	_            [0]func() // IDs of one object may differ in whether they know its name, so == does not compile
	id           objectid.ID
	name         string
	hasName      bool
	jurisdiction string
}

// String returns the 64 hex digits of id.
func (id ID) String() string { return id.id.String() }

// Name returns the name that id was derived from, and whether it is known.
func (id ID) Name() (name string, ok bool) { return id.name, id.hasName }

// Jurisdiction returns the jurisdiction that id is restricted to, and whether there is one. The
// 64 digits of the id determine it. The platform's local runtime has no jurisdictions.
func (id ID) Jurisdiction() (jurisdiction string, ok bool) {
	return id.jurisdiction, id.jurisdiction != ""
}

// Equal reports whether id and other identify the same object, even if only one of them knows its
// name.
func (id ID) Equal(other ID) bool { return id.id == other.id }

// Jurisdiction returns the objects of n in a jurisdiction: "eu", "us", "fedramp" or "fedramp-high".
// A name leads to another object in each jurisdiction, and to yet another one without. The
// emulator keeps all objects on this machine. In production the platform keeps them in their
// jurisdiction, and its local runtime refuses jurisdictions.
//
// It panics if there is no such jurisdiction, or if n is restricted to another: the objects would
// not be where the program says they are.
func (n *Namespace) Jurisdiction(jurisdiction string) *Namespace {
	known := objectid.Jurisdictions()
	if !slices.Contains(known, jurisdiction) {
		panic(fmt.Sprintf("durable: there is no jurisdiction %q (there are: %s)",
			jurisdiction, strings.Join(known, ", ")))
	}
	if n.jurisdiction != "" && n.jurisdiction != jurisdiction {
		panic(fmt.Sprintf("durable: the namespace is restricted to the jurisdiction %q already, not to %q",
			n.jurisdiction, jurisdiction))
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

// IDFromString reads an id from the 64 hex digits that String returned. It fails if they are
// malformed, or if they belong to another namespace or to a jurisdiction outside n.
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

// NewUniqueID returns an id that no other call returns and no name leads to. The program must keep
// it to find the object again.
func (n *Namespace) NewUniqueID() ID {
	return ID{id: objectid.NewUnique(n.uniqueKey, n.jurisdiction), jurisdiction: n.jurisdiction}
}

// includes reports whether n has the objects of jurisdiction.
func (n *Namespace) includes(jurisdiction string) bool {
	return n.jurisdiction == "" || n.jurisdiction == jurisdiction
}

// errOtherJurisdiction is in the platform's words.
var errOtherJurisdiction = &Error{
	Message: "get called on jurisdictional subnamespace with an ID from a different jurisdiction",
}

// A GetOption is an option of Namespace.Get. LocationHint returns one.
type GetOption func(*getOptions)

type getOptions struct{ locationHint string }

// LocationHint asks the platform to create the object near a place, such as "weur" for Western
// Europe. Only the first call to an object can follow it. The emulator only checks the hint, so
// that a hint that the platform does not know fails before the program is deployed.
func LocationHint(hint string) GetOption {
	return func(o *getOptions) { o.locationHint = hint }
}

// The location hints there are. Source: the platform's documentation.
var locationHints = []string{"wnam", "enam", "sam", "weur", "eeur", "apac", "apac-ne", "apac-se", "oc", "afr", "me"}

func (o getOptions) check() *Error {
	if o.locationHint == "" || slices.Contains(locationHints, o.locationHint) {
		return nil
	}
	return &Error{Message: fmt.Sprintf("there is no location hint %q (there are: %s)",
		o.locationHint, strings.Join(locationHints, ", "))}
}

// Get returns a stub of the object id. The object begins to exist with the first call of a stub.
// That call fails if id does not belong to n, or if an option is wrong.
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

// A Stub sends requests to an object. It is an http.Handler, which passes a request on, and an
// http.RoundTripper, for clients that send one.
//
// When a call has found that its object was reset, all further calls of the stub fail in the same
// way: get another stub. Source: the platform's stubs.
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

// Fetch sends r to the object and returns its response. The context of r must be the handler's. A
// handler may pass on a request that it has received. The caller closes the body of the response;
// at the latest it is closed when the handler returns.
//
// The error is an *Error if the object failed.
func (s *Stub) Fetch(r *http.Request) (*http.Response, error) {
	if e := s.broken.Load(); e != nil {
		if r.Body != nil {
			r.Body.Close() // as an http.RoundTripper has to
		}
		return nil, e
	}
	resp, err := roundTrip(s.to, r)
	if e := (*Error)(nil); errors.As(err, &e) && e.Reset && (e.ObjectID == "" || e.ObjectID == s.to.id.String()) {
		broken := *e
		broken.Remote = false // from now on no object is called
		s.broken.CompareAndSwap(nil, &broken)
	}
	return resp, err
}

// RoundTrip is Fetch.
func (s *Stub) RoundTrip(r *http.Request) (*http.Response, error) { return s.Fetch(r) }

// ServeHTTP passes r on to the object and its response to w. If the object fails, the handler's own
// event fails with the object's error.
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

// A failure is a panic of ServeHTTP, which cannot return an error. The event fails with err, and
// without a stack. It is an error itself, so that middleware that recovers finds err in it.
type failure struct{ err error }

func (f failure) Error() string { return textOf(f.err) }
func (f failure) Unwrap() error { return f.err }
