package cron

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An Error says what is wrong with an expression, and where.
type Error struct {
	// Field is "minute", "hour", "day of the month", "month" or "day of the week", or empty if the
	// error is about the whole expression.
	Field   string
	Offset  int // where the fault is in the expression, in bytes
	Length  int // how many bytes are wrong; may be 0 where something is missing
	Problem string
	Allowed string // what may stand there
}

// Error describes the fault in one line, with its place as a character counted from 1.
func (e *Error) Error() string {
	text := e.Problem
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	return fmt.Sprintf("%s (at character %d); allowed: %s", text, e.Offset+1, e.Allowed)
}

// A field describes one of the five fields of an expression.
type field struct {
	name     string
	allowed  string
	min, max int
	names    []string // names of the values, from 1
}

const (
	fieldCount = 5
	daysInWeek = 7
)

var fields = [fieldCount]*field{
	{name: "minute", allowed: "0-59 and * , - /", max: 59},
	{name: "hour", allowed: "0-23 and * , - /", max: 23},
	{name: "day of the month", allowed: "1-31 and * , - / L W", min: 1, max: 31},
	{
		name: "month", allowed: "1-12, JAN-DEC and * , - /", min: 1, max: 12,
		names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"},
	},
	{
		name: "day of the week", allowed: "1-7 (1 is Sunday), SUN-SAT and * , - / L #", min: 1, max: daysInWeek,
		names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"},
	},
}

const allFields = "five fields: minute, hour, day of the month, month and day of the week"

