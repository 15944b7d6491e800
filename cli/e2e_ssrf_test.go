package cli_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
)

// fetched is a request that a handler sends because a client has asked it to.
type fetched struct {
	by, method, url, host string
	odd                   bool // the address need not lead to the emulator
}

func (f fetched) send(s *server) (status int, body string) {
	s.t.Helper()
	query := url.Values{"by": {f.by}, "method": {f.method}, "url": {f.url}, "host": {f.host}}
	return s.fetch(http.MethodGet, "/fetch?"+query.Encode(), "")
}

func TestAURLGivenToAHandlerDoesNotReachTheEmulator(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "hostile").dev()
	other := handlerProject(t, "cron").dev("--test-scheduled") // another emulator of the same user
	port := portOf(t, s.URL)
	redirect := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	}))
	t.Cleanup(redirect.Close)

	freeze := control.Prefix + "time/freeze"
	targets := []fetched{
		{method: "POST", url: s.URL + freeze},
		{method: "POST", url: "http://127.0.0.1:" + port + freeze},
		{method: "POST", url: "http://127.0.0.1:" + port + freeze, host: "app.localhost"},
		{method: "POST", url: "http://app.localhost:" + port + freeze, odd: true},
		{method: "POST", url: "http://[::1]:" + port + freeze, odd: true},
		{method: "POST", url: "http://[::ffff:127.0.0.1]:" + port + freeze, odd: true},
		{method: "POST", url: "http://2130706433:" + port + freeze, host: "localhost", odd: true},
		{method: "POST", url: "http://127.1:" + port + freeze, host: "localhost", odd: true},
		{method: "POST", url: "http://0x7f000001:" + port + freeze, host: "localhost", odd: true},
		{method: "POST", url: "http://0.0.0.0:" + port + freeze, host: "localhost"},
		{method: "POST", url: "http://LOCALHOST:" + port + "/%63dn-cgi/devtool/v1/time/freeze"},
		{method: "POST", url: "http://user:password@localhost:" + port + freeze},
		{method: "POST", url: redirect.URL + "/?to=" + url.QueryEscape(s.URL+freeze)},
		{method: "POST", url: other.URL + freeze},
		{method: "GET", url: s.URL + control.Prefix + "status"},
		{method: "GET", url: s.URL + control.Prefix + "logs?lines=-1&follow=false"},
	}
	// Paths without a token, of this emulator and of the other.
	open := []fetched{
		{method: "GET", url: s.URL + "/cdn-cgi/local/status"},
		{method: "GET", url: s.URL + "/cdn-cgi/handler/scheduled"},
		{method: "GET", url: other.URL + "/cdn-cgi/local/scheduled?cron=a"},
		{method: "GET", url: other.URL + "/cdn-cgi/handler/scheduled?cron=a"},
		{method: "POST", url: other.URL + "/cdn-cgi/mf/scheduled?cron=a"},
		{method: "GET", url: other.URL + "/__scheduled?cron=a"},
		{method: "GET", url: redirect.URL + "/?to=" + url.QueryEscape(other.URL+"/cdn-cgi/mf/scheduled?cron=a")},
	}
	for _, by := range []string{"worker", "object"} {
		for _, f := range append(append([]fetched{}, targets...), open...) {
			f.by = by
			switch status, body := f.send(s); {
			case status == http.StatusForbidden && strings.Contains(body, `"code":"forbidden"`):
			case f.odd && status >= 500 && !strings.Contains(body, `"code"`):
			default:
				t.Errorf("%s %s by the %s: got %d %s, want it refused", f.method, f.url, by, status, body)
			}
		}
	}
	for _, f := range targets {
		f.by = "net/http"
		if status, body := f.send(s); status < 400 {
			t.Errorf("%s %s by net/http: got %d %s, want that it does not arrive", f.method, f.url, status, body)
		}
	}
	for _, reached := range []*server{s, other} {
		now, err := reached.control().Time(t.Context())
		if err != nil || now.Mode == control.Frozen {
			t.Errorf("the clock of %s: got %s, %v, want it as it was", reached.Worker, now.Mode, err)
		}
	}
	if diary := other.get("/"); diary != "" {
		t.Errorf("cron triggers ran: %s", diary)
	}
	// The worker itself stays within reach, as any other server.
	own := fetched{by: "worker", method: "GET", url: s.URL + "/"}
	if status, body := own.send(s); status != 200 || body != "fine" {
		t.Errorf("the worker by the worker: got %d %q, want 200 and its answer", status, body)
	}
}

func TestRequestsOfHandlersNameTheZoneOfTheWorker(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`"vars"`:                               "basic.example.com",
		`"route": "shop.example/*", "vars"`:    "shop.example",
		`"dev": {"host": "a.example"}, "vars"`: "a.example",
		`"routes": [{ "pattern": "www.shop.example/*", "zone_name": "shop.example" }], "vars"`: "shop.example",
	} {
		got := make(chan http.Header, 1)
		outside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got <- r.Header
		}))
		p := handlerProject(t, "basic")
		p.edit("wrangler.jsonc", `"vars"`, config)
		s := p.dev()
		r := s.request(http.MethodGet, "/proxy?url="+url.QueryEscape(outside.URL), nil)
		r.Header.Set("CF-Worker", "forged.example")
		if _, _, err := s.send(r); err != nil {
			t.Fatal(err)
		}
		if zone := (<-got)["Cf-Worker"]; len(zone) != 1 || zone[0] != want {
			t.Errorf("with %s: got CF-Worker %q, want %q", config, zone, want)
		}
		outside.Close()
		s.interrupt()
	}
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}
