package durable

import (
	"bytes"
	"database/sql"
	"errors"
	"math"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestValuesAreScannedIntoFittingTypes(t *testing.T) {
	noon := time.Date(2030, 1, 2, 12, 0, 0, 5e8, time.UTC)
	for _, test := range []struct{ value, want any }{
		{int64(-128), int8(-128)},
		{int64(255), uint8(255)},
		{int64(1 << 53), float64(1 << 53)},
		{int64(1), true},
		{1.0, 1},
		{math.Copysign(0, -1), 0},
		{float64(1 << 63), uint64(1 << 63)},
		{0.5, float32(0.5)},
		{math.Inf(1), float32(math.Inf(1))},
		{0.0, false},
		{"text", named("text")},
		{"text", bits("text")},
		{"9223372036854775807", int64(math.MaxInt64)},
		{"18446744073709551615", uint64(math.MaxUint64)},
		{"true", yes(true)},
		{"2030-01-02 12:00:00.500Z", noon},
		{"2030-01-02 12:00:00.5+00:00", noon},
		{"2030-01-02T14:00:00.5+02:00", noon},
		{"2030-01-02 12:00:00.5Z", noon},
		{"2030-01-02 12:00:00.500", noon},
		{"2030-01-02", time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)},
		{[]byte{1}, []byte{1}},
		{nil, []byte(nil)},
		{nil, (*int)(nil)},
		{nil, sql.NullString{}},
		{2.0, ptr(ptr(2))},
		{"2030-01-02 12:00:00.500Z", ptr(noon)},
		{"x", sql.NullString{String: "x", Valid: true}},
		{1e6, sql.NullInt64{Int64: 1e6, Valid: true}},
		{1e6, sql.NullFloat64{Float64: 1e6, Valid: true}},
		{int64(3), sql.Null[int16]{V: 3, Valid: true}},
		{1.0, sql.NullBool{Bool: true, Valid: true}},
		{"2030-01-02 12:00:00.500Z", sql.NullTime{Time: noon, Valid: true}},
		{"2030-01-02 12:00:00.500", sql.Null[time.Time]{V: noon, Valid: true}},
		{"2030-01-02 12:00:00.500Z", sql.NullString{String: "2030-01-02 12:00:00.500Z", Valid: true}},
		{nil, sql.NullTime{}},
		{1.0, onlyReals(1)},
		{0.5, onlyReals(0.5)},
	} {
		got := reflect.New(reflect.TypeOf(test.want)).Elem()
		if err := assign(got, test.value); err != nil {
			t.Errorf("%s %v into %T: got error %v", typeName(test.value), test.value, test.want, err)
		}
		if diff := cmp.Diff(test.want, got.Interface()); diff != "" {
			t.Errorf("%s %v into %T (-want +got):\n%s", typeName(test.value), test.value, test.want, diff)
		}
	}
}

// onlyReals is a Scanner that does not take an int64.
type onlyReals float64

func (r *onlyReals) Scan(v any) error {
	f, ok := v.(float64)
	if !ok {
		return errors.New("not a float64")
	}
	*r = onlyReals(f)
	return nil
}

func TestValuesThatDoNotFitAreErrors(t *testing.T) {
	type record struct{ A int }
	for _, test := range []struct {
		value any
		dest  any
		want  string
	}{
		{int64(300), new(int8), "INTEGER 300 does not fit into int8"},
		{int64(-1), new(uint), "INTEGER -1 does not fit into uint"},
		{int64(1<<53 + 1), new(float64), "INTEGER 9007199254740993 does not fit into float64"},
		{int64(math.MaxInt64), new(float64), "INTEGER 9223372036854775807 does not fit into float64"},
		{int64(2), new(bool), "INTEGER 2 does not fit into bool"},
		{int64(2), new(string), "an INTEGER does not fit into string"},
		{int64(2), new([]byte), "an INTEGER does not fit into []uint8"},
		{int64(2), new(time.Time), "an INTEGER does not fit into time.Time: scan it into an int64, and use " +
			"time.UnixMilli or time.Unix, depending on what was stored"},
		{1.5, new(int), "REAL 1.5 does not fit into int"},
		{float64(1 << 63), new(int64), "REAL 9.223372036854776e+18 does not fit into int64"},
		{-1.0, new(uint8), "REAL -1 does not fit into uint8"},
		{math.NaN(), new(int), "REAL NaN does not fit into int"},
		{0.1, new(float32), "REAL 0.1 is not exact as a float32: use a float64"},
		{0.5, new(bool), "REAL 0.5 does not fit into bool"},
		{1.0, new(string), "a REAL does not fit into string"},
		{"01", new(int), `TEXT "01" does not fit into int`},
		{"300", new(int8), `TEXT "300" does not fit into int8`},
		{"+1", new(uint), `TEXT "+1" does not fit into uint`},
		{"1.5", new(float64), `TEXT "1.5" does not fit into float64`},
		{"TRUE", new(bool), `TEXT "TRUE" does not fit into bool`},
		{"noon", new(time.Time), `TEXT "noon" does not fit into time.Time: SQLite's date functions do not write it so`},
		{"x", new([]int), `TEXT "x" does not fit into []int`},
		{[]byte{1}, new(string), "a BLOB does not fit into string: use a []byte"},
		{[]byte{1}, new(int), "a BLOB does not fit into int"},
		{nil, new(int), "NULL does not fit into int: use a *int"},
		{nil, new(string), "NULL does not fit into string: use a *string"},
		{nil, new(record), "NULL does not fit into durable.record: use a *durable.record"},
		{"x", new(*int), `TEXT "x" does not fit into int`},
		{"x", new(interface{ Foo() }), `TEXT "x" does not fit into interface { Foo() }`},
		{1.5, new(sql.NullInt64), `REAL into a *sql.NullInt64: converting driver.Value type float64 ("1.5") to a ` +
			`int64: invalid syntax`},
		{"noon", new(sql.NullTime), "TEXT into a *sql.NullTime: unsupported Scan, storing driver.Value type string " +
			"into type *time.Time"},
		{true, new(bool), "a bool is not a value of SQL"},
	} {
		before := reflect.ValueOf(test.dest).Elem().Interface()
		expectError(t, assign(reflect.ValueOf(test.dest).Elem(), test.value), test.want)
		if _, scanner := test.dest.(sql.Scanner); scanner {
			continue
		}
		if diff := cmp.Diff(before, reflect.ValueOf(test.dest).Elem().Interface()); diff != "" {
			t.Errorf("%v into a %T: refused, but changed (-before +after):\n%s", test.value, test.dest, diff)
		}
	}
}

