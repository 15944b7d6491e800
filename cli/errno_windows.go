package cli

import "syscall"

// The errors of sockets have numbers of their own on Windows, which package syscall lacks.
const (
	errPortTaken     = syscall.Errno(10048) // WSAEADDRINUSE
	errNoSuchAddress = syscall.Errno(10049) // WSAEADDRNOTAVAIL
	errPortForbidden = syscall.WSAEACCES
)
