//go:build unix

package cli_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// TestADebuggerMayHoldAnAdvance stops a program as debuggers do, for longer than it takes to see that.
func TestADebuggerMayHoldAnAdvance(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init")
	path := filepath.Join(t.TempDir(), "handlers")
	if out, err := p.goCommand("build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := p.dev("--attach", "--frozen")
	b := p.startByHand(path)
	s.post("/a", "1")
	if err := b.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	const enough = 12 // four a second
	waited := 0
	client := &client.Client{URL: s.URL}
	advanced, err := client.Advance(t.Context(), control.AdvanceRequest{Duration: "10s", MaxStep: "10ms"}, func(e control.AdvanceEvent) {
		if e.Progress == nil {
			return
		}
		if waited++; waited == enough {
			b.Process.Signal(syscall.SIGCONT) //nolint:errcheck // the advance shows
		}
	})
	if err != nil || advanced.Stopped != "" || advanced.Ran != 1 || waited < enough {
		t.Errorf("got %+v, %v after %d reports, want an advance that was waited for", advanced, err, waited)
	}
}
