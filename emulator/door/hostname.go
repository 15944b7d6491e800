package door

import (
	"net"
	"strings"

	"golang.org/x/net/idna"
)

// lookup turns names into ASCII as browsers do: they allow underscores, for example.
var lookup = idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.CheckHyphens(false))

// asciiHost returns a host, with or without a port, as a browser writes it in a URL: in lower case,
// and in Punycode if it is not ASCII. A host that has no such form stays as it is.
func asciiHost(host string) string {
	for i := range len(host) {
		if host[i] < 0x80 {
			continue
		}
		name, port := host, ""
		if colon := strings.LastIndexByte(host, ':'); colon >= 0 {
			name, port = host[:colon], host[colon:]
		}
		if ascii, err := lookup.ToASCII(name); err == nil {
			return ascii + port
		}
		return host
	}
	return strings.ToLower(host)
}

// withoutPort returns host without its port, and an IPv6 address without its brackets.
func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// sameHost reports whether two hosts, with or without a port, are one for a URL of this scheme. A
// port that is the scheme's own, and a dot behind the name, make no difference.
func sameHost(scheme, a, b string) bool {
	return canonicalHost(scheme, a) == canonicalHost(scheme, b)
}

// canonicalHost returns a text that is the same for all hosts that sameHost takes for one.
func canonicalHost(scheme, host string) string {
	host = asciiHost(host)
	name, port := host, ""
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:colon], host[colon+1:]
	}
	for len(port) > 1 && port[0] == '0' {
		port = port[1:]
	}
	if own := map[string]string{"http": "80", "https": "443"}[scheme]; port == own {
		port = ""
	}
	return strings.TrimSuffix(name, ".") + ":" + port
}
