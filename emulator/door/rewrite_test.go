package door

import (
	"net/http"
	"strings"
	"testing"

	"devtool.internal/durable/wire"
)

// shop is the rewriting of a project with the route example.com/*.
var shop = originRewrite{outer: Origin{"http", "localhost:8787"}, inner: Origin{"http", "example.com"}}

// inResponse returns the value of a response's header after the rewriting.
func (w originRewrite) inResponse(name, value string) string {
	fields := []wire.Field{{Name: name, Value: value}}
	w.response(fields)
	return fields[0].Value
}

// inRequest returns the value of a request's header after the rewriting.
func (w originRewrite) inRequest(name, value string) string {
	h := http.Header{name: {value}}
	w.request(h)
	return h[name][0]
}

func TestURLsInResponsesLeadToTheFrontDoor(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"Location", "http://example.com", "http://localhost:8787"},
		{"Location", "http://example.com/a?b=http://example.com/#c", "http://localhost:8787/a?b=http://example.com/#c"},
		{"location", "HTTP://Example.COM/A", "http://localhost:8787/A"},
		{"Location", "http://example.com:80/a", "http://localhost:8787/a"},
		{"Location", "http://example.com:080/a", "http://localhost:8787/a"},
		{"Location", " \thttp://example.com/a ", "http://localhost:8787/a"},
		{"Location", "http://example.com./a", "http://localhost:8787/a"},
		{"Location", "http://user:p%40ss@example.com/a", "http://user:p%40ss@localhost:8787/a"},
		{"Location", "//example.com/a", "//localhost:8787/a"},
		{"Location", "http://example.com?a", "http://localhost:8787?a"},
		{"Content-Location", "http://example.com/a.json", "http://localhost:8787/a.json"},
		{"Refresh", "5; url=http://example.com/a", "5; url=http://localhost:8787/a"},
		{"Refresh", "0;URL='http://example.com/a'", "0;URL='http://localhost:8787/a'"},
		{"Refresh", `1, "http://example.com/a" more`, `1, "http://localhost:8787/a" more`},
		{"Link", `<http://example.com/a>; rel="next", </b>`, `<http://localhost:8787/a>; rel="next", </b>`},
		{
			"Link", `</a>; title="x \" <http://example.com/b>"; anchor="http://example.com/c", <http://example.com/d>`,
			`</a>; title="x \" <http://example.com/b>"; anchor="http://localhost:8787/c", <http://localhost:8787/d>`,
		},
		{"SourceMap", "http://example.com/a.map", "http://localhost:8787/a.map"},
		{"Access-Control-Allow-Origin", "http://example.com", "http://localhost:8787"},
		{"Timing-Allow-Origin", "http://a.test, http://example.com", "http://a.test, http://localhost:8787"},
		{
			"Content-Security-Policy", "default-src 'self' http://example.com; img-src http://cdn.example.com",
			"default-src 'self' http://localhost:8787; img-src http://cdn.example.com",
		},
		{"Set-Cookie", "a=example.com; Domain=example.com; Path=/", "a=example.com; Domain=localhost; Path=/"},
		{"set-cookie", "a=b;domain=.Example.Com", "a=b;domain=localhost"},
	} {
		if got := shop.inResponse(test.name, test.value); got != test.want {
			t.Errorf("%s: %s\n got %s\nwant %s", test.name, test.value, got, test.want)
		}
	}
}

func TestOtherValuesOfResponsesStayAsTheyAre(t *testing.T) {
	for name, values := range map[string][]string{
		"Location": {
			"/a", "a", "", "?http://example.com", "/a//example.com/b", "http:/example.com", "http:example.com/a",
			"https://example.com/a", "http://books.example.com/read", "http://myexample.com/",
			"http://example.com.evil.test/", "http://example.com:8080/", "http://example.com@evil.test/",
			"http://example.comx/", "http://example.co/", "ftp://example.com/", "//books.example.com/",
			"http://evil.test/?to=http://example.com/", "http://[::1]/", "http://exam%70le.com/", "http://",
			"mailto:a@example.com", "javascript:'http://example.com'", `http://evil.test\@example.com/`,
		},
		"Content-Disposition":     {`attachment; filename="http://example.com.txt"`, `filename=example.com`},
		"Etag":                    {`"http://example.com/a"`, `W/"example.com"`},
		"X-Anything":              {"http://example.com/", "example.com"},
		"Content-Security-Policy": {"default-src example.com https://example.com http://example.com:*", "'nonce-x'"},
		"Refresh":                 {"5", "5; url=/a", "5; url=https://example.com/", "5; urls=http://example.com/"},
		"Link": {
			`<http://a.test/?http://example.com>`, `<http://example.com`, `"<http://example.com>`,
		},
		"Set-Cookie": {
			"Domain=example.com", "a=b; Domain=com", "a=b; Domain=books.example.com", "a=http://example.com",
		},
		"Access-Control-Expose":     {"http://example.com"},
		"Www-Authenticate":          {`Basic realm="http://example.com"`},
		"Strict-Transport-Security": {"max-age=1"},
	} {
		for _, value := range values {
			if got := shop.inResponse(name, value); got != value {
				t.Errorf("%s: %s\n got %s", name, value, got)
			}
		}
	}
}