// number returns the full text of a number of any type, and nothing for other values.
func number(v any) string {
	f := new(big.Float).SetPrec(2000)
	switch v := reflect.ValueOf(v); {
	case v.CanInt():
		f.SetInt64(v.Int())
	case v.CanUint():
		f.SetUint64(v.Uint())
	case v.CanFloat():
		f.SetFloat64(v.Float())
	default:
		return ""
	}
	return f.Text('f', -1)
}

// holds reports whether got is the SQL value v.
func holds(got, v any) bool {
	switch v := v.(type) {
	case int64, float64:
		if b, ok := got.(bool); ok {
			return number(v) == map[bool]string{true: "1", false: "0"}[b] || number(v) == "-0" && !b
		}
		return number(got) == number(v) || number(v) == "-0" && number(got) == "0"
	case string:
		switch got := got.(type) {
		case []byte:
			return string(got) == v
		case bool:
			return v == map[bool]string{true: "true", false: "false"}[got]
		}
		return number(got) == v || reflect.ValueOf(got).Kind() == reflect.String && reflect.ValueOf(got).String() == v
	case []byte:
		b, ok := got.([]byte)
		return ok && bytes.Equal(b, v)
	}
	return false
}

// A value that is scanned into any type either stays the same or is an error.
func TestScanNeverLosesAnythingSilently(t *testing.T) {
	types := []reflect.Type{
		reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](),
		reflect.TypeFor[int32](), reflect.TypeFor[int64](),
		reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
		reflect.TypeFor[float32](), reflect.TypeFor[float64](),
		reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](),
	}
	integers := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-300, 300), rapid.SampledFrom([]int64{
		math.MaxInt64, math.MinInt64, 1 << 53, 1<<53 + 1, 1 << 24, 1<<24 + 1, math.MaxInt32, math.MaxUint32,
	}))
	value := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) any { return integers.Draw(t, "integer") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Float64().Draw(t, "real") }),
		rapid.Custom(func(t *rapid.T) any { return float64(integers.Draw(t, "whole")) }),
		rapid.Custom(func(t *rapid.T) any { return rapid.String().Draw(t, "text") }),
		rapid.Custom(
			func(t *rapid.T) any { return rapid.StringMatching(`[+-]?[0-9]{1,20}|true|false`).Draw(t, "number") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.SliceOf(rapid.Byte()).Draw(t, "blob") }),
	)
	rapid.Check(t, func(t *rapid.T) {
		v := value.Draw(t, "value")
		dest := reflect.New(rapid.SampledFrom(types).Draw(t, "type")).Elem()
		if err := assign(dest, v); err == nil && !holds(dest.Interface(), v) {
			t.Fatalf("%s %v was scanned into a %s as %v", typeName(v), v, dest.Type(), dest.Interface())
		}
	})
}

// Scan reads a value that Exec has bound back into its type.
func TestArgumentsAreScannedBack(t *testing.T) {
	kept := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) any { return rapid.Int64Range(-maxExact, maxExact).Draw(t, "int64") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Uint64Range(0, maxExact).Draw(t, "uint64") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Float32().Draw(t, "float32") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Float64().Draw(t, "float64") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Bool().Draw(t, "bool") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.String().Draw(t, "string") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.SliceOf(rapid.Byte()).Draw(t, "[]byte") }),
		rapid.Custom(func(t *rapid.T) any { return someTime().Draw(t, "time") }),
	)
	rapid.Check(t, func(t *rapid.T) {
		v := kept.Draw(t, "value")
		bound, err := bind(v)
		if err != nil {
			t.Fatal(err)
		}
		dest := reflect.New(reflect.TypeOf(v)).Elem()
		if err := assign(dest, bound); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, dest.Interface()); diff != "" {
			t.Fatalf("%T bound as %v (-want +got):\n%s", v, bound, diff)
		}
	})
}
