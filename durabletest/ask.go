package durabletest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// apiPrefix is the path of the emulator's control API.
const apiPrefix = "/cdn-cgi/devtool/v1/"

// An asker sends requests to the emulator for a test, and ends the test if one fails.
type asker struct {
	t        testing.TB
	emulator *emulator
}

// ask sends a request to the control API and decodes the answer. The body is question, unless that
// is nil. Errors begin with what, the purpose of the request.
func (a asker) ask(what, method, path string, question, answer any) {
	a.t.Helper()
	// The test's context would not do: it ends before the test's cleanup functions run.
	if err := a.emulator.ask(context.Background(), method, path, question, answer); err != nil {
		a.t.Fatalf("durabletest: %s: %v", what, a.emulator.explain(err))
	}
}

// askIfThere is ask about an object. It reports whether the object stores something or is in
// memory; else it leaves answer alone.
func (a asker) askIfThere(what, method, path string, answer any) bool {
	a.t.Helper()
	err := a.emulator.ask(context.Background(), method, path, nil, answer)
	var refused *refusal
	if errors.As(err, &refused) && refused.code == "no_object" {
		return false
	}
	if err != nil {
		a.t.Fatalf("durabletest: %s: %v", what, a.emulator.explain(err))
	}
	return true
}

// trigger is ask for a run of an event of a kind, which the test waits for. It settles first.
func (a asker) trigger(what, path string, question any, kind string, answer any) {
	a.t.Helper()
	a.settle(what)
	ctx, fail := context.WithCancelCause(context.Background())
	defer fail(nil)
	stop := func() {}
	if traffic := a.emulator.traffic; traffic.onOwn() {
		stop = traffic.watch(func(w Waiter) bool { return w.Kind == kind }, 1, func(w Waiter) {
			fail(&stalled{w.Kind + " " + w.About, w.Until, "let the clock run, or call Trigger from a goroutine"})
		})
	}
	err := a.emulator.ask(ctx, http.MethodPost, path, question, answer)
	stop()
	if late, ok := context.Cause(ctx).(*stalled); ok { //nolint:errorlint // it is not wrapped
		err = late
	}
	if err != nil {
		a.t.Fatalf("durabletest: %s: %v", what, a.emulator.explain(err))
	}
}

// ask sends a request to the control API and decodes the answer.
func (e *emulator) ask(ctx context.Context, method, path string, question, answer any) error {
	response, err := e.request(ctx, method, path, question)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(answer)
}

// request sends a request to the control API. If the emulator refuses it the error is a *refusal.
func (e *emulator) request(ctx context.Context, method, path string, question any) (*http.Response, error) {
	var body io.Reader
	if question != nil {
		b, err := json.Marshal(question)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, e.url+apiPrefix+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := e.client.Do(r)
	if err != nil || response.StatusCode < 400 {
		return response, err
	}
	defer response.Body.Close()
	var refused struct {
		Error string `json:"error"`
		Hint  string `json:"hint"`
		Code  string `json:"code"`
	}
	if err := json.NewDecoder(response.Body).Decode(&refused); err != nil || refused.Error == "" {
		return nil, fmt.Errorf("the emulator answered %s", response.Status)
	}
	if refused.Hint != "" {
		refused.Error += " (" + refused.Hint + ")"
	}
	return nil, &refusal{response.StatusCode, refused.Code, refused.Error}
}

// A refusal is the error for a request that the emulator has refused.
type refusal struct {
	status int
	code   string
	reason string
}

func (r *refusal) Error() string { return r.reason }
