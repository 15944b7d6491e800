package config

import (
	"net/url"
	"regexp"
	"strings"
)

var hostPattern = regexp.MustCompile(`^([\p{L}\p{N}._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// IsHost reports whether s is a host name or address, with or without a port.
func IsHost(s string) bool { return hostPattern.MatchString(s) }

// validHost accepts what may stand between the scheme and the path of a URL. An empty string counts
// as absent.
func validHost(n *node) *complaint {
	if n.text == "" || IsHost(n.text) {
		return nil
	}
	hint := ""
	if u, err := url.Parse(n.text); err == nil && IsHost(u.Host) {
		hint = "write " + quote(u.Host)
	}
	return &complaint{id: "invalid-host", message: "must be a host name or address, not " + quote(n.text), hint: hint}
}

// hostOfRoute returns the host of a route as wrangler's dev server understands it: without
// wildcards, and "" if nothing else is left.
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
