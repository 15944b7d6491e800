package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Position is a place in a file. Lines and columns count from 1, columns in characters (runes).
type Position struct {
	File   string // as passed to Load
	Line   int
	Column int
}

// String returns "file:line:column", the form that terminals and editors turn into a link.
func (p Position) String() string {
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// span is the range of bytes [start, end) in a source.
type span struct{ start, end int }

// source is the text of one file with an index of its lines. Its text is valid UTF-8 and has no
// byte order mark.
type source struct {
	file   string
	text   string
	format format
	lines  []int // offset of the first byte of each line
}

func newSource(file, text string, f format) *source {
	s := &source{file: file, text: text, format: f, lines: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// lineOf returns the number, from 1, of the line that holds offset.
func (s *source) lineOf(offset int) int {
	i, found := slices.BinarySearch(s.lines, offset)
	if found {
		return i + 1
	}
	return i
}

// line returns the text of line n, from 1, without its line ending.
func (s *source) line(n int) string {
	end := len(s.text)
	if n < len(s.lines) {
		end = s.lines[n] - 1
	}
	return strings.TrimSuffix(s.text[s.lines[n-1]:end], "\r")
}

// snap returns the start of the character at offset: a library may point into the middle of one.
func (s *source) snap(offset int) int {
	for offset < len(s.text) && !utf8.RuneStart(s.text[offset]) {
		offset--
	}
	return offset
}

// position returns the place of offset. An offset in a line ending is the place just after the
// line's last character.
func (s *source) position(offset int) Position {
	n := s.lineOf(offset)
	line := s.line(n)
	column := min(offset-s.lines[n-1], len(line))
	return Position{File: s.file, Line: n, Column: 1 + utf8.RuneCountInString(line[:column])}
}

// within returns the range of a part of the text of n, a string. It returns all of n if that is
// written with escapes.
func (s *source) within(n *node, part span) span {
	written := strings.Index(s.text[n.span.start:n.span.end], n.text)
	if written < 0 || n.text == "" {
		return n.span
	}
	start := n.span.start + written
	return span{start + part.start, start + part.end}
}

// locate returns a diagnostic that points at sp and has no message yet. It underlines at least one
// character, and nothing after the end of the first line.
func (s *source) locate(sp span) Diagnostic {
	sp = span{s.snap(sp.start), s.snap(sp.end)}
	n := s.lineOf(sp.start)
	line := s.line(n)
	lineEnd := s.lines[n-1] + len(line)
	length := 0
	if end := min(sp.end, lineEnd); end > sp.start {
		length = utf8.RuneCountInString(s.text[sp.start:end])
	}
	return Diagnostic{Position: s.position(sp.start), Source: line, Length: max(length, 1)}
}
