package cli

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestALogIsShownBetweenLinesThatSayWhy(t *testing.T) {
	for _, test := range []struct {
		name    string
		written []string
		why     string
		want    string
	}{
		{"nothing", nil, "x has failed", ""},
		{
			"lines", []string{"one\ntw", "o\n"}, "x has failed",
			"--- x has failed: the log of its emulator ---\none\ntwo\n--- end of the log ---\n",
		},
		{
			"half a line", []string{"one"}, "x has failed",
			"--- x has failed: the log of its emulator ---\none\n--- end of the log ---\n",
		},
		{"without a reason", []string{"one\n"}, "", "one\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log execLog
			for _, text := range test.written {
				fmt.Fprint(&log, text)
			}
			var got strings.Builder
			log.show(&got, test.why)
			if got.String() != test.want {
				t.Errorf("got %q, want %q", got.String(), test.want)
			}
		})
	}
}

func TestALogThatIsShownAtOnceIsNotShownAgain(t *testing.T) {
	var live, after strings.Builder
	log := execLog{live: &live}
	fmt.Fprint(&log, "one\n")
	log.show(&after, "x has failed")
	if live.String() != "one\n" || after.String() != "" {
		t.Errorf("got %q at once and %q later, want it at once only", live.String(), after.String())
	}
}

// TestTheEndOfALongLogIsShown writes logs around and above the limit, in pieces of several sizes.
func TestTheEndOfALongLogIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all strings.Builder
		for i := range rapid.IntRange(0, 8000).Draw(t, "lines") {
			fmt.Fprintf(&all, "line %d\n", i)
		}
		if rapid.Bool().Draw(t, "a line longer than the limit") {
			all.WriteString(strings.Repeat("x", 3*logLimit))
		}
		var log execLog
		for rest := all.String(); rest != ""; {
			n := min(len(rest), rapid.SampledFrom([]int{1000, 4096, logLimit, 5 * logLimit}).Draw(t, "piece"))
			if got, err := log.Write([]byte(rest[:n])); got != n || err != nil {
				t.Fatalf("wrote %d, %v, want %d", got, err, n)
			}
			if len(log.kept) > 2*logLimit+5*logLimit {
				t.Fatalf("the log keeps %d bytes", len(log.kept))
			}
			rest = rest[n:]
		}
		var out strings.Builder
		log.show(&out, "")
		got, want := out.String(), all.String()
		if len(want) <= logLimit {
			if strings.TrimSuffix(got, "\n") != strings.TrimSuffix(want, "\n") {
				t.Fatalf("got %d bytes of a log of %d", len(got), len(want))
			}
			return
		}
		first, rest, _ := strings.Cut(got, "\n")
		dropped := 0
		if _, err := fmt.Sscanf(first, "… %d bytes before (--verbose shows all)", &dropped); err != nil {
			t.Fatalf("the first line is %q, %v", first, err)
		}
		if rest != want[dropped:] && rest != want[dropped:]+"\n" {
			t.Fatalf("the log shown is not the log after %d bytes", dropped)
		}
		if len(rest) > logLimit+1 {
			t.Errorf("got %d bytes, want %d at most", len(rest), logLimit)
		}
	})
}
