package main

import (
	"context"
	"testing"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

func TestEachPathCountsForItself(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	for _, visit := range []struct{ path, want string }{
		{"/home", "{\"count\":1}\n"},
		{"/home", "{\"count\":2}\n"},
		{"/about", "{\"count\":1}\n"},
	} {
		if status, got := srv.Fetch("GET", visit.path, ""); status != 200 || got != visit.want {
			t.Errorf("GET %s: got %d %q, want 200 %q", visit.path, status, got, visit.want)
		}
	}
}

func TestTheCountOutlivesTheObjectInMemory(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	srv.Fetch("GET", "/home", "")
	if !srv.Object("Counter", "home").Evict() {
		t.Error("the object was not in memory")
	}
	if _, got := srv.Fetch("GET", "/home", ""); got != "{\"count\":2}\n" {
		t.Errorf("got %q, want a count of 2", got)
	}
}

func TestAVisitThatIsNotStoredIsNotCounted(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	srv.Object("Counter", "home").CrashBeforeCommit()
	if status, _ := srv.Fetch("GET", "/home", ""); status != 500 {
		t.Errorf("the lost visit: got status %d, want 500", status)
	}
	durabletest.Run(t, srv.Object("Counter", "home"), func(ctx context.Context, c *Counter, s *durable.State) {
		if count, err := c.increment(ctx); count != 1 || err != nil {
			t.Errorf("the next visit: got %d, %v, want 1", count, err)
		}
	})
}
