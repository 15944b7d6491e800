//go:build unix

// Package inherited marks the descriptor of the emulator's connection close-on-exec, before code of
// the user runs. Otherwise a process that the handler program starts would inherit it. The emulator
// would then not see the end of the program as long as that process runs.
//
// Package durable imports it for this effect. It imports syscall alone, and its path sorts before
// "io" and "os". So Go initializes it before these, and before any package that starts processes by
// os/exec.
package inherited

import "syscall"

func init() { mark() }

// mark marks the descriptor that the emulator has passed on. The name of the variable is that of
// package wire, which this package may not import.
func mark() {
	text, found := syscall.Getenv("DEVTOOL_FD")
	fd := 0
	for _, digit := range []byte(text) {
		if digit < '0' || digit > '9' || fd > 1<<16 {
			return
		}
		fd = 10*fd + int(digit-'0')
	}
	if found && fd > 2 {
		syscall.CloseOnExec(fd)
	}
}
