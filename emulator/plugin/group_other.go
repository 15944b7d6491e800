//go:build !unix

package plugin

import (
	"errors"
	"os/exec"
	"syscall"
)

// ownGroup leaves cmd as it is: a connection that closes is what ends the
// program here.
func ownGroup(*exec.Cmd) {}

// signalGroup reports that groups can't be signalled here.
func signalGroup(int, syscall.Signal) error { return errors.ErrUnsupported }
