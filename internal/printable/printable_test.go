package printable_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"devtool.internal/internal/printable"
)

func TestOnlyHarmlessCharactersStay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, line, text string }{
		{"", "", ""},
		{"plain ~", "plain ~", "plain ~"},
		{"Grüße 世界 a\u0301", "Grüße 世界 a\u0301", "Grüße 世界 a\u0301"},
		{"👩\u200d👧 می\u200cخواهم", "👩\u200d👧 می\u200cخواهم", "👩\u200d👧 می\u200cخواهم"}, // joiners
		{"a\u00a0b\u3000c", `a\u00a0b\u3000c`, "a\u00a0b\u3000c"},
		{"a\nb\tc", `a\nb c`, "a\nb\tc"},
		{"a\r\nb\r", `a\r\nb\r`, "a\\r\nb\\r"},
		{"\x1b]52;c;x\a", `\u001b]52;c;x\u0007`, `\u001b]52;c;x\u0007`},
		{"\x00\x08\x7f", `\u0000\u0008\u007f`, `\u0000\u0008\u007f`},
		{"\u009b2J\u0085", `\u009b2J\u0085`, `\u009b2J\u0085`}, // C1
		{"\x9b2J\xff", `\x9b2J\xff`, `\x9b2J\xff`},             // no UTF-8
		{"a\u202eb\u2066\u200f", `a\u202eb\u2066\u200f`, `a\u202eb\u2066\u200f`},
		{"a\u2028b\u2029", `a\u2028b\u2029`, `a\u2028b\u2029`},
		{"\ufeffa\u200b\u00ad", `\ufeffa\u200b\u00ad`, `\ufeffa\u200b\u00ad`}, // invisible
		{"\U000e0041", `\udb40\udc41`, `\udb40\udc41`},
		{"\ufffd", "\ufffd", "\ufffd"},
	} {
		if got := printable.Line(test.in); got != test.line {
			t.Errorf("Line(%q): got %q, want %q", test.in, got, test.line)
		}
		if got := printable.Text(test.in); got != test.text {
			t.Errorf("Text(%q): got %q, want %q", test.in, got, test.text)
		}
		if got := string(printable.Bytes([]byte(test.in))); got != test.text {
			t.Errorf("Bytes(%q): got %q, want %q", test.in, got, test.text)
		}
		if got := printable.Mask(test.in); utf8.RuneCountInString(got) != utf8.RuneCountInString(test.in) {
			t.Errorf("Mask(%q): got %q, want as many characters", test.in, got)
		}
	}
}

