package plugin

import (
	"fmt"
	"io"
	"strings"

	"devtool.internal/internal/printable"
)

// BuildError is a failed build whose reason the user can fix.
type BuildError struct {
	Diagnostics []Diagnostic // never empty
	Output      string       // what go printed, without its progress
	Package     string       // import path if go named one, else as in Builder
	NoGo        bool         // there is no go command: no edit of the program fixes that
}

// Diagnostic is one error of the compiler or the go command.
type Diagnostic struct {
	File    string   // relative to Builder.Dir when below it; "" when unknown
	Line    int      // from 1; 0 when unknown
	Column  int      // in bytes from 1; 0 when unknown
	Message string   // one line
	Notes   []string // further lines of go about it
	Source  string   // the line of the file, without its line ending; "" when unknown
}

// Error returns the first diagnostic and the number of others, on one line.
func (e *BuildError) Error() string {
	if len(e.Diagnostics) == 0 {
		return "build " + e.Package + ": go printed no message"
	}
	text := e.Diagnostics[0].String()
	if more := len(e.Diagnostics) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// String returns the diagnostic on one line, as "main.go:12:5: undefined: x".
func (d Diagnostic) String() string {
	text := d.Message
	// In these two cases the notes are the rest of the sentence.
	switch {
	case len(d.Notes) == 0:
	case strings.HasSuffix(text, ":"):
		text += " " + d.Notes[0]
	case strings.HasPrefix(d.Notes[0], "imports "):
		text += " " + strings.Join(d.Notes, " ")
	}
	if at := d.position(); at != "" {
		text = at + ": " + text
	}
	return printable.Line(text)
}

// position returns the place, as far as it is known, as "main.go:12:5".
func (d Diagnostic) position() string {
	switch {
	case d.File == "" || d.Line == 0:
		return d.File
	case d.Column == 0:
		return fmt.Sprintf("%s:%d", d.File, d.Line)
	}
	return fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column)
}

const (
	styleReset = "\x1b[0m"
	styleBold  = "\x1b[1m"
	styleDim   = "\x1b[2m"
	styleRed   = "\x1b[31m"
)

// Render writes all diagnostics as a compiler shows them: place and message, the source line, and a
// caret below the column.
func (e *BuildError) Render(w io.Writer, color bool) error {
	style := func(codes, text string) string {
		if !color {
			return text
		}
		return codes + text + styleReset
	}
	var b strings.Builder
	for i, d := range e.Diagnostics {
		if i > 0 {
			b.WriteByte('\n')
		}
		if at := d.position(); at != "" {
			b.WriteString(style(styleBold, printable.Line(at)+":") + " ")
		}
		b.WriteString(style(styleBold+styleRed, printable.Line(d.Message)) + "\n")
		if d.Source != "" {
			text, indent, marked := excerpt(d.Source, d.Column)
			number := fmt.Sprintf("%5d", d.Line)
			b.WriteString(style(styleDim, number+" |") + " " + text + "\n")
			if marked {
				b.WriteString(style(styleDim, "      |") + " " + indent + style(styleBold+styleRed, "^") + "\n")
			}
		}
		for _, note := range d.Notes {
			b.WriteString("      " + printable.Text(note) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// excerptWidth is how much of a long source line Render shows, in characters.
const excerptWidth = 160

// excerpt returns the part of a source line around column, and the white space that brings a caret
// below column. It keeps tabs, so that both lines are indented alike whatever the width of a tab.
func excerpt(source string, column int) (text, indent string, marked bool) {
	marked = column >= 1 && column <= len(source)+1
	line := []rune(printable.Mask(source))
	at := 0
	if marked {
		// A column inside a character counts more of them than there are.
		at = min(len([]rune(source[:column-1])), len(line))
	}
	from := 0
	if len(line) > excerptWidth {
		from = max(0, min(at-excerptWidth/2, len(line)-excerptWidth))
		line = line[from : from+excerptWidth]
	}
	if !marked {
		return string(line), "", false
	}
	pad := make([]rune, at-from)
	for i := range pad {
		pad[i] = ' '
		if line[i] == '\t' {
			pad[i] = '\t'
		}
	}
	return string(line), string(pad), true
}
