package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shownOn returns a display on a terminal of that width, and the terminal.
func shownOn(columns int) (*display, *VT) {
	vt := NewVT(columns)
	d := &display{w: vt, colors: true}
	d.width = func() int { return vt.columns }
	return d, vt
}

// fixed returns a footer that is always text, cut off at the width.
func fixed(text string) footer {
	return func(columns int) (string, bool) { return text[:min(len(text), columns)], false }
}

func TestTheFooterStandsBelowAllLines(t *testing.T) {
	d, vt := shownOn(40)
	fmt.Fprintln(d, "first")
	d.show(fixed("[x] exit"))
	fmt.Fprintln(d, "second, which is longer than the footer")
	fmt.Fprintln(d.handler(), "third")
	want := []string{"first", "second, which is longer than the footer", "third", "[x] exit"}
	if got := vt.Lines(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	d.show(nil)
	if got := vt.Lines(); len(got) != 3 {
		t.Errorf("without a footer: got %q", got)
	}
}

func TestAnIncompleteLineEndsBeforeALineOfTheLog(t *testing.T) {
	d, vt := shownOn(40)
	d.show(fixed("[x] exit"))
	handler := d.handler()
	fmt.Fprint(handler, "loading")
	if got, want := vt.Lines(), []string{"loading"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: the footer hides while a line is incomplete", got, want)
	}
	fmt.Fprint(handler, "... done")
	fmt.Fprintln(d, "log")
	fmt.Fprintln(handler, "next")
	if got, want := vt.Lines(), []string{"loading... done", "log", "next", "[x] exit"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnIncompleteLineKeepsItsColorFromTheLog(t *testing.T) {
	var b strings.Builder
	d := &display{w: &b, colors: true}
	handler := d.handler()
	fmt.Fprint(handler, "\x1b[31mred")
	fmt.Fprint(handler, " still")
	fmt.Fprintln(d, "log")
	fmt.Fprint(handler, "plain")
	fmt.Fprintln(d, "log \x1b[2J")
	want := "\x1b[31mred still\x1b[0m\nlog\nplain\nlog \\u001b[2J\n"
	if got := b.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheFooterFollowsTheWidthAndLeavesTheLastColumnFree(t *testing.T) {
	d, vt := shownOn(10)
	d.show(fixed(strings.Repeat("y", 100)))
	for _, columns := range []int{10, 5, 80, 1, 20} {
		vt.Resize(columns)
		d.redraw()
		fmt.Fprintln(d)
		want := strings.Repeat("y", columns-1)
		if got := strings.Join(vt.Lines(), ""); got != want {
			t.Errorf("%d columns: got %q, want %q", columns, got, want)
		}
	}
}

func TestClearLeavesTheFooter(t *testing.T) {
	d, vt := shownOn(40)
	d.show(fixed("[x] exit"))
	fmt.Fprintln(d, "line")
	fmt.Fprint(d.handler(), "half")
	d.clear()
	if got, want := vt.Lines(), []string{"[x] exit"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestTheFooterGarblesNoLine writes lines of the log and pieces of the handler's output at random,
// and changes the footer meanwhile. The terminal must show each line whole, and the footer last.
func TestTheFooterGarblesNoLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, vt := shownOn(60)
		handler := d.handler()
		shown := ""
		var lines []string
		half := "" // the handler's incomplete line
		complete := func() {
			if half != "" {
				lines = append(lines, half)
				half = ""
			}
		}
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				complete()
				line := fmt.Sprint("log ", i)
				fmt.Fprintln(d, line)
				lines = append(lines, line)
			case 1:
				fmt.Fprintf(handler, "h%d", i)
				half += fmt.Sprintf("h%d", i)
			case 2:
				fmt.Fprintf(handler, "H%d\n", i)
				half += fmt.Sprintf("H%d", i)
				complete()
			case 3:
				shown = strings.Repeat("f", rapid.IntRange(0, 59).Draw(t, "width"))
				d.show(fixed(shown))
			case 4:
				d.redraw()
			}
		}
		complete()
		fmt.Fprint(d, "\x1b[0m") // shows the footer again, even if the handler wrote last
		fmt.Fprintln(d)
		want := append(lines, "")
		if shown != "" {
			want = append(want, shown)
		} else {
			want = want[:len(want)-1]
		}
		if got := vt.Lines(); !slices.Equal(got, want) {
			t.Fatalf("got\n%q, want\n%q", got, want)
		}
	})
}
