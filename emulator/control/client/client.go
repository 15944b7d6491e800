// Package client connects commands to a running emulator. It calls the control API (client.go, and
// a file for each subject of the API), and finds the emulator of a project (locate.go).
//
// It also holds two parts of the emulator's side that must agree with the client's: how an emulator
// announces itself (locate.go, https.go), and the guard that refuses requests from other machines
// and web pages (guard.go).
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"devtool.internal/emulator/control"
)

const (
	// dialTimeout and quickTimeout limit what never takes long, so that a wrong URL is an error and
	// not a command that hangs. Only their context limits requests that run handlers.
	dialTimeout  = 5 * time.Second
	quickTimeout = 30 * time.Second

	// maxAnswer limits the answer that is read into memory. A million runs take about 300 MB.
	maxAnswer = 1 << 30
)

// Client calls the control API of one emulator. Its methods return an *Error if the emulator
// refuses the request or cannot be reached. If ctx is canceled, they return ctx's own error.
type Client struct {
	URL  string       // where the dev server listens, such as http://localhost:8787
	HTTP *http.Client // nil means the default: no proxy, no redirects, no connection kept
	// Identity is that of the emulator at URL, as it announces it. An answer of another server is
	// an error. Empty means that any emulator may answer.
	Identity string
	// Certificate is the Fingerprint of a certificate that the client accepts for URL, in addition
	// to the certificates that the system trusts.
	Certificate string
	// Token is the emulator's. Requests without it are refused.
	Token string
	// OnSilence is called, at most once for a request, when the emulator does not answer, although
	// it would if it only worked on the request (silence.go). The request goes on. nil is allowed.
	OnSilence func()
	// silentAfter and aliveWithin replace the constants of these names in tests.
	silentAfter, aliveWithin time.Duration
}

// newHTTP returns a client for the control API. It uses no proxy, because a proxy could not reach
// this machine's loopback. It follows no redirect, because the control API sends none. It keeps no
// connection, because a command sends one request.
func newHTTP(trust *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:             nil,
			DialContext:       (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:   trust,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Status returns which emulator answers.
func (c *Client) Status(ctx context.Context) (control.Status, error) {
	return quick[control.Status](ctx, c, http.MethodGet, "status")
}

// Time returns the state of the virtual clock.
func (c *Client) Time(ctx context.Context) (control.Time, error) {
	return quick[control.Time](ctx, c, http.MethodGet, "time")
}

// Freeze stops the virtual clock at its current time.
func (c *Client) Freeze(ctx context.Context) (control.Time, error) {
	return quick[control.Time](ctx, c, http.MethodPost, "time/freeze")
}

// Resume lets the virtual clock run on from its current time.
func (c *Client) Resume(ctx context.Context) (control.Time, error) {
	return quick[control.Time](ctx, c, http.MethodPost, "time/resume")
}

// Settle returns when all handlers rest, and what waits for the clock then. The list is never nil.
func (c *Client) Settle(ctx context.Context, q control.SettleRequest) (control.Waiting, error) {
	return listed(call[control.Waiting](ctx, c, http.MethodPost, "time/settle", q))
}

// Waiting returns what waits for the clock. The list is never nil.
func (c *Client) Waiting(ctx context.Context) (control.Waiting, error) {
	return listed(quick[control.Waiting](ctx, c, http.MethodGet, "time/waiting"))
}

func listed(w control.Waiting, err error) (control.Waiting, error) {
	w.Waiting = append([]control.Waiter{}, w.Waiting...)
	return w, err
}

// Speed makes the virtual clock run at rate times real time.
func (c *Client) Speed(ctx context.Context, rate float64) (control.Time, error) {
	return call[control.Time](ctx, c, http.MethodPost, "time/speed", control.SpeedRequest{Rate: rate})
}

// ResetTime sets the virtual clock back to real time.
func (c *Client) ResetTime(ctx context.Context, q control.ResetRequest) (control.Time, error) {
	return call[control.Time](ctx, c, http.MethodPost, "time/reset", q)
}

// quick is call for a request without a body that the emulator answers at once.
func quick[T any](ctx context.Context, c *Client, method, path string) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, quickTimeout)
	defer cancel()
	answer, err := call[T](bounded, c, method, path, nil)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = &control.Error{
			Code:    control.CodeNoAnswer,
			Message: fmt.Sprintf("nothing was answered at %s within %s", c.URL, quickTimeout),
			Hint:    "check that a `devtool dev` runs there and has not hung",
		}
	}
	return answer, err
}

