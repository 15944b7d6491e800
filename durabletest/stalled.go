package durabletest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A test that sends a request on its own goroutine waits for the response. If the handler sleeps on
// a clock that only the test moves, neither would ever go on. So the request fails.

// A stalled is the error of a request that waits for the clock, while the test waits for it.
type stalled struct {
	what  string // "GET /sleep"
	until time.Time
	how   string // what the test should do
}

func (s *stalled) Error() string {
	return fmt.Sprintf("%s waits for the clock, which is frozen, until %s; %s",
		s.what, s.until.Format(time.RFC3339Nano), s.how)
}

const sendElsewhere = "move it with srv.Clock.Advance, and send the request with srv.Begin or from a goroutine"

// The times of a watch, in real time. It counts ticks, because ticks do not come while a debugger
// has stopped the test.
const (
	watchAfter = 200 * time.Millisecond // most responses come earlier
	idleTick   = 100 * time.Millisecond
	idleTicks  = 20 // how long nobody may use the server before the request fails
)

// watchOwn watches a request that the calling goroutine waits for, if that is a test's own.
func (t *traffic) watchOwn(s *sent, fail context.CancelCauseFunc) (stop func()) {
	if !t.onOwn() {
		return func() {}
	}
	return t.watch(s.matches, 0, func(w Waiter) { fail(&stalled{s.name, w.Until, sendElsewhere}) })
}

// matches reports whether w is the request.
func (s *sent) matches(w Waiter) bool { return w.Event == s.number() && w.Event != 0 }

// watch calls fail when three things are true: all handlers rest, a handler that matches waits for
// the frozen clock, and no other goroutine of the test has used the server for a while. own is the
// number of uses under way that are the watched one. The caller calls stop.
func (t *traffic) watch(matches func(Waiter) bool, own int, fail func(Waiter)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	timer := time.AfterFunc(watchAfter, func() {
		defer close(over)
		for ctx.Err() == nil {
			if w, ok := t.isStalled(ctx, matches, own); ok {
				fail(w)
				return
			}
			pause(ctx, idleTick)
		}
	})
	return func() {
		cancel()
		if !timer.Stop() {
			<-over
		}
	}
}

// isStalled reports whether what matches waits for the test, and for the clock. It takes a while.
func (t *traffic) isStalled(ctx context.Context, matches func(Waiter) bool, own int) (Waiter, bool) {
	before, busy := t.used()
	if _, ok := t.findWaiter(ctx, http.MethodPost, "time/settle", matches); !ok || busy > own {
		return Waiter{}, false
	}
	for range idleTicks {
		pause(ctx, idleTick)
		if uses, _ := t.used(); uses != before {
			return Waiter{}, false
		}
	}
	return t.findWaiter(ctx, http.MethodGet, "time/waiting", matches)
}

// findWaiter asks the emulator for what waits for the clock, and returns the first that matches. It
// returns none if the clock is not frozen.
func (t *traffic) findWaiter(
	ctx context.Context, method, path string, matches func(Waiter) bool,
) (found Waiter, ok bool) {
	r, err := http.NewRequestWithContext(ctx, method, apiPrefix+path, strings.NewReader("{}"))
	if err != nil {
		return Waiter{}, false
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := t.next.RoundTrip(r) // it is not a use of the server
	if err != nil {
		return Waiter{}, false
	}
	defer response.Body.Close()
	var all waiting
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&all) != nil {
		return Waiter{}, false
	}
	for _, w := range all.Waiting {
		if all.Mode == "frozen" && matches(w) {
			return w, true
		}
	}
	return Waiter{}, false
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// A watchedBody is the body of a response. A Read on a test's own goroutine fails like RoundTrip.
type watchedBody struct {
	io.ReadCloser
	t      *traffic
	s      *sent
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (b *watchedBody) Read(p []byte) (int, error) {
	stop := b.t.watchOwn(b.s, b.cancel)
	n, err := b.ReadCloser.Read(p)
	stop()
	if late, ok := context.Cause(b.ctx).(*stalled); ok && err != nil { //nolint:errorlint // it is not wrapped
		err = late
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
