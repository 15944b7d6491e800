package client_test

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// request returns a request that the guard accepts, for a test to change.
func request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/cdn-cgi/devtool/v1/status", nil)
	r.RemoteAddr = "127.0.0.1:50000"
	r.Host = "localhost:8787"
	return r
}

// guarded returns the status with which a guarded handler answers r, and the message of a refusal.
func guarded(t *testing.T, r *http.Request) (status int, message string) {
	t.Helper()
	guarded := client.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	}))
	recorder := httptest.NewRecorder()
	guarded.ServeHTTP(recorder, r)
	if recorder.Code == http.StatusOK {
		return recorder.Code, ""
	}
	var refused control.Error
	if err := json.Unmarshal(recorder.Body.Bytes(), &refused); err != nil {
		t.Errorf("refusal %q is not a control.Error: %v", recorder.Body, err)
	}
	return recorder.Code, refused.Message
}

func TestGuardRequiresALoopbackCaller(t *testing.T) {
	for remote, want := range map[string]int{
		"127.0.0.1:1":          200,
		"127.9.9.9:1":          200,
		"[::1]:1":              200,
		"[::ffff:127.0.0.1]:1": 200,
		"192.168.1.7:1":        403,
		"[fe80::1%eth0]:1":     403,
		"0.0.0.0:1":            403,
		"@":                    403,
		"":                     403,
		"localhost:1":          403,
	} {
		r := request()
		r.RemoteAddr = remote
		if got, message := guarded(t, r); got != want {
			t.Errorf("RemoteAddr %q: got %d %s, want %d", remote, got, message, want)
		}
	}
}

func TestGuardRefusesForeignHosts(t *testing.T) {
	for host, want := range map[string]int{
		"localhost":              200,
		"LOCALHOST:8787":         200,
		"127.0.0.1:1":            200,
		"[::1]":                  200,
		"[::1]:8787":             200,
		"app.localhost:8787":     200,
		"a.b.localhost":          200,
		"":                       403,
		":8787":                  403,
		".localhost":             403,
		"localhost.evil.example": 403,
		"evil.example":           403,
		"evil.example:8787":      403,
		"notlocalhost":           403,
		"127.0.0.1.nip.io":       403,
		"127.0.0.2":              200,
		"127.0.0.2:8787":         200,
		"[::1]:x":                403,
		"2130706433":             403,
		"127.1":                  403,
		"0177.0.0.1":             403,
		"0.0.0.0":                403,
		"[::]":                   403,
		"[::ffff:127.0.0.1]":     200,
		"192.168.1.7:8787":       403,
		"127.9.9.9:8787":         200,
		"[0:0::1]:8787":          200,
		"[127.0.0.1]":            403,
		"127.0.0.256":            403,
		"128.0.0.1":              403,
		"[::1%lo]":               403,
		"::1":                    403,
		"[::1":                   403,
		"[::2]":                  403,
		"localhost:80:80":        403,
		"localhost:8787@evil":    403,
		"localhost:port":         403,
	} {
		r := request()
		r.Host = host
		got, message := guarded(t, r)
		if got != want {
			t.Errorf("Host %q: got %d, want %d", host, got, want)
		}
		if got == 403 && message != "Invalid Host header" {
			t.Errorf("Host %q: refused with %q", host, message)
		}
	}
}

