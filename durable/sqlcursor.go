package durable

import (
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"reflect"
)

// The errors of Cursor.One, in the platform's words. For errors.Is, ErrNoRows is sql.ErrNoRows,
// too.
var (
	ErrNoRows error = noRows{}

	//nolint:staticcheck // the platform's own message
	ErrMultipleRows = errors.New("Expected exactly one result from SQL query, but got multiple results.")
)

type noRows struct{}

func (noRows) Error() string {
	return "Expected exactly one result from SQL query, but got no results."
}

func (noRows) Is(target error) bool { return target == sql.ErrNoRows }

// A Cursor reads the rows of a query, one after the other:
//
//	for cursor.Next() {
//		if err := cursor.Scan(&id, &name); err != nil { … }
//	}
//	if err := cursor.Err(); err != nil { … }
//
// Next, One, All and Raw share one position. The emulator sends the rows in pages, and a page shows
// the rows as they were when it was read. So a write while the cursor is open may show or not, as
// on the platform. The cursor belongs to the event that has made it. Rows that the handler has not
// read when it returns are dropped. Close drops them earlier.
//
// Only one goroutine may use a Cursor.
type Cursor struct {
	inv     *invocation
	columns []string
	id      uint64 // of the emulator's cursor, as long as more is set
	more    bool   // there are rows after those of the page

	page []any // the rows that Next has not reached yet
	row  []any // the row that Scan reads, or nil
	err  error

	reached uint64 // rows read by the end of the page, and the one after it
	written uint64

	fields *fieldPlan // of the last struct that was scanned into
}

func newCursor(inv *invocation, page rows) *Cursor {
	c := &Cursor{inv: inv, columns: page.columns}
	c.take(page)
	return c
}

// take makes page the current one.
func (c *Cursor) take(page rows) {
	c.page, c.id, c.more = page.values, page.cursor, page.more
	c.reached, c.written = page.read, page.written
	if width := len(c.columns); width == 0 && len(c.page) > 0 || width > 0 && len(c.page)%width != 0 {
		c.fail(fmt.Errorf("read rows: the emulator sent %d values for %d columns", len(c.page), width))
	}
}

// fail ends the cursor with an error.
func (c *Cursor) fail(err error) {
	c.Close() //nolint:errcheck // err matters more
	c.err = err
}

// Next goes on to the next row, which Scan then reads. It returns false after the last row and
// after an error, which Err then returns.
func (c *Cursor) Next() bool {
	c.row = nil
	for len(c.page) == 0 {
		if !c.more {
			return false
		}
		page, err := c.inv.nextRows(c.id)
		if err != nil {
			c.more = false // the emulator has closed it
			c.fail(fmt.Errorf("read rows: %w", err))
			return false
		}
		c.take(page)
	}
	width := len(c.columns)
	c.row, c.page = c.page[:width:width], c.page[width:]
	return true
}

// Err returns the error that has ended the rows, or nil if there was none.
func (c *Cursor) Err() error { return c.err }

// Close ends the cursor, which then has no more rows. A second Close does nothing.
func (c *Cursor) Close() error {
	more := c.more
	c.reached = uint64(c.RowsRead())
	c.page, c.row, c.more = nil, nil, false
	if !more {
		return nil
	}
	if err := c.inv.closeRows(c.id); err != nil {
		return fmt.Errorf("close cursor: %w", err)
	}
	return nil
}

// Scan stores the current row. It stores the value of each column in the variable that one of dest
// points to, or all of them in the fields of one struct.
//
// A field takes the column that its tag names (`db:"name"`). Without a tag it takes the column of
// its own name; case and underscores do not matter. Fields of embedded structs count as the
// struct's own. A field with the tag "-" takes no column. A column that no field takes is an error.
// Of several columns with one name the last one counts. A time.Time and a type with a Scan method
// are values, not structs.
//
// Scan loses nothing:
//   - A number must fit the type exactly. A REAL 1.0 fits into an int, 1.5 does not. TEXT fits into
//     an int if it is written as Go writes the int.
//   - A bool takes 0, 1, "true" and "false".
//   - A []byte gets a copy.
//   - A time.Time takes TEXT in the form in which it is bound, and as SQLite's date functions write
//     it, in UTC if it names no zone.
//   - An any takes the value itself. A REAL that is a whole number is an int64.
//   - NULL needs a pointer (which is set to nil), an any, a []byte, or a type with a Scan method
//     such as sql.NullString.
//
// Everything else is an error that names column and types. The platform rounds an INTEGER beyond
// ±2^53 before Scan gets it; select it with CAST(… AS TEXT).
func (c *Cursor) Scan(dest ...any) error {
	if c.row == nil {
		return errors.New("scan: there is no row: call Next first, and Scan only if it returns true")
	}
	if len(dest) == 1 {
		if v := reflect.ValueOf(dest[0]); v.Kind() == reflect.Pointer && !v.IsNil() && isRecord(v.Type().Elem()) {
			return c.scanRecord(v.Elem())
		}
	}
	if len(dest) != len(c.row) {
		return fmt.Errorf("scan: the row has %d columns %q, and there are %d destinations",
			len(c.row), c.columns, len(dest))
	}
	for i, d := range dest {
		v := reflect.ValueOf(d)
		if v.Kind() != reflect.Pointer || v.IsNil() {
			return fmt.Errorf("scan column %q into a %T: need a pointer that is not nil", c.columns[i], d)
		}
		if err := assign(v.Elem(), c.row[i]); err != nil {
			return fmt.Errorf("scan column %q: %w", c.columns[i], err)
		}
	}
	return nil
}

