package store

import (
	"errors"
	"fmt"
	"io/fs"
)

// These errors say why a cursor ended before its last row. The first has the platform's own text.
var (
	errCursorDeleted    = errors.New(cursorDeleted) //nolint:staticcheck // the platform ends it with a period
	errCursorRolledBack = errors.New("the cursor ended when the transaction was rolled back: run the query again")
	errCursorClosed     = fmt.Errorf("the cursor ended because its object was closed: %w", fs.ErrClosed)
)

const cursorDeleted = "SQLite query was canceled because the database was deleted."

// Cursor returns the rows of a query, one at a time. Like the platform's, it is one row ahead of
// its reader. It sees writes made while it is open. Several cursors may be open at once, even for
// the same text.
//
// The rows of a statement that writes (INSERT … RETURNING) are in memory, because no commit is
// possible while such a statement is between two rows.
//
// A cursor that has returned all rows needs no Close. Any other holds engine resources until Close,
// and ends with an error at Rollback, at DeleteAll, and when its object is closed. A Cursor is not
// safe for concurrent use.
type Cursor struct {
	object  *Object
	columns []string

	running  *prepared // at the row that Next returns, or nil
	buffered [][]any   // the remaining rows of a statement that has ended
	err      error     // why the cursor ended early, or nil

	read, written int64
}

// ColumnNames returns the names of the columns, with duplicates. It is empty for a statement
// without rows.
func (c *Cursor) ColumnNames() []string { return c.columns }

// More reports whether Next has another row or an error to return.
func (c *Cursor) More() bool { return c.running != nil || len(c.buffered) > 0 || c.err != nil }

// RowsRead returns how many rows the cursor has reached: one more than it has returned, while there
// are more. It is a lower bound of the platform's count, which has every row that the engine
// examined.
func (c *Cursor) RowsRead() int64 { return c.read }

// RowsWritten returns how many rows an INSERT, UPDATE or DELETE changed. For each inserted row it
// adds one for each index of the table. It is a lower bound of the platform's count, which includes
// writes of triggers, foreign keys, schema changes and updates of indexed columns.
func (c *Cursor) RowsWritten() int64 { return c.written }

// Next returns the next row, and whether there was one. Its values are nil, int64, float64, string
// or []byte, all of them copies. An error about the SQL is an *SQLError. Every further call returns
// the same error.
func (c *Cursor) Next() (row []any, ok bool, err error) {
	if c.err != nil {
		return nil, false, c.err
	}
	if len(c.buffered) > 0 {
		row, c.buffered = c.buffered[0], c.buffered[1:]
		c.forget()
		return row, true, nil
	}
	if c.running == nil {
		return nil, false, nil
	}
	if err := c.object.usable(); err != nil {
		c.end(fmt.Errorf("read row: %w", err))
		return nil, false, c.err
	}
	row = c.running.row()
	if err := c.advance(); err != nil {
		return nil, false, err
	}
	return row, true, nil
}

// Close ends the cursor, which then has no more rows. A second Close does nothing.
func (c *Cursor) Close() error {
	c.buffered = nil
	c.release()
	c.forget()
	return nil
}

// start runs the statement up to its first row, or to its end if it writes.
func (c *Cursor) start() error {
	writes := c.running.effects.changesFile()
	if err := c.advance(); err != nil {
		return err
	}
	for writes && c.running != nil {
		c.buffered = append(c.buffered, c.running.row())
		if err := c.advance(); err != nil {
			return err
		}
	}
	if c.running != nil || len(c.buffered) > 0 {
		c.object.cursors[c] = struct{}{}
	}
	return nil
}

// advance steps to the next row. At the end it returns the statement to the cache.
func (c *Cursor) advance() error {
	more, err := c.object.step(c.running)
	if err != nil {
		c.end(err)
		return err
	}
	if c.columns == nil {
		c.columns = c.running.header()
	}
	if more {
		c.read++
		return nil
	}
	if e := c.running.effects; len(e.changes) > 0 && !e.defines {
		c.written = c.running.changes() * (1 + c.running.indexes)
	}
	c.release()
	return nil
}

// release returns the statement to the cache.
func (c *Cursor) release() {
	if c.running != nil {
		c.object.statements.give(c.running)
		c.running = nil
		c.forget()
	}
}

// forget removes a cursor without further rows from the object's open cursors.
func (c *Cursor) forget() {
	if c.running == nil && len(c.buffered) == 0 {
		delete(c.object.cursors, c)
	}
}

// end closes the cursor, and makes it return err from then on.
func (c *Cursor) end(err error) {
	c.Close()
	c.err = err
}
