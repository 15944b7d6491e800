package config

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity says whether a file can be used in spite of a diagnostic.
type Severity int

// The severities: Load fails on an error and goes on after a warning.
const (
	SeverityError Severity = iota
	SeverityWarning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == SeverityWarning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one problem in a file, with everything that Render needs to show it.
type Diagnostic struct {
	Severity Severity
	ID       string // stable and in kebab-case, for programs
	Position Position
	Message  string // one line: what is wrong
	Hint     string // what to do, perhaps over several lines, or ""
	Source   string // the text of the line at Position
	Length   int    // how many characters of Source to underline, at least 1; 0 to hide the line
}

// Error says that a file can't be used. Diagnostics holds every problem found, warnings too, in
// file order.
type Error struct {
	Diagnostics []Diagnostic
}

// Error returns the first error on one line and the number of further ones.
func (e *Error) Error() string {
	var first *Diagnostic
	errors := 0
	for i := range e.Diagnostics {
		if e.Diagnostics[i].Severity != SeverityError {
			continue
		}
		if first == nil {
			first = &e.Diagnostics[i]
		}
		errors++
	}
	switch {
	case first == nil:
		return "invalid configuration"
	case errors == 1:
		return fmt.Sprintf("%s: %s", first.Position, first.Message)
	}
	return fmt.Sprintf("%s: %s (and %d more)", first.Position, first.Message, errors-1)
}

// maxReported is how many diagnostics of one severity are kept. Otherwise a file that is not a
// configuration at all could fill the terminal, and each diagnostic costs a walk over its line.
const maxReported = 50

// report collects the diagnostics of one source.
type report struct {
	src     *source
	list    []Diagnostic
	counted [2]int // by severity, including diagnostics that were not kept
}

func (r *report) add(sev Severity, id string, sp span, message, hint string) {
	r.counted[sev]++
	if r.counted[sev] > maxReported {
		return
	}
	d := r.src.locate(sp)
	d.Severity, d.ID, d.Message, d.Hint = sev, id, masked(message), hint // a key may hold anything
	r.list = append(r.list, d)
}

func (r *report) errorf(id string, sp span, hint, format string, args ...any) {
	r.add(SeverityError, id, sp, fmt.Sprintf(format, args...), hint)
}

func (r *report) warnf(id string, sp span, hint, format string, args ...any) {
	r.add(SeverityWarning, id, sp, fmt.Sprintf(format, args...), hint)
}

func (r *report) failed() bool { return r.counted[SeverityError] > 0 }

// sorted returns the diagnostics in file order, followed by a count of the rest.
func (r *report) sorted() []Diagnostic {
	slices.SortStableFunc(r.list, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column),
		)
	})
	list := r.list
	for _, sev := range []Severity{SeverityError, SeverityWarning} {
		if n := r.counted[sev] - maxReported; n > 0 {
			d := r.src.locate(span{})
			d.Severity, d.ID = sev, "too-many"
			d.Message = fmt.Sprintf("%d more %ss are not shown, only the first %d", n, sev, maxReported)
			list = append(list, d)
		}
	}
	return list
}

// err returns all diagnostics as an *Error if one of them is an error, else nil.
func (r *report) err() error {
	if !r.failed() {
		return nil
	}
	return &Error{Diagnostics: r.sorted()}
}
