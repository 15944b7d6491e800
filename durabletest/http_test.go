package durabletest_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A site answers every request with pages of a length that the request chooses.
type site struct{}

func (site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		panic(err)
	}
	page := strings.Repeat("x", n)
	switch r.URL.Query().Get("by") {
	case "ServeContent":
		http.ServeContent(w, r, "page.txt", time.Unix(1, 0), strings.NewReader(page))
	case "Write":
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, page) //nolint:errcheck // the client notices
	case "Content-Length":
		w.Header().Set("Content-Length", strconv.Itoa(n))
		if r.Method != http.MethodHead {
			io.WriteString(w, page) //nolint:errcheck // as above
		}
	case "status":
		w.WriteHeader(n)
	}
}

// sites is a worker whose objects are sites. The path of a request says on which way it goes there.
func sites(t *testing.T, outside *httptest.Server) durable.Worker {
	target, err := url.Parse(outside.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: durable.HTTPClient.Transport,
		Rewrite:   func(q *httputil.ProxyRequest) { q.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	return durable.Worker{
		Handler: func(env *durable.Env) http.Handler {
			return durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				stub := env.Namespace("LAB").GetByName("site")
				switch r.URL.Path {
				case "/worker":
					site{}.ServeHTTP(w, r)
				case "/stub":
					stub.ServeHTTP(w, r)
				case "/outside":
					proxy.ServeHTTP(w, r)
				case "/fetch":
					resp, err := stub.Fetch(r)
					if err != nil {
						return err
					}
					defer resp.Body.Close()
					maps.Copy(w.Header(), resp.Header)
					w.Header().Set("X-Length", fmt.Sprint(resp.ContentLength))
					w.WriteHeader(resp.StatusCode)
					_, err = io.Copy(w, resp.Body)
					return err
				}
				return nil
			})
		},
		Classes: durable.Classes{"Lab": durable.NewClass(
			func(context.Context, *durable.State, *durable.Env) (site, error) { return site{}, nil })},
	}
}

func startSite(t *testing.T, outside http.Handler) *durabletest.Server {
	t.Helper()
	server := httptest.NewServer(outside)
	t.Cleanup(server.Close)
	return durabletest.Start(t, sites(t, server), durabletest.Options{Dir: "testdata/lab"})
}

// The answer to HEAD says how long the body of GET is, whichever way it comes.
func TestHeadKeepsTheLength(t *testing.T) {
	t.Parallel()
	srv := startSite(t, site{})
	for _, way := range []string{"worker", "stub", "fetch", "outside"} {
		for _, by := range []string{"ServeContent", "Content-Length", "Write"} {
			for _, n := range []int{0, 1, 1000, 64 << 10, 200_000} {
				target := fmt.Sprintf("/%s?by=%s&n=%d", way, by, n)
				resp, err := srv.Client().Head(target)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if len(b) > 0 || err != nil || resp.StatusCode != 200 {
					t.Errorf("HEAD %s: got %s and a body %q, %v", target, resp.Status, b, err)
				}
				want := int64(n)
				if by == "Write" && (n == 0 || way == "outside" && n > 2048) {
					want = -1 // nobody knows it, with net/http neither
				}
				seen := resp.Header.Get("X-Length") // by a worker that copies the header
				if resp.ContentLength != want || way == "fetch" && seen != fmt.Sprint(want) {
					t.Errorf("HEAD %s: got length %d, and the worker %s, want %d",
						target, resp.ContentLength, seen, want)
				}
				status, body := srv.Fetch("GET", target, "")
				if status != 200 || len(body) != n {
					t.Errorf("GET %s: got %d and %d bytes", target, status, len(body))
				}
			}
		}
	}
}

// A status that the platform has not fails the event that answers with it.
func TestOtherStatusesFailTheEvent(t *testing.T) {
	t.Parallel()
	srv := startSite(t, site{})
	for _, way := range []string{"worker", "stub", "fetch"} {
		for n, ok := range map[int]bool{200: true, 299: true, 599: true, 100: false, 103: false, 199: false,
			600: false, 999: false, 1000: false} {
			status, body := srv.Fetch("GET", fmt.Sprintf("/%s?by=status&n=%d", way, n), "")
			why := fmt.Sprintf("WriteHeader(%d): the status of a response is from 200 to 599, as on the platform", n)
			switch {
			case ok && status != n:
				t.Errorf("%s: got %d %q, want %d", way, status, body, n)
			case !ok && (status != 500 || !strings.Contains(body, why)):
				t.Errorf("%s with %d: got %d %q, want the error %s", way, n, status, body, why)
			}
		}
	}
}

