package durable

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

var idAndName = []string{"id", "name"}

// twoPages returns three rows in two pages, as the emulator sends them.
func twoPages() []wire.Rows {
	return []wire.Rows{
		{Cursor: 7, Columns: idAndName, Values: []any{int64(1), "a", int64(2), "b"}, More: true, Read: 3},
		{Cursor: 7, Values: []any{int64(3), "c"}, Read: 3},
	}
}

func TestRowsAreScannedOneAfterTheOtherThroughAllPages(t *testing.T) {
	inHandler(t, func(h handling) {
		c := h.query(twoPages()...)
		var got []string
		read := []int{c.RowsRead()}
		for c.Next() {
			var id int
			var name string
			h.check(c.Scan(&id, &name))
			got = append(got, strings.Repeat(name, id))
			read = append(read, c.RowsRead())
		}
		h.check(c.Err())
		if diff := cmp.Diff([]string{"a", "bb", "ccc"}, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{1, 2, 3, 3}, read); diff != "" {
			t.Errorf("rows read, one ahead of the reader (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(idAndName, c.ColumnNames()); diff != "" {
			t.Errorf("columns (-want +got):\n%s", diff)
		}
		h.check(c.Close())
		h.expectSent("exec SELECT", "next rows 7")
	})
}

func TestClosingACursorDropsWhatIsLeft(t *testing.T) {
	inHandler(t, func(h handling) {
		c := h.query(twoPages()...)
		c.Next()
		h.check(c.Close())
		h.check(c.Close())
		if c.Next() || c.Err() != nil {
			t.Errorf("a closed cursor has rows, or the error %v", c.Err())
		}
		expectError(t, c.Scan(), "scan: there is no row: call Next first, and Scan only if it returns true")
		if got := c.RowsRead(); got != 2 {
			t.Errorf("got %d rows read, want 2", got)
		}
		h.expectSent("exec SELECT", "close rows 7")

		h.check(h.query(wire.Rows{Columns: idAndName, Values: []any{int64(1), "a"}}).Close())
		h.expectSent("exec SELECT") // nothing is left in the emulator

		h.fail(wire.MethodCloseRows, &wire.Error{Message: "the event is over"})
		expectError(t, h.query(twoPages()...).Close(), "close cursor: the event is over")
	})
}

func TestAnErrorEndsTheCursor(t *testing.T) {
	inHandler(t, func(h handling) {
		h.fail(wire.MethodNextRows, &wire.Error{Message: "disk full", Code: "SQLITE_FULL"})
		for name, read := range map[string]func(*Cursor) error{
			"Next": func(c *Cursor) error {
				for c.Next() {
				}
				return c.Err()
			},
			"All": func(c *Cursor) error { return c.All(new([][]any)) },
			"Raw": func(c *Cursor) (err error) {
				for _, e := range c.Raw() {
					err = e
				}
				return err
			},
			"One": func(c *Cursor) error {
				c.Next()
				return c.One(new(any), new(any))
			},
		} {
			t.Run(name, func(t *testing.T) {
				c := h.query(twoPages()...)
				err := read(c)
				expectError(t, err, "read rows: disk full")
				if e := (*Error)(nil); !errors.As(err, &e) || e.Code != "SQLITE_FULL" {
					t.Errorf("got %#v, want an *Error inside", err)
				}
				expectError(t, c.Err(), "read rows: disk full")
			})
		}
		c := h.query(wire.Rows{Columns: idAndName, Values: []any{int64(1)}})
		if c.Next() {
			t.Error("half a row is a row")
		}
		expectError(t, c.Err(), "read rows: the emulator sent 1 values for 2 columns")
		c = h.query(wire.Rows{Values: []any{int64(1)}})
		if c.Next() {
			t.Error("a value without a column is a row")
		}
		expectError(t, c.Err(), "read rows: the emulator sent 1 values for 0 columns")
	})
}

func TestOneTakesTheOnlyRowThatIsLeft(t *testing.T) {
	inHandler(t, func(h handling) {
		var id int
		var name string
		c := h.query(twoPages()...)
		c.Next()
		c.Next()
		h.check(c.One(&id, &name))
		if id != 3 || name != "c" {
			t.Errorf("got %d %q, want 3 c", id, name)
		}
		h.expectSent("exec SELECT", "next rows 7")

		err := c.One(&id, &name)
		expectError(t, err, "Expected exactly one result from SQL query, but got no results.")
		if !errors.Is(err, ErrNoRows) || !errors.Is(err, sql.ErrNoRows) || errors.Is(err, ErrMultipleRows) {
			t.Errorf("%v is not ErrNoRows alone", err)
		}

		c = h.query(twoPages()...)
		err = c.One(&id, &name)
		expectError(t, err, "Expected exactly one result from SQL query, but got multiple results.")
		if !errors.Is(err, ErrMultipleRows) || errors.Is(err, ErrNoRows) {
			t.Errorf("%v is not ErrMultipleRows alone", err)
		}
		if c.Next() {
			t.Error("the cursor has rows after ErrMultipleRows")
		}
		h.expectSent("exec SELECT", "close rows 7")
	})
}

func TestAllTakesTheRowsThatAreLeft(t *testing.T) {
	type row struct {
		ID   int8
		Name string
	}
	inHandler(t, func(h handling) {
		structs := []row{{ID: 9}}
		h.check(h.query(twoPages()...).All(&structs))
		pointers := []*row{}
		h.check(h.query(twoPages()...).All(&pointers))
		values := [][]any{}
		c := h.query(twoPages()...)
		c.Next()
		h.check(c.All(&values))
		names := []*string{}
		h.check(h.query(wire.Rows{Columns: []string{"name"}, Values: []any{"a", nil}}).All(&names))
		var none []int
		h.check(h.query(wire.Rows{Columns: []string{"id"}}).All(&none))
		if none == nil {
			t.Error("no rows are a nil slice, want an empty one")
		}
		a, b, three := row{1, "a"}, row{2, "b"}, row{3, "c"}
		if diff := cmp.Diff([]any{
			[]row{a, b, three}, []*row{&a, &b, &three},
			[][]any{{int64(2), "b"}, {int64(3), "c"}}, []*string{ptr("a"), nil},
		}, []any{structs, pointers, values, names}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}

		kept := []int8{5}
		err := h.query(wire.Rows{Columns: []string{"id"}, Values: []any{int64(1), int64(300)}}).All(&kept)
		expectError(t, err, `scan column "id": INTEGER 300 does not fit into int8`)
		if diff := cmp.Diff([]int8{5}, kept); diff != "" {
			t.Errorf("a slice was changed by an All that failed (-want +got):\n%s", diff)
		}
		expectError(t, h.query(twoPages()...).All(&kept),
			`scan: the row has 2 columns ["id" "name"], and there are 1 destinations`)
		expectError(t, h.query().All(kept), "scan all rows into a []int8: need a pointer to a slice")
		expectError(t, h.query().All(nil), "scan all rows into a <nil>: need a pointer to a slice")
	})
}

func TestRawSharesThePositionOfItsCursor(t *testing.T) {
	inHandler(t, func(h handling) {
		c := h.query(twoPages()...)
		var got [][]any
		for row, err := range c.Raw() {
			h.check(err)
			got = append(got, row)
			break
		}
		c.Next()
		for row, err := range c.Raw() {
			h.check(err)
			got = append(got, row)
		}
		if diff := cmp.Diff([][]any{{int64(1), "a"}, {int64(3), "c"}}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestBytesAreCopies(t *testing.T) {
	inHandler(t, func(h handling) {
		c := h.query(wire.Rows{Columns: []string{"b"}, Values: []any{[]byte("kept")}})
		c.Next()
		row := slices.Clone(c.row)
		var b []byte
		var v any
		var raw sql.RawBytes
		h.check(c.Scan(&b))
		h.check(c.Scan(&v))
		h.check(c.Scan(&raw))
		b[0], v.([]byte)[1], raw[2] = 'x', 'x', 'x'
		copyRow(c.row)[0].([]byte)[3] = 'x'
		if got := string(row[0].([]byte)); got != "kept" {
			t.Errorf("the page holds %q, want kept", got)
		}
	})
}

func TestScanNeedsARowAndDestinations(t *testing.T) {
	inHandler(t, func(h handling) {
		c := h.query(twoPages()...)
		expectError(t, c.Scan(new(int)), "scan: there is no row: call Next first, and Scan only if it returns true")
		c.Next()
		expectError(t, c.Scan(new(int), 1), `scan column "name" into a int: need a pointer that is not nil`)
		expectError(t, c.Scan(new(int), nil), `scan column "name" into a <nil>: need a pointer that is not nil`)
		expectError(t, c.Scan((*int)(nil), new(string)), `scan column "id" into a *int: need a pointer that is not nil`)
		expectError(t, c.Scan(), `scan: the row has 2 columns ["id" "name"], and there are 0 destinations`)
	})
}
