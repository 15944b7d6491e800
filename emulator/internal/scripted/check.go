package scripted

import (
	"bytes"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
)

// Deadline is how long anything in a test may take before it counts as stuck.
const Deadline = 20 * time.Second

// Eventually waits until f returns true. It fails the test at the Deadline.
func Eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	timeout := time.NewTimer(Deadline)
	defer timeout.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("waited %s in vain until %s", Deadline, what)
		}
	}
}

// A Clock is what AwaitTimer needs of a virtual clock.
type Clock interface {
	Now() time.Time
	Next() (due time.Time, set bool)
}

// AwaitTimer waits until the clock's next timer is due in d, as when a handler has begun to sleep
// for d. If the clock moves before that, the move does not count for the handler's sleep.
func AwaitTimer(t *testing.T, c Clock, d time.Duration) {
	t.Helper()
	Eventually(t, "a timer is set for "+d.String(), func() bool {
		due, set := c.Next()
		return set && due.Equal(c.Now().Add(d))
	})
}

// WantList compares two lists of texts.
func WantList(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// WantError compares two errors of the protocol, except for the stack in Detail.
func WantError(t *testing.T, got *wire.Error, want wire.Error) {
	t.Helper()
	if got == nil {
		t.Errorf("got no error, want %+v", want)
		return
	}
	c := *got
	c.Detail = ""
	if c != want {
		t.Errorf("got error %+v, want %+v", c, want)
	}
}

// WireError returns the error of the protocol in err, or nil if there is none.
func WireError(err error) *wire.Error {
	var e *wire.Error
	errors.As(err, &e)
	return e
}

// A Buffer is a bytes.Buffer for several goroutines.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Reset empties the buffer.
func (b *Buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

// LabID returns the id of an object of class Lab.
func LabID(name string) string { return objectid.FromName("w-Lab", "", name).String() }

// Must panics with err unless it is nil. Handlers use it: they must not end a test.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}
