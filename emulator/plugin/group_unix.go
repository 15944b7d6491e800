//go:build unix

package plugin

import (
	"os/exec"
	"syscall"
)

// ownGroup makes cmd the leader of its own process group. So it can be ended together with all
// processes that it started, and Ctrl-C in the terminal reaches the emulator only.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// signalGroup sends sig to every process in the group led by pid.
func signalGroup(pid int, sig syscall.Signal) error {
	return syscall.Kill(-pid, sig)
}
