//go:build unix

package plugin

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
)

// newEndpoint returns an endpoint that the program inherits: one end of a pair of connected
// sockets. So there is no path to find or guess, and nothing to wait for.
func newEndpoint() (*endpoint, error) {
	// No process may start until both descriptors are close-on-exec.
	syscall.ForkLock.RLock()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|closeOnExec, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("create socket pair: %w", os.NewSyscallError("socketpair", err))
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "plugin"), os.NewFile(uintptr(pair[1]), "plugin")
	conn, err := net.FileConn(ours) // duplicates the descriptor
	_ = ours.Close()
	if err != nil {
		_ = theirs.Close()
		return nil, fmt.Errorf("open socket pair: %w", err)
	}
	return &endpoint{
		env:    envFD + "=3",
		file:   theirs,
		accept: func(context.Context) (net.Conn, error) { return conn, nil },
		close: func() {
			_ = conn.Close()
			_ = theirs.Close()
		},
	}, nil
}
