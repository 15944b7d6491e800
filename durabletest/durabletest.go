// Package durabletest tests handlers inside `go test`: against a real emulator, with a clock that the test
// moves.
//
//	func TestItWaits(t *testing.T) {
//		srv := durabletest.Start(t, worker, durabletest.Options{})
//		srv.Fetch("POST", "/orders", `{"id": 1}`)
//		fired := srv.Clock.Advance(10 * time.Second)
//		…
//	}
//
// Start runs `devtool dev` as a child of the test's process, with fresh state, a clock that stands still and
// a port of its own, and lets the test's process be its handler program: worker runs inside the test, where
// it can be debugged, and -race, -cover and -run see it. So tests are isolated from each other and may run
// in parallel. All of it is gone when the test has ended, also when its process was killed.
//
// The devtool command is the one that the environment variable DEVTOOL names, or the one on PATH, or is built
// from the module devtool.internal if the test's module depends on its source.
//
// Whatever does not work is t.Fatal. What handlers print by package log goes to the log of the test, as does
// that of the emulator: go test shows both for a test that fails, or with -v.
package durabletest

import (
	"net/http"
	"testing"
	"time"

	"devtool.internal/durable"
)

// Options say what to start. Their zero value will do.
type Options struct {
	// Dir is the folder of the project, or one in it. Empty means the test's own: the
	// configuration is found from there as `devtool dev` finds it.
	Dir string
	// Config is the configuration file, if it is not the one that is found. A relative path is meant from Dir.
	Config string
	// Env is an environment of the configuration.
	Env string
	// Vars are set over those of the configuration and of .dev.vars and .env files.
	Vars map[string]string
	// Time is where the clock starts; zero means the present.
	Time time.Time
	// Seed, unless it is 0, shuffles what is due at the same time.
	Seed uint64
	// Limits is "production", which empty means, or "local" for those of the platform's local runtime.
	Limits string
	// Verbose logs also what is for details: each request to an object, and each eviction.
	Verbose bool
}

// A Server is an emulator that serves one worker for one test. Its methods may be called from any goroutine, but
// as those of testing.T that end the test they fail only from the test's own.
type Server struct {
	// URL is where the worker is reached, such as http://127.0.0.1:41234, for clients that are not
	// of this package.
	URL string
	// Clock is the time that handlers see.
	Clock Clock
	// Alarms are the pending alarms of all objects.
	Alarms Alarms
	// Objects are those that store something, or are in memory.
	Objects Objects

	asker
}

// Start starts an emulator for the test, with worker as its handler program. It ends with the test.
func Start(t testing.TB, worker durable.Worker, o Options) *Server {
	t.Helper()
	path, err := command()
	if err != nil {
		t.Fatalf("durabletest: %v", err)
	}
	e, err := start(t, path, worker, o)
	if err != nil {
		t.Fatalf("durabletest: %v", err)
	}
	return e.server(t)
}

// For returns the same server for a subtest, or a helper with a testing.TB of its own: that is the one which
// fails.
func (s *Server) For(t testing.TB) *Server { return s.emulator.server(t) }

func (e *emulator) server(t testing.TB) *Server {
	a := asker{t, e}
	return &Server{URL: e.url, Clock: Clock{a}, Alarms: Alarms{a}, Objects: Objects{a}, asker: a}
}

// Client returns a client whose requests to a relative URL, such as "/orders", reach the worker.
func (s *Server) Client() *http.Client { return s.emulator.client }

// Outbound has f answer the requests that handlers send to the outside with durable.HTTPClient, from now on;
// with nil they go there again, as they do at first. As with a request that leaves, what the handler wrote
// before is committed, and its object's turn is given up until f returns. Of the response that f returns a
// status is enough. f is called on another goroutine than the test's, and for several requests at once where
// several handlers run.
func (s *Server) Outbound(f func(*http.Request) (*http.Response, error)) {
	s.emulator.outside.Store(&f)
}
