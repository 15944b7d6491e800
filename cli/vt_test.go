package cli

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// VT is a small terminal for tests, which shows the text that is written to it. It does not scroll,
// and it knows only the sequences that a display writes.
type VT struct {
	mu       sync.Mutex
	columns  int
	lines    [][]rune
	row, col int
	rest     []byte // an incomplete sequence or character
}

// NewVT returns an empty terminal.
func NewVT(columns int) *VT { return &VT{columns: columns, lines: [][]rune{nil}} }

// Resize changes the width. It does not wrap the present lines again.
func (v *VT) Resize(columns int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.columns = columns
}

// Lines returns the lines on the screen, without the empty ones at the end.
func (v *VT) Lines() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var lines []string
	for _, line := range v.lines {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func (v *VT) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := append(v.rest, p...)
	for len(b) > 0 {
		n := v.stepLocked(b)
		if n == 0 {
			break
		}
		b = b[n:]
	}
	v.rest = append([]byte(nil), b...)
	return len(p), nil
}

// stepLocked takes a character or a sequence from b, and returns its length, or 0 if it is
// incomplete.
func (v *VT) stepLocked(b []byte) int {
	switch {
	case b[0] == '\x1b':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				v.sequenceLocked(string(b[1 : i+1]))
				return i + 1
			}
		}
		return 0
	case b[0] == '\r':
		v.col = 0
	case b[0] == '\n':
		v.col = 0 // a real system turns \n into \r\n; tests of the display have none
		v.downLocked()
	case b[0] == '\a' || b[0] == '\b':
		v.col = max(v.col-1, 0)
	case !utf8.FullRune(b):
		return 0
	default:
		r, size := utf8.DecodeRune(b)
		if v.col >= v.columns {
			v.col = 0
			v.downLocked()
		}
		line := v.lines[v.row]
		for len(line) <= v.col {
			line = append(line, ' ')
		}
		line[v.col] = r
		v.lines[v.row] = line
		v.col++
		return size
	}
	return 1
}

func (v *VT) downLocked() {
	v.row++
	if v.row == len(v.lines) {
		v.lines = append(v.lines, nil)
	}
}

func (v *VT) sequenceLocked(s string) {
	switch s {
	case "[J": // to the end of the screen
		v.lines = v.lines[:v.row+1]
		v.lines[v.row] = v.lines[v.row][:min(v.col, len(v.lines[v.row]))]
	case "[K":
		v.lines[v.row] = v.lines[v.row][:min(v.col, len(v.lines[v.row]))]
	case "[H":
		v.row, v.col = 0, 0
	case "[2J", "[3J":
		for i := range v.lines {
			v.lines[i] = nil
		}
	}
}
