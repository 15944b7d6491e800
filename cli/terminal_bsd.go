//go:build darwin || freebsd

package cli

import "syscall"

const (
	getMode = syscall.TIOCGETA
	setMode = syscall.TIOCSETA
)
