package config

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The kinds of token. A punctuation mark is its own kind.
const (
	tokenEnd    = 0
	tokenString = '"'
	tokenWord   = 'w' // letters, digits and other characters of numbers: true, -1.5e3, but also foo_bar
	tokenOther  = '?' // any other character
)

// token is one lexical element of a JSONC text.
type token struct {
	kind byte
	span span
}

// jsoncLexer splits the text of a report's source into tokens, and reports text that is no token.
type jsoncLexer struct {
	*report
	text string
	pos  int
}

// next returns the token after the white space and comments at l.pos. It returns false after it has
// reported an error.
func (l *jsoncLexer) next() (token, bool) {
	if !l.skipExtra() {
		return token{}, false
	}
	start := l.pos
	if start == len(l.text) {
		return token{tokenEnd, span{start, start}}, true
	}
	switch c := l.text[start]; c {
	case '{', '}', '[', ']', ':', ',':
		l.pos++
		return token{c, span{start, l.pos}}, true
	case '"':
		ok := l.scanString()
		return token{tokenString, span{start, l.pos}}, ok
	}
	for l.pos < len(l.text) {
		r, size := utf8.DecodeRuneInString(l.text[l.pos:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("+-._$", r) {
			break
		}
		l.pos += size
	}
	if l.pos > start {
		return token{tokenWord, span{start, l.pos}}, true
	}
	_, size := utf8.DecodeRuneInString(l.text[start:])
	l.pos += size
	return token{tokenOther, span{start, l.pos}}, true
}

// skipExtra moves past white space and comments.
func (l *jsoncLexer) skipExtra() bool {
	for l.pos < len(l.text) {
		rest := l.text[l.pos:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.pos++
		case strings.HasPrefix(rest, "//"):
			length := strings.IndexByte(rest, '\n')
			if length < 0 {
				length = len(rest)
			}
			// These two end a line in JavaScript, so parsers disagree on where the comment ends.
			if i := strings.IndexAny(rest[:length], "\u2028\u2029"); i >= 0 {
				l.errorf("syntax", span{l.pos + i, l.pos + i + len("\u2028")}, "delete it",
					"a comment contains an invisible line separator (U+2028 or U+2029)")
				return false
			}
			l.pos += length
		case strings.HasPrefix(rest, "/*"):
			length := strings.Index(rest[len("/*"):], "*/")
			if length < 0 {
				l.errorf("syntax", span{l.pos, l.pos + len("/*")}, "end it with */", "this comment is not closed")
				return false
			}
			l.pos += len("/*") + length + len("*/")
		default:
			return true
		}
	}
	return true
}

// scanString moves past the string that starts at l.pos.
func (l *jsoncLexer) scanString() bool {
	start := l.pos
	end := start + 1
	for {
		if end == len(l.text) || l.text[end] == '\n' {
			l.errorf("syntax", span{start, end}, `end it with a ", and write a line break inside it as \n`,
				"this string is not closed on its line")
			return false
		}
		if l.text[end] == '"' {
			break
		}
		if l.text[end] == '\\' && end+1 < len(l.text) && l.text[end+1] != '\n' {
			end++
		}
		end++
	}
	l.pos = end + 1
	if json.Valid([]byte(l.text[start:l.pos])) {
		return true
	}
	l.explainString(start+1, end)
	return false
}

// explainString reports why the text between the quotes of a string, from start to end, is not
// valid.
func (l *jsoncLexer) explainString(start, end int) {
	for i := start; i < end; i++ {
		c := l.text[i]
		switch {
		case c < ' ':
			l.errorf("syntax", span{i, i + 1}, "",
				"the control character %U is not allowed in a string: write it as \\u%04x", c, c)
			return
		case c != '\\' || l.text[i+1] < ' ': // a control character is reported even after a backslash
			continue
		}
		escape := l.text[i:min(i+2, end)]
		if escape == `\u` {
			escape = l.text[i:min(i+6, end)]
		}
		if !json.Valid([]byte(`"` + escape + `"`)) {
			_, size := utf8.DecodeRuneInString(l.text[i+1:])
			l.errorf("syntax", span{i, i + 1 + size}, `write a backslash as \\`,
				`"%s" is not an escape sequence of JSON`, l.text[i:i+1+size])
			return
		}
		i += len(escape) - 1
	}
	l.errorf("syntax", span{start - 1, end + 1}, "", "this is not a valid JSON string")
}
