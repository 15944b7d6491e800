//go:build unix

package plugin

import (
	"syscall"
	"time"
)

// maxRest bounds what is read from a pipe after the program has ended. It is more than a pipe
// holds, and another process may go on writing.
const maxRest = 2 << 20

// drain passes on what is in the pipe. The program has ended, so all that it has printed is there.
func (o *outputPipe) drain() {
	_ = o.read.SetReadDeadline(time.Unix(1, 0)) // ends the goroutine of start
	<-o.copied
	_ = o.read.SetReadDeadline(time.Time{})
	conn, err := o.read.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 64<<10)
	for rest := maxRest; rest > 0; {
		n := 0
		err := conn.Read(func(fd uintptr) bool {
			for {
				if n, err = syscall.Read(int(fd), buf); err != syscall.EINTR {
					return true // also if nothing is there
				}
			}
		})
		if err != nil || n <= 0 {
			return
		}
		_, _ = o.Write(buf[:n])
		rest -= n
	}
}
