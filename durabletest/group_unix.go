//go:build unix

package durabletest

import (
	"os/exec"
	"syscall"
)

// standApart keeps Ctrl-C, which a debugger takes for a pause, from ending the emulator: it ends with the test's
// process.
func standApart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
