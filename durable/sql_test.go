package durable

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

// query runs a statement that the emulator answers with pages.
func (h handling) query(pages ...wire.Rows) *Cursor {
	h.t.Helper()
	h.mu.Lock()
	h.results = pages
	h.mu.Unlock()
	c, err := h.state.Storage.SQL().Exec(h.ctx, "SELECT")
	if err != nil {
		h.t.Fatalf("exec: %v", err)
	}
	return c
}

type (
	named   string
	yes     bool
	bits    []byte
	moment  time.Time
	looping *looping
)

func ptr[T any](v T) *T { return &v }

func circle() looping {
	var a, b looping
	a, b = &b, &a
	return a
}

func TestArgumentsAreBoundAsDocumented(t *testing.T) {
	noon := time.Date(2030, 1, 2, 12, 0, 0, 5e8, time.UTC)
	for _, test := range []struct{ arg, want any }{
		{nil, nil},
		{(*int)(nil), nil},
		{ptr(ptr(7)), 7.0},
		{1, 1.0},
		{int8(-1), -1.0},
		{uint64(1 << 53), 9007199254740992.0},
		{int64(-1 << 53), -9007199254740992.0},
		{time.Second, 1e9},
		{float32(0.5), 0.5},
		{math.NaN(), nil},
		{math.Inf(-1), math.Inf(-1)},
		{true, 1.0},
		{yes(false), 0.0},
		{ptr(true), 1.0},
		{noon, "2030-01-02 12:00:00.500Z"},
		{noon.Add(1_999_999).In(time.FixedZone("", 3600)), "2030-01-02 12:00:00.501Z"},
		{time.Time{}, "0001-01-01 00:00:00.000Z"},
		{ptr(noon), "2030-01-02 12:00:00.500Z"},
		{(*time.Time)(nil), nil},
		{sql.NullTime{Time: noon, Valid: true}, "2030-01-02 12:00:00.500Z"},
		{sql.NullTime{Time: noon}, nil},
		{"text", "text"},
		{named("text"), "text"},
		{[]byte{1}, []byte{1}},
		{bits{1}, []byte{1}},
		{[]byte{}, []byte{}},
		{[]byte(nil), nil},
		{bits(nil), nil},
		{sql.NullInt64{Int64: 3, Valid: true}, 3.0},
		{sql.NullString{}, nil},
		{(*sql.NullString)(nil), nil},
	} {
		got, err := bind(test.arg)
		if err != nil {
			t.Errorf("bind %T %v: got error %v", test.arg, test.arg, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("bind %T %v (-want +got):\n%s", test.arg, test.arg, diff)
		}
	}
}

func TestArgumentsWithoutASQLValueAreErrors(t *testing.T) {
	for _, test := range []struct {
		arg  any
		want string
	}{
		{int64(1<<53 + 1), "int64 9007199254740993 is beyond ±2^53, and numbers are bound as REAL, as the platform " +
			"binds them: pass it as text"},
		{math.MinInt64, "int -9223372036854775808 is beyond ±2^53, and numbers are bound as REAL, as the platform " +
			"binds them: pass it as text"},
		{uint64(math.MaxUint64), "uint64 18446744073709551615 is beyond ±2^53, and numbers are bound as REAL, as " +
			"the platform binds them: pass it as text"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "the year of 10000-01-01 00:00:00 +0000 UTC does not have " +
			"four digits, and SQLite does not read others: pass the time's UnixMilli()"},
		{time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 60)), "the year of -0001-12-31 23:59:00 +0000 UTC does " +
			"not have four digits, and SQLite does not read others: pass the time's UnixMilli()"},
		{moment{}, "SQL has no value for a durable.moment: pass it as a time.Time"},
		{struct{ A int }{}, "SQL has no value for a struct { A int }: pass its fields one by one, or its JSON as text"},
		{map[string]int{}, "SQL has no value for a map[string]int: pass its fields one by one, or its JSON as text"},
		{[2]byte{}, "SQL has no value for a [2]uint8: pass a slice of it"},
		{1i, "SQL has no value for a complex128: pass a number, a string, a bool, a []byte, a " +
			"time.Time or nil"},
		{"\xff", "the text is not UTF-8: pass it as []byte"},
		{named("\xff"), "the text is not UTF-8: pass it as []byte"},
		{circle(), "a durable.looping that has more than 16 pointers around its value"},
	} {
		_, err := bindAll([]any{1, test.arg})
		expectError(t, err, "argument 2: "+test.want)
	}
}

func TestExecSendsTheQueryWithItsArguments(t *testing.T) {
	inHandler(t, func(h handling) {
		h.results = []wire.Rows{{Written: 2}}
		c, err := h.state.Storage.SQL().Exec(h.ctx, "INSERT INTO t VALUES (?, ?)", 1, "a")
		h.check(err)
		if got := c.RowsWritten(); got != 2 {
			t.Errorf("got %d rows written, want 2", got)
		}
		if c.Next() || c.Err() != nil || len(c.ColumnNames()) != 0 {
			t.Errorf("a statement without rows has some, or the error %v", c.Err())
		}
		size, err := h.state.Storage.SQL().DatabaseSize(h.ctx)
		h.check(err)
		if size != 4096 {
			t.Errorf("got size %d, want 4096", size)
		}
		h.expectSent("exec INSERT INTO t VALUES (?, ?) float64(1) string(a)", "database size")
	})
}

func TestErrorsOfExecSayWhatFailed(t *testing.T) {
	inHandler(t, func(h handling) {
		s := h.state.Storage.SQL()
		_, err := s.Exec(context.Background(), "SELECT 1")
		expectError(t, err,
			"exec: the context is not a handler's: pass on the context that the handler was called with")
		_, err = s.Exec(h.ctx, "SELECT ?", 1i)
		expectError(t, err,
			"exec: argument 1: SQL has no value for a complex128: pass a number, a string, a bool, a []byte, a "+
				"time.Time or nil")
		_, err = s.DatabaseSize(context.Background())
		expectError(t, err,
			"database size: the context is not a handler's: pass on the context that the handler was called with")

		h.fail(wire.MethodExec, &wire.Error{Message: "UNIQUE constraint failed", Code: "SQLITE_CONSTRAINT_UNIQUE"})
		_, err = s.Exec(h.ctx, "INSERT")
		expectError(t, err, "exec: UNIQUE constraint failed")
		var e *Error
		if !errors.As(err, &e) || e.Code != "SQLITE_CONSTRAINT_UNIQUE" {
			t.Errorf("got %+v, want an *Error with SQLite's code", e)
		}
		if got := toWire(err).Code; got != "SQLITE_CONSTRAINT_UNIQUE" {
			t.Errorf("the caller learns code %q, want SQLite's", got)
		}
		if got := toWire(&Error{Code: "\xff"}).Code; got != "" {
			t.Errorf("a code that is not UTF-8 is sent as %q", got)
		}
	})
}
