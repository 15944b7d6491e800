package durabletest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The headers of a request that is to be acknowledged, and of the acknowledgement.
const (
	acknowledgeHeader = "Devtool-Acknowledge"
	eventHeader       = "Devtool-Event"
)

// traffic is the transport of a server's client. It knows which requests are on their way to the
// emulator, because a test that settles must not miss them.
type traffic struct {
	next *relative

	// mu guards what follows.
	mu     sync.Mutex
	coming map[*sent]struct{} // requests that have not arrived at the emulator
	uses   uint64             // grows with each use of the server that begins or ends
	busy   int                // uses under way that end by themselves: all but requests to the worker
	own    map[uint64]int     // how often each goroutine is a test's own
}

func newTraffic(next *relative) *traffic {
	return &traffic{next: next, coming: make(map[*sent]struct{}), own: make(map[uint64]int)}
}

// A sent is a request that a client has sent to the worker.
type sent struct {
	name    string        // "GET /sleep"
	arrived chan struct{} // closed when the emulator has it, or when it has ended

	mu    sync.Mutex // guards what follows
	event uint64     // its number in the emulator, or 0
	ended bool
}

// arrive notes that the emulator has the request as the event with this number.
func (s *sent) arrive(event uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event = max(s.event, event)
	if !s.ended {
		s.ended = true
		close(s.arrived)
	}
}

func (s *sent) number() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.event
}

// sentKey is the context key of a function that receives the *sent of a request.
type sentKey struct{}

// RoundTrip sends a request. If a test's own goroutine waits for the response of the worker while
// nothing but the test can move the clock, the error is a *stalled.
func (t *traffic) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, "/cdn-cgi/") {
		defer t.use()()
		return t.next.RoundTrip(r)
	}
	s := &sent{name: r.Method + " " + pathOf(r), arrived: make(chan struct{})}
	t.mu.Lock()
	t.coming[s] = struct{}{}
	t.uses++
	t.mu.Unlock()
	arrive := func(event uint64) {
		s.arrive(event)
		t.mu.Lock()
		delete(t.coming, s)
		t.uses++
		t.mu.Unlock()
	}
	defer arrive(0)
	if receive, ok := r.Context().Value(sentKey{}).(func(*sent)); ok {
		receive(s)
	}
	ctx, cancel := context.WithCancelCause(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			if number := header.Get(eventHeader); code == http.StatusProcessing && number != "" {
				event, err := strconv.ParseUint(number, 10, 64)
				arrive(event)
				return err
			}
			return nil
		},
	}))
	r = r.Clone(ctx)
	r.Header.Set(acknowledgeHeader, "1")
	stop := t.watchOwn(s, cancel)
	response, err := t.next.RoundTrip(r)
	stop()
	if cause := context.Cause(ctx); err != nil {
		cancel(nil)
		if late, ok := cause.(*stalled); ok { //nolint:errorlint // it is not wrapped
			err = late
		}
		return nil, err
	}
	response.Body = &watchedBody{ReadCloser: response.Body, t: t, s: s, ctx: ctx, cancel: cancel}
	return response, nil
}

// CloseIdleConnections is what http.Client's method of that name calls.
func (t *traffic) CloseIdleConnections() { t.next.CloseIdleConnections() }

// pathOf returns the path of a request for messages.
func pathOf(r *http.Request) string {
	if path := r.URL.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// use notes a use of the server that is not a request to the worker, until done is called.
func (t *traffic) use() (done func()) {
	count := func(n int) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.busy += n
		t.uses++
	}
	count(1)
	return func() { count(-1) }
}

// used returns how many uses have begun or ended, and how many are under way.
func (t *traffic) used() (uses uint64, busy int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.uses, t.busy
}

// How long a test waits for its requests to reach the emulator. It counts ticks of real time,
// because ticks do not come while a debugger has stopped the test.
const (
	arriveTick  = 100 * time.Millisecond
	arriveTicks = 100
)

// awaitArrivals waits until the emulator has all requests that have been sent.
func (t *traffic) awaitArrivals() error {
	t.mu.Lock()
	coming := slices.Collect(maps.Keys(t.coming))
	t.mu.Unlock()
	if len(coming) == 0 {
		return nil
	}
	tick := time.NewTicker(arriveTick)
	defer tick.Stop()
	for n := 0; len(coming) > 0; {
		select {
		case <-coming[0].arrived:
			coming = coming[1:]
		case <-tick.C:
			if n++; n == arriveTicks {
				return fmt.Errorf("%s has not reached the emulator within %s", coming[0].name, arriveTick*arriveTicks)
			}
		}
	}
	return nil
}

// addOwn makes the goroutine that calls it one of the tests' own, until t ends.
func (t *traffic) addOwn(test testing.TB) {
	id := goroutine()
	t.mu.Lock()
	t.own[id]++
	t.mu.Unlock()
	test.Cleanup(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.own[id]--; t.own[id] == 0 {
			delete(t.own, id)
		}
	})
}

// onOwn reports whether the goroutine that calls it is a test's own: that of Start or For, or the
// goroutine of a subtest that uses the server without For.
func (t *traffic) onOwn() bool {
	id := goroutine()
	t.mu.Lock()
	own := t.own[id] > 0
	t.mu.Unlock()
	return own || runsTest()
}

// maxFrames is how deep on the stack runsTest looks for the test.
const maxFrames = 256

// runsTest reports whether package testing has started the goroutine that calls it for a test.
func runsTest() bool {
	var callers [maxFrames]uintptr
	n := runtime.Callers(1, callers[:])
	for frames := runtime.CallersFrames(callers[:n]); ; {
		frame, more := frames.Next()
		if frame.Function == "testing.tRunner" {
			return true
		}
		if !more {
			return false
		}
	}
}

// goroutine returns the number of the goroutine that calls it. A stack begins with it:
// "goroutine 12 [running]:".
func goroutine() uint64 {
	b := make([]byte, 64)
	b = b[:runtime.Stack(b, false)]
	digits, _, _ := bytes.Cut(bytes.TrimPrefix(b, []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("durabletest: a stack begins with %q", b))
	}
	return id
}
