//go:build unix

package cli_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestCtrlCDeliveredTwiceEndsInGoodOrder does what a script runner does: the terminal has sent
// Ctrl-C to the whole group, and the runner passes it on.
func TestCtrlCDeliveredTwiceEndsInGoodOrder(t *testing.T) {
	for _, second := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(second.String(), func(t *testing.T) {
			s := handlerProject(t, "basic").dev()
			s.cmd.Process.Signal(os.Interrupt) //nolint:errcheck // await sees that it runs on
			s.cmd.Process.Signal(second)       //nolint:errcheck // it may have ended in good order
			if code := s.await(); code != 0 {
				t.Errorf("exit code %d (%s), want 0", code, s.cmd.ProcessState)
			}
			if !strings.Contains(s.stderr.String(), "shutting down") {
				t.Errorf("the log does not say that dev shuts down:\n%s", s.stderr.String())
			}
		})
	}
}

func TestEachEndingSignalEndsInGoodOrder(t *testing.T) {
	for _, first := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(first.String(), func(t *testing.T) {
			s := handlerProject(t, "basic").dev()
			s.cmd.Process.Signal(first) //nolint:errcheck // await sees that it runs on
			if code := s.await(); code != 0 {
				t.Errorf("exit code %d (%s), want 0", code, s.cmd.ProcessState)
			}
		})
	}
}
