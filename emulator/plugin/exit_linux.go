package plugin

import (
	"syscall"
	"unsafe"
)

// Arguments of waitid(2) that package syscall does not name.
const (
	idTypePID    = 1 // P_PID
	sizeofResult = 128
)

// awaitExit blocks until the child pid has ended, without reaping it, and reports whether it could.
func awaitExit(pid int) bool {
	var result [sizeofResult / 8]uint64 // siginfo_t, which is 8-aligned
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, idTypePID, uintptr(pid),
			uintptr(unsafe.Pointer(&result)), syscall.WEXITED|syscall.WNOWAIT, 0, 0)
		if errno != syscall.EINTR {
			return errno == 0
		}
	}
}
