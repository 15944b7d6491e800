package emulator

import (
	"net/http"
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
		"a host in capitals": {
			dev:      config.Dev{Host: "Shop.Example:81"},
			url:      "http://shop.example:81/a?b=c",
			protocol: "http",
		},
		"a host that is not ASCII": {
			dev:      config.Dev{Host: "bücher.example"},
			url:      "http://xn--bcher-kva.example/a?b=c",
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
