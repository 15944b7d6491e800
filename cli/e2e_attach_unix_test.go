//go:build unix

package cli_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"devtool.internal/emulator/control"
)

// TestADebuggerMayHoldAnAdvance stops a program as debuggers do, for longer than the emulator needs
// to notice it.
func TestADebuggerMayHoldAnAdvance(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init")
	path := filepath.Join(t.TempDir(), "handlers")
	if out, err := p.goCommand("build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := p.dev("--attach", "--frozen")
	attached := p.attach(path)
	s.post("/a", "1")
	stop(t, attached.Process.Pid)
	const enough = 12 // four a second
	reports := 0
	request := control.AdvanceRequest{Duration: "10s", MaxStep: "10ms"}
	advanced, err := s.control().Advance(t.Context(), request, func(e control.AdvanceEvent) {
		if e.Progress == nil {
			return
		}
		if reports++; reports == enough {
			attached.Process.Signal(syscall.SIGCONT) //nolint:errcheck // the advance would not end
		}
	})
	if err != nil || advanced.Stopped != "" || advanced.Ran != 1 || reports < enough {
		t.Errorf("got %+v, %v after %d reports, want one run after at least %d", advanced, err, reports, enough)
	}
}
