//go:build unix

package durable

import (
	"os"
	"syscall"
)

// endGroup ends the process group that the emulator has made for this program, and with it all
// processes that the program has started. The emulator does that, too, unless it was killed. If
// this process leads no group, it does nothing.
func endGroup() {
	if syscall.Getpgrp() == os.Getpid() {
		syscall.Kill(0, syscall.SIGKILL) //nolint:errcheck // Serve exits next
	}
}
