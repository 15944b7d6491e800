package store_test

import (
	"fmt"
	"strings"
	"testing"

	"devtool.internal/emulator/store"
)

func TestSQLLimits(t *testing.T) {
	list := func(n int, item, separator string) string {
		return strings.TrimSuffix(strings.Repeat(item+separator, n), separator)
	}
	columns := func(n int) string {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprint("c", i))
		}
		return strings.Join(names, ",")
	}
	triggers := func(n int) string {
		sql := "CREATE TABLE t0 (a);"
		for i := range n {
			sql += fmt.Sprintf("CREATE TABLE t%d (a); "+
				"CREATE TRIGGER r%d AFTER INSERT ON t%d BEGIN INSERT INTO t%d VALUES (1); END;", i+1, i, i, i+1)
		}
		return sql + "INSERT INTO t0 VALUES (1)"
	}
	const tooBig = "string or blob too big: SQLITE_TOOBIG"
	tests := []struct {
		name, within, beyond, want string
	}{
		{
			"columns of a table",
			"CREATE TABLE w (" + columns(100) + ")", "CREATE TABLE w (" + columns(101) + ")",
			"too many columns on w: SQLITE_ERROR",
		},
		{
			"columns of a result", "SELECT " + list(100, "1", ","), "SELECT " + list(101, "1", ","),
			"too many columns in result set: SQLITE_ERROR",
		},
		{
			"length of a statement",
			"SELECT 1" + strings.Repeat(" ", 100_000-8), "SELECT 1" + strings.Repeat(" ", 100_000-7),
			"statement too long: SQLITE_TOOBIG",
		},
		{
			"number of a parameter", "SELECT 1", "SELECT ?101",
			"variable number must be between ?1 and ?100 at offset 7: SQLITE_ERROR",
		},
		{
			"pattern",
			"SELECT 'a' LIKE '" + list(50, "b", "") + "'", "SELECT 'a' LIKE '" + list(51, "b", "") + "'",
			"LIKE or GLOB pattern too complex: SQLITE_ERROR",
		},
		{
			"depth of an expression", "SELECT " + list(100, "1", "+"), "SELECT " + list(101, "1", "+"),
			"Expression tree is too large (maximum depth 100): SQLITE_ERROR",
		},
		{
			"compound", list(5, "SELECT 1", " UNION "), list(6, "SELECT 1", " UNION "),
			"too many terms in compound SELECT: SQLITE_ERROR",
		},
		{"values", "VALUES " + list(600, "(1)", ","), "", ""},
		{"operations", "SELECT 1 WHERE 1 IN (" + list(40_000, "1", ",") + ")", "", ""},
		{"depth of triggers", triggers(9), triggers(11), "triggers nested too deep: SQLITE_ERROR"},
		{"result", "SELECT length(zeroblob(2097152))", "SELECT zeroblob(2097153)", tooBig},
		{
			"arguments of a function",
			"SELECT max(" + list(32, "1", ",") + ")", "SELECT max(" + list(33, "1", ",") + ")",
			"too many arguments on function max at offset 7: SQLITE_ERROR",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			query(t, newObject(t), test.within)
			if test.beyond != "" {
				wantRefused(t, newObject(t), test.want, test.beyond)
			}
		})
	}
	t.Run("number of parameters", func(t *testing.T) {
		o := newObject(t)
		query(t, o, "SELECT "+list(100, "?", ","), make([]any, 100)...)
		if _, err := tryQuery(o, "SELECT "+list(101, "?", ","), make([]any, 101)...); err == nil {
			t.Error("101 parameters were accepted")
		}
	})
	t.Run("argument", func(t *testing.T) {
		o := newObject(t)
		query(t, o, "SELECT length(?)", strings.Repeat("x", 2<<20))
		wantRefused(t, o, tooBig, "SELECT length(?)", strings.Repeat("x", 2<<20+1))
		query(t, o, "SELECT length(?)", "short")
	})
}

func TestLimitsOfTheLocalProfile(t *testing.T) {
	o := newObject(t)
	o.SetLimits(store.LocalLimits)
	query(t, o, "SELECT max("+strings.Repeat("1,", 126)+"1)")
	wantRefused(t, o, "too many arguments on function max at offset 7: SQLITE_ERROR",
		"SELECT max("+strings.Repeat("1,", 127)+"1)")
	query(t, o, "SELECT length(?)", make([]byte, 8<<20))
	wantRefused(t, o, "string or blob too big: SQLITE_TOOBIG", "SELECT length(?)", make([]byte, 8<<20+1))
}

func TestLimitsOfSQLDoNotBindKeys(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (a)")
	must(t, o.Put("big", make([]byte, 3<<20)))
	must(t, o.Commit())
	value, _, err := o.Get("big")
	if err != nil || len(value) != 3<<20 {
		t.Errorf("Get: %d bytes, %v, want %d", len(value), err, 3<<20)
	}
}
