package world

import (
	"errors"
	"fmt"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// rowsPage is the approximate limit of the rows in one answer to Exec or NextRows, in bytes.
const rowsPage = 64 << 10

// errNoSQL is the error of SQL in a class with key-value storage. The words are the platform's.
var errNoSQL = errors.New("SQL is not enabled for this Durable Object class. To enable it, " +
	"change `new_classes` to `new_sqlite_classes` in the migration that creates the class")

// exec runs SQL in the implicit transaction of the event's object. Rows beyond the first page wait
// in a cursor for nextRows.
func (ev *Event) exec(st *store.Object, query string, args []any) (*wire.Rows, error) {
	if ev.obj.ns.keyValue.Load() {
		return nil, errNoSQL
	}
	defer st.InterruptAfter(ev.instance().ctx)() // SQL may run for ever
	if len(ev.cursors) >= wire.MaxCursors {
		return nil, fmt.Errorf("%d queries of the event have rows that were not yet read: read or close them",
			wire.MaxCursors)
	}
	c, err := st.Exec(query, args)
	if err != nil {
		return nil, err
	}
	page, err := readPage(c)
	if err != nil {
		return nil, err
	}
	page.Columns = c.ColumnNames()
	if page.More {
		if ev.cursors == nil {
			ev.cursors = make(map[uint64]*store.Cursor)
		}
		ev.lastCursor++
		ev.cursors[ev.lastCursor] = c
		page.Cursor = ev.lastCursor
	}
	return page, nil
}

// nextRows reads the next page of a cursor.
func (ev *Event) nextRows(st *store.Object, cursor uint64) (*wire.Rows, error) {
	c, ok := ev.cursors[cursor]
	if !ok {
		return nil, fmt.Errorf("the event has no cursor %d: it has been read to its end, or closed", cursor)
	}
	defer st.InterruptAfter(ev.instance().ctx)()
	page, err := readPage(c)
	if err != nil || !page.More {
		delete(ev.cursors, cursor)
	}
	if err != nil {
		return nil, err
	}
	page.Cursor = cursor
	return page, nil
}

// closeRows closes a cursor. Closing one again is no error.
func (ev *Event) closeRows(cursor uint64) error {
	c, ok := ev.cursors[cursor]
	if !ok {
		return nil
	}
	delete(ev.cursors, cursor)
	return c.Close()
}

// closeCursors closes the cursors that the event's handler has left open. storeMu is held.
func (ev *Event) closeCursors() {
	for _, c := range ev.cursors {
		c.Close() //nolint:errcheck // nobody needs the error of a cursor left open
	}
	ev.cursors = nil
}

// readPage reads rows until they fill a page, end, or fail.
func readPage(c *store.Cursor) (*wire.Rows, error) {
	page := &wire.Rows{}
	for size := 0; size < rowsPage; {
		row, ok, err := c.Next()
		if err != nil && len(page.Values) == 0 {
			return nil, err
		}
		if !ok { // the end, or an error, which the next page returns again
			break
		}
		for _, v := range row {
			size += sizeOf(v)
		}
		page.Values = append(page.Values, row...)
	}
	page.More = c.More()
	page.Read, page.Written = uint64(c.RowsRead()), uint64(c.RowsWritten())
	return page, nil
}

// sizeOf returns the approximate size of v in an answer, in bytes.
func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) + 3
	case []byte:
		return len(v) + 3
	}
	return 9
}
