package client

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"devtool.internal/emulator/control"
)

// Guard lets through to next only what comes from this machine and was not
// sent by a stranger's web page. It stands before everything below /cdn-cgi/
// and checks every request it is given, whatever its path: a page in the
// user's own browser is on the loopback interface too, so the remote address
// alone says little.
//
//   - The remote address must be a loopback address.
//   - Host must name this machine, or a page whose name was rebound to
//     127.0.0.1 could read the answers.
//   - Origin, which browsers add to whatever may change something, must be a
//     page of this very server.
//   - A request that the browser calls cross-site is refused.
//   - A body must be JSON, which no page can send elsewhere without asking
//     first; a plain form is refused.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := inspect(r); refused != nil {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.WriteHeader(refused.Code.Status())
			// The status says it already if this cannot be written.
			_ = json.NewEncoder(w).Encode(refused)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// inspect is nil for a request that may pass.
func inspect(r *http.Request) *control.Error {
	switch {
	case !isLoopback(r.RemoteAddr):
		return &control.Error{
			Code: control.CodeForbidden, Message: "Invalid remote address",
			Hint: "/cdn-cgi/ is for callers on the same machine",
		}
	case !isLocalHost(r.Host):
		return &control.Error{
			Code: control.CodeForbidden, Message: "Invalid Host header",
			Hint: "use localhost, 127.0.0.1 or [::1]",
		}
	case !isOwnOrigin(r):
		return &control.Error{
			Code: control.CodeForbidden, Message: "Invalid Origin header",
			Hint: "only pages of this server may use /cdn-cgi/",
		}
	case strings.EqualFold(r.Header.Get("Sec-Fetch-Site"), "cross-site"):
		return &control.Error{
			Code: control.CodeForbidden, Message: "Invalid Sec-Fetch-Site header",
			Hint: "other sites may not use /cdn-cgi/",
		}
	case r.ContentLength != 0 && r.Body != http.NoBody && !isJSON(r.Header):
		return &control.Error{
			Code: control.CodeMediaType, Message: "Invalid Content-Type header",
			Hint: "send the body as application/json",
		}
	}
	return nil
}

func isLoopback(remote string) bool {
	address, err := netip.ParseAddrPort(remote)
	return err == nil && address.Addr().Unmap().IsLoopback()
}

// isLocalHost reports whether a Host header, with or without a port, names
// this machine.
func isLocalHost(hostport string) bool {
	name, port, ok := splitHost(hostport)
	return ok && isLocalName(name) && (port == "" || isPort(port))
}

func isLocalName(name string) bool {
	switch name = strings.ToLower(name); name {
	case "localhost", "127.0.0.1", "[::1]":
		return true
	default:
		label, isSubdomain := strings.CutSuffix(name, ".localhost")
		return isSubdomain && label != ""
	}
}

// isOwnOrigin reports whether the request has no Origin, or that of a page of
// this machine on the port that the request itself came to.
func isOwnOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	origin, err := url.Parse(origins[0])
	if len(origins) > 1 || err != nil || origin.User != nil || origin.Path != "" || origin.RawQuery != "" {
		return false
	}
	if origin.Scheme != "http" && origin.Scheme != "https" {
		return false
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return isLocalHost(origin.Host) && portOf(origin.Host, origin.Scheme) == portOf(r.Host, scheme)
}

// portOf is the port of host, or the scheme's own when host has none.
func portOf(hostport, scheme string) string {
	if _, port, ok := splitHost(hostport); ok && port != "" {
		return port
	}
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// splitHost splits NAME or NAME:PORT; an IPv6 address keeps its brackets and
// must have them.
func splitHost(hostport string) (name, port string, ok bool) {
	if strings.HasSuffix(hostport, "]") || !strings.Contains(hostport, ":") {
		return hostport, "", true
	}
	name, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", "", false
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	return name, port, true
}

func isPort(port string) bool {
	for _, digit := range port {
		if digit < '0' || digit > '9' {
			return false
		}
	}
	return len(port) <= 5
}
