package wire

import (
	"maps"
	"net/textproto"
	"slices"
)

// Fields returns the fields of an HTTP header. They are ordered by name, so that the bytes that are
// sent do not depend on the order of a map.
func Fields(header map[string][]string) []Field {
	fields := make([]Field, 0, len(header))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, v := range header[name] {
			fields = append(fields, Field{Name: name, Value: v})
		}
	}
	return fields
}

// Header is the inverse of Fields. Names get their canonical form.
func Header(fields []Field) textproto.MIMEHeader {
	h := make(textproto.MIMEHeader, len(fields))
	for _, f := range fields {
		h.Add(f.Name, f.Value)
	}
	return h
}
