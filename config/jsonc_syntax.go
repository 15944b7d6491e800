package config

import (
	"encoding/json"
	"fmt"
	"strings"
)

// expectation is what may come next in a JSONC text.
type expectation int

const (
	expectValue   expectation = iota // after a colon, and at the start
	expectElement                    // a value or "]"
	expectKey                        // a key or "}"
	expectColon
	expectComma // a comma or the closing bracket
	expectEnd
)

// jsoncChecker follows the grammar of JSONC token by token. It says in plain words what is wrong,
// at the place where something is missing. hujson accepts exactly the same language, but its errors
// name the next token and have no position that a program can read. The checker goes on after a
// missing comma or colon, so that it can report several.
type jsoncChecker struct {
	jsoncLexer
	open []token // the brackets not closed yet, innermost last
	prev token   // the last token that was accepted
}

// checkJSONC reports whether the source is valid JSONC and not nested too deeply.
func checkJSONC(r *report) bool {
	c := jsoncChecker{jsoncLexer: jsoncLexer{report: r, text: r.src.text}}
	expect := expectValue
	for {
		t, ok := c.next()
		if !ok {
			return false
		}
		if t.kind == tokenEnd && expect == expectEnd {
			return !r.failed()
		}
		if expect, ok = c.step(expect, t); !ok {
			return false
		}
		c.prev = t
	}
}

// step checks t against what is expected, and returns what to expect next. It returns false after
// an error that it can't continue from.
func (c *jsoncChecker) step(expect expectation, t token) (expectation, bool) {
	switch expect {
	case expectEnd:
		return c.fail(t.span, "delete the rest", "there is text after the end of the configuration")

	case expectColon:
		if t.kind == ':' {
			return expectValue, true
		}
		key := c.text[c.prev.span.start:c.prev.span.end]
		if c.char(t) == "=" {
			return c.fail(t.span, "", `use ":" between a key and its value, not "="`)
		}
		c.missing(fmt.Sprintf(`missing ":" after the key %s`, shorten(key)))
		if !startsValue(t) {
			return 0, false
		}
		return c.step(expectValue, t)

	case expectComma:
		switch {
		case t.kind == ',' && c.inObject():
			return expectKey, true
		case t.kind == ',':
			return expectElement, true
		case t.kind == '}' || t.kind == ']' || t.kind == tokenEnd:
			return c.closing(t)
		case t.kind == tokenString && c.inObject():
			c.missing("missing comma after this value")
			return c.step(expectKey, t)
		case startsValue(t) && !c.inObject():
			c.missing("missing comma after this element")
			return c.step(expectElement, t)
		}
		return c.fail(t.span, "", "expected a comma or %s after the value, not %s", c.closer(), c.show(t))

	case expectKey:
		switch t.kind {
		case tokenString:
			return expectColon, true
		case '}', ']', tokenEnd:
			return c.closing(t)
		case ',':
			return c.fail(t.span, "delete it", "unexpected comma")
		case tokenWord:
			word := shorten(c.text[t.span.start:t.span.end])
			return c.fail(t.span, fmt.Sprintf("write %q", word), "the key %s needs double quotes", word)
		}
		return c.notQuoted(t, "a key in double quotes")

	case expectElement:
		switch t.kind {
		case '}', ']', tokenEnd:
			return c.closing(t)
		case ',':
			return c.fail(t.span, "delete it", "unexpected comma")
		}
	}
	return c.value(t)
}

// value checks that t begins a value.
func (c *jsoncChecker) value(t token) (expectation, bool) {
	switch t.kind {
	case '{', '[':
		c.open = append(c.open, t)
		if len(c.open) > maxDepth {
			return c.fail(t.span, "", "values are nested more than %d deep", maxDepth)
		}
		if t.kind == '{' {
			return expectKey, true
		}
		return expectElement, true
	case tokenString:
		return c.afterValue()
	case tokenWord:
		word := c.text[t.span.start:t.span.end]
		if json.Valid([]byte(word)) {
			return c.afterValue()
		}
		if lower := strings.ToLower(word); json.Valid([]byte(lower)) && lower != word {
			return c.fail(t.span, fmt.Sprintf("write %s", lower), "%s is not a JSON value", shorten(word))
		}
		if strings.IndexByte("+-.0123456789", word[0]) >= 0 {
			return c.fail(t.span, "", "%s is not a JSON number", shorten(word))
		}
		return c.fail(t.span, fmt.Sprintf("write %q", shorten(word)), "the string %s needs double quotes",
			shorten(word))
	case tokenEnd:
		if len(c.open) == 0 {
			return c.fail(span{}, "write the configuration between { and }",
				"the file has no configuration, only comments")
		}
	case '}', ']', ',':
		if c.prev.kind == ':' {
			return c.fail(span{c.prev.span.end, c.prev.span.end}, "", "missing value after the colon")
		}
	}
	return c.notQuoted(t, "a value")
}

// afterValue returns what to expect after a complete value.
func (c *jsoncChecker) afterValue() (expectation, bool) {
	if len(c.open) == 0 {
		return expectEnd, true
	}
	return expectComma, true
}

// closing checks a closing bracket, or the end of the file in its place.
func (c *jsoncChecker) closing(t token) (expectation, bool) {
	if t.kind == tokenEnd {
		return c.fail(span{c.prev.span.end, c.prev.span.end},
			"it closes "+c.opener(), "missing %s at the end of the file", c.closer())
	}
	if string(t.kind) != c.closer() {
		return c.fail(t.span, "", "%c can't close %s: that needs %s", t.kind, c.opener(), c.closer())
	}
	c.open = c.open[:len(c.open)-1]
	return c.afterValue()
}

// notQuoted reports a token that can't begin what is wanted, with a hint for habits of other
// languages.
func (c *jsoncChecker) notQuoted(t token, wanted string) (expectation, bool) {
	hint := ""
	switch c.char(t) {
	case "'", "`":
		hint = "put strings in double quotes"
	case "#":
		hint = "comments begin with //"
	}
	return c.fail(t.span, hint, "expected %s, not %s", wanted, c.show(t))
}

// missing reports something that should stand right after the previous token.
func (c *jsoncChecker) missing(message string) {
	c.errorf("syntax", span{c.prev.span.end, c.prev.span.end}, "", "%s", message)
}

func (c *jsoncChecker) fail(sp span, hint, format string, args ...any) (expectation, bool) {
	c.errorf("syntax", sp, hint, format, args...)
	return 0, false
}

func (c *jsoncChecker) inObject() bool { return c.open[len(c.open)-1].kind == '{' }

// opener describes the innermost open bracket for a message.
func (c *jsoncChecker) opener() string {
	last := c.open[len(c.open)-1]
	return fmt.Sprintf("the %c on line %d", last.kind, c.src.lineOf(last.span.start))
}

// closer returns the bracket that closes the innermost open one.
func (c *jsoncChecker) closer() string {
	if c.inObject() {
		return "}"
	}
	return "]"
}

// char returns the character of a tokenOther, else "".
func (c *jsoncChecker) char(t token) string {
	if t.kind != tokenOther {
		return ""
	}
	return c.text[t.span.start:t.span.end]
}

// show describes a token for a message.
func (c *jsoncChecker) show(t token) string {
	if t.kind == tokenEnd {
		return "the end of the file"
	}
	if t.kind == tokenString {
		return shorten(c.text[t.span.start:t.span.end])
	}
	return quote(c.text[t.span.start:t.span.end])
}

func startsValue(t token) bool {
	return t.kind == '{' || t.kind == '[' || t.kind == tokenString || t.kind == tokenWord
}
