package cli_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestDevHintsAtUsesOfTheMachinesClock looks for the line in the log, which comes after the program is served.
func TestDevHintsAtUsesOfTheMachinesClock(t *testing.T) {
	t.Parallel()
	const one, two = "1 use of the machine's clock in handler code: `devtool vet` shows where", "2 uses of the machine's clock in handler code: `devtool vet` shows where"
	const late = "time.Now().Unix()"
	p := handlerProject(t, "basic")
	save := func(values string) {
		p.write("late.go", fmt.Sprintf("package main\n\nimport (\n\t\"time\"\n\n\t_ \"devtool.internal/durable\"\n)\n\nvar _ time.Time\n\nfunc init() { println(late()) }\n\nfunc late() (a, b int64) { return %s }\n", values))
	}
	save(late + ", 1")
	s := p.dev("--frozen")
	s.awaitLog(one)
	save(late + ", " + late)
	s.awaitLog(two)

	// An edit that changes nothing about it is not worth a word.
	save("2*" + late + ", " + late)
	s.awaitReloads(2)
	save("3, " + late)
	eventually(t, "there is one use left", func() bool { return strings.Count(s.stderr.String(), one) == 2 })
	if got := strings.Count(s.stderr.String(), two); got != 1 {
		t.Errorf("%q stands %d times in the log, want once", two, got)
	}
}

// awaitReloads waits until the program was reloaded n times since the start.
func (s *server) awaitReloads(n int) {
	s.t.Helper()
	eventually(s.t, "the program is reloaded", func() bool { return strings.Count(s.stderr.String(), "reloaded in ") >= n })
}
