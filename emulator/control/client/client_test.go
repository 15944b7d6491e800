package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// serve starts a server that answers every request with handler, behind the guard, and returns a
// client for it.
func serve(t *testing.T, handler http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(client.Guard(handler))
	t.Cleanup(server.Close)
	return &client.Client{URL: server.URL}
}

func answer(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// wantRequest checks the request that ask sends, as "METHOD path body".
func wantRequest(t *testing.T, ask func(*client.Client) error, want string) {
	t.Helper()
	var got string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), control.Prefix) + " " + string(body)
		answer(200, "application/json", "{}")(w, r)
	})
	if err := ask(client); err != nil {
		t.Errorf("%s: %v", want, err)
	}
	if got != want {
		t.Errorf("got request %q, want %q", got, want)
	}
}

func TestClientSendsTheRequestsThatTheAPINames(t *testing.T) {
	ctx := t.Context()
	for _, test := range []struct {
		ask  func(c *client.Client) error
		want string
	}{
		{func(c *client.Client) error { _, err := c.Status(ctx); return err }, "GET status "},
		{
			func(c *client.Client) error {
				_, err := c.ListAlarms(ctx, control.AlarmsRequest{})
				return err
			},
			"GET alarms ",
		},
		{
			func(c *client.Client) error {
				_, err := c.Trigger(ctx, control.TriggerRequest{})
				return err
			},
			"POST alarms/trigger {}",
		},
		{
			func(c *client.Client) error {
				_, err := c.Trigger(ctx, control.TriggerRequest{Class: "Batcher", Name: "a/b"})
				return err
			},
			`POST alarms/trigger {"class":"Batcher","name":"a/b"}`,
		},
		{func(c *client.Client) error { _, err := c.Time(ctx); return err }, "GET time "},
		{func(c *client.Client) error { _, err := c.Speed(ctx, 60); return err }, `POST time/speed {"rate":60}`},
		{func(c *client.Client) error {
			_, err := c.ResetTime(ctx, control.ResetRequest{Force: true})
			return err
		}, `POST time/reset {"force":true}`},
		{func(c *client.Client) error { _, err := c.Freeze(ctx); return err }, "POST time/freeze "},
		{func(c *client.Client) error { _, err := c.Resume(ctx); return err }, "POST time/resume "},
	} {
		wantRequest(t, test.ask, test.want)
	}
}

func TestClientDecodesTheAnswer(t *testing.T) {
	client := serve(t, answer(200, "application/json", `{
		"now": "2026-10-01T12:00:00.000Z", "mode": "frozen", "offset": "1h0m0s",
		"next": {"class": "Batcher", "name": "a", "id": "00", "due": "2026-10-01T12:00:09.200Z"}}`))
	got, err := client.Time(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	want := control.Time{Now: noon, Mode: control.Frozen, Offset: "1h0m0s", Next: &control.Alarm{
		Object: control.Object{Class: "Batcher", Name: "a", ID: "00"},
		Due:    noon.Add(9200 * time.Millisecond),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Time (-want +got):\n%s", diff)
	}
}

func TestClientReturnsTheEmulatorsOwnError(t *testing.T) {
	const busy = `{"error":"the clock is busy","code":"clock_busy","hint":"wait"}`
	client := serve(t, answer(409, "application/json", busy))
	_, err := client.Advance(t.Context(), control.AdvanceRequest{Duration: "1s"}, nil)
	var got *control.Error
	if !errors.As(err, &got) {
		t.Fatalf("got %T %v, want a *control.Error", err, err)
	}
	if want := (control.Error{Code: control.CodeClockBusy, Message: "the clock is busy", Hint: "wait"}); *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}

func TestClientRecognisesOtherServers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"a page":                    answer(200, "text/html", "<h1>hello</h1>"),
		"JSON that calls itself so": answer(200, "text/plain", "{}"),
		"broken JSON":               answer(200, "application/json", "{"),
		"another shape":             answer(200, "application/json", `["now"]`),
		"a 404 page":                answer(404, "text/plain", "not found"),
		"a foreign JSON error":      answer(404, "application/json", `{"message":"not found"}`),
		"nothing":                   answer(204, "", ""),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
	} {
		client := serve(t, handler)
		_, err := client.Time(t.Context())
		var got *control.Error
		foreign := client.URL + " is not this version of devtool"
		if !errors.As(err, &got) || !strings.Contains(got.Message, foreign) || got.Hint == "" {
			t.Errorf("%s: got %v, want an error that names %s as no devtool", name, err, client.URL)
		}
	}
}

func TestClientSaysWhichURLRefusedTheConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	listener.Close()

	_, err = (&client.Client{URL: url}).Status(t.Context())
	var got *control.Error
	if !errors.As(err, &got) {
		t.Fatalf("got %T %v, want a *control.Error", err, err)
	}
	if !strings.Contains(got.Message, url) || !strings.Contains(got.Hint, "is `devtool dev` running?") {
		t.Errorf("got %q with hint %q", got.Message, got.Hint)
	}
}

func TestClientReportsAConnectionThatBreaks(t *testing.T) {
	client := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := client.Trigger(t.Context(), control.TriggerRequest{})
	var got *control.Error
	if !errors.As(err, &got) || !strings.Contains(got.Message, "broke") {
		t.Errorf("got %v, want an error that says the connection broke", err)
	}
}

func TestClientRefusesInvalidURLs(t *testing.T) {
	for _, url := range []string{"", "localhost:8787", "ftp://localhost", "http://", "::"} {
		_, err := (&client.Client{URL: url}).Time(t.Context())
		if err == nil || !strings.Contains(err.Error(), "is not the URL of an emulator") {
			t.Errorf("URL %q: got %v", url, err)
		}
	}
}

func TestClientKeepsToThePathOfTheAPI(t *testing.T) {
	var got string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.RequestURI()
		answer(200, "application/json", "{}")(w, r)
	})
	client.URL += "/some/page?x=1#top"
	if _, err := client.Time(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "/cdn-cgi/devtool/v1/time"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClientNeverUsesAProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the proxy was asked")
	}))
	defer proxy.Close()
	t.Setenv("http_proxy", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	// The name is not resolved by any server: .invalid is reserved for that.
	if _, err := (&client.Client{URL: "http://emulator.invalid:8787"}).Time(t.Context()); err == nil {
		t.Error("got no error for a host that does not exist")
	}
}

func TestClientStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the client leaving
		cancel()
		<-r.Context().Done()
	})
	if _, err := client.Trigger(ctx, control.TriggerRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
