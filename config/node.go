package config

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep values may be nested, so that no file can exhaust the stack of the
// functions that walk the tree.
const maxDepth = 100

// kind is the type of a value in both formats. Kinds are bits, so that a shape can allow several.
type kind uint8

const (
	kindObject kind = 1 << iota
	kindArray
	kindString
	kindNumber
	kindBool
	kindNull
	kindDateTime // TOML only
)

// node is one value of a file, whatever its format.
type node struct {
	kind kind
	span span // of the value, or of the header's key for a TOML table

	text    string   // a string's value, a number's JSON spelling ("inf" and "nan" as written), or a date as written
	truth   bool     // a bool's value
	elems   []*node  // an array's elements
	members []member // an object's members, in file order, no key twice

	index map[string]int // from key to member, for objects with many members
}

// member is one key of an object and its value.
type member struct {
	key     string
	keySpan span
	value   *node
}

// manyMembers is the size from which an object has an index.
const manyMembers = 16

// find returns the position of key in n.members, or -1. n may be of any kind.
func (n *node) find(key string) int {
	if n.index != nil {
		if i, ok := n.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range n.members {
		if n.members[i].key == key {
			return i
		}
	}
	return -1
}

// get returns the value of key, or nil if n is not an object or has no such key.
func (n *node) get(key string) *node {
	if i := n.find(key); i >= 0 {
		return n.members[i].value
	}
	return nil
}

// add appends a member whose key n does not have yet.
func (n *node) add(m member) {
	n.members = append(n.members, m)
	switch {
	case n.index != nil:
		n.index[m.key] = len(n.members) - 1
	case len(n.members) == manyMembers:
		n.index = make(map[string]int, 2*manyMembers)
		for i := range n.members {
			n.index[n.members[i].key] = i
		}
	}
}

// str returns the value of key if that is a string, else "".
func (n *node) str(key string) string {
	if v := n.get(key); v != nil && v.kind == kindString {
		return v.text
	}
	return ""
}

// array returns the elements of the array at key, or none.
func (n *node) array(key string) []*node {
	if v := n.get(key); v != nil {
		return v.elems
	}
	return nil
}

// strings returns the strings of the array at key.
func (n *node) strings(key string) []string {
	return texts(n.array(key))
}

// texts returns the values of nodes that should be strings. Any other node is already reported; it
// becomes an empty string, so that the others keep their index.
func texts(nodes []*node) []string {
	var list []string
	for _, e := range nodes {
		s := ""
		if e.kind == kindString {
			s = e.text
		}
		list = append(list, s)
	}
	return list
}

// integer returns the value of a whole number; ok is false for anything else.
func (n *node) integer() (i int64, ok bool) {
	if n.kind != kindNumber {
		return 0, false
	}
	if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// float returns the value of a number.
func (n *node) float() (f float64, ok bool) {
	f, err := strconv.ParseFloat(n.text, 64)
	return f, err == nil && n.kind == kindNumber
}

// describe returns the value's description for a message: its kind and, if it is short, the value.
func (n *node) describe() string {
	switch n.kind {
	case kindObject:
		return "an object"
	case kindArray:
		return "an array"
	case kindString:
		return "the string " + quote(n.text)
	case kindNumber:
		return "the number " + shorten(n.text)
	case kindDateTime:
		return "a date"
	case kindBool:
		return strconv.FormatBool(n.truth)
	}
	return "null"
}

// quote returns s in double quotes for a message, shortened if it is long.
func quote(s string) string { return strconv.Quote(shorten(s)) }

// shorten cuts s to a length that fits into a one-line message.
func shorten(s string) string {
	const limit = 40
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// joinPath returns the path of the member key of the object at path, as messages write it: a.b, or
// a."odd key".
func joinPath(path, key string) string {
	if !isPlainKey(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// indexPath returns the path of element i of the array at path.
func indexPath(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// isPlainKey reports whether key needs no quotes in both formats and in a path.
func isPlainKey(key string) bool {
	for _, r := range key {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$", r) {
			return false
		}
	}
	return key != ""
}

// jsonString returns s as a JSON string, without the escapes that only HTML needs. It is a TOML
// string, too.
func jsonString(s string) string {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // encoding a string into a Builder can't fail
	return strings.TrimSuffix(out.String(), "\n")
}