// unsafeIn returns the first part of text that a terminal might obey. If colors is set, colors do
// not count.
func unsafeIn(text string, colors bool) string {
	if colors {
		text = string(printable.WithoutColors([]byte(text)))
	}
	text = strings.NewReplacer("\n", "", "\t", "").Replace(text)
	if !utf8.ValidString(text) {
		return "invalid UTF-8"
	}
	for _, r := range text {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069,
			r == 0x200e, r == 0x200f, r == 0x061c, r == 0x2028, r == 0x2029, r == 0xfeff, r >= 0xe0000 && r < 0xe0080:
			return string(r)
		}
	}
	return ""
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b[31m\nb\u202e\x9b\r\t\u009b")
	f.Fuzz(func(t *testing.T, s string) {
		for name, got := range map[string]string{"Line": printable.Line(s), "Text": printable.Text(s)} {
			if bad := unsafeIn(got, false); bad != "" {
				t.Errorf("%s(%q) has %q", name, s, bad)
			}
			if name == "Line" && strings.ContainsAny(got, "\n\t") {
				t.Errorf("Line(%q) = %q has several lines or a tab", s, got)
			}
			if again := printable.Text(got); again != got {
				t.Errorf("Text of %q is %q", got, again)
			}
		}
		if got := printable.Mask(s); unsafeIn(got, false) != "" || strings.Contains(got, "\n") {
			t.Errorf("Mask(%q) = %q", s, got)
		}
		if got := string(printable.Colored([]byte(s))); unsafeIn(got, true) != "" {
			t.Errorf("Colored(%q) = %q", s, got)
		}
		// JSON keeps its meaning.
		encoded, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		var before, after map[string]string
		if err := json.Unmarshal(encoded, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(printable.Bytes(encoded), &after); err != nil {
			t.Fatalf("%q: %v", printable.Bytes(encoded), err)
		}
		for k := range before {
			if after[k] != before[k] || unsafeIn(string(printable.Bytes(encoded)), false) != "" {
				t.Errorf("%q became %q", encoded, printable.Bytes(encoded))
			}
		}
	})
}

func TestColorsPassToATerminalAndEndWithTheLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("1", 100)
	longest := strings.Repeat("1", 61)
	for _, test := range []struct {
		in             []string // pieces
		colored, plain string
	}{
		{[]string{"a\n"}, "a\n", "a\n"},
		{[]string{"\x1b[31mred\x1b[0m\n"}, "\x1b[31mred\x1b[0m\n", "red\n"},
		{[]string{"\x1b[31mred\nnext\n"}, "\x1b[31mred\x1b[0m\nnext\n", "red\nnext\n"},
		{[]string{"\x1b[38;5;196mx\x1b[m\n"}, "\x1b[38;5;196mx\x1b[m\n", "x\n"},
		{[]string{"\x1b[1;4:3mx\r\n"}, "\x1b[1;4:3mx\x1b[0m\n", "x\n"},
		{[]string{"\x1b", "[3", "1", "mred", "\n"}, "\x1b[31mred\x1b[0m\n", "red\n"},
		{[]string{"ü"[:1], "ü"[1:], "\r", "\nb\r", "c"}, "ü\nb\\rc", "ü\nb\\rc"},
		{[]string{"\x1b]52;c;eA==\a\x1b[2J"}, `\u001b]52;c;eA==\u0007\u001b[2J`, `\u001b]52;c;eA==\u0007\u001b[2J`},
		{[]string{"\x1b", "[", "2", "J"}, `\u001b[2J`, `\u001b[2J`},
		{[]string{"\x1b[" + long}, `\u001b[` + long, `\u001b[` + long},
		{[]string{"\x1b[" + long + "m"}, `\u001b[` + long + "m", `\u001b[` + long + "m"},
		{[]string{"\x1b[" + longest, "mx\n"}, "\x1b[" + longest + "mx\x1b[0m\n", "x\n"},
		{[]string{"\x1b[" + longest + "1mx"}, `\u001b[` + longest + "1mx", `\u001b[` + longest + "1mx"},
		{[]string{"\x1b[" + longest + "1", "mx"}, `\u001b[` + longest + "1mx", `\u001b[` + longest + "1mx"},
		{[]string{"\x1b[?25m\x1b[31 m"}, `\u001b[?25m\u001b[31 m`, `\u001b[?25m\u001b[31 m`},
		{[]string{"\u009b31mx\x9b31m"}, `\u009b31mx\x9b31m`, `\u009b31mx\x9b31m`},
		{[]string{"a\tb\u202ec\b"}, "a\tb\\u202ec\\u0008", "a\tb\\u202ec\\u0008"},
	} {
		for keep, want := range map[bool]string{true: test.colored, false: test.plain} {
			var b bytes.Buffer
			c := printable.NewColors(&b, keep)
			for _, piece := range test.in {
				if n, err := c.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Errorf("got %d, %v, want %d", n, err, len(piece))
				}
			}
			if got := b.String(); got != want {
				t.Errorf("%q, colors kept %t: got %q, want %q", test.in, keep, got, want)
			}
		}
	}
}

func FuzzColors(f *testing.F) {
	f.Add([]byte("a\x1b[31mb\n\x1b]0;t\a"), uint8(3), true)
	f.Add([]byte("\x1b["+strings.Repeat("0", 62)+"m"), uint8(0), true)
	f.Fuzz(func(t *testing.T, in []byte, size uint8, keep bool) {
		var whole, pieces bytes.Buffer
		printable.NewColors(&whole, keep).Write(in) //nolint:errcheck // a buffer takes everything
		c := printable.NewColors(&pieces, keep)
		for rest := in; len(rest) > 0; {
			n := min(int(size)%7+1, len(rest))
			c.Write(rest[:n]) //nolint:errcheck // as above
			rest = rest[n:]
		}
		if whole.String() != pieces.String() {
			t.Errorf("%q: got %q, in pieces %q", in, whole.String(), pieces.String())
		}
		if bad := unsafeIn(whole.String(), keep); bad != "" {
			t.Errorf("%q: got %q, which has %q", in, whole.String(), bad)
		}
		for line := range strings.Lines(whole.String()) {
			if at := strings.LastIndex(line, "\x1b["); at >= 0 && strings.HasSuffix(line, "\n") {
				if last := line[at:]; !strings.HasPrefix(last, "\x1b[0m") && !strings.HasPrefix(last, "\x1b[m") {
					t.Errorf("%q: the color of %q goes on", in, line)
				}
			}
		}
	})
}
