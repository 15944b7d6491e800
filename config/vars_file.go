package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// assignment is one NAME=value of a file like .dev.vars or .env.
type assignment struct {
	name, value string
	from        string     // Name of the file
	at          Diagnostic // points at the name
}

// varsFile reads such a file in the dialect of the npm package dotenv, which wrangler uses:
//
//	NAME=value # comment         (so a value that has a # needs quotes)
//	export NAME='any text'       (or "text" or `text`, also over several lines)
//	NAME: value
//
// Only between double quotes, \n means a new line and \r a carriage return. A backslash before a
// quote keeps the quote from closing the value, but stays in it. dotenv silently ignores a line
// that it can't read, and treats an unclosed quote as part of the value. varsFile does the same,
// with a warning.
//
// Values are secrets: a diagnostic shows a line only up to where a value begins.
type varsFile struct {
	*report
	text string // lines end in \n
}

// parseVars returns the assignments in a file's content, in order and with repeated names, and the
// warnings. The error is an *Error.
func parseVars(path string, data []byte) ([]assignment, []Diagnostic, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if bad := badEncoding(path, text); bad != nil {
		return nil, nil, &Error{Diagnostics: []Diagnostic{*bad}}
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	f := &varsFile{report: &report{src: newSource(path, text, formatJSONC)}, text: text}
	all := f.assignments()
	warnings := f.sorted()
	for i := range warnings {
		if warnings[i].ID == "too-many" {
			warnings[i].Source, warnings[i].Length = "", 0
		}
	}
	return all, warnings, nil
}

// badEncoding returns the error for a text that is not UTF-8, or nil.
func badEncoding(path, text string) *Diagnostic {
	i := invalidUTF8([]byte(text))
	problem := "the text here is not UTF-8"
	if name := foreignEncoding([]byte(text)); name != "" {
		i, problem = 0, "the file is encoded in "+name
	} else if i == len(text) {
		return nil
	}
	d := newSource(path, text[:i], formatJSONC).locate(span{i, i})
	d.Severity, d.ID, d.Message, d.Hint = SeverityError, "encoding", problem, "save it as UTF-8"
	d.Source, d.Length = "", 0
	return &d
}

// warn reports a problem at a span. The diagnostic shows the line up to the offset shown.
func (f *varsFile) warn(id string, at span, shown int, hint, format string, args ...any) {
	before := len(f.list)
	f.warnf(id, at, hint, format, args...)
	if len(f.list) > before {
		f.list[before].Source = f.lineUpTo(shown)
		f.list[before].Length = max(1, utf8.RuneCountInString(f.text[at.start:min(at.end, shown)]))
	}
}

// lineUpTo returns the text before offset in its line.
func (f *varsFile) lineUpTo(offset int) string {
	return f.text[f.src.lines[f.src.lineOf(offset)-1]:offset] + "…"
}

func (f *varsFile) assignments() []assignment {
	var all []assignment
	lines := make(map[string]int) // from a name to the line that set it last
	for at := f.skipBlank(0); at < len(f.text); at = f.skipBlank(at) {
		if f.text[at] == '#' {
			at = f.lineEnd(at)
			continue
		}
		name, value, ok := f.declaration(at)
		if !ok {
			f.warn("not-an-assignment", span{at, at}, at, "write NAME=value, or # in front of a comment",
				"this line is ignored: it does not set a variable")
			at = f.lineEnd(at)
			continue
		}
		a := assignment{name: f.text[name.start:name.end], at: f.src.locate(name)}
		a.at.Source = f.lineUpTo(name.end)
		if first, again := lines[a.name]; again {
			f.warn("repeated-variable", name, name.end, "", "%s is already set on line %d: only this last value counts",
				a.name, first)
		}
		lines[a.name] = a.at.Position.Line
		a.value, at = f.value(a.name, value)
		all = append(all, a)
	}
	return all
}

// declaration finds the name that the line at an offset sets, and where its value begins.
func (f *varsFile) declaration(at int) (name span, value int, ok bool) {
	if rest, found := strings.CutPrefix(f.text[at:], "export"); found {
		next := f.skipBlank(len(f.text) - len(rest))
		if next > len(f.text)-len(rest) {
			if name, value, ok = f.named(next); ok {
				return name, value, true
			}
		}
	}
	return f.named(at) // export may be the variable's name
}

func (f *varsFile) named(at int) (name span, value int, ok bool) {
	end := at
	for end < len(f.text) && isNameByte(f.text[end]) {
		end++
	}
	name = span{at, end}
	if end == at || end == len(f.text) {
		return name, 0, false
	}
	if f.text[end] == ':' {
		r, size := utf8.DecodeRuneInString(f.text[end+1:])
		return name, end + 1 + size, size > 0 && isBlank(r)
	}
	equals := f.skipBlank(end)
	return name, equals + 1, equals < len(f.text) && f.text[equals] == '='
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-'
}

// value returns the value that begins at an offset, and where it ends.
func (f *varsFile) value(name string, at int) (value string, end int) {
	if open := f.skipBlank(at); open < len(f.text) && isQuote(f.text[open]) {
		if closing, ok := f.closing(open); ok {
			return unescape(f.text[open], f.text[open+1:closing]), closing + 1
		}
	}
	end = len(f.text)
	if i := strings.IndexAny(f.text[at:], "#\n"); i >= 0 {
		end = at + i
	}
	value = strings.TrimFunc(f.text[at:end], isBlank)
	start := at + strings.Index(f.text[at:end], value)
	if value != "" && end < len(f.text) && f.text[end] == '#' && start+len(value) == end {
		f.warn("cut-off-value", span{start, start}, start,
			"put quotes around the whole value, or a space before the # if it begins a comment",
			"the value of %s ends where a # begins a comment", name)
	}
	if value == "" || !isQuote(value[0]) {
		return value, end
	}
	quote := value[0]
	if last := len(value) - 1; last > 0 && value[last] == quote {
		value = value[1:last]
	} else if strings.IndexByte(value[1:], quote) >= 0 {
		f.warn("text-after-quote", span{start, start}, start, "",
			"the quotes are part of the value of %s, because text follows the closing one", name)
	} else {
		f.warn("open-quote", span{start, start}, start, "",
			"the quote is part of the value of %s, because it is not closed", name)
	}
	return unescape(quote, value), end
}

// closing returns where the quote that opens at an offset is closed: at the first of its kind
// without a backslash before it, or else at the last with one. Only a comment may follow it.
func (f *varsFile) closing(open int) (at int, ok bool) {
	quote := f.text[open]
	var escaped []int
	for i := open + 1; i < len(f.text); i++ {
		switch {
		case f.text[i] == quote:
			if f.endsLine(i + 1) {
				return i, true
			}
			i = len(f.text)
		case f.text[i] == '\\' && i+1 < len(f.text) && f.text[i+1] == quote:
			i++
			escaped = append(escaped, i)
		}
	}
	for len(escaped) > 0 {
		last := len(escaped) - 1
		if f.endsLine(escaped[last] + 1) {
			return escaped[last], true
		}
		escaped = escaped[:last]
	}
	return 0, false
}

// endsLine reports whether only a comment follows in the line.
func (f *varsFile) endsLine(at int) bool {
	rest := strings.TrimLeftFunc(f.text[at:f.lineEnd(at)], isBlank)
	return rest == "" || rest[0] == '#'
}

// lineEnd returns the end of the line that offset is in.
func (f *varsFile) lineEnd(offset int) int {
	if i := strings.IndexByte(f.text[offset:], '\n'); i >= 0 {
		return offset + i
	}
	return len(f.text)
}

// skipBlank returns the offset after the white space and line ends at offset.
func (f *varsFile) skipBlank(offset int) int {
	return len(f.text) - len(strings.TrimLeftFunc(f.text[offset:], isBlank))
}

func isQuote(c byte) bool { return c == '\'' || c == '"' || c == '`' }

// isBlank reports whether JavaScript counts r as white space.
func isBlank(r rune) bool { return r == '\ufeff' || r != '\u0085' && unicode.IsSpace(r) }

func unescape(quote byte, value string) string {
	if quote != '"' {
		return value
	}
	return strings.ReplaceAll(strings.ReplaceAll(value, `\n`, "\n"), `\r`, "\r")
}

// errorAt returns an error that points at a.
func (a assignment) errorAt(id, hint, format string, args ...any) error {
	d := a.at
	d.Severity, d.ID, d.Message, d.Hint = SeverityError, id, fmt.Sprintf(format, args...), hint
	return &Error{Diagnostics: []Diagnostic{d}}
}
