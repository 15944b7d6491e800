package store

import (
	"fmt"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// value is an argument of a statement. The zero value is NULL.
type value struct {
	kind    valueKind
	integer int64
	real    float64
	text    string
	blob    []byte
}

type valueKind uint8

const (
	kindNull valueKind = iota
	kindInteger
	kindReal
	kindText
	kindBlob
)

func integer(n int64) value  { return value{kind: kindInteger, integer: n} }
func real64(f float64) value { return value{kind: kindReal, real: f} }
func text(s string) value    { return value{kind: kindText, text: s} }
func blob(b []byte) value    { return value{kind: kindBlob, blob: b} }

func (v value) bind(stmt *sqlite.Stmt, param int) error {
	if n := max(len(v.text), len(v.blob)); n > maxLength {
		return fmt.Errorf("the value has %d bytes, more than SQLite's limit of %d", n, maxLength)
	}
	switch v.kind {
	case kindNull:
		stmt.BindNull(param)
	case kindInteger:
		stmt.BindInt64(param, v.integer)
	case kindReal:
		stmt.BindFloat(param, v.real)
	case kindText:
		stmt.BindText(param, v.text)
	case kindBlob:
		stmt.BindBytes(param, v.blob)
	}
	return nil
}

// statement is a prepared statement that its owner steps by itself. Unlike the statements of each,
// it is not shared.
type statement struct {
	db   *database
	stmt *sqlite.Stmt
}

// prepare prepares the first statement of query and returns the text after it. The error is a
// *SQLError, also if there is no statement before the first semicolon or NUL byte.
func (d *database) prepare(query string) (s statement, tail string, err error) {
	stmt, trailing, err := d.conn.PrepareTransient(query)
	if err != nil {
		return statement{}, "", newSQLError(err)
	}
	if _, compiled := d.engine(stmt, "stmt"); compiled == 0 { // most calls of the engine would crash
		stmt.Finalize() //nolint:errcheck // there is nothing to free
		return statement{}, "", refusal("SQL code did not contain a statement.")
	}
	return statement{d, stmt}, query[len(query)-trailing:], nil
}

// isExplain reports whether the statement is an EXPLAIN, which does not run what it explains.
func (s statement) isExplain() bool {
	tls, stmt := s.db.engine(s.stmt, "stmt")
	return lib.Xsqlite3_stmt_isexplain(tls, stmt) != 0
}

func (s statement) parameters() int { return s.stmt.BindParamCount() }

func (s statement) bind(param int, v value) error {
	return v.bind(s.stmt, param)
}

func (s statement) columns() int { return s.stmt.ColumnCount() }

// header returns the names of the columns. They are correct only after the first step, because a
// changed schema makes the engine prepare the statement again.
func (s statement) header() []string {
	names := make([]string, s.columns())
	if len(names) == 0 {
		return names
	}
	// The library has only one column of each name, from before the first step.
	tls, stmt := s.db.engine(s.stmt, "stmt")
	for i := range names {
		names[i] = libc.GoString(lib.Xsqlite3_column_name(tls, stmt, int32(i)))
	}
	return names
}

// step moves to the next row, and reports whether there is one. It resets the statement if it
// returns an error.
func (s statement) step() (bool, error) {
	more, err := s.stmt.Step()
	if err != nil {
		return false, newSQLError(err)
	}
	return more, nil
}

// changes returns how many rows the statement changed by itself. The statement must be an INSERT,
// UPDATE or DELETE that has just been stepped to its end.
func (s statement) changes() int64 { return int64(s.db.conn.Changes()) }

// row returns a copy of the current row.
func (s statement) row() []any {
	values := make([]any, s.columns())
	r := row{s.stmt}
	for i := range values {
		switch s.stmt.ColumnType(i) {
		case sqlite.TypeInteger:
			values[i] = r.integer(i)
		case sqlite.TypeFloat:
			values[i] = s.stmt.ColumnFloat(i)
		case sqlite.TypeText:
			values[i] = r.text(i)
		case sqlite.TypeBlob:
			values[i] = r.blob(i)
		}
	}
	return values
}

// reset prepares the statement for new arguments. Its calls only return the error of step again, so
// reset ignores their errors.
func (s statement) reset() {
	s.stmt.Reset()
	s.stmt.ClearBindings()
}

func (s statement) finalize() { s.stmt.Finalize() }

// row is the current row of a statement. Columns count from 0.
type row struct{ stmt *sqlite.Stmt }

func (r row) null(col int) bool     { return r.stmt.ColumnIsNull(col) }
func (r row) integer(col int) int64 { return r.stmt.ColumnInt64(col) }
func (r row) text(col int) string   { return r.stmt.ColumnText(col) }
func (r row) size(col int) int      { return r.stmt.ColumnLen(col) }

// blob returns a copy, which is never nil.
func (r row) blob(col int) []byte {
	b := make([]byte, r.stmt.ColumnLen(col))
	r.stmt.ColumnBytes(col, b)
	return b
}
