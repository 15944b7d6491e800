package door

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"devtool.internal/durable/wire"
)

// What the worker sees of the requests that come in at the front door: the origin of their URLs,
// and the headers in which the platform describes the client.

// An Origin is the part of a URL before the path.
type Origin struct{ scheme, host string }

func (o Origin) String() string { return o.scheme + "://" + o.host }

// NewOrigin returns the origin with this scheme and host, which may have a port. An empty host
// means that of each request.
func NewOrigin(scheme, host string) Origin { return Origin{scheme, asciiHost(host)} }

// describeClient adds the headers in which the platform describes the client to the worker. Headers
// that the client sets itself stay, so that a test can say where a request comes from. wrangler's
// local server does the same.
func describeClient(h http.Header, remoteAddr, scheme string) {
	ip, _, _ := strings.Cut(withoutPort(remoteAddr), "%")
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