// Parse reads an expression. Its error is an *Error.
func Parse(expr string) (*Schedule, error) {
	parts, err := split(expr)
	if err != nil {
		return nil, err
	}
	var s Schedule
	for i, f := range fields {
		r := &reader{field: f, text: parts[i].text, offset: parts[i].offset}
		switch i {
		case 0:
			s.minutes = r.list(true)
		case 1:
			s.hours = r.list(true)
		case 2:
			s.dayOfMonth = r.dayOfMonth()
		case 3:
			s.months = r.list(true)
		case 4:
			s.dayOfWeek = r.dayOfWeek()
		}
		if r.err == nil && r.rest() != "" {
			r.failRest()
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	return &s, nil
}

type part struct {
	text   string
	offset int
}

// split returns the fields of expr with their places.
func split(expr string) ([]part, error) {
	const (
		blank     = " \t"
		separator = "one space or more between the fields"
	)
	if rest := strings.TrimLeft(expr, blank); rest != "" && len(rest) < len(expr) {
		return nil, &Error{Length: len(expr) - len(rest), Problem: "it begins with a space", Allowed: separator}
	}
	if rest := strings.TrimRight(expr, blank); rest != "" && len(rest) < len(expr) {
		return nil, &Error{
			Offset: len(rest), Length: len(expr) - len(rest), Problem: "it ends with a space", Allowed: separator,
		}
	}
	var parts []part
	for offset := 0; ; {
		rest := expr[offset:]
		offset += len(rest) - len(strings.TrimLeft(rest, blank))
		if offset == len(expr) {
			break
		}
		end := len(expr)
		if i := strings.IndexAny(expr[offset:], blank); i >= 0 {
			end = offset + i
		}
		parts = append(parts, part{expr[offset:end], offset})
		offset = end
	}
	switch n := len(parts); {
	case n == 0:
		return nil, &Error{Length: len(expr), Problem: "it is empty", Allowed: allFields}
	case n > fieldCount:
		extra := parts[fieldCount].offset
		problem := fmt.Sprintf("it has %d fields", n)
		return nil, &Error{Offset: extra, Length: len(expr) - extra, Problem: problem, Allowed: allFields}
	case n < fieldCount:
		problem := fmt.Sprintf("it has %d fields", n)
		if n == 1 {
			problem = "it has one field"
		}
		return nil, &Error{Offset: len(expr), Problem: problem, Allowed: allFields}
	}
	return parts, nil
}

// A reader reads one field from left to right. After an error it reads nothing more, and its
// results are meaningless.
type reader struct {
	*field
	text   string
	offset int // of text in the expression
	pos    int // in text
	err    *Error
}

func (r *reader) rest() string { return r.text[r.pos:] }

// take consumes c if it is next, and reports whether it did.
func (r *reader) take(c byte) bool {
	if r.err != nil || r.pos == len(r.text) || r.text[r.pos] != c {
		return false
	}
	r.pos++
	return true
}

// fail records what is wrong with text[from:to], unless an earlier error is recorded.
func (r *reader) fail(from, to int, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{
			Field: r.name, Offset: r.offset + from, Length: to - from,
			Problem: fmt.Sprintf(format, args...), Allowed: r.allowed,
		}
	}
}

// failRest records that the next character must not stand there.
func (r *reader) failRest() {
	rest := r.rest()
	if rest == "" {
		r.fail(r.pos, r.pos, "it ends too early")
		return
	}
	_, size := utf8.DecodeRuneInString(rest)
	c := rest[:size]
	switch {
	case c == "?":
		r.fail(r.pos, r.pos+size, `"?" is not supported; write *`)
	case c == "*":
		r.fail(r.pos, r.pos+size, "a * must stand alone, or be */ and a step")
	case strings.Contains("lw", c) && strings.Contains(r.allowed, strings.ToUpper(c)):
		r.fail(r.pos, r.pos+size, "%q must be a capital letter", c)
	case c == "," && (r.pos == 0 || r.text[r.pos-1] == ','):
		r.fail(r.pos, r.pos+size, "a value is missing before this comma")
	case c == ",":
		r.fail(r.pos, r.pos+size, "L, W and # must stand alone in their field, not in a list")
	case strings.Contains("LW#", c) && strings.Contains(r.allowed, c):
		r.fail(r.pos, r.pos+size, "%s is not allowed here: it can't be part of a list, range or step", c)
	case r.pos > 0 && isLetter(r.text[r.pos-1]) && isLetter(rest[0]) && r.names != nil:
		r.fail(r.pos, r.pos+size, "names have three letters")
	default:
		word := strings.IndexAny(rest[size:], ",-/#* \t")
		if word < 0 {
			word = len(rest) - size
		}
		r.fail(r.pos, r.pos+size+word, "%q is not allowed here", rest[:size+word])
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// list reads values, ranges and steps. If star is set, it accepts a plain *, too.
func (r *reader) list(star bool) set {
	if star && r.text == "*" {
		r.pos = len(r.text)
		return r.span(r.min, r.max, 1)
	}
	s := r.item()
	for r.take(',') {
		s |= r.item()
	}
	return s
}

// item reads one item of a list.
func (r *reader) item() set {
	start, end := r.min, r.max
	if strings.HasPrefix(r.rest(), "*/") {
		r.pos++
	} else {
		start = r.value()
		switch {
		case r.take('-'):
			end = r.value()
		case !strings.HasPrefix(r.rest(), "/"):
			end = start
		}
	}
	step := 1
	if r.take('/') {
		step = r.number("a step", 1, r.max-r.min)
	}
	if r.err != nil {
		return 0
	}
	return r.span(start, end, step)
}

// span returns every step-th value from start to end, where end may lie past the field's end.
func (r *reader) span(start, end, step int) set {
	if end < start {
		end += r.max - r.min + 1
	}
	var s set
	for v := start; v <= end; v += step {
		if v > r.max {
			s |= 1 << (v - r.max + r.min - 1)
		} else {
			s |= 1 << v
		}
	}
	return s
}

// value reads a number or a name.
func (r *reader) value() int {
	rest := r.rest()
	for i, name := range r.names {
		if len(rest) >= len(name) && strings.EqualFold(rest[:len(name)], name) {
			r.pos += len(name)
			return i + 1
		}
	}
	return r.number("", r.min, r.max)
}

// number reads a number in its range. what names the number in errors, and is empty for a value of
// the field.
func (r *reader) number(what string, low, high int) int {
	rest := r.rest()
	n := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' })
	if n < 0 {
		n = len(rest)
	}
	if n == 0 || r.err != nil {
		r.failRest()
		return low
	}
	v, err := strconv.Atoi(rest[:n])
	if err == nil && low <= v && v <= high {
		r.pos += n
		return v
	}
	switch {
	case what == "" && rest[:n] == "0" && r.max == daysInWeek:
		r.fail(r.pos, r.pos+n, "there is no day 0: Sunday is 1")
	case what != "":
		r.fail(r.pos, r.pos+n, "%s must be from %d to %d, not %s", what, low, high, rest[:n])
	default:
		r.fail(r.pos, r.pos+n, "%s is not from %d to %d", rest[:n], low, high)
	}
	return low
}

func (r *reader) dayOfMonth() (f dayOfMonth) {
	switch {
	case r.text == "*":
		r.pos++
	case r.take('L'):
		f.last = true
		if r.take('-') {
			f.before = r.number("the number of days before the last", 1, 30)
		}
		f.nearest = r.take('W')
	default:
		start := r.pos
		f.days = r.list(false)
		f.nearest = r.isOneNumber(start) && r.take('W')
	}
	return f
}

// isOneNumber reports whether the text read since start is one number.
func (r *reader) isOneNumber(start int) bool {
	return r.err == nil && strings.Trim(r.text[start:r.pos], "0123456789") == ""
}

func (r *reader) dayOfWeek() (f dayOfWeek) {
	switch {
	case r.text == "*":
		r.pos++
	case r.take('L'):
		f.days = 1 << r.max
	default:
		f.days = r.list(false)
		if strings.ContainsAny(r.text[:r.pos], ",-/") {
			return f // L and # need a single day
		}
		if f.last = r.take('L'); !f.last && r.take('#') {
			f.nth = r.number("the number after #", 1, 5)
		}
	}
	return f
}
