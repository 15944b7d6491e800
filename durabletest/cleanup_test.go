package durabletest_test

import (
	"net/http"
	"sync"
	"testing"

	"devtool.internal/durabletest"
)

// passed fails the test if the test within it has failed.
func (r *recorder) passed(t testing.TB) {
	t.Helper()
	if r.fatal != "" || len(r.errors) > 0 {
		t.Errorf("got %q, %q, want no failure", r.fatal, r.errors)
	}
}

func TestCleanupFunctionsSendRequests(t *testing.T) {
	t.Parallel()
	record(t, func(t testing.TB) {
		srv := start(t)
		t.Cleanup(func() {
			want(t, srv, "/a/count", "1")
			r, err := http.NewRequest(http.MethodGet, "/a/count", nil)
			if err != nil {
				t.Fatalf("%v", err)
			}
			srv.Do(r)
			response, err := srv.Client().Get("/a/count")
			if err != nil {
				t.Fatalf("%v", err)
			}
			response.Body.Close()
			sleep := srv.Begin("GET", "/b/sleep", "")
			srv.Clock.Next()
			if status, answer := sleep.Wait(); status != 200 || answer != "slept" {
				t.Errorf("got %d %q, want 200 slept", status, answer)
			}
			srv.Begin("GET", "/b/sleep", "")
			want(t, srv, "/a/count", "4")
		})
	}).passed(t)
}

// begin sends a request whose handler sleeps, from a goroutine that open waits for.
func begin(srv *durabletest.Server, open *sync.WaitGroup) {
	open.Go(func() { srv.Fetch("GET", "/a/sleep", "") })
	for len(srv.Clock.Waiting()) == 0 { //nolint:revive // Waiting settles
	}
}

func TestAnOpenRequestEndsBeforeTheCleanupFunctions(t *testing.T) {
	t.Parallel()
	record(t, func(t testing.TB) {
		srv := start(t)
		var open sync.WaitGroup
		t.Cleanup(open.Wait)
		begin(srv, &open)
	}).wantFatal(t, "context canceled")
}

func TestAnOpenRequestOfACleanupFunctionEndsWithTheEmulator(t *testing.T) {
	t.Parallel()
	var open sync.WaitGroup
	record(t, func(t testing.TB) {
		srv := start(t)
		t.Cleanup(func() { begin(srv, &open) })
	})
	open.Wait() // it is canceled or, if that comes first, fails as its handler does
}
