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

// Guard passes a request on to next only if it comes from this machine and not from another site's
// web page. It protects everything below /cdn-cgi/, and checks every request that it gets. The
// remote address alone is not enough: any page in the user's browser uses the loopback interface,
// too.
//
//   - The remote address must be a loopback address.
//   - Host must name this machine. Otherwise a page whose name was rebound to 127.0.0.1 could read
//     the answers.
//   - Origin, which browsers add to every request that may change something, must be a page of this
//     server.
//   - A request that the browser marks as coming from another server's page is refused. Such a page
//     may be of the same site: sites have no port, so all servers of localhost are one.
//   - A request of a handler is refused: whoever gives a URL to a handler that fetches it must not
//     reach more than they reach themselves.
//   - A body must be JSON: a page cannot send JSON to another site without a preflight request. A
//     plain form is refused.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := inspect(r); refused != nil {
			refuse(w, refused)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers a request with an error.
func refuse(w http.ResponseWriter, refused *control.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(refused.Code.Status())
	// If this cannot be written, the status still says it.
	_ = json.NewEncoder(w).Encode(refused)
}

// inspect returns why r is refused, or nil if it may pass.
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
			Hint: "use localhost or an address of the loopback interface, such as 127.0.0.1 or [::1]",
		}
	case !isOwnOrigin(r):
		return &control.Error{
			Code: control.CodeForbidden, Message: "Invalid Origin header",
			Hint: "only pages of this server may use /cdn-cgi/",
		}
	case !isOwnSite(r):
		return &control.Error{
			Code: control.CodeForbidden, Message: "Invalid Sec-Fetch-Site header",
			Hint: "pages of other servers may not use /cdn-cgi/, also those of this machine",
		}
	case len(r.Header.Values(control.HandlerHeader)) > 0:
		return &control.Error{
			Code: control.CodeForbidden, Message: "handlers may not use /cdn-cgi/",
			Hint: "the request has " + control.HandlerHeader + ", which marks the requests of a handler",
		}
	case r.ContentLength != 0 && r.Body != http.NoBody && !isJSON(r.Header):
		return &control.Error{
			Code: control.CodeMediaType, Message: "Invalid Content-Type header",
			Hint: "send the body as application/json",
		}
	}
	return nil
}

// isOwnSite reports whether a browser sends the request for a page of this server, or because its
// user typed the URL. Other clients do not send the header.
func isOwnSite(r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if !strings.EqualFold(site, "same-origin") && !strings.EqualFold(site, "none") {
			return false
		}
	}
	return true
}

func isLoopback(remote string) bool {
	address, err := netip.ParseAddrPort(remote)
	return err == nil && address.Addr().Unmap().IsLoopback()
}

// isLocalHost reports whether a Host header, with or without a port, names this machine.
func isLocalHost(hostport string) bool {
	name, port, ok := splitHost(hostport)
	return ok && isLocalName(name) && (port == "" || isPort(port))
}

// isLocalName reports whether name is localhost, a name below it, or an address of the loopback
// interface. No page of another site has such a name, because browsers resolve none of them.
func isLocalName(name string) bool {
	if isLocalhost(name) {
		return true
	}
	literal, inBrackets := strings.CutPrefix(name, "[")
	if inBrackets {
		literal = strings.TrimSuffix(literal, "]")
	}
	address, err := netip.ParseAddr(literal)
	return err == nil && address.Zone() == "" && address.Is6() == inBrackets && address.Unmap().IsLoopback()
}

// isLocalhost reports whether name is localhost, a name below it, or an address that it leads to.
func isLocalhost(name string) bool {
	switch name = strings.ToLower(name); name {
	case "localhost", "127.0.0.1", "[::1]":
		return true
	default:
		label, isSubdomain := strings.CutSuffix(name, ".localhost")
		return isSubdomain && label != ""
	}
}

// isOwnOrigin reports whether the request has no Origin, or that of a page with the port of the
// request itself, and with its host or as localhost.
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
	page, _, ok := splitHost(origin.Host)
	host, _, _ := splitHost(r.Host)
	return ok && (isLocalhost(page) || strings.EqualFold(page, host)) && isLocalHost(origin.Host) &&
		portOf(origin.Host, origin.Scheme) == portOf(r.Host, scheme)
}

// portOf returns the port of host, or the scheme's default port.
func portOf(hostport, scheme string) string {
	if _, port, ok := splitHost(hostport); ok && port != "" {
		return port
	}
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// splitHost splits NAME or NAME:PORT. An IPv6 address must have brackets, and keeps them.
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
