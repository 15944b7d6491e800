package emulator

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"

	"devtool.internal/config"
	"devtool.internal/durable/wire"
)

// What the worker sees of the requests that come in at the front door: the origin of their URLs,
// and the headers in which the platform describes the client.

// An origin is the part of a URL before the path.
type origin struct{ scheme, host string }

func (o origin) String() string { return o.scheme + "://" + o.host }

// originOf returns the origin in the URLs that the worker sees. Its host is empty if neither option
// nor configuration names one: then each request's own host counts.
func (e *Emulator) originOf(c *config.Config) origin {
	return origin{
		scheme: cmp.Or(e.options.UpstreamProtocol, c.Dev.UpstreamProtocol, e.scheme()),
		host:   cmp.Or(e.options.Host, c.Dev.Host),
	}
}

// scheme returns the scheme of the front door.
func (e *Emulator) scheme() string {
	if e.options.TLS != nil {
		return "https"
	}
	return "http"
}

// An originRewrite rewrites headers where client and worker see different origins of the same
// server: the client the outer one, the worker the inner one. The zero value rewrites nothing.
type originRewrite struct{ outer, inner origin }

// rewriteFor returns the rewriting for request r to a worker that sees the origin inner.
func (e frontDoor) rewriteFor(r *http.Request, inner origin) originRewrite {
	outer := origin{e.scheme(), r.Host}
	inner.host = cmp.Or(inner.host, outer.host)
	if outer == inner || outer.host == "" {
		return originRewrite{}
	}
	return originRewrite{outer, inner}
}

// request replaces the outer origin in a request's headers, such as Origin and Referer, by the
// inner one.
func (w originRewrite) request(h http.Header) {
	if w == (originRewrite{}) {
		return
	}
	renamed := strings.NewReplacer(w.outer.String(), w.inner.String(), w.outer.host, w.inner.host)
	for _, values := range h {
		for i := range values {
			values[i] = renamed.Replace(values[i])
		}
	}
}

// response replaces the inner origin in a response's headers, such as Location, by the outer one,
// and moves cookies to the outer host. It changes fields in place.
func (w originRewrite) response(fields []wire.Field) {
	if w == (originRewrite{}) {
		return
	}
	renamed := strings.NewReplacer(w.inner.String(), w.outer.String(), w.inner.host, w.outer.host)
	for i := range fields {
		f := &fields[i]
		if strings.EqualFold(f.Name, "Set-Cookie") {
			f.Value = rehost(f.Value, hostname(w.inner.host), hostname(w.outer.host))
			continue
		}
		f.Value = renamed.Replace(f.Value)
	}
}

// rehost replaces the Domain of a cookie by to, if it is from.
func rehost(cookie, from, to string) string {
	attributes := strings.Split(cookie, ";")
	for i, a := range attributes {
		name, value, _ := strings.Cut(a, "=")
		isDomain := i > 0 && strings.EqualFold(strings.TrimSpace(name), "Domain")
		if isDomain && strings.EqualFold(strings.TrimPrefix(strings.TrimSpace(value), "."), from) {
			attributes[i] = name + "=" + to
		}
	}
	return strings.Join(attributes, ";")
}

// hostname returns host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// describeClient adds the headers in which the platform describes the client to the worker. Headers
// that the client sets itself stay, so that a test can say where a request comes from. wrangler's
// local server does the same.
func describeClient(h http.Header, remoteAddr, scheme string) {
	ip, _, _ := strings.Cut(hostname(remoteAddr), "%")
	ip = cmp.Or(h.Get("Cf-Connecting-Ip"), ip)
	for _, f := range [...]wire.Field{
		{Name: "Cf-Connecting-Ip", Value: ip},
		{Name: "X-Real-Ip", Value: ip},
		{Name: "Cf-Ipcountry", Value: "XX"}, // the platform's name for a country that it does not know
		{Name: "Cf-Visitor", Value: `{"scheme":"` + scheme + `"}`},
		{Name: "X-Forwarded-Proto", Value: scheme},
	} {
		if h[f.Name] == nil {
			h[f.Name] = []string{f.Value}
		}
	}
	if h["Cf-Ray"] == nil {
		h["Cf-Ray"] = []string{fmt.Sprintf("%016x", rand.Uint64())}
	}
}
