// Package printable makes text safe to print. Names, errors, requests and files may contain any
// character, and a terminal obeys some of them: it moves the cursor, clears the screen, reads a
// clipboard, or shows letters in another order than they have.
//
// There is one rule for all output, on a terminal and elsewhere: a character that a terminal might
// obey is shown as its escape in JSON, such as \u001b. So the same text is right within a string of
// JSON, and a program that reads JSON gets the original back.
//
// The rule is applied twice. Where a line is made, Line keeps each value on that line. At the end
// of the way to the terminal, Text makes sure that nothing else has slipped through.
//
// The one exception is what a handler prints: Colors passes its colors on to a terminal.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Characters that join others to one, as in families of emoji and in Persian.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// safe reports whether a terminal shows r, and does nothing else. It is false for new lines and
// tabs. The other characters without a shape of their own (Cf) can hide text or turn it round.
func safe(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return ' ' <= r && r <= '~'
	case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
		return true
	}
	return !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// Line returns s on one line: it escapes new lines, too, and every blank but the usual one, because
// two names that look alike should be told apart. A tab becomes a blank, so that cells of a table
// stay in their columns.
func Line(s string) string {
	line := escape(s, func(r rune) bool { return safe(r) && (r == ' ' || !unicode.Is(unicode.Zs, r)) || r == '\t' })
	return strings.ReplaceAll(line, "\t", " ")
}

// Text returns s with its lines and tabs.
func Text(s string) string { return escape(s, isTextual) }

// isTextual reports whether Text keeps r.
func isTextual(r rune) bool { return safe(r) || r == '\n' || r == '\t' }

// Bytes is Text for bytes. If they are JSON, the result is the same value in JSON.
func Bytes(b []byte) []byte {
	if isText(b) {
		return b
	}
	return []byte(Text(string(b)))
}

// isText reports whether Bytes has nothing to escape in b.
func isText(b []byte) bool {
	for len(b) > 0 {
		if ' ' <= b[0] && b[0] <= '~' { // most of them
			b = b[1:]
			continue
		}
		r, size := utf8.DecodeRune(b)
		if !isTextual(r) || r == utf8.RuneError && size == 1 {
			return false
		}
		b = b[size:]
	}
	return true
}

// isInvalid reports whether s begins with a byte that belongs to no character.
func isInvalid(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return r == utf8.RuneError && size == 1
}

// escape escapes all characters of s but the ones to keep.
func escape(s string, keep func(rune) bool) string {
	var b strings.Builder
	done := 0
	for i, r := range s {
		size := utf8.RuneLen(r)
		switch {
		case r == utf8.RuneError && isInvalid(s[i:]):
			size = 1
		case keep(r):
			continue
		}
		b.WriteString(s[done:i])
		done = i + size
		b.WriteString(escaped(s[i:done]))
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// escaped returns the escape of one character, or of a byte that belongs to none. That is no JSON,
// but JSON has no such bytes.
func escaped(char string) string {
	r, size := utf8.DecodeRuneInString(char)
	switch {
	case r == utf8.RuneError && size == 1:
		return fmt.Sprintf(`\x%02x`, char[0])
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// Mask replaces each unsafe character of s by one that shows that something is there, so that
// columns below s stay right. It keeps tabs.
func Mask(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || safe(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
