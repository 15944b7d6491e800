package door

import (
	"cmp"
	"net"
	"net/http"
	"net/textproto"
	"strings"

	"devtool.internal/durable/wire"
)

// Headers with URLs are rewritten where client and worker see different origins of the same server:
// the client the outer one, such as http://localhost:8787, and the worker the inner one, such as
// http://shop.example.
//
// Only the headers of the two tables are touched, and in them only URLs whose origin is exactly the
// one to replace: scheme, host and port. Everything else stays as it is, byte for byte.

// An originRewrite rewrites the headers of one request and its response. The zero value rewrites
// nothing.
type originRewrite struct{ outer, inner Origin }

// rewriteFor returns the rewriting for request r to a worker that sees the origin inner.
func (d *Door) rewriteFor(r *http.Request, inner Origin) originRewrite {
	outer := Origin{d.Scheme, r.Host}
	inner.host = cmp.Or(inner.host, outer.host)
	if outer == inner || outer.host == "" {
		return originRewrite{}
	}
	return originRewrite{outer, inner}
}

// A valueRewrite rewrites the value of a header. rewrite rewrites one URL.
type valueRewrite func(value string, rewrite func(string) string) string

// The headers of requests and responses that have URLs of this server.
var (
	requestURLs = map[string]valueRewrite{
		"Origin":           wholeValue,
		"Referer":          wholeValue,
		"Content-Location": wholeValue,
		"Destination":      wholeValue, // of WebDAV
		"Ping-From":        wholeValue, // of a browser's hyperlink auditing
		"Ping-To":          wholeValue,
		"Link":             linkTargets,
	}
	responseURLs = map[string]valueRewrite{
		"Location":                            wholeValue,
		"Content-Location":                    wholeValue,
		"Refresh":                             refreshTarget,
		"Link":                                linkTargets,
		"Sourcemap":                           wholeValue,
		"X-Sourcemap":                         wholeValue,
		"Access-Control-Allow-Origin":         wholeValue,
		"Timing-Allow-Origin":                 words,
		"Content-Security-Policy":             words,
		"Content-Security-Policy-Report-Only": words,
	}
)

// request replaces the outer origin in a request's headers, such as Origin and Referer, by the
// inner one.
func (w originRewrite) request(h http.Header) {
	if w == (originRewrite{}) {
		return
	}
	rewrite := func(url string) string { return rewriteURL(url, w.outer, w.inner) }
	for name, in := range requestURLs {
		values := h[name]
		for i := range values {
			values[i] = in(values[i], rewrite)
		}
	}
}

// response replaces the inner origin in a response's headers, such as Location, by the outer one,
// and moves cookies to the outer host. It changes fields in place.
func (w originRewrite) response(fields []wire.Field) {
	if w == (originRewrite{}) {
		return
	}
	rewrite := func(url string) string { return rewriteURL(url, w.inner, w.outer) }
	for i := range fields {
		f := &fields[i]
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if in := responseURLs[name]; in != nil {
			f.Value = in(f.Value, rewrite)
		} else if name == "Set-Cookie" {
			f.Value = rehost(f.Value, withoutPort(w.inner.host), withoutPort(w.outer.host))
		}
	}
}

// rewriteURL returns url with the origin to if its origin is from. A URL that leaves out its scheme
// has the one of the page, so that is from's. User, path, query and fragment stay.
func rewriteURL(url string, from, to Origin) string {
	scheme, rest, ok := strings.Cut(url, "//")
	if !ok || scheme != "" && !strings.EqualFold(scheme, from.scheme+":") {
		return url
	}
	end := strings.IndexAny(rest, `/\?#`)
	if end < 0 {
		end = len(rest)
	}
	user, host := "", rest[:end]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		user, host = host[:at+1], host[at+1:]
	}
	if host == "" || !sameHost(from.scheme, host, from.host) {
		return url
	}
	if scheme != "" {
		scheme = to.scheme + ":"
	}
	return scheme + "//" + user + to.host + rest[end:]
}

// wholeValue is a header that is a URL. net/http sends it without the spaces around it.
func wholeValue(value string, rewrite func(string) string) string {
	url := textproto.TrimString(value)
	if rewritten := rewrite(url); rewritten != url {
		return rewritten
	}
	return value
}

// words is a header with URLs between spaces, commas and semicolons.
func words(value string, rewrite func(string) string) string {
	var b strings.Builder
	for value != "" {
		end := strings.IndexAny(value, " \t,;")
		if end < 0 {
			end = len(value)
		}
		b.WriteString(rewrite(value[:end]))
		if value = value[end:]; value != "" {
			b.WriteByte(value[0])
			value = value[1:]
		}
	}
	return b.String()
}

// refreshTarget is the header Refresh: seconds, and perhaps a URL as in "5; url=/next".
func refreshTarget(value string, rewrite func(string) string) string {
	start := strings.IndexAny(value, ";,")
	if start < 0 {
		return value
	}
	start++
	space := func() {
		for start < len(value) && (value[start] == ' ' || value[start] == '\t') {
			start++
		}
	}
	space()
	if len(value)-start >= 3 && strings.EqualFold(value[start:start+3], "url") {
		before := start
		start += 3
		space()
		if start < len(value) && value[start] == '=' {
			start++
			space()
		} else {
			start = before
		}
	}
	end := len(value)
	if start < end && (value[start] == '"' || value[start] == '\'') {
		if closing := strings.IndexByte(value[start+1:], value[start]); closing >= 0 {
			end = start + 1 + closing
		}
		start++
	}
	return value[:start] + rewrite(value[start:end]) + value[end:]
}

// linkTargets is the header Link: <URL>; rel="next"; anchor="URL", <URL>.
func linkTargets(value string, rewrite func(string) string) string {
	var b strings.Builder
	for value != "" {
		start := strings.IndexAny(value, `<"`)
		if start < 0 {
			break
		}
		before, closing := value[:start+1], byte('>')
		if value[start] == '"' {
			closing = '"'
		}
		length := quotedLength(value[start+1:], closing)
		if length < 0 {
			break
		}
		inside := value[start+1 : start+1+length]
		if closing == '>' || strings.HasSuffix(strings.ToLower(strings.TrimSpace(before)), `anchor="`) {
			inside = rewrite(inside)
		}
		b.WriteString(before + inside)
		value = value[start+1+length:]
		b.WriteByte(value[0])
		value = value[1:]
	}
	return b.String() + value
}

// quotedLength returns where in text the closing character stands, or -1. In a quoted text, a
// backslash escapes the next character.
func quotedLength(text string, closing byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == closing:
			return i
		case text[i] == '\\' && closing == '"':
			i++
		}
	}
	return -1
}

// rehost replaces the Domain of a cookie by to, if it is from. Clients do not agree on how an IPv6
// address is written there, so for one the cookie loses its Domain, which means the same.
func rehost(cookie, from, to string) string {
	attributes := strings.Split(cookie, ";")
	kept := attributes[:0]
	for i, a := range attributes {
		name, value, _ := strings.Cut(a, "=")
		domain := strings.TrimPrefix(strings.TrimSpace(value), ".")
		if i > 0 && strings.EqualFold(strings.TrimSpace(name), "Domain") && sameHost("", domain, from) {
			if ip := net.ParseIP(to); ip != nil && ip.To4() == nil {
				continue
			}
			a = name + "=" + to
		}
		kept = append(kept, a)
	}
	return strings.Join(kept, ";")
}
