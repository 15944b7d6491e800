//go:build unix

package wire

import (
	"io"
	"runtime"
	"syscall"
	"time"
)

// eagerFor is how long a reader polls for a frame that it expects at once. On a virtual machine it
// takes several times as long to wake an idle processor as an operation takes in all.
const eagerFor = 50 * time.Microsecond

// An eagerReader reads from a socket, and polls it before it sleeps if a frame is expected.
type eagerReader struct {
	io.Reader // sleeps
	raw       syscall.RawConn
	expects   func() bool
}

// eager returns an eagerReader of r, or r itself if that is not a socket. expects reports whether a
// frame is expected.
func eager(r io.Reader, expects func() bool) io.Reader {
	if socket, ok := r.(syscall.Conn); ok {
		if raw, err := socket.SyscallConn(); err == nil {
			return &eagerReader{r, raw, expects}
		}
	}
	return r
}

func (e *eagerReader) Read(p []byte) (int, error) {
	if len(p) == 0 || !e.expects() {
		return e.Reader.Read(p)
	}
	var n int
	var err error
	try := func(fd uintptr) (done bool) {
		n, err = syscall.Read(int(fd), p)
		return true // so that raw.Read does not wait
	}
	for begin := time.Now(); e.raw.Read(try) == nil; runtime.Gosched() {
		if err == nil && n > 0 {
			return n, nil
		}
		if err != syscall.EAGAIN || time.Since(begin) > eagerFor {
			break
		}
	}
	return e.Reader.Read(p) // handles the end of the stream, interrupts and errors
}
