package durable

import (
	"database/sql"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// assign stores an SQL value in dest. It never rounds, cuts or guesses: a value that does not fit
// exactly is an error.
func assign(dest reflect.Value, v any) error {
	if s, ok := dest.Addr().Interface().(sql.Scanner); ok {
		return scanInto(s, v)
	}
	switch kind := dest.Kind(); {
	case kind == reflect.Interface && dest.NumMethod() == 0:
		if v == nil {
			dest.SetZero()
		} else {
			dest.Set(reflect.ValueOf(anyOf(v)))
		}
		return nil
	case kind == reflect.Pointer && v == nil:
		dest.SetZero()
		return nil
	case kind == reflect.Pointer:
		p := reflect.New(dest.Type().Elem())
		if err := assign(p.Elem(), v); err != nil {
			return err
		}
		dest.Set(p)
		return nil
	case v == nil && isBytes(dest.Type()):
		dest.SetZero()
		return nil
	case v == nil:
		return fmt.Errorf("NULL does not fit into %s: use a *%s", dest.Type(), dest.Type())
	}
	switch v := v.(type) {
	case int64:
		return assignInteger(dest, v)
	case float64:
		return assignReal(dest, v)
	case string:
		return assignText(dest, v)
	case []byte:
		if isBytes(dest.Type()) {
			dest.SetBytes(append([]byte{}, v...))
			return nil
		}
		hint := ""
		if dest.Kind() == reflect.String {
			hint = ": use a []byte"
		}
		return fmt.Errorf("a BLOB does not fit into %s%s", dest.Type(), hint)
	}
	return fmt.Errorf("a %T is not a value of SQL", v)
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// scanInto gives v to a Scanner, as an any gets it. A Scanner that rejects that gets the other type
// that v may stand for: a float64 for a whole REAL, a time.Time for the text of a time.
func scanInto(s sql.Scanner, v any) error {
	err := s.Scan(anyOf(v))
	if err == nil {
		return nil
	}
	switch v := v.(type) {
	case float64:
		if isWhole(v) && s.Scan(v) == nil {
			return nil
		}
	case string:
		if t, ok := parseTime(v); ok && s.Scan(t) == nil {
			return nil
		}
	}
	return fmt.Errorf("%s into a %T: %w", typeName(v), s, err)
}

// anyOf returns v as an any gets it. It shares no memory with v.
func anyOf(v any) any {
	if b, ok := v.([]byte); ok {
		return append([]byte{}, b...)
	}
	return wholeAsInteger(v)
}

// wholeAsInteger returns v, or an int64 if v is a float64 that is whole. Numbers are bound as REAL,
// so an integer may come back as one.
func wholeAsInteger(v any) any {
	if f, ok := v.(float64); ok && isWhole(f) {
		return int64(f)
	}
	return v
}

// isWhole reports whether f is an integer within ±maxExact, and not the negative zero.
func isWhole(f float64) bool {
	return f == math.Trunc(f) && math.Abs(f) <= maxExact && !(f == 0 && math.Signbit(f))
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "NULL"
	case int64:
		return "INTEGER"
	case float64:
		return "REAL"
	case string:
		return "TEXT"
	}
	return "BLOB"
}

func assignInteger(dest reflect.Value, n int64) error {
	switch {
	case dest.CanInt():
		if !dest.OverflowInt(n) {
			dest.SetInt(n)
			return nil
		}
	case dest.CanUint():
		if n >= 0 && !dest.OverflowUint(uint64(n)) {
			dest.SetUint(uint64(n))
			return nil
		}
	case dest.CanFloat():
		// The conversion back would overflow at 2^63.
		if f := float64(n); f < 1<<63 && int64(f) == n && fits(dest, f) {
			dest.SetFloat(f)
			return nil
		}
	case dest.Kind() == reflect.Bool:
		if n == 0 || n == 1 {
			dest.SetBool(n == 1)
			return nil
		}
	default:
		return fmt.Errorf("an INTEGER does not fit into %s%s", dest.Type(), timeHint(dest))
	}
	return fmt.Errorf("INTEGER %d does not fit into %s", n, dest.Type())
}

func assignReal(dest reflect.Value, f float64) error {
	switch {
	case dest.CanFloat():
		if fits(dest, f) {
			dest.SetFloat(f)
			return nil
		}
		return fmt.Errorf("REAL %v is not exact as a %s: use a float64", f, dest.Type())
	case dest.CanInt():
		if f == math.Trunc(f) && f >= math.MinInt64 && f < 1<<63 && !dest.OverflowInt(int64(f)) {
			dest.SetInt(int64(f))
			return nil
		}
	case dest.CanUint():
		if f == math.Trunc(f) && f >= 0 && f < 1<<64 && !dest.OverflowUint(uint64(f)) {
			dest.SetUint(uint64(f))
			return nil
		}
	case dest.Kind() == reflect.Bool:
		if f == 0 || f == 1 {
			dest.SetBool(f == 1)
			return nil
		}
	default:
		return fmt.Errorf("a REAL does not fit into %s%s", dest.Type(), timeHint(dest))
	}
	return fmt.Errorf("REAL %v does not fit into %s", f, dest.Type())
}

// fits reports whether dest, a float32 or float64, can hold f exactly.
func fits(dest reflect.Value, f float64) bool {
	return dest.Kind() == reflect.Float64 || float64(float32(f)) == f
}

func assignText(dest reflect.Value, s string) error {
	switch {
	case dest.Kind() == reflect.String:
		dest.SetString(s)
		return nil
	case isBytes(dest.Type()):
		dest.SetBytes([]byte(s))
		return nil
	case dest.Type() == reflect.TypeFor[time.Time]():
		t, ok := parseTime(s)
		if !ok {
			return fmt.Errorf("TEXT %q does not fit into time.Time: SQLite's date functions do not write it so", s)
		}
		dest.Set(reflect.ValueOf(t))
		return nil
	case dest.CanInt():
		n, err := strconv.ParseInt(s, 10, dest.Type().Bits())
		if err == nil && strconv.FormatInt(n, 10) == s {
			dest.SetInt(n)
			return nil
		}
	case dest.CanUint():
		n, err := strconv.ParseUint(s, 10, dest.Type().Bits())
		if err == nil && strconv.FormatUint(n, 10) == s {
			dest.SetUint(n)
			return nil
		}
	case dest.Kind() == reflect.Bool:
		if s == "true" || s == "false" {
			dest.SetBool(s == "true")
			return nil
		}
	}
	return fmt.Errorf("TEXT %q does not fit into %s", s, dest.Type())
}

func timeHint(dest reflect.Value) string {
	if dest.Type() == reflect.TypeFor[time.Time]() {
		return ": scan it into an int64, and use time.UnixMilli or time.Unix, depending on what was stored"
	}
	return ""
}

// timeFormats are the forms in which TEXT is a time for Scan. SQLite's date functions read them.
var timeFormats = []string{
	"2006-01-02 15:04:05.999999999Z07:00", // also timeFormat
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	"2006-01-02",
}

func parseTime(s string) (time.Time, bool) {
	for _, format := range timeFormats {
		if t, err := time.Parse(format, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
