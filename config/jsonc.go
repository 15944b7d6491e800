package config

import (
	"fmt"

	"github.com/tailscale/hujson"
)

// parseJSONC returns the tree of a JSON file with comments and trailing commas, or nil after an
// error. No other file imports hujson.
func parseJSONC(r *report) *node {
	if !checkJSONC(r) {
		return nil
	}
	// hujson reports a line comment at the end of the file as unfinished.
	v, err := hujson.Parse([]byte(r.src.text + "\n"))
	if err != nil {
		r.errorf("syntax", span{}, "", "the file is not valid JSON: %v", err)
		return nil
	}
	return jsoncNode(r, &v)
}

// jsoncNode converts v to a node. checkJSONC bounds its depth.
func jsoncNode(r *report, v *hujson.Value) *node {
	n := &node{span: span{v.StartOffset, v.EndOffset}}
	switch v := v.Value.(type) {
	case *hujson.Object:
		n.kind = kindObject
		for i := range v.Members {
			name := &v.Members[i].Name
			m := member{
				key:     name.Value.(hujson.Literal).String(),
				keySpan: span{name.StartOffset, name.EndOffset},
				value:   jsoncNode(r, &v.Members[i].Value),
			}
			at := n.find(m.key)
			if at < 0 {
				n.add(m)
				continue
			}
			// As in JavaScript, the key keeps its first place and has its last value.
			first := r.src.position(n.members[at].keySpan.start)
			n.members[at] = m
			r.warnf("duplicate-key", m.keySpan, fmt.Sprintf("remove it here or on line %d", first.Line),
				"the key %s is already set on line %d: only this last value counts", quote(m.key), first.Line)
		}
	case *hujson.Array:
		n.kind = kindArray
		for i := range v.Elements {
			n.elems = append(n.elems, jsoncNode(r, &v.Elements[i]))
		}
	case hujson.Literal:
		switch v.Kind() {
		case '"':
			n.kind, n.text = kindString, v.String()
		case 't', 'f':
			n.kind, n.truth = kindBool, v.Bool()
		case 'n':
			n.kind = kindNull
		default:
			n.kind, n.text = kindNumber, string(v)
		}
	}
	return n
}