func TestURLsInRequestsAreThoseThatTheWorkerKnows(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"Origin", "http://localhost:8787", "http://example.com"},
		{"Origin", "http://LOCALHOST:8787", "http://example.com"},
		{
			"Referer", "http://localhost:8787/a?to=http://localhost:8787/b",
			"http://example.com/a?to=http://localhost:8787/b",
		},
		{"Destination", "http://localhost:8787/new", "http://example.com/new"},
		{"Origin", "null", "null"},
		{"Origin", "https://localhost:8787", "https://localhost:8787"},
		{"Origin", "http://localhost", "http://localhost"},
		{"Origin", "http://localhost:87870", "http://localhost:87870"},
		{"Referer", "http://app.localhost:8787/", "http://app.localhost:8787/"},
		{"Cookie", "to=http://localhost:8787/; host=localhost:8787", "to=http://localhost:8787/; host=localhost:8787"},
		{"X-Forwarded-Host", "localhost:8787", "localhost:8787"},
		{"If-None-Match", `"http://localhost:8787"`, `"http://localhost:8787"`},
		{"Authorization", "Bearer http://localhost:8787", "Bearer http://localhost:8787"},
	} {
		if got := shop.inRequest(test.name, test.value); got != test.want {
			t.Errorf("%s: %s\n got %s\nwant %s", test.name, test.value, got, test.want)
		}
	}
}

func TestOriginsAreComparedAsBrowsersDo(t *testing.T) {
	local := Origin{"http", "localhost:1"}
	for _, test := range []struct {
		outer, inner Origin
		value, want  string
	}{
		{local, Origin{"https", "example.com"}, "https://example.com:443/", "http://localhost:1/"},
		{local, Origin{"https", "example.com"}, "http://example.com/", "http://example.com/"},
		{
			Origin{"https", "localhost:1"}, Origin{"https", "example.com"},
			"https://example.com/", "https://localhost:1/",
		},
		{local, Origin{"http", "xn--bcher-kva.example"}, "http://Bücher.example/", "http://localhost:1/"},
		{local, Origin{"http", "bücher.example"}, "http://XN--BCHER-KVA.example/", "http://localhost:1/"},
		{local, Origin{"http", "my_shop.example"}, "http://my_shop.example/", "http://localhost:1/"},
		{local, Origin{"http", "example.com:81"}, "http://example.com/", "http://example.com/"},
		{Origin{"http", "[::1]:1"}, Origin{"http", "example.com"}, "http://example.com/", "http://[::1]:1/"},
		{Origin{"http", "shop.test"}, Origin{"http", "dev.shop.test"}, "http://dev.shop.test/", "http://shop.test/"},
		{local, Origin{"https", "localhost:1"}, "https://localhost:1/a", "http://localhost:1/a"},
		{Origin{}, Origin{}, "http://example.com/", "http://example.com/"},
	} {
		w := originRewrite{test.outer, test.inner}
		if got := w.inResponse("Location", test.value); got != test.want {
			t.Errorf("%v: %s: got %s, want %s", w, test.value, got, test.want)
		}
	}
	v6 := originRewrite{Origin{"http", "[::1]:8787"}, Origin{"http", "example.com"}}
	if got, want := v6.inResponse("Set-Cookie", "a=b; Domain=example.com; Path=/"), "a=b; Path=/"; got != want {
		t.Errorf("cookie for an IPv6 address: got %s, want %s", got, want)
	}
}

// A value that does not have the origin stays as it is, whatever the header.
func FuzzValuesWithoutTheOriginAreUnchanged(f *testing.F) {
	for _, value := range []string{
		"", "/a", "//b", "http://books.%/", `</a>; rel="x \" <b>"`, "5; url='", "a=b; Domain=%",
		"default-src %", `"<`, "%20\x00\xff",
	} {
		f.Add(value, "x.", uint8(0))
	}
	var names []string
	for name := range responseURLs {
		names = append(names, name)
	}
	for name := range requestURLs {
		names = append(names, name)
	}
	names = append(names, "Set-Cookie", "Cookie", "Etag")
	f.Fuzz(func(t *testing.T, value, label string, n uint8) {
		// Each % stands for a URL of a host below the one to replace.
		for _, host := range []string{"example.com", "localhost:8787"} {
			other := "http://x" + strings.Map(lettersOnly, label) + host
			value := strings.ReplaceAll(value, host, "")
			value = strings.ReplaceAll(value, "%", other)
			if strings.Contains(strings.ReplaceAll(asciiHost(value), asciiHost(other), ""), host) {
				return // it arose from the pieces
			}
			name := names[int(n)%len(names)]
			if got := shop.inResponse(name, value); got != value {
				t.Errorf("response, %s: %q became %q", name, value, got)
			}
			if got := shop.inRequest(name, value); got != value {
				t.Errorf("request, %s: %q became %q", name, value, got)
			}
		}
	})
}

func lettersOnly(r rune) rune {
	if r >= 'a' && r <= 'z' || r == '.' {
		return r
	}
	return -1
}
