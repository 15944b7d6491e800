//go:build unix

package wire

import (
	"io"
	"runtime"
	"syscall"
	"time"
)

// eagerFor is how long a reader asks again and again for what it expects at once. A processor that goes idle in between
// takes as long to be woken on a virtual machine as an operation takes in all, several times over.
const eagerFor = 50 * time.Microsecond

// An eagerReader reads from a socket without going to sleep as long as there is hope.
type eagerReader struct {
	io.Reader // for the rest of the time
	raw       syscall.RawConn
	hope      func() bool
}

// eager returns a reader of r, if that is a socket, that is eager as long as hope says so.
func eager(r io.Reader, hope func() bool) io.Reader {
	if socket, ok := r.(syscall.Conn); ok {
		if raw, err := socket.SyscallConn(); err == nil {
			return &eagerReader{r, raw, hope}
		}
	}
	return r
}

func (e *eagerReader) Read(p []byte) (int, error) {
	if len(p) == 0 || !e.hope() {
		return e.Reader.Read(p)
	}
	var n int
	var err error
	try := func(fd uintptr) (done bool) {
		n, err = syscall.Read(int(fd), p)
		return true // whatever it was: do not wait
	}
	for begin := time.Now(); e.raw.Read(try) == nil; runtime.Gosched() {
		if err == nil && n > 0 {
			return n, nil
		}
		if err != syscall.EAGAIN || time.Since(begin) > eagerFor {
			break
		}
	}
	return e.Reader.Read(p) // which knows what to do about the end, an interrupt or an error
}
