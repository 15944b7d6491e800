package durabletest

import (
	"net/http"
	"time"
)

// Settle returns when every handler waits or has ended: for the clock, another object, its turn,
// or the outside. It includes the requests that the test has sent with Client, Do, Fetch and Begin.
// So nothing is on its way any more, and what the test then sees or moves does not depend on how
// fast the machine is.
//
// A handler that does not come to rest within 10 s of real time fails the test, which then shows
// the handler's stack: it computes, or waits for a Go channel or lock, of which the emulator does
// not know.
//
// The methods of Clock that move it, and Trigger, settle first.
func (s *Server) Settle() {
	s.t.Helper()
	s.settle("settle")
}

// settle settles the server. An error begins with what.
func (a asker) settle(what string) {
	a.t.Helper()
	if err := a.emulator.traffic.awaitArrivals(); err != nil {
		a.t.Fatalf("durabletest: %s: %v", what, a.emulator.explain(err))
	}
	a.ask(what, http.MethodPost, "time/settle", struct{}{}, &waiting{})
}

// A Waiter is something that waits for the clock: a request, an alarm, a cron trigger, or work in
// the background. Identity is the object whose handler sleeps or has a timeout, while it waits for
// a Cond, another object or a Go channel. It is empty if that is the worker's own handler.
type Waiter struct {
	Identity
	Event uint64 `json:"event"` // a number that no other event of the test has
	Kind  string `json:"kind"`  // "fetch", "alarm", "cron", "waitUntil" or "visit"
	// About is the method and path of a request, such as "GET /poll", the expression of a cron
	// trigger, or the object or worker of another event.
	About string    `json:"about"`
	Until time.Time `json:"until"`
}

// String returns what waits and until when, such as "GET /poll until 2030-01-01T00:00:10Z".
func (w Waiter) String() string {
	what := w.About
	if w.Kind != "fetch" {
		what = w.Kind + " " + w.About
	}
	return what + " until " + w.Until.Format(time.RFC3339Nano)
}

// waiting is the emulator's list of waiters.
type waiting struct {
	Mode    string   `json:"mode"`
	Waiting []Waiter `json:"waiting"`
}

// Waiting settles, and returns what waits for the clock, in the order of the times at which it goes
// on.
func (c Clock) Waiting() []Waiter {
	c.t.Helper()
	c.settle("list what waits for the clock")
	var all waiting
	c.ask("list what waits for the clock", http.MethodGet, "time/waiting", nil, &all)
	return all.Waiting
}