// call sends one request, with body as JSON unless it is nil, and decodes the answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var answer T
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()

	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer, c.unreachable(ctx, err)
	case len(content) > maxAnswer:
		return answer, control.Errorf(control.CodeNotDevtool,
			"the answer of %s is longer than %d bytes", c.URL, maxAnswer)
	case response.StatusCode >= 400:
		return answer, c.refusal(response, content)
	case response.StatusCode != http.StatusOK || !isJSON(response.Header):
		return answer, c.notDevtool(response)
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		return answer, c.notDevtool(response)
	}
	return answer, nil
}

// send sends one request.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	request, err := c.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	client := c.HTTP
	if client == nil {
		client = newHTTP(trusting(c.Certificate, request.URL.Hostname()))
	}
	watch := c.watch(ctx)
	response, err := client.Do(request)
	if err != nil {
		watch.end()
		return nil, c.unreachable(ctx, err)
	}
	response.Body = watch.body(response.Body)
	if err := c.identified(response); err != nil {
		response.Body.Close()
		return nil, err
	}
	return response, nil
}

// request makes a request for a path below Prefix. The path is escaped and may have a query.
func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, &control.Error{
			Code:    control.CodeBadURL,
			Message: fmt.Sprintf("%q is not the URL of an emulator", c.URL),
			Hint:    "write it like http://localhost:8787",
		}
	}
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	reference, err := url.Parse(control.Prefix + path)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	target := base.ResolveReference(reference)
	request, err := http.NewRequestWithContext(ctx, method, target.String(), content)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	authorize(request, c.Token)
	if c.Identity != "" {
		request.Header.Set(control.IdentityHeader, c.Identity)
	}
	return request, nil
}

// unreachable returns the error for a request that got no answer, or only part of one.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if operation := (*net.OpError)(nil); errors.As(err, &operation) && operation.Op == "dial" {
		return &control.Error{
			Code:    control.CodeUnreachable,
			Message: fmt.Sprintf("no emulator can be reached at %s: %v", c.URL, operation.Err),
			Hint:    "is `devtool dev` running? start it, or name another one with --url",
		}
	}
	if wrong := untrusted(err); wrong != nil {
		return &control.Error{
			Code:    control.CodeUntrusted,
			Message: fmt.Sprintf("the certificate of %s is not trusted: %v", c.URL, wrong),
			Hint: "a `devtool dev` with a certificate of its own is known in its project: " +
				"run the command there, without a URL",
		}
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return &control.Error{
			Code: control.CodeWrongScheme, Message: c.URL + " does not speak HTTPS",
			Hint: "begin the URL with http://",
		}
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return &control.Error{
		Code:    control.CodeDisconnected,
		Message: fmt.Sprintf("the connection to %s broke: %v", c.URL, err),
		Hint:    "look at the terminal of `devtool dev`: did it stop?",
	}
}

// refusal returns the emulator's own Error, if the answer is one.
func (c *Client) refusal(response *http.Response, content []byte) error {
	if response.StatusCode == http.StatusBadRequest && strings.Contains(string(content), "to an HTTPS server") {
		return &control.Error{
			Code: control.CodeWrongScheme, Message: c.URL + " speaks HTTPS",
			Hint: "begin the URL with https://",
		}
	}
	refused := &control.Error{}
	if !isJSON(response.Header) || json.Unmarshal(content, refused) != nil || refused.Message == "" {
		return c.notDevtool(response)
	}
	return refused
}

// notDevtool returns the error for an answer that no emulator gives.
func (c *Client) notDevtool(response *http.Response) error {
	kind := response.Header.Get("Content-Type")
	if kind == "" {
		kind = "no content type"
	}
	return &control.Error{
		Code: control.CodeNotDevtool,
		Message: fmt.Sprintf("what answers at %s is not this version of devtool (%s, %s)",
			c.URL, response.Status, kind),
		Hint: "does another server have that port? `devtool dev` prints its own URL when it starts",
	}
}

func isJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}
