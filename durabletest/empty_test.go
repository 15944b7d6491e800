package durabletest_test

import (
	"testing"
	"time"
)

// An object that stores nothing is gone with its instance, and a test sees no difference to one
// that never was.
func TestAnObjectThatStoresNothingIsGoneWithItsInstance(t *testing.T) {
	t.Parallel()
	srv := start(t)
	never := srv.Object("Lab", "never").Snapshot()
	if len(never.Entries) != 0 || len(never.Tables) != 0 || never.String() != "Lab/never" {
		t.Errorf("got %s, want an empty snapshot", never)
	}
	want(t, srv, "/read/greet", "hello")
	want(t, srv, "/stores/count", "1")
	if got := srv.Objects.List(); len(got) != 2 {
		t.Errorf("in memory: got %v, want two objects", got)
	}
	o := srv.Object("Lab", "read")
	if !o.Evict() || o.Evict() {
		t.Error("evicted once: want true and then false")
	}
	srv.Clock.Advance(time.Minute)
	if got := srv.Objects.List(); len(got) != 1 || got[0].Name != "stores" {
		t.Errorf("got %v, want only the one that stores something", got)
	}
	if got := o.Snapshot(); len(got.Entries) != 0 || got.InMemory {
		t.Errorf("got %s, want an empty snapshot", got)
	}
}
