package world

import (
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// An Identity is what is known of which object is meant: its id and, if it was reached by name or
// its file tells, its name.
type Identity struct {
	id    wire.ID
	Name  string
	Named bool // the name is known; it may be empty
}

// At returns the address of an object.
func (ns *Namespace) At(who Identity) *Address { return &Address{ns, who} }

// Address returns where the object is.
func (o *object) Address() *Address { return &Address{o.ns, Identity{id: o.id}} }

// Named returns the identity of the object with a name.
func (ns *Namespace) Named(name string) Identity {
	return Identity{id: wire.IDFromName(ns.uniqueKey, name), Name: name, Named: true}
}

// WithID returns the identity of the object with an id, which must be one of this namespace.
func (ns *Namespace) WithID(text string) (Identity, error) {
	id, err := wire.ParseID(ns.uniqueKey, text)
	return Identity{id: id}, err
}

// resolve finds the object that which names, by its class (or a binding) and its id or name,
// whether or not there is one.
func (w *World) resolve(which control.Object) (Address, error) {
	ns, err := w.NamespaceOf(which.Class)
	if err != nil {
		return Address{}, err
	}
	if which.ID == "" {
		return Address{ns, ns.Named(which.Name)}, nil
	}
	who, err := ns.WithID(which.ID)
	if err != nil {
		return Address{}, &control.Error{Code: control.CodeBadRequest, Message: which.Class + "/" + which.ID + ": " + err.Error()}
	}
	return Address{ns, who}, nil
}

// NameOf returns the name of the object with this id, as far as it is known.
func (w *World) NameOf(id string) string {
	for _, ns := range w.currentNamespaces() {
		parsed, err := wire.ParseID(ns.uniqueKey, id)
		if err != nil {
			continue
		}
		ns.mu.Lock()
		o := ns.objects[parsed]
		ns.mu.Unlock()
		if o != nil {
			return o.String()
		}
		return ns.class + "/" + id
	}
	return "object " + id
}
