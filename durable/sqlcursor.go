package durable

import (
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"reflect"
)

// What One fails with. The texts are the platform's. ErrNoRows is sql.ErrNoRows, too, for
// errors.Is.
var (
	ErrNoRows       error = noRows{}
	ErrMultipleRows       = errors.New("Expected exactly one result from SQL query, but got multiple results.") //nolint:staticcheck // the platform's own message
)

type noRows struct{}

func (noRows) Error() string {
	return "Expected exactly one result from SQL query, but got no results."
}

func (noRows) Is(target error) bool { return target == sql.ErrNoRows }

// A Cursor hands out the rows of a query, one after the other:
//
//	for cursor.Next() {
//		if err := cursor.Scan(&id, &name); err != nil { … }
//	}
//	if err := cursor.Err(); err != nil { … }
//
// Next, One, All and Raw share one position. The rows come from the emulator in pages, so those
// of a page are as they were when it was read: what is written while the cursor is open shows,
// as on the platform, or does not. The cursor belongs to the event that has made it. What
// the handler has not read when it returns is dropped; Close drops it earlier.
//
// A Cursor is for one goroutine.
type Cursor struct {
	inv     *invocation
	columns []string
	types   []string
	id      uint64 // of the emulator's cursor, as long as more is set
	more    bool   // there are rows after those of the page

	page []any // the rows not yet handed out
	row  []any // the row that Scan reads, or nil
	err  error

	reached uint64 // rows read by the end of the page, and the one after it
	written uint64

	fields *fieldPlan // of the last struct that was scanned into
}

func newCursor(inv *invocation, page rows) *Cursor {
	c := &Cursor{inv: inv, columns: page.columns, types: page.types}
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

// Next goes on to the next row, which Scan then reads. It returns false after the last one, and
// when that can't be told: Err says which.
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

// Err returns the error that has ended the rows, or nil.
func (c *Cursor) Err() error { return c.err }

// Close ends the cursor: it has no more rows then. Closing it again does nothing.
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

// Scan stores the row that Next has gone to: the value of each column in what one of dest
// points to, or all of them in the fields of one struct.
//
// A struct's field takes the column that its tag names (`db:"name"`), or without a tag the
// one of its own name, in any case and with any underscores. Fields of embedded structs are
// the struct's own, and a field with the tag "-" takes none. A column that no field takes
// is an error; of several columns of one name the last one counts. A time.Time and a type
// with a Scan method are values, not structs.
//
// Nothing is lost on the way: a number must fit the type exactly (a REAL 1.0 is an int, 1.5
// is not; TEXT is an int if it is how the int is written), a bool is 0, 1, "true" or
// "false", a []byte is a copy, a time.Time is TEXT as SQLite's date functions write it, in
// UTC if it does not say otherwise. NULL needs a pointer (which is set to nil), an any, a
// []byte, or a type with a Scan method such as sql.NullString. Everything else is an error
// that names column and types.
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
		return fmt.Errorf("scan: the row has %d columns %q, and there are %d destinations", len(c.row), c.columns, len(dest))
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
			return fmt.Errorf("scan column %q into field %s of a %s: %w", c.columns[i], dest.Type().FieldByIndex(path).Name, dest.Type(), err)
		}
	}
	return nil
}

// One is Scan of the only row that is left. Without any it fails with ErrNoRows, and with more
// than one with ErrMultipleRows; the cursor has no more rows then.
func (c *Cursor) One(dest ...any) error {
	if !c.Next() {
		if c.err != nil {
			return c.err
		}
		return ErrNoRows
	}
	row := c.row
	if c.Next() {
		c.Close() //nolint:errcheck // it has one row too many, which is what matters
		return ErrMultipleRows
	}
	if c.err != nil {
		return c.err
	}
	c.row = row
	return c.Scan(dest...)
}

// All stores all rows that are left in the slice that dest points to, in place of what it
// holds. Its elements are structs or pointers to structs, as for Scan; or []any, which take
// the values as they are; or, where there is one column, values. Where All fails the slice
// is left alone.
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

// Raw returns the rows that are left as their values: nil, int64, float64, string or []byte. An
// error comes last, with no row. A loop that ends early leaves the rest to Next, One, All or
// another Raw.
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

// copyRow copies a row, so that nobody shares memory with the page.
func copyRow(row []any) []any {
	values := make([]any, len(row))
	for i, v := range row {
		values[i] = copyValue(v)
	}
	return values
}

func copyValue(v any) any {
	if b, ok := v.([]byte); ok {
		return append([]byte{}, b...)
	}
	return v
}

// ColumnNames returns the names of the columns, with duplicates. A statement without rows has
// none.
func (c *Cursor) ColumnNames() []string { return append([]string{}, c.columns...) }

// RowsRead returns how many rows the cursor has read so far. It stands one row ahead of its
// reader: before the first Next it has read one, if there is any. It is a lower bound of what the
// platform counts, which is every row that the database looked at on the way.
func (c *Cursor) RowsRead() int {
	left := 0
	if len(c.columns) > 0 {
		left = len(c.page) / len(c.columns)
	}
	read := int(c.reached) - left
	if !c.more && left > 0 {
		read++ // of a page with others behind it, the first of those is counted already
	}
	return max(read, 0)
}

// RowsWritten returns how many rows the last statement has written so far, with one more
// for each index of a table that rows are inserted into. Like RowsRead it is a lower bound
// of what the platform counts.
func (c *Cursor) RowsWritten() int { return int(c.written) }
