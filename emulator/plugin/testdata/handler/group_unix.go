//go:build unix

package main

import "syscall"

// leaveGroup makes this process the leader of its own session, as a daemon does.
func leaveGroup() {
	_, err := syscall.Setsid()
	check(err)
}
