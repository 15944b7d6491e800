package durable

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
	"unicode/utf8"
)

// SQL runs SQL on the object's own SQLite database. Its writes belong to the same transaction as
// the writes of Storage, inside Storage.Transaction as well. Limits, functions and statements are
// the platform's: BEGIN and similar statements do not exist, for example.
//
// Storage.DB returns the same database for tools that need a *sql.DB.
type SQL struct{ state *State }

// SQL returns the object's database.
func (s *Storage) SQL() *SQL { return &SQL{s.state} }

// Exec runs the statements of query, and returns a cursor over the rows of the last one. When Exec
// returns, that statement has run up to its first row or, if it writes, to its end. So its writes
// are done even if no row is read. If a statement fails, the effects of the statements before it
// stay.
//
// The args are bound to the parameters of the last statement (?, ?NNN, :name in the order of their
// first appearance). There must be as many as parameters. SQL has these values for them, and DB
// has the same:
//
//	all numbers         REAL, as the platform binds them. The affinity of a column makes it INTEGER
//	                    or TEXT. NaN is NULL. An integer beyond ±2^53 is an error, because REAL
//	                    does not have them all
//	bool                the number 1 or 0
//	string              TEXT; it has to be UTF-8
//	[]byte              BLOB; a nil one is NULL
//	time.Time           TEXT such as 2030-01-02 15:04:05.000Z: in UTC, cut to milliseconds. It sorts
//	                    by time, and SQLite's date functions read it. The year has four digits
//	nil, nil pointers   NULL; other pointers stand for what they point to
//	a driver.Valuer     the result of its Value, such as a sql.NullString
//
// Types derived from these, except from time.Time, are bound likewise. Any other type is an error
// that says what to pass instead. An error of the database is an *Error with a Code.
func (s *SQL) Exec(ctx context.Context, query string, args ...any) (*Cursor, error) {
	inv, err := s.state.invocation(ctx)
	if err != nil {
		return nil, fmt.Errorf("exec: %w", err)
	}
	values, err := bindAll(args)
	if err != nil {
		return nil, fmt.Errorf("exec: %w", err)
	}
	s.state.execMu.Lock()
	rows, err := inv.exec(query, values)
	s.state.execMu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("exec: %w", err)
	}
	return newCursor(inv, rows), nil
}

// DatabaseSize returns the size of the object's data in bytes. A new object has 4096.
func (s *SQL) DatabaseSize(ctx context.Context) (int64, error) {
	inv, err := s.state.invocation(ctx)
	var size int64
	if err == nil {
		size, err = inv.databaseSize()
	}
	if err != nil {
		return 0, fmt.Errorf("database size: %w", err)
	}
	return size, nil
}

func bindAll(args []any) ([]any, error) {
	values := make([]any, len(args))
	for i, arg := range args {
		v, err := bind(arg)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		values[i] = v
	}
	return values, nil
}

// maxExact is the limit up to which every integer has a REAL of its own.
const maxExact = 1 << 53

// bind converts arg for SQL: into nil, float64, string or []byte.
func bind(arg any) (any, error) { return bindInner(arg, 0) }

// maxDepth limits how many pointers and Valuers an argument may have around its value. Otherwise a
// circle of pointers would never end.
const maxDepth = 16

func bindInner(arg any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("a %T that has more than %d pointers around its value", arg, maxDepth)
	}
	switch arg := arg.(type) {
	case nil:
		return nil, nil
	case string:
		return bindText(arg)
	case int:
		return bindInt(int64(arg), arg)
	case int64:
		return bindInt(arg, arg)
	case float64:
		return bindFloat(arg), nil
	case time.Time:
		return bindTime(arg)
	case driver.Valuer:
		v, err := valueOf(arg)
		if err != nil {
			return nil, fmt.Errorf("value of a %T: %w", arg, err)
		}
		return bindInner(v, depth+1)
	}
	v := reflect.ValueOf(arg)
	switch kind := v.Kind(); {
	case kind == reflect.Pointer && v.IsNil():
		return nil, nil
	case kind == reflect.Pointer:
		return bindInner(v.Elem().Interface(), depth+1)
	case v.CanInt():
		return bindInt(v.Int(), arg)
	case v.CanUint():
		if v.Uint() > maxExact {
			return nil, tooLarge(arg)
		}
		return float64(v.Uint()), nil
	case v.CanFloat():
		return bindFloat(v.Float()), nil
	case kind == reflect.Bool:
		if v.Bool() {
			return 1.0, nil
		}
		return 0.0, nil
	case kind == reflect.String:
		return bindText(v.String())
	case kind == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		if v.IsNil() {
			return nil, nil
		}
		return v.Bytes(), nil
	}
	return nil, fmt.Errorf("SQL has no value for a %T: pass %s", arg, insteadOf(arg))
}

// valueOf calls v.Value. A nil pointer is NULL if Value is a method of the type it points to.
func valueOf(v driver.Valuer) (any, error) {
	p := reflect.ValueOf(v)
	if p.Kind() == reflect.Pointer && p.IsNil() && p.Type().Elem().Implements(reflect.TypeFor[driver.Valuer]()) {
		return nil, nil
	}
	return v.Value()
}

func bindInt(n int64, arg any) (any, error) {
	if n > maxExact || n < -maxExact {
		return nil, tooLarge(arg)
	}
	return float64(n), nil
}

func tooLarge(arg any) error {
	return fmt.Errorf("%T %d is beyond ±2^53, and numbers are bound as REAL, as the platform binds them: "+
		"pass it as text", arg, arg)
}

func bindFloat(f float64) any {
	if math.IsNaN(f) {
		return nil
	}
	return f
}

// timeFormat is the form in which times are bound, always in UTC. Times of one form sort as text.
const timeFormat = "2006-01-02 15:04:05.000Z"

func bindTime(t time.Time) (any, error) {
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return nil, fmt.Errorf("the year of %s does not have four digits, and SQLite does not read others: "+
			"pass the time's UnixMilli()", t)
	}
	return t.Format(timeFormat), nil
}

func bindText(s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("the text is not UTF-8: pass it as []byte")
	}
	return s, nil
}

func insteadOf(arg any) string {
	if t := reflect.TypeOf(arg); t.Kind() == reflect.Struct && t.ConvertibleTo(reflect.TypeFor[time.Time]()) {
		return "it as a time.Time"
	}
	switch reflect.TypeOf(arg).Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice:
		return "its fields one by one, or its JSON as text"
	case reflect.Array:
		return "a slice of it"
	}
	return "a number, a string, a bool, a []byte, a time.Time or nil"
}
