package main

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

func TestABatchIsSentAfterTenSeconds(t *testing.T) {
	srv := durabletest.Start(t, worker, durabletest.Options{Vars: map[string]string{"UPSTREAM": "http://upstream"}})
	var sent []string
	srv.Outbound(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		sent = append(sent, string(body))
		return &http.Response{StatusCode: 204}, err
	})
	srv.Fetch("POST", "/orders", `{"id": 1}`)
	srv.Fetch("POST", "/orders", `{"id": 2}`)
	early, due := srv.Clock.Advance(9999*time.Millisecond), srv.Clock.Advance(time.Millisecond)
	if len(early) != 0 || len(due) != 1 || !slices.Equal(sent, []string{`[{"id": 1},{"id": 2}]`}) {
		t.Errorf("ran %v and then %v, sent %q", early, due, sent)
	}
}

// upstream receives batches. It refuses the first few of them.
type upstream struct {
	mu      sync.Mutex // guards what follows
	refuse  int        // how many batches it still refuses
	batches []string
}

// start starts a batcher that sends to u.
func (u *upstream) start(t *testing.T) *durabletest.Server {
	t.Helper()
	srv := durabletest.Start(t, worker, durabletest.Options{
		Vars: map[string]string{"UPSTREAM": "http://upstream/batches"},
	})
	srv.Outbound(func(r *http.Request) (*http.Response, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.refuse > 0 {
			u.refuse--
			return &http.Response{StatusCode: http.StatusServiceUnavailable}, nil
		}
		body, err := io.ReadAll(r.Body)
		u.batches = append(u.batches, string(body))
		return &http.Response{StatusCode: http.StatusNoContent}, err
	})
	return srv
}

// check compares the batches that u has received.
func (u *upstream) check(t *testing.T, want ...string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.batches) != len(want) {
		t.Fatalf("got batches %q, want %q", u.batches, want)
	}
	for i, got := range u.batches {
		if got != want[i] {
			t.Errorf("batch %d: got %s, want %s", i+1, got, want[i])
		}
	}
}

func TestARefusedBatchIsSentAgain(t *testing.T) {
	t.Parallel()
	u := &upstream{refuse: 2}
	srv := u.start(t)
	srv.Fetch("POST", "/orders", `1`)
	srv.Clock.Advance(10 * time.Second)
	u.check(t)
	if queue, ok := srv.Object("Batcher", "orders").Alarm(); !ok || queue.Retry != 1 {
		t.Errorf("got alarm %+v, %t, want one that waits for its first retry", queue, ok)
	}
	srv.Clock.Advance(time.Minute)
	u.check(t, `[1]`)
	if left := srv.Object("Batcher", "orders").Snapshot().Entries; len(left) > 0 {
		t.Errorf("got stored items %v, want none", left)
	}
}

func TestEachQueueSendsItsOwnBatches(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	srv := u.start(t)
	srv.Fetch("POST", "/orders", `1`)
	srv.Fetch("POST", "/other", `2`)
	durabletest.Run(t, srv.Object("Batcher", "orders"), func(_ context.Context, b *Batcher, _ *durable.State) {
		if b.queued != 1 {
			t.Errorf("orders: got %d items, want 1", b.queued)
		}
	})
	srv.Clock.Advance(5 * time.Second)
	srv.Fetch("POST", "/other", `3`)
	srv.Clock.Advance(5 * time.Second)
	u.check(t, `[1]`, `[2,3]`)
	srv.Fetch("POST", "/orders", `4`)
	srv.Clock.Advance(10 * time.Second)
	u.check(t, `[1]`, `[2,3]`, `[4]`)
}

func TestACrashLosesNoItem(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	srv := u.start(t)
	srv.Object("Batcher", "orders").CrashAfterCommit() // the item is stored, but its sender gets an error
	if status, _ := srv.Fetch("POST", "/orders", `1`); status != http.StatusInternalServerError {
		t.Errorf("got status %d, want 500", status)
	}
	srv.Fetch("POST", "/orders", `1`) // so the sender repeats it
	srv.Clock.Advance(10 * time.Second)
	u.check(t, `[1,1]`)
}
