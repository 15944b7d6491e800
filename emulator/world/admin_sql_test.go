package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
)

// When the caller of endless SQL goes, the SQL must give the turn up as well.
func TestEndlessSQLHoldsTheTurnNoLongerThanItsCaller(t *testing.T) {
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
	frozen := clock.New(clock.Options{})
	if err := frozen.Freeze(); err != nil {
		t.Fatal(err)
	}
	w := New(Options{Worker: "w", Clock: frozen, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		frozen.Close()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.Apply(Layout{Classes: []Class{{Name: "Lab", UniqueKey: "w-Lab", Dir: t.TempDir()}}}); err != nil {
		t.Fatal(err)
	}
	which := control.Object{Class: "Lab", Name: "a"}
	run := func(ctx context.Context, query string) (string, error) {
		got, err := w.Admin().RunSQL(ctx, which, control.SQLRequest{Query: query})
		return fmt.Sprint(got.Rows), err
	}
	if _, err := w.Admin().PutEntry(t.Context(), which, "k", control.PutRequest{Value: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), "CREATE TABLE t (note TEXT); INSERT INTO t VALUES ('one')"); err != nil {
		t.Fatal(err)
	}
	pinned, err := w.Admin().pin(which) // keeps the object in the namespace
	if err != nil {
		t.Fatal(err)
	}
	defer pinned.release()
	eventually := func(what string, f func() bool) {
		t.Helper()
		timeout := time.NewTimer(20 * time.Second)
		defer timeout.Stop()
		for !f() {
			select {
			case <-time.After(time.Millisecond):
			case <-timeout.C:
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := run(ctx, "DELETE FROM t; "+endless)
		ended <- err
	}()
	eventually("the SQL runs", func() bool {
		if pinned.storeMu.TryLock() {
			pinned.storeMu.Unlock()
			return false
		}
		pinned.mu.Lock()
		defer pinned.mu.Unlock()
		return pinned.turn != nil && pinned.turn.kind == "admin"
	})
	seen := make(chan string, 1)
	go func() {
		rows, err := run(t.Context(), "SELECT note FROM t")
		seen <- fmt.Sprint(rows, err)
	}()
	eventually("another waits for the turn", func() bool {
		pinned.mu.Lock()
		defer pinned.mu.Unlock()
		return len(pinned.queue) == 1
	})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it canceled", err)
	}
	if got, want := <-seen, "[[{one}]]<nil>"; got != want {
		t.Errorf("the other: got %q, want %q", got, want)
	}
}
