package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML returns the tree of a TOML file, or nil after an error. No other file imports go-toml.
//
// The tree comes from the library's expression parser, because only that has positions. It checks
// one expression at a time. Errors across expressions, such as a table defined twice, and dates
// that do not exist are left to the ordinary decoder.
func parseTOML(r *report) *node {
	t := tomlReader{report: r, data: slices.Clip([]byte(r.src.text))}
	t.root = &node{kind: kindObject}
	t.table = t.root
	t.parser.Reset(t.data)
	for t.parser.NextExpression() {
		if !t.expression(t.parser.Expression()) {
			return nil
		}
	}
	if err := t.parser.Error(); err != nil {
		t.syntaxError(err)
	}
	if t.failed() {
		return nil
	}
	var discard map[string]any
	if err := toml.Unmarshal(t.data, &discard); err != nil {
		t.semanticError(err)
		return nil
	}
	return t.root
}

// tomlReader builds a tree from expressions. It does not follow all rules about tables. The tree of
// a text that breaks them is wrong, but it is discarded, because the decoder reports the error.
type tomlReader struct {
	*report
	data   []byte // the text, without spare capacity: the library computes offsets from it
	parser unstable.Parser

	root  *node
	table *node // the table that key-values go into
	depth int   // of table
}

// expression adds one line of the document, a header or a key-value, to the tree.
func (t *tomlReader) expression(e *unstable.Node) bool {
	keys := tomlKeys(e.Key())
	if len(keys) > maxDepth {
		return t.tooDeep(keys[maxDepth].keySpan)
	}
	if e.Kind == unstable.KeyValue {
		_, ok := t.keyValue(t.table, e, keys, t.depth)
		return ok
	}
	header := span{keys[0].keySpan.start, keys[len(keys)-1].keySpan.end}
	parent := descend(t.root, keys[:len(keys)-1])
	last := keys[len(keys)-1]
	t.depth = 2 * len(keys)
	t.table = &node{kind: kindObject, span: header}
	existing := parent.get(last.key)
	switch {
	case e.Kind == unstable.ArrayTable && existing == nil:
		list := &node{kind: kindArray, span: header, elems: []*node{t.table}}
		parent.add(member{last.key, last.keySpan, list})
	case e.Kind == unstable.ArrayTable:
		existing.elems = append(existing.elems, t.table)
	case existing == nil:
		parent.add(member{last.key, last.keySpan, t.table})
	default: // [a] after [a.b]
		t.table = existing
		t.table.span = header
	}
	return true
}

// keyValue adds "a.b.c = value" to table and returns where the value ends.
func (t *tomlReader) keyValue(table *node, e *unstable.Node, keys []member, depth int) (end int, ok bool) {
	table = descend(table, keys[:len(keys)-1])
	m := keys[len(keys)-1]
	start := skipBytes(t.data, m.keySpan.end, " \t=")
	if m.value, end, ok = t.value(e.Value(), start, depth+len(keys)); !ok {
		return 0, false
	}
	if i := table.find(m.key); i >= 0 {
		t.errorf("duplicate-key", m.keySpan, "delete one of the two", "the key %s is already set on line %d",
			quote(m.key), t.src.lineOf(table.members[i].keySpan.start))
		return end, true
	}
	table.add(m)
	return end, true
}

// value returns the node of v, whose text begins at start, and where it ends.
func (t *tomlReader) value(v *unstable.Node, start, depth int) (n *node, end int, ok bool) {
	if depth > maxDepth {
		return nil, 0, t.tooDeep(span{start, start + 1})
	}
	n = &node{span: span{start, start + int(v.Raw.Length)}}
	switch v.Kind {
	case unstable.Array:
		n.kind = kindArray
		pos := t.skipTrivia(start + len("["))
		for it := v.Children(); it.Next(); pos = t.skipTrivia(pos) {
			var elem *node
			if elem, pos, ok = t.value(it.Node(), pos, depth+1); !ok {
				return nil, 0, false
			}
			n.elems = append(n.elems, elem)
		}
		n.span.end = pos + len("]")
	case unstable.InlineTable:
		n.kind = kindObject
		pos := start + len("{")
		for it := v.Children(); it.Next(); {
			keys := tomlKeys(it.Node().Key())
			if depth+len(keys) > maxDepth {
				return nil, 0, t.tooDeep(keys[0].keySpan)
			}
			if pos, ok = t.keyValue(n, it.Node(), keys, depth); !ok {
				return nil, 0, false
			}
		}
		n.span.end = t.skipTrivia(pos) + len("}")
	case unstable.String:
		n.kind, n.text = kindString, string(v.Data)
	case unstable.Bool:
		n.kind, n.truth = kindBool, string(v.Data) == "true"
	case unstable.Integer, unstable.Float:
		n.kind, n.text = kindNumber, jsonNumber(string(v.Data))
	default:
		n.kind, n.text = kindDateTime, string(v.Data)
	}
	return n, n.span.end, true
}

func (t *tomlReader) tooDeep(sp span) bool {
	t.errorf("syntax", sp, "", "values are nested more than %d deep", maxDepth)
	return false
}

