package emulator

import (
	"cmp"
	"net"
	"net/url"
	"strconv"
)

// Where the emulator is reached: by people and their clients (URL), and by commands (controlURL).

// frontDoors returns the listeners of all front doors.
func (o *Options) frontDoors() []net.Listener {
	if o.Listener == nil {
		return o.Others
	}
	return append([]net.Listener{o.Listener}, o.Others...)
}

// URL returns the front door's URL, or empty if there is no front door.
func (e *Emulator) URL() string {
	if len(e.listeners) == 0 {
		return ""
	}
	at, name := addressOf(e.listeners[0]), e.options.Name
	if name == "" && at.IP.IsUnspecified() {
		name = "localhost"
	}
	return e.urlAt(cmp.Or(name, reachable(at)), at.Port)
}

// controlURL returns the URL of the control API for commands on this machine. It has an address,
// because a name such as localhost may lead to another server that has the same port.
func (e *Emulator) controlURL() string {
	for _, l := range e.listeners {
		if at := addressOf(l); at.IP.IsLoopback() || at.IP.IsUnspecified() {
			return e.urlAt(reachable(at), at.Port)
		}
	}
	return e.URL()
}

func addressOf(l net.Listener) *net.TCPAddr { return l.Addr().(*net.TCPAddr) }

// reachable returns the address at which a client on this machine reaches a listener at address at:
// for all addresses, that of the loopback interface.
func reachable(at *net.TCPAddr) string {
	if at.IP.IsUnspecified() {
		return "127.0.0.1"
	}
	if at.Zone != "" {
		return at.IP.String() + "%" + at.Zone
	}
	return at.IP.String()
}

func (e *Emulator) urlAt(host string, port int) string {
	u := url.URL{Scheme: e.scheme(), Host: net.JoinHostPort(host, strconv.Itoa(port))}
	return u.String() // which escapes the % of a zone
}
