package durable

import (
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

type (
	Stamps struct {
		CreatedAt time.Time
		Note      string
	}
	Deep   struct{ Depth int }
	inner  struct{ Hidden int }
	person struct {
		ID        int64
		FirstName string  `db:"given,omitempty"`
		Nick      *string `                     json:"nick"`
		Skipped   int     `db:"-"`
		Note      string
		*Stamps
		*Deep
		inner
		Missing string
	}
)

// scanRow scans one row into dest.
func (h handling) scanRow(dest any, columns []string, values ...any) error {
	c := h.query(wire.Rows{Columns: columns, Values: values})
	c.Next()
	return c.Scan(dest)
}

func TestColumnsFindTheirFields(t *testing.T) {
	inHandler(t, func(h handling) {
		got := person{Missing: "stays", Deep: &Deep{Depth: 9}}
		h.check(h.scanRow(&got,
			[]string{"id", "given", "NICK", "created_at", "note", "depth", "hidden"},
			int64(1), "Ann", nil, "2030-01-02", "outer", int64(2), int64(3)))
		want := person{
			ID: 1, FirstName: "Ann", Note: "outer", Missing: "stays", inner: inner{Hidden: 3},
			Stamps: &Stamps{CreatedAt: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)}, Deep: &Deep{Depth: 2},
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(person{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestOfColumnsWithOneNameTheLastCounts(t *testing.T) {
	inHandler(t, func(h handling) {
		var got person
		h.check(h.scanRow(&got, []string{"id", "note", "id"}, "no number", "x", int64(2)))
		if got.ID != 2 {
			t.Errorf("got %d, want 2", got.ID)
		}
	})
}

func TestATagGoesBeforeAName(t *testing.T) {
	inHandler(t, func(h handling) {
		var got struct {
			Name  string
			Title string `db:"name"`
		}
		h.check(h.scanRow(&got, []string{"name"}, "x"))
		if got.Title != "x" || got.Name != "" {
			t.Errorf("got %+v, want the tagged field set", got)
		}
	})
}

func TestColumnsWithoutAFieldAreNamed(t *testing.T) {
	type both struct{ AB, A_B int } //nolint:staticcheck // the underscore is what the test is about
	type pointer struct{ *inner }
	type stamp struct{ time.Time }
	inHandler(t, func(h handling) {
		for _, test := range []struct {
			dest   any
			column string
			want   string
		}{
			{new(person), "age", `scan: column "age" into a durable.person: no field matches: give a field that ` +
				`name, or the tag ` + "`db:\"age\"`"},
			{new(person), "skipped", `scan: column "skipped" into a durable.person: no field matches: give a field ` +
				`that name, or the tag ` + "`db:\"skipped\"`"},
			{new(person), "first_name", `scan: column "first_name" into a durable.person: no field matches: give a ` +
				`field that name, or the tag ` + "`db:\"first_name\"`"},
			{new(person), "stamps", `scan: column "stamps" into a durable.person: no field matches: give a field ` +
				`that name, or the tag ` + "`db:\"stamps\"`"},
			{new(pointer), "hidden", `scan: column "hidden" into a durable.pointer: no field matches: give a field ` +
				`that name, or the tag ` + "`db:\"hidden\"`"},
			{new(both), "ab", `scan: column "ab" into a durable.both: both fields AB and A_B match`},
			{new(person), "id", `scan column "id" into field ID of a durable.person: TEXT "x" does not fit into int64`},
			{new(struct{ stamp }), "time", `scan column "time" into field Time of a struct { durable.stamp }: TEXT ` +
				`"x" does not fit into time.Time: SQLite's date functions do not write it so`},
		} {
			expectError(t, h.scanRow(test.dest, []string{test.column}, "x"), test.want)
		}
	})
}

func TestStructsThatAreValuesTakeOneColumn(t *testing.T) {
	inHandler(t, func(h handling) {
		var at time.Time
		h.check(h.scanRow(&at, []string{"x"}, "2030-01-02"))
		var text sql.NullString
		h.check(h.scanRow(&text, []string{"x"}, "text"))
		if at.Year() != 2030 || text.String != "text" {
			t.Errorf("got %s and %q", at, text.String)
		}
		var all []sql.NullString
		h.check(h.query(wire.Rows{Columns: []string{"x"}, Values: []any{nil, "a"}}).All(&all))
		if diff := cmp.Diff([]sql.NullString{{}, {String: "a", Valid: true}}, all); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