// skipTrivia returns the offset of the next value or closing bracket inside an array or inline
// table.
func (t *tomlReader) skipTrivia(pos int) int {
	for {
		pos = skipBytes(t.data, pos, " \t\r\n,")
		if pos >= len(t.data) || t.data[pos] != '#' {
			return pos
		}
		for pos < len(t.data) && t.data[pos] != '\n' {
			pos++
		}
	}
}

func skipBytes(data []byte, pos int, set string) int {
	for pos < len(data) && strings.IndexByte(set, data[pos]) >= 0 {
		pos++
	}
	return pos
}

// tomlKeys returns the parts of a dotted key as members without values.
func tomlKeys(it unstable.Iterator) []member {
	var keys []member
	for it.Next() {
		raw := it.Node().Raw
		sp := span{int(raw.Offset), int(raw.Offset + raw.Length)}
		keys = append(keys, member{key: string(it.Node().Data), keySpan: sp})
	}
	return keys
}

// descend follows keys down from n, through the last element of each array of tables, and creates
// missing tables. Where a key already has another kind of value, it returns a table outside the
// tree.
func descend(n *node, keys []member) *node {
	for _, k := range keys {
		next := n.get(k.key)
		if next == nil {
			next = &node{kind: kindObject, span: k.keySpan}
			n.add(member{k.key, k.keySpan, next})
		}
		if next.kind == kindArray && len(next.elems) > 0 {
			next = next.elems[len(next.elems)-1]
		}
		if next.kind != kindObject {
			return &node{kind: kindObject, span: k.keySpan}
		}
		n = next
	}
	return n
}

// jsonNumber returns the JSON spelling of a TOML number: decimal, without underscores. It returns a
// number that JSON can't represent ("inf", "nan", or more than 64 bits) as it is.
func jsonNumber(text string) string {
	if i, err := strconv.ParseInt(text, 0, 64); err == nil {
		return strconv.FormatInt(i, 10)
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil {
		return text
	}
	spelled, err := json.Marshal(f)
	if err != nil { // inf, nan
		return text
	}
	return string(spelled)
}

// tomlMessages rewords the library's commonest messages, found by a part of their text. Any other
// message is shown as it is.
var tomlMessages = []struct{ part, message, hint string }{
	{"expected newline", "there is text after the value", "write each key and value on a line of its own"},
	{"cannot have new lines", "this string is not closed on its line",
		`end it with a quote, or use """ for several lines`},
	{"array is incomplete", "missing ] at the end of this array", ""},
	{"inline table is incomplete", "missing } at the end of this table", ""},
	{"expected '='", `missing "=" after this key`, ""},
}

// runeName matches the library's notation of characters in messages: U+0022 '"'.
var runeName = regexp.MustCompile(`U\+[0-9A-F]{4,6} ('.+')`)

func (t *tomlReader) syntaxError(err error) {
	var at span
	var pe *unstable.ParserError
	if errors.As(err, &pe) {
		at.start = int(t.parser.Range(pe.Highlight).Offset)
		at.end = at.start + len(pe.Highlight)
	}
	message, hint := runeName.ReplaceAllString(err.Error(), "$1"), ""
	for _, m := range tomlMessages {
		if strings.Contains(message, m.part) {
			message, hint = m.message, m.hint
			break
		}
	}
	afterEquals := strings.HasSuffix(strings.TrimRight(t.lineBefore(at.start), " \t"), "=")
	switch found := string(t.data[at.start:min(at.start+1, len(t.data))]); {
	case afterEquals && isPlainKey(found):
		message, hint = "a string value needs quotes", `for example main = "."`
	case afterEquals && strings.TrimSpace(found) == "":
		message, hint = `missing value after the "="`, ""
	case afterEquals:
	case found == ":":
		message, hint = `use "=" between a key and its value, not ":"`, ""
	case found == "/":
		hint = "comments begin with #"
	}
	t.errorf("syntax", at, hint, "%s", message)
}

// lineBefore returns the text of the line that holds offset, up to offset.
func (t *tomlReader) lineBefore(offset int) string {
	text := t.src.text[:offset]
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// semanticError reports an error that the decoder found and the expression parser could not see.
func (t *tomlReader) semanticError(err error) {
	message := strings.TrimPrefix(err.Error(), "toml: ")
	var de *toml.DecodeError
	if !errors.As(err, &de) {
		t.errorf("syntax", span{}, "", "%s", message)
		return
	}
	line, column := de.Position()
	start := min(t.src.lines[min(line, len(t.src.lines))-1]+column-1, len(t.data))
	end := start
	for end < len(t.data) && strings.IndexByte(" \t\r\n=],}", t.data[end]) < 0 {
		end++
	}
	hint := ""
	if strings.HasSuffix(t.lineBefore(start), "[") { // a header, whose key is the whole path
		if first := t.firstLine(de.Key()); first > 0 && first < line {
			hint = fmt.Sprintf("it is defined on line %d", first)
		}
	}
	t.errorf("syntax", span{start, end}, hint, "%s", message)
}

// firstLine returns the line where the key at path stands in the tree, or 0.
func (t *tomlReader) firstLine(path []string) int {
	n, line := t.root, 0
	for _, key := range path {
		if n.kind == kindArray && len(n.elems) > 0 {
			n = n.elems[len(n.elems)-1]
		}
		i := n.find(key)
		if i < 0 {
			return 0
		}
		line = t.src.lineOf(n.members[i].keySpan.start)
		n = n.members[i].value
	}
	return line
}