// A client that accepts gzip gets the outside's bytes through a proxy, any other plain text.
func TestProxiesPassCompressedResponsesOn(t *testing.T) {
	t.Parallel()
	const text = "plain text"
	srv := startSite(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Errorf("the outside is asked for %q, want gzip", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, text) //nolint:errcheck // the client notices
		z.Close()               //nolint:errcheck // as above
	}))
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	for _, accepts := range []string{"", "gzip, br"} {
		r, err := http.NewRequest("GET", srv.URL+"/outside", nil)
		if err != nil {
			t.Fatal(err)
		}
		if accepts != "" {
			r.Header.Set("Accept-Encoding", accepts)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body := io.Reader(resp.Body)
		if accepts != "" {
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		b, err := io.ReadAll(body)
		if string(b) != text || err != nil || (resp.Header.Get("Content-Encoding") == "gzip") != (accepts != "") {
			t.Errorf("accepting %q: got %v %q, %v", accepts, resp.Header, b, err)
		}
	}
}

func TestTheErrorOfARequestToTheOutsideNamesItOnce(t *testing.T) {
	t.Parallel()
	srv := start(t, func(o *durabletest.Options) { o.Vars = map[string]string{"UPSTREAM": "http://127.0.0.1:1"} })
	status, got := srv.Fetch("POST", "/a/upstream", "")
	if want := `Post "http://127.0.0.1:1": dial tcp 127.0.0.1:1: `; status != 500 || !strings.Contains(got, want) {
		t.Errorf("got %d %q, want an error with %q", status, got, want)
	}
	srv.Outbound(func(*http.Request) (*http.Response, error) { return nil, errors.New("no way out") })
	status, got = srv.Fetch("POST", "/a/upstream", "")
	if want := `Post "http://127.0.0.1:1": no way out`; status != 500 || !strings.Contains(got, want) {
		t.Errorf("got %d %q, want an error with %q", status, got, want)
	}
}

// The head of a response from outside reaches the handler before its body has come, however short
// the body is said to be, and so does each piece of the body. The server goes on when the handler
// has said what it got.
func TestAHandlerGetsTheHeadFromOutsideBeforeTheBody(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"worker", "object"} {
		for _, length := range []string{"", "6"} {
			t.Run(way+length, func(t *testing.T) {
				t.Parallel()
				got := make(chan string)
				goOn := func(w http.ResponseWriter, r *http.Request, want string) {
					http.NewResponseController(w).Flush() //nolint:errcheck // the handler waits for it
					select {
					case what := <-got:
						if what != want {
							t.Errorf("the handler got %q, want %q", what, want)
						}
					case <-r.Context().Done(): // the handler has failed
					}
				}
				outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if length != "" {
						w.Header().Set("Content-Length", length)
					}
					w.WriteHeader(http.StatusOK)
					goOn(w, r, "head")
					io.WriteString(w, "one") //nolint:errcheck // the handler notices
					goOn(w, r, "one")
					io.WriteString(w, "two") //nolint:errcheck // as above
				}))
				defer outside.Close()
				srv := durabletest.Start(t, streamReader(outside.URL, got), durabletest.Options{Dir: "testdata/lab"})
				if status, body := srv.Fetch("GET", "/"+way, ""); status != 200 || body != "two" {
					t.Errorf("got %d %q, want the end of the body", status, body)
				}
			})
		}
	}
}

// streamReader is a worker whose handlers read a response of two pieces from a URL, and say what
// they have got.
func streamReader(from string, got chan<- string) durable.Worker {
	read := durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		q, err := http.NewRequestWithContext(r.Context(), "GET", from, nil)
		if err != nil {
			return err
		}
		resp, err := durable.HTTPClient.Do(q)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		got <- "head"
		piece := make([]byte, 3)
		if _, err := io.ReadFull(resp.Body, piece); err != nil {
			return err
		}
		got <- string(piece)
		_, err = io.Copy(w, resp.Body)
		return err
	})
	return durable.Worker{
		Handler: func(env *durable.Env) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/worker", read)
			mux.HandleFunc("/object", env.Namespace("LAB").GetByName("a").ServeHTTP)
			return mux
		},
		Classes: durable.Classes{"Lab": durable.NewClass(
			func(context.Context, *durable.State, *durable.Env) (http.Handler, error) { return read, nil })},
	}
}
