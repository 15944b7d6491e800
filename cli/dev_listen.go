package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"devtool.internal/config"
)

// Without a given port, dev tries the first port, and then that many after it.
const (
	defaultHost = "localhost"
	defaultPort = 8787
	morePorts   = 10
)

// localhost is both loopback addresses, as browsers and other clients try both for that name.
var localhost = []string{"127.0.0.1", "::1"}

// A frontDoor is where dev listens.
type frontDoor struct {
	listeners []net.Listener // all with the same port, and maybe one more for commands
	name      string         // the host in its URL; empty for the address of the first listener
}

func (d frontDoor) close() {
	for _, l := range d.listeners {
		l.Close()
	}
}

// listen opens the port of the flags or the configuration. Without one, it takes 8787, or the next
// free one after it, or any. It returns nothing but the error if there is one.
func listen(ctx context.Context, o devOptions, c config.Dev) (door frontDoor, err error) {
	host := cmp.Or(o.ip, c.IP, defaultHost)
	address, err := addressIn(host)
	if err != nil {
		return door, err
	}
	addresses := []string{address}
	if isLocalhost(host) {
		door.name, addresses = defaultHost, localhost
	}
	port, explicit := o.port, o.port != unsetPort
	if !explicit && c.HasPort {
		port, explicit = c.Port, true
	}
	switch {
	case explicit && (port < 0 || port > 65535):
		err = misuse("", "%d is not a port: they go from 0 to 65535", port)
	case explicit:
		door.listeners, err = listenAt(ctx, addresses, port)
	default:
		door.listeners, err = listenAtNext(ctx, addresses, defaultPort)
	}
	if err != nil {
		return frontDoor{}, err
	}
	forCommands, err := listenForCommands(ctx, door.listeners[0])
	if err != nil {
		door.close()
		return frontDoor{}, err
	}
	door.listeners = append(door.listeners, forCommands...)
	return door, nil
}

// isLocalhost reports whether host is the name localhost.
func isLocalhost(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), defaultHost)
}

// addressIn returns the address to listen on for host: all for *, and an IPv6 address without its
// brackets.
func addressIn(host string) (string, error) {
	if host == "*" {
		return "0.0.0.0", nil
	}
	inner, opened := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !opened && !closed {
		return host, nil
	}
	if address, err := netip.ParseAddr(inner); err != nil || !opened || !closed || !address.Is6() {
		return "", notAnAddress(host)
	}
	return inner, nil
}

func notAnAddress(host string) error {
	return misuse("give an address of this machine, localhost, or * for all",
		"%q is not an address to listen on", host)
}

// listenAtNext opens the first port from that one on that is free, or else any.
func listenAtNext(ctx context.Context, addresses []string, first int) ([]net.Listener, error) {
	for port := first; ; port++ {
		if port > first+morePorts {
			port = 0
		}
		listeners, err := listenAt(ctx, addresses, port)
		if taken := (*takenError)(nil); port == 0 || !errors.As(err, &taken) {
			return listeners, err
		}
	}
}

// anyPortTries is how many ports are tried until one is free at all addresses.
const anyPortTries = 50

// listenAt opens one port at all addresses, or any port if it is 0. If the machine lacks some of
// several addresses, it opens the port at the others. The error is a *takenError if the port is
// taken at one of them.
func listenAt(ctx context.Context, addresses []string, port int) ([]net.Listener, error) {
	for try := 0; ; try++ {
		listeners, err := listenOnce(ctx, addresses, port)
		taken := (*takenError)(nil)
		if port != 0 || try == anyPortTries || !errors.As(err, &taken) {
			return listeners, err
		}
	}
}

func listenOnce(ctx context.Context, addresses []string, port int) (listeners []net.Listener, err error) {
	defer func() {
		if err != nil {
			frontDoor{listeners: listeners}.close()
			listeners = nil
		}
	}()
	var listening net.ListenConfig
	var missing error
	for _, address := range addresses {
		l, err := listening.Listen(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		switch {
		case err == nil:
			listeners = append(listeners, l)
			port = l.Addr().(*net.TCPAddr).Port
		case errors.Is(err, errPortTaken):
			return listeners, &takenError{address, port}
		case len(addresses) == 1 || errors.Is(err, errPortForbidden) || ctx.Err() != nil:
			return listeners, explainListen(err, address, port)
		default: // a machine may have no IPv6, or no IPv4
			missing = cmp.Or(missing, explainListen(err, address, port))
		}
	}
	if len(listeners) == 0 {
		return nil, missing
	}
	return listeners, nil
}

// A takenError says that another program listens on a port.
type takenError struct {
	address string
	port    int
}

func (e *takenError) Error() string {
	return fmt.Sprintf("port %d on %s is taken", e.port, e.address)
}

// explainListen returns the error for an address on which dev can't listen.
func explainListen(err error, host string, port int) error {
	var unknown *net.DNSError
	var malformed *net.AddrError
	switch {
	case errors.As(err, &unknown), errors.As(err, &malformed):
		return notAnAddress(host)
	case errors.Is(err, errNoSuchAddress):
		return failure("--ip '*' listens on all addresses", "this machine does not have the address %s", host)
	case errors.Is(err, errPortForbidden):
		return failure("choose one from 1024 on with --port", "port %d is for privileged processes", port)
	}
	return fmt.Errorf("listen: %w", err)
}

// listenForCommands opens a port on the loopback interface, the same one if it is free, for
// commands on this machine. It opens none if front serves the loopback interface already.
func listenForCommands(ctx context.Context, front net.Listener) ([]net.Listener, error) {
	at, ok := front.Addr().(*net.TCPAddr)
	if !ok || at.IP.IsLoopback() || at.IP.IsUnspecified() {
		return nil, nil
	}
	listeners, err := listenAt(ctx, localhost[:1], at.Port)
	if taken := (*takenError)(nil); errors.As(err, &taken) {
		listeners, err = listenAt(ctx, localhost[:1], 0)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for commands: %w", err)
	}
	return listeners, nil
}
