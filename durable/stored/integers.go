package stored

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// Numbers of the platform are float64, which hold integers up to ±2^53 exactly. A larger integer
// would become another number there, so it is not stored. A float64 is never refused: it stays what
// it is, although JSON writes 1e18 with 19 digits.

// maxExact is the largest integer up to which float64 holds all integers: 2^53.
const maxExact = "9007199254740992"

// checkIntegers returns an error if v, which json.Marshal has encoded as text, has an integer
// beyond ±2^53. Nearly always a look at the text is enough.
func checkIntegers(v any, text []byte) error {
	if !mayHaveLargeInteger(text) {
		return nil
	}
	c := &integers{json.NewDecoder(bytes.NewReader(text))}
	c.tokens.UseNumber()
	return c.check(reflect.ValueOf(v), "")
}

// mayHaveLargeInteger reports whether text, which is JSON without white space, has what looks like
// an integer beyond ±2^53. It may be part of a string.
func mayHaveLargeInteger(text []byte) bool {
	// Each run of len(maxExact) digits has one at one of these places.
	for i := len(maxExact) - 1; i < len(text); i += len(maxExact) {
		if !isDigit(text[i]) {
			continue
		}
		first, last := i, i
		for first > 0 && isDigit(text[first-1]) {
			first--
		}
		for last+1 < len(text) && isDigit(text[last+1]) {
			last++
		}
		if beyondExact(string(text[first:last+1])) && beginsNumber(text[:first]) && endsInteger(text[last+1:]) {
			return true
		}
		i += (last - i) / len(maxExact) * len(maxExact) // the places within this run
	}
	return false
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// beginsNumber reports whether a number may follow before.
func beginsNumber(before []byte) bool {
	before = bytes.TrimSuffix(before, []byte("-"))
	return len(before) == 0 || strings.IndexByte("[:,", before[len(before)-1]) >= 0
}

// endsInteger reports whether after may follow an integer.
func endsInteger(after []byte) bool {
	return len(after) == 0 || strings.IndexByte("]},", after[0]) >= 0
}

// beyondExact reports whether digits are a number beyond 2^53.
func beyondExact(digits string) bool {
	return len(digits) > len(maxExact) || len(digits) == len(maxExact) && digits > maxExact
}

// integers compares JSON text with the value it was made of.
type integers struct{ tokens *json.Decoder }

// check reads the text of v, which stands at path. If v is the zero Value, there is only the text
// to judge by.
func (c *integers) check(v reflect.Value, path string) error {
	v = source(v)
	token, err := c.tokens.Token()
	if err != nil {
		return err
	}
	switch token := token.(type) {
	case json.Number:
		if !allowed(v, token.String()) {
			if path != "" {
				path = " at " + strings.TrimPrefix(path, ".")
			}
			return fmt.Errorf("the integer %s%s is beyond ±2^53, where a number on the platform is not exact: "+
				"store it as text", token, path)
		}
	case json.Delim:
		members := membersOf(v)
		for i := 0; c.tokens.More(); i++ {
			var member reflect.Value
			var place string
			if token == '[' {
				member, place = elementOf(v, i), fmt.Sprintf("[%d]", i)
			} else {
				name, err := c.tokens.Token()
				if err != nil {
					return err
				}
				key, _ := name.(string)
				member, place = members(key), nameOf(key)
			}
			if err := c.check(member, path+place); err != nil {
				return err
			}
		}
		_, err = c.tokens.Token() // the closing bracket
	}
	return err
}

// nameOf returns how a path names the member key of an object.
func nameOf(key string) string {
	for i, r := range key {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return fmt.Sprintf("[%q]", key)
		}
	}
	if key == "" {
		return `[""]`
	}
	return "." + key
}

