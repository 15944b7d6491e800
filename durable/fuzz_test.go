package durable

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

// A handler can pass any request on, and the receiver sees the same request.
func FuzzRequestStaysTheSameWhenItIsPassedOn(f *testing.F) {
	f.Add("GET", "http://a.test/p?q#f", "a.test", "X-A", "1", int64(0), []byte(nil))
	f.Add("POST", "https://me:secret@a.test:80//a%2Fb?", "", "host", "b", int64(3), []byte("abc"))
	f.Add("OPTIONS", "*", "a.test", "", "", int64(-1), []byte("abc"))
	f.Add("CONNECT", "a.test:443", "[::1]", "\xff", "\r\n", int64(-7), []byte{})
	f.Add("", "mailto:me", "a b", "transfer-encoding", "chunked", int64(1)<<40, []byte(nil))
	f.Add("GET", "http://a.test?x", "a.test", "Content-Length", "5", int64(5), []byte("abcde"))
	f.Fuzz(func(t *testing.T, method, target, host, name, value string, length int64, body []byte) {
		m := wire.Request{Method: method, URL: target, Host: host, ContentLength: length, Body: body}
		if name != "" {
			m.Header = []wire.Field{{Name: name, Value: value}, {Name: name, Value: "again"}}
		}
		first, err := fromRequest(&m, io.NopCloser(bytes.NewReader(body)))
		if err != nil {
			if _, parseErr := url.Parse(target); parseErr == nil {
				t.Fatalf("%q is a URL, but: %v", target, err)
			}
			return
		}
		if first.URL.Host != "" || first.URL.Scheme != "" || first.URL.User != nil || first.URL.Fragment != "" {
			t.Fatalf("a server does not see all of %s", first.URL)
		}
		again := toRequest(first)
		if u, err := url.Parse(again.URL); err == nil && u.Opaque == "" && u.Host == "" {
			t.Fatalf("URL %q has no host", again.URL)
		}
		second, err := fromRequest(&again, first.Body)
		if err != nil {
			return // its Host is invalid; a server would have rejected it
		}
		if u, _ := url.Parse(target); u.Scheme == "" || u.Host == "" || u.Opaque != "" ||
			strings.ContainsAny(host, "/?#@\\") {
			return // the protocol has only absolute URLs and valid hosts here
		}
		a, b := look(first), look(second)
		if a.Host == "" {
			b.Host = "" // it was filled in
		}
		if a.Method == "" {
			b.Method = ""
		}
		if a.ContentLength == 0 {
			b.ContentLength = 0 // there is a body, so the length is unknown
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("%q (-before +after):\n%s", again.URL, diff)
		}
	})
}

func FuzzResponse(f *testing.F) {
	f.Add("GET", uint64(200), "Content-Type", "text/plain", int64(3), []byte("abc"))
	f.Add("HEAD", uint64(204), "content-length", "7", int64(-1), []byte(nil))
	f.Add("", uint64(1)<<63, "", "", int64(-9), []byte{0})
	f.Add("HEAD", uint64(200), "Etag", "7", int64(36), []byte(nil))
	f.Add("HEAD", uint64(200), "Content-Length", "", int64(36), []byte(nil))
	f.Fuzz(func(t *testing.T, method string, status uint64, name, value string, length int64, body []byte) {
		m := wire.Response{
			Status:        status,
			Header:        []wire.Field{{Name: name, Value: value}},
			ContentLength: length,
			Body:          body,
		}
		r := (&http.Request{Method: method, URL: new(url.URL)}).WithContext(context.Background())
		resp := fromResponse(&m, r, nil)
		got, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("body %q, %v; want %q", got, err, body)
		}
		if method != http.MethodHead && resp.ContentLength != int64(len(body)) {
			t.Fatalf("length %d of a body of %d bytes", resp.ContentLength, len(body))
		}
		if resp.StatusCode != int(status) || strings.Fields(resp.Status)[0] != strconv.Itoa(int(status)) {
			t.Fatalf("status %d %q, want %d", resp.StatusCode, resp.Status, status)
		}
		want := http.Header{}
		want.Add(name, value)
		if method == http.MethodHead && length > 0 && want.Get("Content-Length") == "" {
			want.Set("Content-Length", strconv.FormatInt(length, 10)) // there is no body to show it
		}
		if diff := cmp.Diff(want, resp.Header); diff != "" {
			t.Fatalf("header %q %q (-want +got):\n%s", name, value, diff)
		}
		fields := wire.Fields(resp.Header)
		if diff := cmp.Diff(want, http.Header(wire.Header(fields))); diff != "" || len(fields) != len(want) {
			t.Fatalf("fields %q (-want +got):\n%s", fields, diff)
		}
	})
}
