package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A report is the result of a run.
type report struct {
	Machine string  `json:"machine"`
	Version string  `json:"version"`
	Rounds  int     `json:"rounds"`
	Tables  []table `json:"tables"`
}

// A table is the comparison with one peer.
type table struct {
	Peer    string `json:"peer"`
	Version string `json:"version"`
	Rows    []row  `json:"rows"`
}

// A row is a measure with its figures, each the median of the rounds, and their ratio.
type row struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// LowerIsBetter says in which direction Ratio was taken.
	LowerIsBetter bool    `json:"lower_is_better"`
	Devtool       float64 `json:"devtool"`
	Peer          float64 `json:"peer"`
	// Ratio is how many times better devtool is: above 1 it is ahead, below 1 behind, whatever the
	// unit.
	Ratio         float64   `json:"ratio"`
	DevtoolRounds []float64 `json:"devtool_rounds"`
	PeerRounds    []float64 `json:"peer_rounds"`
}

func newRow(m measure, ours, theirs []float64) row {
	r := row{
		Name: m.name, Unit: m.unit, LowerIsBetter: m.lower,
		Devtool: median(ours), Peer: median(theirs),
		DevtoolRounds: ours, PeerRounds: theirs,
	}
	better, worse := r.Devtool, r.Peer
	if m.lower {
		better, worse = worse, better
	}
	if worse > 0 {
		r.Ratio = better / worse
	}
	return r
}

// median returns the middle one of values, or the mean of the middle two. There must be at least
// one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (r report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// writeTables writes the tables as Markdown, which is readable on a terminal and can be pasted into
// a document.
func (r report) writeTables(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", r.Machine, r.Version)
	fmt.Fprintf(&b, "median of %d; ratio: how many times better devtool is, below 1 it is behind\n", r.Rounds)
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\n%s\n\n", t.Version)
		t.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t table) write(b *strings.Builder) {
	lines := [][]string{
		{"", "unit", "devtool", t.Peer, "ratio"},
		{"---", "---", "--:", "--:", "--:"},
	}
	for _, row := range t.Rows {
		lines = append(lines, []string{row.Name, row.Unit, number(row.Devtool), number(row.Peer), number(row.Ratio)})
	}
	var widths [5]int
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		for i, cell := range line {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case strings.HasPrefix(cell, "--"):
				cell = strings.Repeat("-", widths[i]-1) + cell[len(cell)-1:]
			case i < 2:
				cell += padding
			default:
				cell = padding + cell
			}
			fmt.Fprintf(b, "| %s ", cell)
		}
		b.WriteString("|\n")
	}
}

// number formats v with three significant digits, or with all digits before the point, thousands
// apart.
func number(v float64) string {
	switch {
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
