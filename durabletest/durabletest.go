// Package durabletest runs handlers inside `go test`, against a real emulator whose clock the test
// moves.
//
//	func TestItWaits(t *testing.T) {
//		srv := durabletest.Start(t, worker, durabletest.Options{})
//		srv.Fetch("POST", "/orders", `{"id": 1}`)
//		fired := srv.Clock.Advance(10 * time.Second)
//		…
//	}
//
// A test sends requests to the worker with Fetch, Do, Client and Begin, and moves the clock with
// Server.Clock. With Server.Object it reaches one object: its alarm, its storage and its faults.
// Run calls a function with the live instance. Server.Alarms, Objects and Cron list what there is.
//
// What a test sees does not depend on how fast the machine is. Each move of the clock settles
// first: it waits until every handler has ended or waits (see Server.Settle). The clock starts at
// a fixed time (see DefaultTime).
//
// Start makes a world for the test: an emulator with fresh state, a frozen clock and its own port.
// The test's process is the handler program: worker runs inside the test, where a debugger, -race
// and -cover see it. Tests are isolated from each other and may run in parallel.
//
// All worlds of a test binary are in one process, `devtool worlds`, which the first Start starts.
// It is a child of the test's process and ends with it. When a test ends, its world is dropped.
// Nothing of either is left behind, even if the test's process is killed. If the child crashes,
// all tests that use it fail, and say what it printed last; the next Start starts another one.
//
// The environment variable DEVTOOL names the devtool command. Without it the command on PATH is
// used. If there is none and the test's module depends on the source of devtool.internal, Start
// builds it.
//
// Every failure calls t.Fatal. What handlers print with package log goes to the test's log, and so
// does the emulator's log. go test shows both if the test fails, or with -v.
package durabletest

import (
	"net/http"
	"testing"
	"time"

	"devtool.internal/durable"
)

// Options configure Start. The zero value is ready to use.
type Options struct {
	// Dir is the folder of the project, or one in it; empty means the test's own folder.
	// Start looks for the configuration from there upwards, as `devtool dev` does.
	Dir string
	// Config is the configuration file, relative to Dir. Empty means the one that Start finds.
	Config string
	// Env is the environment of the configuration; empty means the top level.
	Env string
	// Vars override the variables of the configuration.
	Vars map[string]string
	// DotFiles makes the variables of .dev.vars and .env files count, as for `devtool dev`. Without
	// it a test gives the same result with and without those files, which are not committed.
	DotFiles bool
	// Time is the clock's start. Zero means DefaultTime.
	Time time.Time
	// Seed, unless it is 0, shuffles events that are due at the same time.
	Seed uint64
	// Limits is "production" or "local", the limits of the platform's local runtime. Empty means
	// production.
	Limits string
	// Verbose logs details, too: each request to an object and each eviction.
	Verbose bool
}

// DefaultTime returns where the clock of a test starts, unless Options.Time says otherwise: at
// 2030-01-01T00:00:00Z, so that the test gives the same result on every day.
func DefaultTime() time.Time { return time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC) }

// A Server is an emulator that serves one worker for one test. Its methods may be called from any
// goroutine. But a method that fails ends the test, and testing.T allows that only on the test's
// own goroutine.
type Server struct {
	// URL is the worker's address, such as http://127.0.0.1:41234, for clients other than Client.
	URL string
	// Clock is the clock that handlers see.
	Clock Clock
	// Alarms are the pending alarms of all objects.
	Alarms Alarms
	// Cron are the cron triggers of the configuration.
	Cron Cron
	// Objects are the objects that store something or are in memory.
	Objects Objects

	asker
}

// Start starts an emulator for the test, with worker as its handler program. The emulator ends with
// the test.
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
	e.traffic.addOwn(t)
	return e.server(t)
}

// For returns the same server for t, such as that of a subtest. Calls that fail then end t.
func (s *Server) For(t testing.TB) *Server {
	s.emulator.traffic.addOwn(t)
	return s.emulator.server(t)
}

func (e *emulator) server(t testing.TB) *Server {
	a := asker{t, e}
	return &Server{URL: e.url, Clock: Clock{a}, Alarms: Alarms{a}, Cron: Cron{a}, Objects: Objects{a}, asker: a}
}

// Outbound makes f answer the requests that handlers send to the outside with durable.HTTPClient.
// With nil, as at the start, requests reach the network. Either way the handler's writes are
// committed before the request, and its object gives up its turn until f returns. The response
// needs no more than a status, from 200 to 599. f runs on other goroutines than the test's, and for
// several requests at once if several handlers send them.
//
// If f does not return, an advance that waits for the handler fails after 30 s of real time. To
// test the timeout of a request, f calls durable.Sleep(r.Context(), d), which the clock ends.
func (s *Server) Outbound(f func(*http.Request) (*http.Response, error)) {
	if f != nil {
		answer := f
		f = func(r *http.Request) (*http.Response, error) {
			defer s.emulator.traffic.use()()
			return answer(r)
		}
	}
	s.emulator.outside.Store(&f)
}
