package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"devtool.internal/internal/printable"
)

// printer prints the results of a command, as text for people or as JSON for programs.
type printer struct {
	out  io.Writer
	json bool
}

// print writes value as JSON, or calls text to write it.
func (p printer) print(value any, text func(w io.Writer)) error {
	var buffer bytes.Buffer
	if p.json {
		encoder := json.NewEncoder(&buffer)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(value); err != nil {
			return fmt.Errorf("encode result: %w", err)
		}
	} else {
		text(&buffer)
	}
	if _, err := p.out.Write(buffer.Bytes()); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}

// table writes rows in columns.
func table(w io.Writer, rows ...[]string) { align(w, 2, rows) }

// align writes rows in columns that are gap apart. It escapes the cells, because names of objects
// and errors of handlers may contain any character.
func align(w io.Writer, gap int, rows [][]string) {
	var aligned bytes.Buffer
	columns := tabwriter.NewWriter(&aligned, 0, 0, gap, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(columns, "\t")
			}
			fmt.Fprint(columns, printable.Line(cell))
		}
		fmt.Fprintln(columns)
	}
	_ = columns.Flush() // a buffer takes everything
	for line := range strings.Lines(aligned.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// abridge cuts text to at most that many characters.
func abridge(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

// plural formats a number of things.
func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// formatTime formats a point of virtual time as all commands show it: in UTC, to the millisecond.
func formatTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
