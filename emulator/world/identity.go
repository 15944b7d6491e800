package world

import (
	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/control"
)

// An Identity is an object's id and, if it is known, its name. The name is known if the object was
// addressed by it or its file has it.
type Identity struct {
	id    objectid.ID
	Name  string // empty if it is not known
	Named bool   // the name is known; it may be empty
}

// At returns the address of an object.
func (ns *Namespace) At(who Identity) *Address { return &Address{ns, who} }

// Address returns the object's address, without its name.
func (o *object) Address() *Address { return &Address{o.ns, Identity{id: o.id}} }

// which returns the object in the form of the control API.
func (o *object) which() control.Object {
	o.mu.Lock()
	defer o.mu.Unlock()
	return control.Object{Class: o.ns.class(), Name: o.name, ID: o.id.String()}
}

// Named returns the identity of the object with this name.
func (ns *Namespace) Named(name string) Identity {
	return Identity{id: objectid.FromName(ns.uniqueKey, "", name), Name: name, Named: true}
}

// leadsTo reports whether id is that of the object with this name. A name in a file may be another
// object's: the file was damaged, or somebody else has made it.
func (ns *Namespace) leadsTo(name string, id objectid.ID) bool {
	_, jurisdiction, err := objectid.Parse(ns.uniqueKey, id.String())
	return err == nil && objectid.FromName(ns.uniqueKey, jurisdiction, name) == id
}

// WithID returns the identity of the object with this id, in hexadecimal digits. It fails if the id
// is not of this namespace.
func (ns *Namespace) WithID(text string) (Identity, error) {
	id, _, err := objectid.Parse(ns.uniqueKey, text)
	return Identity{id: id}, err
}

// resolve returns the address of the object that which names by its class (or a binding) and its id
// or name. The object need not exist.
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
		return Address{}, badRequest("%s/%s: %s", which.Class, which.ID, err)
	}
	return Address{ns, who}, nil
}

// NameOf returns the name of the object with this id for messages: CLASS/NAME, CLASS/ID or, if no
// class has such ids, "object ID".
func (w *World) NameOf(id string) string {
	for _, ns := range w.currentNamespaces() {
		parsed, _, err := objectid.Parse(ns.uniqueKey, id)
		if err != nil {
			continue
		}
		ns.mu.Lock()
		o := ns.objects[parsed]
		ns.mu.Unlock()
		if o != nil {
			return o.String()
		}
		return ns.class() + "/" + id
	}
	return "object " + id
}
