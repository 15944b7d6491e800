//go:build darwin || freebsd || linux

package cli

import (
	"os"
	"syscall"
	"unsafe"
)

// terminalMode is how a terminal treats input and output.
type terminalMode = syscall.Termios

func modeOf(fd int) (m terminalMode, err error) {
	err = ioctl(fd, getMode, unsafe.Pointer(&m))
	return m, err
}

func setModeOf(fd int, m terminalMode) error { return ioctl(fd, setMode, unsafe.Pointer(&m)) }

// byKeys returns m changed so that each key arrives at once, and without an echo. The rest stays:
// Ctrl-C and Ctrl-Z are signals, and output has whole line ends.
func byKeys(m terminalMode) terminalMode {
	m.Lflag &^= syscall.ICANON | syscall.ECHO
	m.Cc[syscall.VMIN] = 1
	m.Cc[syscall.VTIME] = 0
	return m
}

// inForeground reports whether this job has the terminal. A job in the background must not touch
// it.
func inForeground(fd int) bool {
	var group int32
	return ioctl(fd, syscall.TIOCGPGRP, unsafe.Pointer(&group)) == nil && int(group) == syscall.Getpgrp()
}

// ofShell reports whether a shell started this job, and so can continue it after a stop. The leader
// of a session, as in a window of its own, has no such shell.
func ofShell() bool {
	session, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	return errno == 0 && int(session) != syscall.Getpgrp()
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	for {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return os.NewSyscallError("ioctl", errno)
		}
	}
}