func TestGuardAcceptsOnlyPagesOfThisServer(t *testing.T) {
	for _, test := range []struct {
		host, origin string
		tls          bool
		want         int
	}{
		{host: "localhost:8787", origin: "http://localhost:8787", want: 200},
		{host: "localhost:8787", origin: "http://127.0.0.1:8787", want: 200},
		{host: "localhost:8787", origin: "http://[::1]:8787", want: 200},
		{host: "localhost:8787", origin: "https://app.localhost:8787", want: 200},
		{host: "localhost", origin: "http://localhost", want: 200},
		{host: "127.0.0.2:8787", origin: "http://127.0.0.2:8787", want: 200},
		{host: "localhost:8787", origin: "http://127.0.0.2:8787", want: 403},
		{host: "localhost", origin: "http://localhost:80", want: 200},
		{host: "localhost", origin: "https://localhost", tls: true, want: 200},
		{host: "localhost", origin: "http://localhost", tls: true, want: 403},
		{host: "localhost:8787", origin: "http://localhost:3000", want: 403},
		{host: "localhost:8787", origin: "http://localhost", want: 403},
		{host: "localhost:8787", origin: "http://evil.example:8787", want: 403},
		{host: "localhost:8787", origin: "ftp://localhost:8787", want: 403},
		{host: "localhost:8787", origin: "http://localhost:8787/path", want: 403},
		{host: "localhost:8787", origin: "http://user@localhost:8787", want: 403},
		{host: "localhost:8787", origin: "null", want: 403},
		{host: "localhost:8787", origin: "", want: 403},
		{host: "localhost:8787", origin: "http://[::1", want: 403},
	} {
		r := request()
		r.Host = test.host
		r.Header.Set("Origin", test.origin)
		if test.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got, message := guarded(t, r); got != test.want {
			t.Errorf("Host %q, Origin %q: got %d %s, want %d", test.host, test.origin, got, message, test.want)
		}
	}
}

func TestGuardRefusesSeveralOrigins(t *testing.T) {
	r := request()
	r.Header.Add("Origin", "http://localhost:8787")
	r.Header.Add("Origin", "http://evil.example")
	if got, _ := guarded(t, r); got != 403 {
		t.Errorf("got %d, want 403", got)
	}
}

func TestGuardRefusesPagesOfOtherServers(t *testing.T) {
	for site, want := range map[string]int{
		"cross-site": 403, "Cross-Site": 403, "same-origin": 200, "None": 200, "none": 200,
		"same-site": 403, "Same-Site": 403, "": 403, "other": 403,
	} {
		r := request()
		r.Header.Set("Sec-Fetch-Site", site)
		if got, _ := guarded(t, r); got != want {
			t.Errorf("Sec-Fetch-Site %q: got %d, want %d", site, got, want)
		}
	}
}

func TestGuardRequiresJSONBodies(t *testing.T) {
	for _, test := range []struct {
		body, kind string
		chunked    bool
		want       int
	}{
		{body: "{}", kind: "application/json", want: 200},
		{body: "{}", kind: "application/json; charset=utf-8", want: 200},
		{body: "{}", kind: "text/plain", want: 415},
		{body: "{}", kind: "text/plain, application/json", want: 415},
		{body: "a=b", kind: "application/x-www-form-urlencoded", want: 415},
		{body: "{}", kind: "", want: 415},
		{body: "{}", kind: "text/plain", chunked: true, want: 415},
		{body: "", kind: "", want: 200},
		{body: "", kind: "text/plain", want: 200},
	} {
		r := httptest.NewRequest(http.MethodPost, "/cdn-cgi/devtool/v1/time/freeze", strings.NewReader(test.body))
		r.RemoteAddr, r.Host = "[::1]:50000", "[::1]:8787"
		if test.kind != "" {
			r.Header.Set("Content-Type", test.kind)
		}
		if test.chunked {
			r.ContentLength = -1
		}
		if got, message := guarded(t, r); got != test.want {
			t.Errorf("body %q of type %q: got %d %s, want %d", test.body, test.kind, got, message, test.want)
		}
	}
}

func FuzzGuardLetsNoStrangerThrough(f *testing.F) {
	f.Add("localhost:8787", "http://localhost:8787")
	f.Add("[::1]:1", "http://evil.example")
	f.Add("evil.localhost:x", "null")
	f.Fuzz(func(t *testing.T, host, origin string) {
		r := request()
		r.Host = host
		r.Header.Set("Origin", origin)
		if got, _ := guarded(t, r); got != 200 {
			return
		}
		name, _, err := net.SplitHostPort(host)
		if err != nil { // without a port
			name = strings.Trim(host, "[]")
		}
		if !strings.HasSuffix(strings.ToLower(name), "localhost") && !net.ParseIP(name).IsLoopback() {
			t.Errorf("Host %q was accepted", host)
		}
		if !strings.HasPrefix(strings.ToLower(origin), "http") {
			t.Errorf("Origin %q was accepted", origin)
		}
	})
}
