//go:build unix

package safefile

import "syscall"

// openFlags make an open follow no link and wait for no other end of a pipe.
const openFlags = syscall.O_NONBLOCK | syscall.O_NOFOLLOW
