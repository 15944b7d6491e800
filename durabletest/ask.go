package durabletest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
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
	response, err := a.emulator.request(method, path, question)
	if err == nil {
		defer response.Body.Close()
		err = json.NewDecoder(response.Body).Decode(answer)
	}
	if err != nil {
		a.t.Fatalf("durabletest: %s: %v", what, a.emulator.explain(err))
	}
}

// request sends a request to the control API. If the emulator refuses it the error is a *refusal.
func (e *emulator) request(method, path string, question any) (*http.Response, error) {
	var body io.Reader
	if question != nil {
		b, err := json.Marshal(question)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	// The test's context would not do: it ends before the test's cleanup functions run.
	r, err := http.NewRequestWithContext(context.Background(), method, e.url+apiPrefix+path, body)
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
	}
	if err := json.NewDecoder(response.Body).Decode(&refused); err != nil || refused.Error == "" {
		return nil, fmt.Errorf("the emulator answered %s", response.Status)
	}
	if refused.Hint != "" {
		refused.Error += " (" + refused.Hint + ")"
	}
	return nil, &refusal{response.StatusCode, refused.Error}
}

// A refusal is the error for a request that the emulator has refused.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

// Fetch sends a request to the worker and returns the status and the body of the response. It
// covers the common case; use Client for headers and streams.
func (s *Server) Fetch(method, path, body string) (status int, answer string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	var b []byte
	if err == nil {
		var response *http.Response
		if response, err = s.Client().Do(r); err == nil {
			defer response.Body.Close()
			status = response.StatusCode
			b, err = io.ReadAll(response.Body)
		}
	}
	if err != nil {
		s.t.Fatalf("durabletest: %s %s: %v", method, path, s.emulator.explain(err))
	}
	return status, string(b)
}

// An Object identifies an object. Name is empty if the object was only ever reached by its id.
type Object struct {
	Class string `json:"class,omitempty"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"` // 64 hexadecimal digits
}

// String returns the object as commands write it: CLASS/NAME, or CLASS/ID for an object without a
// name.
func (o Object) String() string {
	if o.Name == "" {
		return o.Class + "/" + o.ID
	}
	return o.Class + "/" + o.Name
}

// objectOf returns the object with that name or id: an id has 64 hexadecimal digits, and anything
// else is a name.
func objectOf(class, object string) Object {
	if len(object) == 64 && strings.Trim(object, "0123456789abcdefABCDEF") == "" {
		return Object{Class: class, ID: object}
	}
	return Object{Class: class, Name: object}
}

// objectPath returns the object's path in the control API.
func objectPath(folder, class, object string) string {
	return folder + "/" + segment(class) + "/" + segment(object)
}

// segment returns s as one segment of a path. It escapes "." and "..", which mean folders.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}
