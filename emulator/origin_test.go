package emulator

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"devtool.internal/config"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

func TestTheWorkerSeesTheConfiguredOrigin(t *testing.T) {
	for name, test := range map[string]struct {
		options  Options
		dev      config.Dev
		url      string
		protocol string
	}{
		"the default": {
			url:      "http://127.0.0.1:1/a?b=c",
			protocol: "http",
		},
		"a host": {
			dev:      config.Dev{Host: "shop.example"},
			url:      "http://shop.example/a?b=c",
			protocol: "http",
		},
		"a host in the options overrides it": {
			options:  Options{Host: "a.example:81"},
			dev:      config.Dev{Host: "shop.example"},
			url:      "http://a.example:81/a?b=c",
			protocol: "http",
		},
		"a protocol": {
			dev:      config.Dev{UpstreamProtocol: "https"},
			url:      "https://127.0.0.1:1/a?b=c",
			protocol: "https",
		},
		"a protocol in the options overrides it": {
			options:  Options{UpstreamProtocol: "http"},
			dev:      config.Dev{UpstreamProtocol: "https"},
			url:      "http://127.0.0.1:1/a?b=c",
			protocol: "http",
		},
		"the front door's protocol changes nothing": {
			dev:      config.Dev{LocalProtocol: "https"},
			url:      "http://127.0.0.1:1/a?b=c",
			protocol: "http",
		},
		"a host and a protocol": {
			dev:      config.Dev{Host: "shop.example", UpstreamProtocol: "https"},
			url:      "https://shop.example/a?b=c",
			protocol: "https",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var seen wire.Request
			s := scripted.New(handlers{"worker": func(c *call) (string, error) {
				var m wire.Fetch
				err := wire.Decode(c.Stream.Message, &m)
				seen = m.Request
				return "", err
			}})
			w := newWorld(t, s)
			w.options.Host, w.options.UpstreamProtocol = test.options.Host, test.options.UpstreamProtocol
			at := w.originOf(&config.Config{Dev: test.dev})
			w.mu.Lock()
			w.settings.origin = at
			w.mu.Unlock()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/a?b=c", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "127.0.0.1:1"
			resp, err := w.server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if seen.URL != test.url || !strings.HasPrefix(test.url, test.protocol+"://"+seen.Host+"/") {
				t.Errorf("got URL %s and host %s, want %s", seen.URL, seen.Host, test.url)
			}
			h := wire.Header(seen.Header)
			for name, want := range map[string]string{
				"CF-Connecting-IP":  `^127\.0\.0\.1$`,
				"X-Real-IP":         `^127\.0\.0\.1$`,
				"CF-IPCountry":      "^XX$",
				"CF-Ray":            "^[0-9a-f]{16}$",
				"CF-Visitor":        `^{"scheme":"` + test.protocol + `"}$`,
				"X-Forwarded-Proto": "^" + test.protocol + "$",
			} {
				if got := strings.Join(h.Values(name), "|"); !regexp.MustCompile(want).MatchString(got) {
					t.Errorf("%s: got %q, want %s", name, got, want)
				}
			}
		})
	}
}

func TestHeadersThatTheClientSetAreKept(t *testing.T) {
	h := http.Header{
		"Cf-Connecting-Ip":  {"203.0.113.9"},
		"Cf-Ipcountry":      {"DE"},
		"Cf-Ray":            {"1"},
		"X-Forwarded-Proto": {"https"},
	}
	describeClient(h, "[fe80::1%eth0]:50000", "http")
	want := http.Header{
		"Cf-Connecting-Ip":  {"203.0.113.9"},
		"X-Real-Ip":         {"203.0.113.9"},
		"Cf-Ipcountry":      {"DE"},
		"Cf-Ray":            {"1"},
		"X-Forwarded-Proto": {"https"},
		"Cf-Visitor":        {`{"scheme":"http"}`},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, want %v", h, want)
	}
	h = http.Header{}
	describeClient(h, "[fe80::1%eth0]:50000", "http")
	if got := h.Get("CF-Connecting-IP"); got != "fe80::1" {
		t.Errorf("address of a client with IPv6: got %s, want fe80::1", got)
	}
}

func TestHeadersAreRewrittenBetweenOuterAndInnerOrigin(t *testing.T) {
	d := originRewrite{outer: origin{"http", "localhost:8787"}, inner: origin{"https", "shop.example"}}
	request := http.Header{
		"Origin":  {"http://localhost:8787"},
		"Referer": {"http://localhost:8787/a?to=http://localhost:8787/b"},
		"Accept":  {"*/*"},
		"Other":   {"https://localhost:8787", "http://localhost:99"},
	}
	d.request(request)
	if want := (http.Header{
		"Origin":  {"https://shop.example"},
		"Referer": {"https://shop.example/a?to=https://shop.example/b"},
		"Accept":  {"*/*"},
		"Other":   {"https://shop.example", "http://localhost:99"},
	}); !reflect.DeepEqual(request, want) {
		t.Errorf("request: got %v, want %v", request, want)
	}
	for _, test := range []struct{ name, value, want string }{
		{"Location", "https://shop.example/a", "http://localhost:8787/a"},
		{"Location", "/a", "/a"},
		{"Location", "https://other.example/a", "https://other.example/a"},
		{"Access-Control-Allow-Origin", "https://shop.example", "http://localhost:8787"},
		{"Set-Cookie", "a=shop.example; Domain=shop.example; Path=/", "a=shop.example; Domain=localhost; Path=/"},
		{"set-cookie", "a=b;domain=.Shop.Example", "a=b;domain=localhost"},
		{"Set-Cookie", "Domain=shop.example", "Domain=shop.example"}, // the cookie's name and value
		{"Set-Cookie", "a=b; Domain=example", "a=b; Domain=example"},
	} {
		fields := []wire.Field{{Name: test.name, Value: test.value}}
		d.response(fields)
		if got := fields[0].Value; got != test.want {
			t.Errorf("%s: %s: got %s, want %s", test.name, test.value, got, test.want)
		}
	}
}

// A host that contains the other one must not be replaced twice.
func TestAHostThatContainsTheOtherIsReplacedOnce(t *testing.T) {
	d := originRewrite{outer: origin{"http", "shop.example"}, inner: origin{"http", "dev.shop.example"}}
	h := http.Header{"Origin": {"http://shop.example"}}
	d.request(h)
	if got, want := h.Get("Origin"), "http://dev.shop.example"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
