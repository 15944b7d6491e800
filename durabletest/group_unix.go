//go:build unix

package durabletest

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the emulator into its own process group, so that Ctrl-C, which a debugger
// understands as a pause, does not end it. The emulator ends with the test's process.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
