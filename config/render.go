package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"devtool.internal/internal/printable"
)

// maxSourceWidth is how many columns of a source line are shown. They always include the underlined
// part.
const maxSourceWidth = 100

const tabWidth = 4

// Terminal colours, as escape sequences.
const (
	styleReset  = "\x1b[0m"
	styleBold   = "\x1b[1m"
	styleDim    = "\x1b[2m"
	styleRed    = "\x1b[31m"
	styleGreen  = "\x1b[32m"
	styleYellow = "\x1b[33m"
)

// Render writes the diagnostics for people, in the form that wrangler's users know:
//
//	✘ [ERROR] dev.port must be a whole number from 0 to 65535, not the string "80" [wrong-type]
//
//	    wrangler.jsonc:4:13:
//	      4 │   "port": "80"
//	        ╵           ~~~~
//
// The hint and an empty line follow. Control characters of the file never reach the terminal.
func Render(w io.Writer, ds []Diagnostic, color bool) {
	var b strings.Builder
	for i := range ds {
		renderOne(&b, &ds[i], color)
	}
	_, _ = io.WriteString(w, b.String()) // an error could not be shown either
}

func renderOne(b *strings.Builder, d *Diagnostic, color bool) {
	paint := func(style, s string) string {
		if !color {
			return s
		}
		return style + s + styleReset
	}
	label := paint(styleRed+styleBold, "✘ [ERROR]")
	if d.Severity == SeverityWarning {
		label = paint(styleYellow+styleBold, "▲ [WARNING]")
	}
	fmt.Fprintf(b, "%s %s %s\n\n", label, paint(styleBold, d.Message), paint(styleDim, "["+d.ID+"]"))

	fmt.Fprintf(b, "    %s:\n", masked(d.Position.String()))
	if d.Length > 0 {
		line := strconv.Itoa(d.Position.Line)
		gutter := strings.Repeat(" ", len(line))
		before, marked, after := cutSource(d)
		fmt.Fprintf(b, "      %s %s %s%s%s\n", line, paint(styleDim, "│"), before, paint(styleGreen, marked), after)
		fmt.Fprintf(b, "      %s %s %s%s\n", gutter, paint(styleDim, "╵"), strings.Repeat(" ", displayWidth(before)),
			paint(styleGreen, underline(displayWidth(marked))))
	}

	if d.Hint != "" {
		b.WriteByte('\n')
		for hint := range strings.SplitSeq(d.Hint, "\n") {
			fmt.Fprintf(b, "  %s\n", masked(hint))
		}
	}
	b.WriteByte('\n')
}

func underline(width int) string {
	if width <= 1 {
		return "^"
	}
	return strings.Repeat("~", width)
}

// cutSource returns the source line of d in three parts, ready to print and cut to maxSourceWidth
// columns. The middle part is to be underlined.
func cutSource(d *Diagnostic) (before, marked, after string) {
	runes := []rune(d.Source)
	from := min(max(d.Position.Column-1, 0), len(runes))
	to := min(from+max(d.Length, 1), len(runes))

	before = masked(string(runes[:from]))
	marked = masked(string(runes[from:to]))
	after = masked(string(runes[to:]))
	room := maxSourceWidth
	if displayWidth(before)+displayWidth(marked)+displayWidth(after) <= room {
		return before, marked, after
	}

	const ellipsis = "…"
	if displayWidth(marked) > room/2 {
		marked = takeLeft(marked, room/2) + ellipsis
	}
	room -= displayWidth(marked)
	if displayWidth(before) > room*2/3 {
		before = ellipsis + takeRight(before, room*2/3)
	}
	room -= displayWidth(before)
	if displayWidth(after) > room {
		after = takeLeft(after, max(room, 0)) + ellipsis
	}
	return before, marked, after
}

// takeLeft returns the longest prefix of s that is at most width columns wide.
func takeLeft(s string, width int) string {
	for i, r := range s {
		if width -= runeWidth(r); width < 0 {
			return s[:i]
		}
	}
	return s
}

// takeRight returns the longest suffix of s that is at most width columns wide.
func takeRight(s string, width int) string {
	runes := []rune(s)
	i := len(runes)
	for i > 0 {
		if width -= runeWidth(runes[i-1]); width < 0 {
			break
		}
		i--
	}
	return string(runes[i:])
}

// masked replaces tabs by spaces, and characters that control a terminal by a mark.
func masked(s string) string {
	return strings.ReplaceAll(printable.Mask(s), "\t", strings.Repeat(" ", tabWidth))
}

// displayWidth returns how many columns of a terminal s takes.
func displayWidth(s string) int {
	width := 0
	for _, r := range s {
		width += runeWidth(r)
	}
	return width
}

// runeWidth returns how many columns of a terminal r takes: two for most East Asian characters and
// pictures, none for marks that join the previous character.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
		0x3000 <= r && r <= 0x303e, 0xff01 <= r && r <= 0xff60, 0x1f300 <= r && r <= 0x1faff:
		return 2
	}
	return 1
}
