package durable

import (
	"database/sql"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
)

// someTime draws times that SQL has, in whole milliseconds.
func someTime() *rapid.Generator[time.Time] {
	const first, last = -62167219200000, 253402300799999 // the years 0 to 9999
	return rapid.Map(rapid.Int64Range(first, last), func(ms int64) time.Time { return time.UnixMilli(ms).UTC() })
}

// SQL and DB bind each argument alike.
func TestBothWaysToSQLBindAlike(t *testing.T) {
	inHandlerWithDB(t, func(h handling, db *sql.DB) {
		for _, arg := range []any{
			true, yes(false), ptr(true), sql.NullBool{Bool: true, Valid: true},
			7, uint8(7), 1.5, math.NaN(), ptr(ptr(7)), time.Second,
			"text", named("text"), []byte{65}, bits{65}, bits(nil), []byte{},
			nil, (*int)(nil), sql.NullInt64{}, (*sql.NullString)(nil),
			time.Date(2030, 1, 2, 1, 2, 3, 45e7, time.FixedZone("", 3600)), ptr(time.Time{}), (*time.Time)(nil),
			sql.NullTime{Time: time.UnixMilli(1), Valid: true}, sql.NullTime{},
		} {
			_, err := h.state.Storage.SQL().Exec(h.ctx, "SELECT", arg)
			h.check(err)
			_, err = db.ExecContext(h.ctx, "SELECT", arg)
			h.check(err)
			bound, err := bind(arg)
			h.check(err)
			sent := fmt.Sprintf("exec SELECT %T(%v)", bound, bound)
			h.expectSent(sent, sent)
		}
	})
}

func TestValuesArriveAlikeBothWays(t *testing.T) {
	noon := time.Date(2030, 1, 2, 12, 0, 0, 5e8, time.UTC)
	for _, test := range []struct {
		value any
		sql   any // in an any, from SQL
		db    any // from DB
	}{
		{nil, nil, nil},
		{int64(7), int64(7), int64(7)},
		{int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64)},
		{2.0, int64(2), int64(2)},
		{-1e15, int64(-1e15), int64(-1e15)},
		{float64(1 << 53), int64(1 << 53), int64(1 << 53)},
		{float64(1<<53 + 2), float64(1<<53 + 2), float64(1<<53 + 2)},
		{1.5, 1.5, 1.5},
		{math.Inf(1), math.Inf(1), math.Inf(1)},
		{"text", "text", "text"},
		{"2030-01-02 12:00:00.500Z", "2030-01-02 12:00:00.500Z", noon},
		// SQLite's date functions write the next two.
		{"2030-01-02 12:00:00", "2030-01-02 12:00:00", "2030-01-02 12:00:00"},
		{"2030-01-02 12:00:00.500", "2030-01-02 12:00:00.500", "2030-01-02 12:00:00.500"},
		{"2030-01-02T12:00:00.500Z", "2030-01-02T12:00:00.500Z", "2030-01-02T12:00:00.500Z"},
		{"2030-01-02 12:00:00,500Z", "2030-01-02 12:00:00,500Z", "2030-01-02 12:00:00,500Z"},
		{"2030-02-30 12:00:00.500Z", "2030-02-30 12:00:00.500Z", "2030-02-30 12:00:00.500Z"},
		{"2030-01-02 24:00:00.000Z", "2030-01-02 24:00:00.000Z", "2030-01-02 24:00:00.000Z"},
		{[]byte{1}, []byte{1}, []byte{1}},
	} {
		inHandlerWithDB(t, func(h handling, db *sql.DB) {
			page := wire.Rows{Columns: []string{"x"}, Values: []any{test.value}}
			var scanned, one, viaDB any
			c := h.query(page)
			c.Next()
			h.check(c.Scan(&scanned))
			h.check(h.query(page).One(&one))
			var all [][]any
			h.check(h.query(page).All(&all))
			want := []any{test.sql, test.sql, test.sql}
			if got := []any{scanned, one, all[0][0]}; !reflect.DeepEqual(got, want) {
				t.Errorf("%T %v from SQL: got %#v, want %#v", test.value, test.value, got, want)
			}
			for row, err := range h.query(page).Raw() {
				h.check(err)
				if !reflect.DeepEqual(row[0], test.sql) {
					t.Errorf("%T %v from Raw: got %#v, want %#v", test.value, test.value, row[0], test.sql)
				}
			}
			h.answer(page)
			h.check(db.QueryRowContext(h.ctx, "SELECT").Scan(&viaDB))
			if !reflect.DeepEqual(viaDB, test.db) {
				t.Errorf("%T %v from DB: got %#v, want %#v", test.value, test.value, viaDB, test.db)
			}
		})
	}
}

