package cli_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// routes are the ways by which a request of the program stream reaches its end: see its via.go.
var routes = []string{"worker", "stub", "twice", "proxy"}

func TestAFlushReachesTheClientAtOnce(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "stream").dev()
	// A response without a body is over for the client, but the connection waits for the handler.
	s.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	for _, route := range routes {
		for _, test := range []struct {
			method, status, length string
			body                   int // its length
		}{
			{"GET", "200", "", 0},
			{"GET", "200", "1000", 1000},
			{"GET", "200", "200000", 200_000},
			{"GET", "204", "", 0},
			{"GET", "304", "", 0},
			{"HEAD", "200", "", 0},
			{"HEAD", "200", "1000", 0},
		} {
			id := route + test.method + test.status + test.length
			path := fmt.Sprintf("/via/%s/flush?id=%s&status=%s&length=%s", route, id, test.status, test.length)
			// The head arrives although the handler waits for /open.
			response, err := s.client.Do(s.request(test.method, path, nil))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(response.StatusCode); got != test.status {
				t.Errorf("%s %s: got status %s, want %s", test.method, path, got, test.status)
			}
			s.get("/open?id=" + id)
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || len(body) != test.body {
				t.Errorf("%s %s: got %d bytes, %v, want %d", test.method, path, len(body), err, test.body)
			}
		}
	}
}

func TestWritesToAClientThatHasGoneFail(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "stream").dev("--log-format", "json")
	s.client.Timeout = patience
	for _, route := range routes {
		response, err := s.client.Do(s.request("GET", "/via/"+route+"/pour?id="+route, nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, response.Body, 1<<20); err != nil {
			t.Fatal(err)
		}
		response.Body.Close() // which closes the connection, because the body goes on
		s.awaitSeen("pour " + route + ": write response: the client has gone")
		s.awaitSeen("flush fails " + route)
		about := `"about":"GET /via/` + route + `/pour","outcome":"canceled","status":200,`
		s.awaitLog(about)
		_, line, _ := strings.Cut(s.stderr.String(), about)
		line, _, _ = strings.Cut(line, "\n")
		if strings.Contains(line, "error") || !strings.Contains(line, `"sent":`) {
			t.Errorf("by %s: got the line …%s, want the bytes that were sent, and no error", route, line)
		}
	}
	if got, want := s.get("/a/"), "here"; got != want {
		t.Errorf("afterwards: got %q, want %q", got, want)
	}
}

// raw sends text on a connection of its own, and then what each function returns. It returns the
// response and its body.
func (s *server) raw(text string, then ...func() string) (response *http.Response, body string) {
	s.t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))                       //nolint:errcheck // a connection has deadlines
	for io.WriteString(conn, text); len(then) > 0; then = then[1:] { //nolint:errcheck // it may be answered
		io.WriteString(conn, then[0]()) //nolint:errcheck // as above
	}
	response, err = http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Error(err)
	}
	return response, string(b)
}

func TestAMalformedBodyIsTheClientsFault(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "stream").dev()
	const head = "POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
	n := 0
	for _, route := range routes {
		for _, fault := range []string{"panic", "ignored"} {
			for _, when := range []string{"at once", "meanwhile", "late"} {
				for _, bad := range []string{"zz\r\n", "5\r\nhelloX\r\n", "-1\r\n"} {
					n++
					id := fmt.Sprintf("n%03d", n)
					path := fmt.Sprintf("/via/%s/read?id=%s&error=%s&when=%s", route, id, fault, url.QueryEscape(when))
					text := fmt.Sprintf(head, path)
					var then []func() string
					if when == "at once" {
						text += bad
					} else {
						then = append(then, func() string { s.awaitSeen("read begins " + id); return bad })
					}
					if when == "late" {
						then = append(then, func() string { s.get("/open?id=" + id); return "" })
					}
					response, body := s.raw(text, then...)
					if response.StatusCode != http.StatusBadRequest || !strings.Contains(body, "malformed") {
						t.Errorf("%s with %q: got %s and %q, want 400", path, bad, response.Status, body)
					}
				}
			}
		}
	}
	if log := s.stderr.String(); strings.Contains(log, " ERR ") {
		t.Errorf("the log blames the worker:\n%s", log)
	}
}

func TestAWebSocketIsNotImplemented(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "stream").dev()
	response, body := s.raw("GET /a/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if response.StatusCode != http.StatusNotImplemented || !strings.Contains(body, "WebSocket") {
		t.Errorf("got %s %q, want 501 that says why", response.Status, body)
	}
	s.awaitLog("GET /a/ 501 Not Implemented")
	if log := s.stderr.String(); strings.Contains(log, " ERR ") {
		t.Errorf("the log blames the worker:\n%s", log)
	}
}

func TestHEADKeepsItsLengthOnEveryRoute(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "stream").dev()
	for _, route := range routes {
		for _, length := range []string{"1", "100000"} {
			response, err := s.client.Do(s.request("HEAD", "/via/"+route+"/length?bytes="+length, nil))
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if got := response.Header.Get("Content-Length"); got != length {
				t.Errorf("by %s: got a Content-Length of %q, want %s", route, got, length)
			}
		}
	}
}

func TestOnlyURLsOfTheRouteLeadToTheFrontDoor(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "stream")
	p.edit("wrangler.jsonc", `"main"`, `"routes": [{"pattern": "Example.com/*", "zone_name": "example.com"}], "main"`)
	s := p.dev()
	set := func(fields ...string) string {
		return "/via/stub/headers?" + url.Values{"set": fields}.Encode()
	}
	request := s.request("GET", set(
		"Location: http://example.com/read", "Content-Location: http://books.example.com/read",
		"Refresh: 1; url=https://example.com/x", `Etag: "example.com"`, "Set-Cookie: a=b; Domain=example.com",
		"Content-Disposition: attachment; filename=myexample.com",
	), nil)
	outer := strings.TrimPrefix(s.URL, "http://")
	request.Header.Set("Origin", s.URL)
	request.Header.Set("Referer", s.URL+"/a")
	request.Header.Set("Cookie", "host="+outer)
	request.Header.Set("X-Opaque", s.URL)
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for name, want := range map[string]string{
		"Location":            s.URL + "/read",
		"Content-Location":    "http://books.example.com/read",
		"Refresh":             "1; url=https://example.com/x",
		"Etag":                `"example.com"`,
		"Set-Cookie":          "a=b; Domain=localhost",
		"Content-Disposition": "attachment; filename=myexample.com",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("response, %s: got %s, want %s", name, got, want)
		}
	}
	var seen http.Header
	if err := json.NewDecoder(response.Body).Decode(&seen); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Origin":   "http://example.com",
		"Referer":  "http://example.com/a",
		"Cookie":   "host=" + outer,
		"X-Opaque": s.URL,
	} {
		if got := seen.Get(name); got != want {
			t.Errorf("request, %s: got %s, want %s", name, got, want)
		}
	}
}
