//go:build unix

package safefile

import "syscall"

const (
	// withoutWaiting makes an open wait for no other end of a pipe.
	withoutWaiting = syscall.O_NONBLOCK
	// openFlags make an open follow no link either.
	openFlags = withoutWaiting | syscall.O_NOFOLLOW
)
