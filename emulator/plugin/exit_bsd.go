//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package plugin

import "syscall"

// awaitExit blocks until the child pid has ended, without reaping it, and reports whether it could.
// It asks kqueue, because waitid on macOS also returns when the child is merely stopped, as under a
// debugger.
func awaitExit(pid int) bool {
	kq, err := syscall.Kqueue()
	if err != nil {
		return false
	}
	defer func() { _ = syscall.Close(kq) }()
	syscall.CloseOnExec(kq)

	watch := make([]syscall.Kevent_t, 1)
	syscall.SetKevent(&watch[0], pid, syscall.EVFILT_PROC, syscall.EV_ADD)
	watch[0].Fflags = syscall.NOTE_EXIT
	for {
		if _, err = syscall.Kevent(kq, watch, nil, nil); err != syscall.EINTR {
			break
		}
	}
	if err == syscall.ESRCH {
		return true // already a zombie, since nobody has reaped it
	}
	if err != nil {
		return false
	}

	got := make([]syscall.Kevent_t, 1)
	for {
		n, err := syscall.Kevent(kq, nil, got, nil)
		if err == syscall.EINTR {
			continue
		}
		return err == nil && n == 1
	}
}
