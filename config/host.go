package config

import (
	"net/url"
	"regexp"
	"strings"
)

var hostPattern = regexp.MustCompile(`^([\p{L}\p{N}._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// IsHost reports whether s is the name of a host, or its address, with or without a port.
func IsHost(s string) bool { return hostPattern.MatchString(s) }

// validHost takes what stands between the scheme and the path of a URL. An empty one counts as absent.
func validHost(n *node) *complaint {
	if n.text == "" || IsHost(n.text) {
		return nil
	}
	hint := ""
	if u, err := url.Parse(n.text); err == nil && IsHost(u.Host) {
		hint = "write " + quote(u.Host)
	}
	return &complaint{id: "invalid-host", message: "must be the name of a host, not " + quote(n.text), hint: hint}
}

// hostOfRoute returns the host that a route is for, as wrangler understands it for its dev server: without the wildcards,
// and "" if there is nothing else.
func hostOfRoute(pattern string) string {
	_, rest, hasScheme := strings.Cut(pattern, "://")
	if !hasScheme {
		rest = pattern
	}
	host, _, _ := strings.Cut(rest, "/")
	host = strings.ReplaceAll(strings.ReplaceAll(host, "*.", ""), "*", "")
	if !IsHost(host) {
		return ""
	}
	return host
}
