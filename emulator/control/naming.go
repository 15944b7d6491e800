package control

import (
	"encoding/hex"
	"strings"
)

// How an object is written: in commands, in paths of the control API and in the log. 64 hexadecimal
// digits are an id, and everything else is a name. A mark in front of the digits says what they
// are, so that an object whose name looks like an id can be written, too:
//
//	home                    the object with this name
//	4f1c…                   the object with this id
//	name:4f1c…              the object with the name 4f1c…
//	id:4f1c…                the object with this id
//	name:id:4f1c…           the object with the name id:4f1c…
//
// A mark in front of anything else is part of a name, such as name:home.
const (
	nameMark = "name:"
	idMark   = "id:"
)

// Written returns the object of a class that is written so.
func Written(class, object string) Object {
	name, marked := strings.CutPrefix(object, nameMark)
	id, _ := strings.CutPrefix(object, idMark)
	switch {
	case isID(id):
		return Object{Class: class, ID: strings.ToLower(id)}
	case marked && isID(unmarked(name)):
		return Object{Class: class, Name: name}
	}
	return Object{Class: class, Name: object}
}

// WriteName returns how the object with this name is written.
func WriteName(name string) string {
	if Written("", name).Name != name {
		return nameMark + name
	}
	return name
}

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

func isID(text string) bool {
	id, err := hex.DecodeString(text)
	return err == nil && len(id) == 32
}