// scanRecord is Scan into a struct.
func (c *Cursor) scanRecord(dest reflect.Value) error {
	if c.fields == nil || c.fields.record != dest.Type() {
		plan, err := planFields(dest.Type(), c.columns)
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		c.fields = plan
	}
	for i, path := range c.fields.paths {
		if path == nil {
			continue // a later column has the same name
		}
		if err := assign(fieldAt(dest, path), c.row[i]); err != nil {
			field := dest.Type().FieldByIndex(path).Name
			return fmt.Errorf("scan column %q into field %s of a %s: %w", c.columns[i], field, dest.Type(), err)
		}
	}
	return nil
}

// One is Scan for the only row that is left. It fails with ErrNoRows if there is none, and with
// ErrMultipleRows if there are several. Afterwards the cursor has no more rows.
func (c *Cursor) One(dest ...any) error {
	if !c.Next() {
		if c.err != nil {
			return c.err
		}
		return ErrNoRows
	}
	row := c.row
	if c.Next() {
		c.Close() //nolint:errcheck // the error below matters more
		return ErrMultipleRows
	}
	if c.err != nil {
		return c.err
	}
	c.row = row
	return c.Scan(dest...)
}

// All stores all rows that are left in the slice that dest points to, and replaces its elements. An
// element is a struct or a pointer to a struct, as for Scan, or a []any, which takes the values as
// they are. If there is one column, an element may be its value. If All fails, it leaves the slice
// alone.
func (c *Cursor) All(dest any) error {
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Type().Elem().Kind() != reflect.Slice {
		return fmt.Errorf("scan all rows into a %T: need a pointer to a slice", dest)
	}
	elem := p.Type().Elem().Elem()
	scan := func(v reflect.Value) error { return c.Scan(v.Addr().Interface()) }
	switch {
	case elem == reflect.TypeFor[[]any]():
		scan = func(v reflect.Value) error { v.Set(reflect.ValueOf(copyRow(c.row))); return nil }
	case elem.Kind() == reflect.Pointer && !isScanner(elem) && isRecord(elem.Elem()):
		scan = func(v reflect.Value) error {
			v.Set(reflect.New(elem.Elem()))
			return c.scanRecord(v.Elem())
		}
	}
	all := reflect.MakeSlice(p.Type().Elem(), 0, 0)
	for c.Next() {
		v := reflect.New(elem).Elem()
		if err := scan(v); err != nil {
			return err
		}
		all = reflect.Append(all, v)
	}
	if c.err != nil {
		return c.err
	}
	p.Elem().Set(all)
	return nil
}

// Raw returns the values of the rows that are left: nil, int64, float64, string or []byte. A REAL
// that is a whole number is an int64. An error comes last, without a row. After a loop that ends
// early, Next, One, All or another Raw read the rest.
func (c *Cursor) Raw() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for c.Next() {
			if !yield(copyRow(c.row), nil) {
				return
			}
		}
		if c.err != nil {
			yield(nil, c.err)
		}
	}
}

// copyRow returns the values of row, as anyOf does.
func copyRow(row []any) []any {
	values := make([]any, len(row))
	for i, v := range row {
		values[i] = anyOf(v)
	}
	return values
}

// ColumnNames returns the names of the columns, including duplicates. A statement without rows has
// none.
func (c *Cursor) ColumnNames() []string { return append([]string{}, c.columns...) }

// RowsRead returns how many rows the cursor has read so far. The cursor is one row ahead of its
// reader: before the first Next it has read one, if there is any. The number is a lower bound of
// the platform's, which counts every row that the database looked at.
func (c *Cursor) RowsRead() int {
	left := 0
	if len(c.columns) > 0 {
		left = len(c.page) / len(c.columns)
	}
	read := int(c.reached) - left
	if !c.more && left > 0 {
		read++ // if another page follows, its first row is counted already
	}
	return max(read, 0)
}

// RowsWritten returns how many rows the last statement has written so far. An inserted row counts
// once more for each index of its table. Like RowsRead it is a lower bound of the platform's
// number.
func (c *Cursor) RowsWritten() int { return int(c.written) }
