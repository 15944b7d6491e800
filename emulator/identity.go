package emulator

import (
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// An identity is what is known of which object is meant: its id and, if it was reached by name or
// its file tells, its name.
type identity struct {
	id    wire.ID
	name  string
	named bool // the name is known; it may be empty
}

// address returns where the object is.
func (o *object) address() *address { return &address{o.ns, identity{id: o.id}} }

// named returns the identity of the object with a name.
func (ns *namespace) named(name string) identity {
	return identity{id: wire.IDFromName(ns.uniqueKey, name), name: name, named: true}
}

// withID returns the identity of the object with an id, which must be one of this namespace.
func (ns *namespace) withID(text string) (identity, error) {
	id, err := wire.ParseID(ns.uniqueKey, text)
	return identity{id: id}, err
}

// resolve finds the object that which names, by its class (or a binding) and its id or name,
// whether or not there is one.
func (w *World) resolve(which control.Object) (address, error) {
	ns, err := w.namespaceOf(which.Class)
	if err != nil {
		return address{}, err
	}
	if which.ID == "" {
		return address{ns, ns.named(which.Name)}, nil
	}
	who, err := ns.withID(which.ID)
	if err != nil {
		return address{}, &control.Error{Code: control.CodeBadRequest, Message: which.Class + "/" + which.ID + ": " + err.Error()}
	}
	return address{ns, who}, nil
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