// A negative zero is not an integer.
func TestANegativeZeroStaysAReal(t *testing.T) {
	if f, ok := anyOf(math.Copysign(0, -1)).(float64); !ok || !math.Signbit(f) {
		t.Errorf("got %v, want -0", f)
	}
}

// A value that DB has bound fits what generated code scans it into.
func TestDBScansWhatItHasBound(t *testing.T) {
	noon := time.Date(2030, 1, 2, 12, 0, 0, 5e8, time.UTC)
	for _, test := range []struct{ arg, want any }{
		{noon, noon},
		{noon, ptr(noon)},
		{noon, sql.NullTime{Time: noon, Valid: true}},
		{noon, sql.Null[time.Time]{V: noon, Valid: true}},
		{noon, "2030-01-02T12:00:00.5Z"}, // database/sql's own form
		{(*time.Time)(nil), (*time.Time)(nil)},
		{(*time.Time)(nil), sql.NullTime{}},
		{true, true},
		{false, false},
		{true, sql.NullBool{Bool: true, Valid: true}},
		{true, int64(1)},
		{5, 5},
		{5, int64(5)},
		{5, uint8(5)},
		{5, 5.0},
		{5, sql.NullFloat64{Float64: 5, Valid: true}},
		{5, "5"},
		{1.5, 1.5},
		{"text", "text"},
		{"text", []byte("text")},
		{[]byte("bytes"), []byte("bytes")},
	} {
		inHandlerWithDB(t, func(h handling, db *sql.DB) {
			bound, err := bind(test.arg)
			h.check(err)
			h.answer(wire.Rows{Columns: []string{"x"}, Values: []any{bound}})
			got := reflect.New(reflect.TypeOf(test.want))
			h.check(db.QueryRowContext(h.ctx, "SELECT", test.arg).Scan(got.Interface()))
			if diff := cmp.Diff(test.want, got.Elem().Interface()); diff != "" {
				t.Errorf("%v into %T (-want +got):\n%s", test.arg, test.want, diff)
			}
		})
	}
}

// Times that are bound sort as text as they do in time, and DB recognises each one.
func TestBoundTimesSortAndAreRecognised(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(someTime(), 1, 20).Draw(t, "times")
		texts := make([]string, len(times))
		for i, at := range times {
			zone := time.FixedZone("", rapid.IntRange(-14*3600, 14*3600).Draw(t, "zone"))
			bound, err := bind(at.In(zone))
			if err != nil {
				t.Fatal(err)
			}
			texts[i] = bound.(string)
			if got, ok := boundTime(texts[i]); !ok || got != at {
				t.Fatalf("%s is bound as %q, and read as %v, %t", at, texts[i], got, ok)
			}
		}
		sort.Slice(times, func(i, j int) bool { return times[i].Before(times[j]) })
		sort.Strings(texts)
		for i, at := range times {
			if got, _ := boundTime(texts[i]); got != at {
				t.Fatalf("%q sorts before the text of %s", texts[i], at)
			}
		}
	})
}

// Text that is read as a time is exactly what that time is bound as. So no text is lost.
func FuzzBoundTime(f *testing.F) {
	for _, s := range []string{
		"2030-01-02 15:04:05.000Z", "2030-01-02 15:04:05,000Z", "2030-1-02 15:04:05.0000Z", "2030-01-02T15:04:05.000Z",
		"2030-01-02 15:04:05.00 Z", "0000-00-00 00:00:00.000Z", "2030-12-31 23:59:60.000Z", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := boundTime(s)
		if !ok {
			return
		}
		if bound, err := bind(at); err != nil || bound != s {
			t.Errorf("%q is read as %s, which is bound as %v, %v", s, at, bound, err)
		}
		if scanned, ok := parseTime(s); !ok || scanned != at {
			t.Errorf("%q is %s for DB, and %s, %t for SQL", s, at, scanned, ok)
		}
		if strings.ContainsAny(s, ",T") {
			t.Errorf("%q is read as a time", s)
		}
	})
}
