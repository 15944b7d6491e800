//go:build !unix

package durabletest

import "os/exec"

// standApart does nothing: there are no process groups.
func standApart(*exec.Cmd) {}
