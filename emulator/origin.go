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

// What the worker believes about the requests that come in at the front door: where it is reached, and what the
// platform tells it of the client.

// An origin is the part of a URL before the path.
type origin struct{ scheme, host string }

func (o origin) String() string { return o.scheme + "://" + o.host }

// originOf returns where the worker believes to be. Its host is empty if the configuration says nothing of one: then it
// is that of each request.
func (e *Emulator) originOf(c *config.Config) origin {
	return origin{
		scheme: cmp.Or(e.options.UpstreamProtocol, c.Dev.UpstreamProtocol, e.scheme()),
		host:   cmp.Or(e.options.Host, c.Dev.Host),
	}
}

// scheme is that of the front door.
func (e *Emulator) scheme() string {
	if e.options.TLS != nil {
		return "https"
	}
	return "http"
}

// A disguise has client and worker believe in different origins, both of them the same server.
// It is the zero one if they don't differ.
type disguise struct{ outer, inner origin }

// disguise returns that of the request r to a worker that believes to be at inner.
func (e frontDoor) disguise(r *http.Request, inner origin) disguise {
	outer := origin{e.scheme(), r.Host}
	inner.host = cmp.Or(inner.host, outer.host)
	if outer == inner || outer.host == "" {
		return disguise{}
	}
	return disguise{outer, inner}
}

// request has the headers of a request, such as Origin and Referer, speak of the inner origin.
func (d disguise) request(h http.Header) {
	if d == (disguise{}) {
		return
	}
	renamed := strings.NewReplacer(d.outer.String(), d.inner.String(), d.outer.host, d.inner.host)
	for _, values := range h {
		for i := range values {
			values[i] = renamed.Replace(values[i])
		}
	}
}

// response has the headers of a response, such as Location, speak of the outer origin, and cookies be for its host.
// Fields are the emulator's own, and so is their text.
func (d disguise) response(fields []wire.Field) {
	if d == (disguise{}) {
		return
	}
	renamed := strings.NewReplacer(d.inner.String(), d.outer.String(), d.inner.host, d.outer.host)
	for i := range fields {
		f := &fields[i]
		if strings.EqualFold(f.Name, "Set-Cookie") {
			f.Value = rehost(f.Value, hostname(d.inner.host), hostname(d.outer.host))
			continue
		}
		f.Value = renamed.Replace(f.Value)
	}
}

// rehost gives a cookie for the host from to the host to.
func rehost(cookie, from, to string) string {
	attributes := strings.Split(cookie, ";")
	for i, a := range attributes {
		name, value, _ := strings.Cut(a, "=")
		if i > 0 && strings.EqualFold(strings.TrimSpace(name), "Domain") && strings.EqualFold(strings.TrimPrefix(strings.TrimSpace(value), "."), from) {
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

// introduce adds the headers in which the platform tells the worker about the client. What the client says of itself
// stands, for that is how a test says where a request is from; wrangler's local server has it so, too.
func introduce(h http.Header, remoteAddr, scheme string) {
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
