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

// apiPrefix is where the emulator's control API is.
const apiPrefix = "/cdn-cgi/devtool/v1/"

// An asker asks the emulator on behalf of a test, which fails if that does not work.
type asker struct {
	t        testing.TB
	emulator *emulator
}

// ask sends a request of the control API, with question as its body unless that is nil, and decodes the
// answer. What says what it is for.
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

// request sends a request of the control API. A refusal is an error.
func (e *emulator) request(method, path string, question any) (*http.Response, error) {
	var body io.Reader
	if question != nil {
		b, err := json.Marshal(question)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	// Not the test's context: it ends before the functions are called that clean up.
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

// A refusal is why the emulator has not done what it was asked for.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

// Fetch sends a request to the worker, and returns the status and the body of the response. It is for what a
// test does all the time; Client does the rest.
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

// An Object names one object. Name is empty for one that was reached by its id only.
type Object struct {
	Class string `json:"class,omitempty"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"` // 64 hexadecimal digits
}

// String is the object as commands write it: CLASS/NAME, or CLASS/ID for an object without a name.
func (o Object) String() string {
	if o.Name == "" {
		return o.Class + "/" + o.ID
	}
	return o.Class + "/" + o.Name
}

// objectOf is the object that is called so: an id has 64 hexadecimal digits, and all else is a name.
func objectOf(class, object string) Object {
	if len(object) == 64 && strings.Trim(object, "0123456789abcdefABCDEF") == "" {
		return Object{Class: class, ID: object}
	}
	return Object{Class: class, Name: object}
}

// objectPath is where the control API has the object.
func objectPath(folder, class, object string) string {
	return folder + "/" + segment(class) + "/" + segment(object)
}

// segment is s as one segment of a path. One of dots alone would mean a folder.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}
