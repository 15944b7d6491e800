package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"devtool.internal/config"
)

// Without a given port, dev tries the first port, and then that many after it.
const (
	defaultHost = "localhost"
	defaultPort = 8787
	morePorts   = 10
)

// listen opens the port of the flags or the configuration. Without one, it takes 8787, or the next
// free one after it, or any.
func listen(ctx context.Context, o devOptions, c config.Dev) (net.Listener, error) {
	host := cmp.Or(o.ip, c.IP, defaultHost)
	switch host {
	case "localhost":
		host = "127.0.0.1"
	case "*":
		host = "0.0.0.0"
	}
	port, explicit := o.port, o.port != unsetPort
	if !explicit && c.HasPort {
		port, explicit = c.Port, true
	}
	if explicit && (port < 0 || port > 65535) {
		return nil, misuse("", "%d is not a port: they go from 0 to 65535", port)
	}
	var listening net.ListenConfig
	if explicit {
		l, err := listening.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, failure("stop what listens there, or choose another with --port (0 takes any)",
				"port %d on %s is taken", port, host)
		}
		if err != nil {
			return nil, explainListen(err, host, port)
		}
		return l, nil
	}
	for port := defaultPort; ; port++ {
		if port > defaultPort+morePorts {
			port = 0
		}
		l, err := listening.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return l, nil
		}
		if port == 0 || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, explainListen(err, host, port)
		}
	}
}

// explainListen returns the error for an address on which dev can't listen.
func explainListen(err error, host string, port int) error {
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return misuse("give an address of this machine, localhost, or * for all",
			"%q is not an address to listen on", host)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return failure("--ip '*' listens on all addresses", "this machine does not have the address %s", host)
	case errors.Is(err, syscall.EACCES):
		return failure("choose one from 1024 on with --port", "port %d is for privileged processes", port)
	}
	return fmt.Errorf("listen: %w", err)
}

// listenLocally opens a port on the loopback, the same one if it is free, for commands on this
// machine. It returns nil if listener already serves the loopback.
func listenLocally(ctx context.Context, listener net.Listener) (net.Listener, error) {
	at, ok := listener.Addr().(*net.TCPAddr)
	if !ok || at.IP.IsLoopback() || at.IP.IsUnspecified() {
		return nil, nil
	}
	var listening net.ListenConfig
	local, err := listening.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		local, err = listening.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen for commands: %w", err)
	}
	return local, nil
}
