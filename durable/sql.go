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

// SQL runs SQL on the object's own SQLite database. What it writes belongs to the same
// transaction as what Storage writes, also inside Storage.Transaction. The limits, the
// functions and the statements there are, are the platform's: BEGIN and its like, for one,
// are not among them.
//
// Storage.DB has the same database for tools that need a *sql.DB.
type SQL struct{ state *State }

// SQL returns the object's database.
func (s *Storage) SQL() *SQL { return &SQL{s.state} }

// Exec runs the statements of query, and returns a cursor over the rows of the last one. That
// has run up to its first row by then or, if it writes, to its end: what it does is done
// even if no row is read. If a statement fails, what those before it did stays done.
//
// The args are for the parameters of the last statement (?, ?NNN, :name in the order of
// their first appearance), as many as there are. They are bound as the platform binds what
// JavaScript has:
//
//	all numbers         REAL, which the affinity of a column makes INTEGER or TEXT; NaN is NULL.
//	                    An integer beyond ±2^53, where not all have a REAL, is an error
//	bool                TEXT, "true" or "false"
//	string              TEXT; it has to be UTF-8
//	[]byte              BLOB; a nil one is NULL
//	nil, nil pointers   NULL; other pointers stand for what they point to
//	a driver.Valuer     what its Value returns, such as a sql.NullString
//
// Types made from these are bound likewise. Anything else, time.Time too, is an error that says
// what to pass instead. An error of the database is an *Error with a Code.
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

// DatabaseSize returns how many bytes the object's data takes. A new object has 4096.
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

// maxExact is the last of the integers that all have a REAL of their own.
const maxExact = 1 << 53

// bind returns arg as SQL gets it: nil, float64, string or []byte.
func bind(arg any) (any, error) { return bindInner(arg, 0) }

// maxDepth is how many pointers and values of values an argument may have around it. It
// ends those that go round in a circle.
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
			return "true", nil
		}
		return "false", nil
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

// valueOf asks v for its value. A nil pointer whose type has Value without a pointer is NULL.
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
	return fmt.Errorf("%T %d is beyond ±2^53, and numbers are bound as REAL, as the platform binds them: pass it as text", arg, arg)
}

func bindFloat(f float64) any {
	if math.IsNaN(f) {
		return nil
	}
	return f
}

func bindText(s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("the text is not UTF-8: pass it as []byte")
	}
	return s, nil
}

func insteadOf(arg any) string {
	if _, ok := arg.(time.Time); ok {
		return "its UnixMilli(), or text such as its Format(time.RFC3339Nano)"
	}
	switch reflect.TypeOf(arg).Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice:
		return "its fields one by one, or its JSON as text"
	case reflect.Array:
		return "a slice of it"
	}
	return "a number, a string, a bool, a []byte or nil"
}
