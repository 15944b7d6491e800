package clock_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"devtool.internal/clock"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// epoch is where the tests' clocks begin.
var epoch = time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)

// frozenAt returns a clock that stands at t until it is advanced.
func frozenAt(t testing.TB, at time.Time) *clock.Clock {
	t.Helper()
	c := clock.New(clock.Options{State: clock.State{Mode: clock.Frozen, At: at}})
	t.Cleanup(c.Close)
	return c
}

// A tb is a test or a rapid property.
type tb interface {
	Context() context.Context
	Fatal(...any)
	Helper()
}

// advance advances c by d and expects no error.
func advance(t tb, c *clock.Clock, d time.Duration) clock.Report {
	t.Helper()
	report, err := c.Advance(t.Context(), d, clock.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func wantTime(t testing.TB, what string, got, want time.Time) {
	t.Helper()
	if !got.Equal(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A wall is a real clock that a test moves. Its readings have no monotonic part.
type wall struct {
	mu  sync.Mutex
	now time.Time
}

func newWall() *wall { return &wall{now: epoch} }

func (w *wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass moves w by d, which may be negative.
func (w *wall) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}
