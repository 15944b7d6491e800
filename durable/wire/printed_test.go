package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"devtool.internal/durable/wire"
)

func FuzzPrinted(f *testing.F) {
	f.Add(uint64(17), "Batcher/orders", "sent 3 items\n")
	f.Add(uint64(0), "a\x1b\\\"\xff", "two\nlines")
	f.Add(uint64(1), "", "\x1b_devtool:x\x1b\\\n\n")
	f.Fuzz(func(t *testing.T, event uint64, object, text string) {
		rest := wire.MarkPrinted(event, object, []byte(text))
		got := ""
		for {
			before, e, o, after, marked := wire.CutPrinted(rest)
			got += string(before)
			if !marked {
				break
			}
			rest = after
			if !strings.Contains(text, "\x1b_devtool:") && (e != event || o != object) {
				t.Fatalf("got event %d of %q, want %d of %q", e, o, event, object)
			}
		}
		if !strings.Contains(text, "\x1b_devtool:") && got != text {
			t.Fatalf("got text %q, want %q", got, text)
		}
	})
}

func TestWhatIsNoMarkStays(t *testing.T) {
	for _, text := range []string{
		"", "plain\n", "\x1b[31mred\x1b[0m", "\x1b_devtool:", "\x1b_devtool:1 \"a\"", "\x1b_devtool:x \"a\"\x1b\\",
		"\x1b_devtool:1 a\x1b\\", "\x1b_devtool:99999999999999999999 \"a\"\x1b\\",
	} {
		before, _, _, after, marked := wire.CutPrinted([]byte(text))
		if marked || !bytes.Equal(before, []byte(text)) || len(after) > 0 {
			t.Errorf("%q: got %q and %q, marked %t; want the text as it is", text, before, after, marked)
		}
	}
}
