//go:build darwin || freebsd || linux

package cli

import (
	"os"
	"syscall"
	"unsafe"
)

// terminalMode is what a terminal does with what is typed and printed.
type terminalMode = syscall.Termios

func modeOf(fd int) (m terminalMode, err error) {
	err = ioctl(fd, getMode, unsafe.Pointer(&m))
	return m, err
}

func setModeOf(fd int, m terminalMode) error { return ioctl(fd, setMode, unsafe.Pointer(&m)) }

// byKeys is m, but each key is there at once, and is not shown. All else is as before: Ctrl-C and
// Ctrl-Z are signals, and lines that are printed end as lines.
func byKeys(m terminalMode) terminalMode {
	m.Lflag &^= syscall.ICANON | syscall.ECHO
	m.Cc[syscall.VMIN] = 1
	m.Cc[syscall.VTIME] = 0
	return m
}

// inForeground reports whether the terminal is this job's at the moment: a job in the background
// must leave it alone.
func inForeground(fd int) bool {
	var group int32
	return ioctl(fd, syscall.TIOCGPGRP, unsafe.Pointer(&group)) == nil && int(group) == syscall.Getpgrp()
}

// ofShell reports whether this job was started by a shell that could continue it once it is
// stopped. That which leads its session, as in a window of its own, was not.
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