// allowed reports whether a number may be stored that JSON writes as literal. A literal whose v is
// unknown may be a float64's.
func allowed(v reflect.Value, literal string) bool {
	digits := strings.TrimPrefix(literal, "-")
	if strings.ContainsAny(digits, ".eE") || !beyondExact(digits) {
		return true
	}
	if v.IsValid() && v.CanFloat() {
		return true
	}
	if v.IsValid() && (v.CanInt() || v.CanUint()) {
		return false
	}
	f, err := strconv.ParseFloat(literal, 64)
	exact := strconv.FormatFloat(f, 'f', 0, 64)
	shortest := strconv.FormatFloat(f, 'f', -1, 64) // as encoding/json writes a float64
	return err == nil && (literal == exact || literal == shortest)
}

// source returns the value that JSON text was made of: v without pointers and interfaces. It is the
// zero Value if a method of v has made the text.
func source(v reflect.Value) reflect.Value {
	for v.IsValid() {
		if hasOwnText(v.Type()) || v.CanAddr() && hasOwnText(reflect.PointerTo(v.Type())) {
			return reflect.Value{}
		}
		if v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
			break
		}
		v = v.Elem()
	}
	return v
}

func hasOwnText(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// elementOf returns the element i of v, or the zero Value if v is no list.
func elementOf(v reflect.Value, i int) reflect.Value {
	if v.IsValid() && (v.Kind() == reflect.Slice || v.Kind() == reflect.Array) && i < v.Len() {
		return v.Index(i)
	}
	return reflect.Value{}
}

// membersOf returns a function that returns the member of v with a name in JSON, or the zero Value.
func membersOf(v reflect.Value) func(name string) reflect.Value {
	switch {
	case v.IsValid() && v.Kind() == reflect.Struct:
		return func(name string) reflect.Value { return fieldOf(v, name) }
	case v.IsValid() && v.Kind() == reflect.Map:
		byName := make(map[string]reflect.Value, v.Len())
		for entry := v.MapRange(); entry.Next(); {
			byName[keyOf(entry.Key())] = entry.Value()
		}
		return func(name string) reflect.Value { return byName[name] }
	}
	return func(string) reflect.Value { return reflect.Value{} }
}

// keyOf returns the name that JSON has for the key of a map.
func keyOf(key reflect.Value) string {
	if key.Kind() == reflect.String {
		return strings.ToValidUTF8(key.String(), "\uFFFD")
	}
	if m, ok := key.Interface().(encoding.TextMarshaler); ok {
		if key.Kind() == reflect.Pointer && key.IsNil() {
			return ""
		}
		text, _ := m.MarshalText() //nolint:errcheck // json.Marshal has called it
		return strings.ToValidUTF8(string(text), "\uFFFD")
	}
	if key.CanInt() {
		return strconv.FormatInt(key.Int(), 10)
	}
	return strconv.FormatUint(key.Uint(), 10)
}

// fieldOf returns the field of a struct that encoding/json writes as name: of several the least
// deeply embedded one and, of those, the one with a tag.
func fieldOf(v reflect.Value, name string) (found reflect.Value) {
	seen := map[reflect.Type]bool{v.Type(): true}
	for level := []reflect.Value{v}; len(level) > 0 && !found.IsValid(); {
		var next []reflect.Value
		for _, record := range level {
			for i := range record.NumField() {
				f, field := record.Type().Field(i), record.Field(i)
				tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				switch {
				case f.Tag.Get("json") == "-" || !f.IsExported() && !f.Anonymous:
				case tag == "" && f.Anonymous && isStruct(f.Type):
					inner := reflect.Indirect(field)
					if inner.IsValid() && !seen[inner.Type()] {
						seen[inner.Type()] = true
						next = append(next, inner)
					}
				case tag == name && name != "":
					return field
				case tag == "" && f.Name == name:
					found = field
				}
			}
		}
		level = next
	}
	return found
}

// isStruct reports whether t is a struct or a pointer to one. The fields of an embedded t stand in
// the object around it.
func isStruct(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}
