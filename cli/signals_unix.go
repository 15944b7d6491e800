//go:build unix

package cli

import (
	"os"
	"syscall"
)

// terminalSignals are what a terminal sends besides SIGINT: its window was closed, or Ctrl-\ was
// typed.
var terminalSignals = []os.Signal{syscall.SIGHUP, syscall.SIGQUIT}
