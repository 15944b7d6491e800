//go:build !unix

package plugin

import (
	"errors"
	"os/exec"
	"syscall"
)

// ownGroup leaves cmd as it is: on this system, closing the connection is what ends the program.
func ownGroup(*exec.Cmd) {}

// signalGroup returns an error: this system can't signal groups.
func signalGroup(int, syscall.Signal) error { return errors.ErrUnsupported }
