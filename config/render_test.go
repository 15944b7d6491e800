package config_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"devtool.internal/config"
)

func render(d config.Diagnostic, color bool) string {
	var b bytes.Buffer
	config.Render(&b, []config.Diagnostic{d}, color)
	return b.String()
}

func TestRenderWithColorOnlyAddsColor(t *testing.T) {
	d := config.Diagnostic{
		Severity: config.SeverityWarning, ID: "unknown-key", Message: "unknown key x, it is ignored",
		Position: config.Position{File: "wrangler.toml", Line: 3, Column: 1},
		Source:   "x = 1", Length: 1, Hint: "two\nlines",
	}
	colored := render(d, true)
	if !strings.Contains(colored, "\x1b[33m") {
		t.Errorf("no yellow in %q", colored)
	}
	var plain strings.Builder
	for i, part := range strings.Split(colored, "\x1b[") {
		if i > 0 {
			_, part, _ = strings.Cut(part, "m")
		}
		plain.WriteString(part)
	}
	if got, want := plain.String(), render(d, false); got != want {
		t.Errorf("without its colours: %q, want %q", got, want)
	}
}

func TestRenderUnderlinesTheRightCharacters(t *testing.T) {
	tests := []struct {
		name, source   string
		column, length int
		line, marks    string // both without the gutter
	}{
		{"one character", "a = b", 5, 1, "a = b", "    ^"},
		{"several", "a = bcd", 5, 3, "a = bcd", "    ~~~"},
		{"after the line", "abc", 4, 1, "abc", "   ^"},
		{"tabs", "\ta\tb", 4, 1, "    a    b", "         ^"},
		{"wide characters", "日本 é", 4, 1, "日本 é", "     ^"},
		{"wide marked", "x日本", 2, 2, "x日本", " ~~~~"},
		{"combining mark", "e\u0301 x", 4, 1, "e\u0301 x", "  ^"},
		{"escape sequence", "\x1b[31m x", 7, 1, "\ufffd[31m x", "      ^"},
		{"direction override", "\u202ex", 2, 1, "\ufffdx", " ^"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at := config.Position{File: "f", Line: 1, Column: tt.column}
			d := config.Diagnostic{Position: at, Source: tt.source, Length: tt.length}
			lines := strings.Split(render(d, false), "\n")
			if got, want := lines[3], "      1 │ "+tt.line; got != want {
				t.Errorf("source %q, want %q", got, want)
			}
			if got, want := lines[4], "        ╵ "+tt.marks; got != want {
				t.Errorf("marks %q, want %q", got, want)
			}
		})
	}
}

// Whatever the line and the place in it, the output is not wider than a terminal. The first mark
// stands below the first underlined character.
func TestRenderCutsLongLinesAroundTheMark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := []rune(rapid.StringOfN(rapid.RuneFrom([]rune(`abc "{}:,`)), 1, 400, -1).Draw(t, "source"))
		column := rapid.IntRange(1, len(source)).Draw(t, "column")
		source[column-1] = '@'
		d := config.Diagnostic{
			Position: config.Position{File: "f", Line: 1, Column: column},
			Source:   string(source),
			Length:   rapid.IntRange(1, len(source)-column+1).Draw(t, "length"),
		}
		lines := strings.Split(render(d, false), "\n")
		if width := utf8.RuneCountInString(lines[3]); width > 114 {
			t.Fatalf("the source line is %d wide: %q", width, lines[3])
		}
		marks := []rune(lines[4])
		first := strings.IndexAny(string(marks[10:]), "^~") + 10
		if got := []rune(lines[3])[first]; got != '@' {
			t.Fatalf("the first mark stands below %q:\n%s\n%s", got, lines[3], lines[4])
		}
	})
}
