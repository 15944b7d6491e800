package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"

	"devtool.internal/emulator/store"
)

const (
	endless     = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
	endlessRows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
)

func wantInterrupted(t testing.TB, err error) {
	t.Helper()
	e, ok := errors.AsType[*store.SQLError](err)
	if !ok || e.Code != "SQLITE_INTERRUPT" || e.Error() != "interrupted: SQLITE_INTERRUPT" {
		t.Errorf("got %v, want SQLITE_INTERRUPT", err)
	}
}

// interruptedAfter runs f, and interrupts its SQL from the moment f calls cancel.
func interruptedAfter(t testing.TB, o *store.Object, f func(cancel context.CancelFunc)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := o.InterruptAfter(ctx)
	f(cancel)
	stop()
}

func TestInterruptEndsEndlessSQL(t *testing.T) {
	for name, sql := range map[string]string{
		"a query":                endless,
		"the first of several":   endless + "; SELECT 1",
		"the last of several":    "SELECT 1; " + endless,
		"many short ones":        "SELECT count(*) FROM (" + endlessRows + " LIMIT 2000); " + endless,
		"a write":                "INSERT INTO t " + endless,
		"a write with its rows":  "INSERT INTO t SELECT i FROM (" + endlessRows + ") RETURNING NULL",
		"a change of the schema": "CREATE TABLE u AS " + endless,
	} {
		t.Run(name, func(t *testing.T) {
			o := newObject(t)
			query(t, o, "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
			must(t, o.Commit())
			must(t, o.Put("k", []byte("uncommitted")))
			interruptedAfter(t, o, func(cancel context.CancelFunc) {
				go cancel()
				_, err := tryQuery(o, sql)
				wantInterrupted(t, err)
			})
			must(t, o.Rollback())
			wantMissing(t, o, "k")
			wantRows(t, query(t, o, "SELECT a FROM t"), []any{int64(1)})
			query(t, o, "INSERT INTO t VALUES (2)")
			must(t, o.Commit())
		})
	}
}

func TestInterruptEndsACursorBetweenItsRows(t *testing.T) {
	o := newObject(t)
	c, err := o.Exec(endlessRows, nil)
	must(t, err)
	_, ok, err := c.Next()
	if !ok || err != nil {
		t.Fatalf("got no row, %v", err)
	}
	o.Interrupt()
	_, err = rest(c)
	wantInterrupted(t, err)
	_, _, err = c.Next()
	wantInterrupted(t, err)
	wantRows(t, query(t, o, "SELECT 1"), []any{int64(1)})
}

func TestInterruptHasNoEffectWhileNoSQLRuns(t *testing.T) {
	o := newObject(t)
	must(t, o.Put("k", []byte("v")))
	o.Interrupt()
	wantValue(t, o, "k", "v")
	must(t, o.Commit())
	wantRows(t, query(t, o, "SELECT 1"), []any{int64(1)})
}

func TestNothingIsInterruptedAfterStop(t *testing.T) {
	o := newObject(t)
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		stop := o.InterruptAfter(ctx)
		go cancel()
		if _, err := tryQuery(o, "SELECT 1"); err != nil {
			wantInterrupted(t, err)
		}
		stop()
		cancel()
		must(t, o.Rollback())
		wantRows(t, query(t, o, "SELECT 1"), []any{int64(1)})
		must(t, o.Put("k", nil))
		must(t, o.Commit())
	}
}

func TestInterruptMayComeAtAnyTime(t *testing.T) {
	const rounds = 40
	dir := t.TempDir()
	objects := make(chan *store.Object)
	var interrupting sync.WaitGroup
	interrupting.Go(func() {
		for o := range objects {
			for range 20 {
				o.Interrupt() // before, during and after Close
			}
		}
	})
	for i := range rounds {
		o, err := store.OpenObject(filepath.Join(dir, fmt.Sprint(i)), "", false)
		must(t, err)
		objects <- o
		if err := o.Put("k", []byte("v")); err == nil {
			o.Commit() //nolint:errcheck // it may have been interrupted
		}
		must(t, o.Close())
	}
	close(objects)
	interrupting.Wait()

	o := newObject(t)
	must(t, o.Close())
	o.Interrupt()
	if _, err := tryQuery(o, "SELECT 1"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: got %v, want fs.ErrClosed", err)
	}
}

func TestErrorsHaveThePositionOfTheirStatement(t *testing.T) {
	o := newObject(t)
	for sql, want := range map[string]string{
		"SELECT * FORM t":                      "FORM t",
		"SELECT 1; SELECT * FORM t":            "FORM t",
		"SELECT 1;\n-- a comment\nSELECT nope": "nope",
		"SELECT 'ü'; SELECT 'ü', nope FROM x":  "",
	} {
		_, err := tryQuery(o, sql)
		sqlErr, ok := errors.AsType[*store.SQLError](err)
		switch {
		case !ok:
			t.Errorf("%q: got %v", sql, err)
		case want == "":
			if sqlErr.Offset >= 0 {
				t.Errorf("%q: got offset %d, want none", sql, sqlErr.Offset)
			}
		case sql[sqlErr.Before+sqlErr.Offset:] != want:
			t.Errorf("%q: got %q, want %q", sql, sql[sqlErr.Before+sqlErr.Offset:], want)
		}
	}
}
