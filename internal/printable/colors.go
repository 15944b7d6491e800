package printable

import (
	"bytes"
	"io"
	"regexp"
	"sync"
	"unicode/utf8"
)

// ResetColor ends all colors.
const ResetColor = "\x1b[0m"

// color is a sequence that sets colors, bold and the like. No other sequence is one.
var color = regexp.MustCompile("^\x1b\\[[0-9;:]*m")

// colorStart is the beginning of such a sequence, which may go on.
var colorStart = regexp.MustCompile("^\x1b(\\[[0-9;:]*)?$")

// maxColor is the length of the longest sequence that counts as a color. A longer one is escaped,
// whether it arrives whole or in pieces.
const maxColor = 64

// WithoutColors returns text without the sequences that set colors.
func WithoutColors(text []byte) []byte { return anyColor.ReplaceAll(text, nil) }

var anyColor = regexp.MustCompile("\x1b\\[[0-9;:]*m")

// Colored is Bytes for text in which we have set colors: it keeps them.
func Colored(text []byte) []byte {
	if isText(text) {
		return text
	}
	var b []byte
	for {
		at := anyColor.FindIndex(text)
		if at == nil {
			return append(b, Bytes(text)...)
		}
		b = append(append(b, Bytes(text[:at[0]])...), text[at[0]:at[1]]...)
		text = text[at[1]:]
	}
}

// Colors writes what a handler program prints. Text is escaped as by Text, except that colors pass
// if the writer keeps them. They end with the line at the latest, so they do not reach the lines of
// others. Where colors are not kept, they are left out, because the text was written for a
// terminal.
//
// A sequence or a character may arrive in pieces.
type Colors struct {
	w    io.Writer
	keep bool

	// mu guards what follows.
	mu   sync.Mutex
	open bool   // a color is set
	held []byte // the beginning of a sequence or a character
}

// NewColors returns a writer to w. It passes colors on if keep is set.
func NewColors(w io.Writer, keep bool) *Colors { return &Colors{w: w, keep: keep} }

// Write writes p, except for an end that is not complete.
func (c *Colors) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := append(c.held, p...)
	var b bytes.Buffer
	for len(text) > 0 {
		n := c.nextLocked(&b, text)
		if n == 0 {
			break
		}
		text = text[n:]
	}
	c.held = bytes.Clone(text)
	if b.Len() > 0 {
		if _, err := c.w.Write(b.Bytes()); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// nextLocked writes the first characters of text to b and returns their length in bytes. It is 0 if
// more must arrive first.
func (c *Colors) nextLocked(b *bytes.Buffer, text []byte) int {
	plain := 0
	for plain < len(text) && ' ' <= text[plain] && text[plain] <= '~' {
		plain++
	}
	if plain > 0 {
		b.Write(text[:plain])
		return plain
	}
	switch text[0] {
	case '\n':
		if c.open {
			b.WriteString(ResetColor)
			c.open = false
		}
		b.WriteByte('\n')
		return 1
	case '\r':
		if len(text) == 1 {
			return 0
		}
		if text[1] != '\n' {
			b.WriteString(escaped("\r"))
		}
		return 1
	case '\x1b':
		if sequence := color.Find(text); 0 < len(sequence) && len(sequence) <= maxColor {
			if c.keep {
				b.Write(sequence)
				c.open = string(sequence) != ResetColor && string(sequence) != "\x1b[m"
			}
			return len(sequence)
		}
		if len(text) < maxColor && colorStart.Match(text) {
			return 0
		}
	}
	if !utf8.FullRune(text) {
		return 0
	}
	_, size := utf8.DecodeRune(text)
	b.WriteString(Text(string(text[:size])))
	return size
}
