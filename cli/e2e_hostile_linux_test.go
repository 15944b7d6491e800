package cli_test

import (
	"regexp"
	"strings"
	"testing"

	"devtool.internal/internal/printable"
)

// footerMoves are the sequences with which the legend is drawn and erased.
var footerMoves = regexp.MustCompile("\r+\x1b\\[J|\r+\n|\r")

func TestATerminalGetsOnlyOurSequences(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "hostile")
	x := p.newTTY(140)
	s := x.dev(p, "--frozen")
	x.awaitLast(legendLong)
	log := func() string { return footerMoves.ReplaceAllString(x.raw.String(), "\n") }
	s.attack(func() string { return string(printable.WithoutColors([]byte(log()))) })
	// The last line that the handler prints does not end. So it comes later, and the legend waits
	// for its end.
	eventually(t, "the handler's three texts are shown", func() bool {
		return strings.Count(string(printable.WithoutColors([]byte(log()))), "\n"+forged) == 3
	})
	x.typed("a")
	x.await("fired the alarm of Object/a\\u001b]52;")
	x.awaitLast(legendLong)
	wantHarmless(t, "the terminal", string(printable.WithoutColors([]byte(log()))))
	if !strings.Contains(log(), "\x1b[38;5;201mpink\x1b[0m\n") {
		t.Error("the colors of the handler do not arrive, or do not end with the line")
	}
	for line := range strings.Lines(log()) {
		if _, pink, has := strings.Cut(line, "\x1b[38;5;201m"); has && !strings.HasPrefix(pink, "pink\x1b[0m") {
			t.Errorf("a color of a client is in %q", line)
		}
	}
	x.typed("x")
	x.await("exit code 0.")
}
