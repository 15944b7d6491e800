package cli_test

import (
	"strings"
	"testing"
)

// TestDevHintsAtUsesOfTheMachinesClock waits for the hint, which comes after the program serves. A
// short run ends when the hint has changed.
func TestDevHintsAtUsesOfTheMachinesClock(t *testing.T) {
	t.Parallel()
	const one = "1 use of the machine's clock in handler code: `devtool vet` shows where"
	const two = "2 uses of the machine's clock in handler code: `devtool vet` shows where"
	const late = "time.Now().Unix()"
	p := handlerProject(t, "basic")
	save := func(values string) {
		p.write("late.go", `package main

import (
	"time"

	_ "devtool.internal/durable"
)

var _ time.Time

func init() { println(late()) }

func late() (a, b int64) { return `+values+` }
`)
	}
	save(late + ", 1")
	s := p.dev("--frozen")
	s.awaitLog(one)
	save(late + ", " + late)
	s.awaitLog(two)
	if !*long {
		return
	}

	// An edit that does not change the number of uses causes no hint.
	save("2*" + late + ", " + late)
	s.awaitReloads(2)
	save("3, " + late)
	eventually(t, "there is one use left", func() bool { return strings.Count(s.stderr.String(), one) == 2 })
	if got := strings.Count(s.stderr.String(), two); got != 1 {
		t.Errorf("the log has %q %d times, want once", two, got)
	}
}

// awaitReloads waits until the emulator has reloaded the program n times.
func (s *server) awaitReloads(n int) {
	s.t.Helper()
	eventually(s.t, "the program is reloaded", func() bool {
		return strings.Count(s.stderr.String(), "reloaded in ") >= n
	})
}
