package store

import (
	"errors"
	"fmt"
	"io/fs"
)

// Why a cursor ended before its last row. The first is the platform's own text.
var (
	errCursorDeleted    = errors.New("SQLite query was canceled because the database was deleted.") //nolint:staticcheck // the platform's own message
	errCursorRolledBack = errors.New("the cursor ended when the transaction was rolled back: run the query again")
	errCursorClosed     = fmt.Errorf("the cursor ended with its object: %w", fs.ErrClosed)
)

// Cursor hands out the rows of a query, one at a time. It stands one row ahead of its reader, like those of the
// platform. It sees what is written while it is open, and several may be open at once, also of one text. The rows of a
// statement that writes (INSERT … RETURNING) are kept in memory instead, because nothing could be committed while the
// engine stands between two of them.
//
// A cursor that has handed out all rows needs no Close. One that has not holds engine resources until Close, and ends
// with an error at Rollback, at DeleteAll, and when its object is closed. It is not safe for concurrent use.
type Cursor struct {
	object  *Object
	columns []string
	types   []string

	running *prepared // standing on the row that Next returns, or nil
	kept    [][]any   // the rows of a statement that has ended
	err     error     // why there are no more rows, if it is not because they have all been read

	read, written int64
}

// ColumnNames returns the names of the columns, with duplicates. A statement without rows has none.
func (c *Cursor) ColumnNames() []string { return c.columns }

// ColumnTypes returns the type that each column was declared with, as it was written, or "" where it is not simply a
// column of a table.
func (c *Cursor) ColumnTypes() []string { return c.types }

// More reports whether Next has another row, or an error to tell.
func (c *Cursor) More() bool { return c.running != nil || len(c.kept) > 0 || c.err != nil }

// RowsRead returns how many rows the cursor has reached, which is one more than it has handed out while there are more.
// It is a lower bound of what the platform counts, which is every row that the engine looked at on the way.
func (c *Cursor) RowsRead() int64 { return c.read }

// RowsWritten returns how many rows an INSERT, UPDATE or DELETE changed, with one more for each index of the table that
// rows are inserted into. The platform also counts what triggers, foreign keys, changes of the schema and updates of
// indexed columns write; so this is again a lower bound.
func (c *Cursor) RowsWritten() int64 { return c.written }

// Next returns the next row, and whether there was one. Its values are nil, int64, float64, string or []byte, all of
// them copies. An error is an *SQLError if it is about the SQL, and comes again with every further call.
func (c *Cursor) Next() (row []any, ok bool, err error) {
	if c.err != nil {
		return nil, false, c.err
	}
	if len(c.kept) > 0 {
		row, c.kept = c.kept[0], c.kept[1:]
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

// Close ends the cursor: it has no more rows then. A second Close does nothing.
func (c *Cursor) Close() error {
	c.kept = nil
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
		c.kept = append(c.kept, c.running.row())
		if err := c.advance(); err != nil {
			return err
		}
	}
	if c.running != nil || len(c.kept) > 0 {
		c.object.cursors[c] = struct{}{}
	}
	return nil
}

// advance steps to the next row. At the end it gives the statement back.
func (c *Cursor) advance() error {
	more, err := c.object.step(c.running)
	if err != nil {
		c.end(err)
		return err
	}
	if c.columns == nil {
		c.columns, c.types = c.running.header()
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

// release gives the statement back for its next use.
func (c *Cursor) release() {
	if c.running != nil {
		c.object.statements.give(c.running)
		c.running = nil
		c.forget()
	}
}

// forget makes the end of a cursor without more rows nobody's business.
func (c *Cursor) forget() {
	if c.running == nil && len(c.kept) == 0 {
		delete(c.object.cursors, c)
	}
}

// end makes the cursor fail from here on.
func (c *Cursor) end(err error) {
	c.Close()
	c.err = err
}
