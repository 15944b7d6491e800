//go:build !windows

package cli

import "syscall"

// Why a socket can't listen.
const (
	errPortTaken     = syscall.EADDRINUSE
	errNoSuchAddress = syscall.EADDRNOTAVAIL
	errPortForbidden = syscall.EACCES
)
