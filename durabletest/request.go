package durabletest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Client returns a client that sends requests with a relative URL, such as "/orders", to the
// worker.
func (s *Server) Client() *http.Client { return s.emulator.client }

// Fetch sends a request to the worker and returns the status and the body of the response. It
// covers the common case: use Do for headers and streams, and Begin if the handler waits for the
// clock. On the test's own goroutine, Fetch and Do fail when a handler waits for the clock, which
// is frozen, and nothing else of the test has used the server for two seconds.
//
// A request that is open when the test ends is canceled. Functions of t.Cleanup can send others.
func (s *Server) Fetch(method, path, body string) (status int, answer string) {
	s.t.Helper()
	r := s.request(method, path, body)
	status, answer, err := s.emulator.roundTrip(r)
	if err != nil {
		s.fail(r, err)
	}
	return status, answer
}

// request returns a request that ends with the test. In a cleanup function the test's context has
// ended; the request then ends with the emulator.
func (s *Server) request(method, path, body string) *http.Request {
	s.t.Helper()
	ctx := s.t.Context()
	if ctx.Err() != nil {
		ctx = s.emulator.ctx
	}
	r, err := http.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if err != nil {
		s.t.Fatalf("durabletest: %s %s: %v", method, path, err)
	}
	return r
}

// Do sends a request to the worker and returns the response, whatever its status. The request's URL
// may be relative, as for Client. The response's body is closed at the end of the test at the
// latest.
func (s *Server) Do(r *http.Request) *http.Response {
	s.t.Helper()
	response, err := s.Client().Do(r)
	if err != nil {
		s.fail(r, err)
	}
	s.t.Cleanup(func() { response.Body.Close() })
	return response
}

// fail ends the test because r has failed with err. The message names the request once.
func (s *Server) fail(r *http.Request, err error) {
	s.t.Helper()
	if late, ok := errors.AsType[*stalled](err); ok {
		s.t.Fatalf("durabletest: %v", late)
	}
	// http.Client puts the method and the URL in front. After a redirect they are not those of r.
	if failed, ok := errors.AsType[*url.Error](err); ok && failed.URL == r.URL.String() {
		err = failed.Err
	}
	s.t.Fatalf("durabletest: %s %s: %v", r.Method, r.URL, s.emulator.explain(err))
}
