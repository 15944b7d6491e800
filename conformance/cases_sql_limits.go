package conformance

import (
	"fmt"
	"strings"
)

// limitCases cover the maximal size of statements and values.
func limitCases() []Case {
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
		query := "CREATE TABLE t0 (a);"
		for i := range n {
			query += fmt.Sprintf("CREATE TABLE t%d (a); "+
				"CREATE TRIGGER r%d AFTER INSERT ON t%d BEGIN INSERT INTO t%d VALUES (1); END;", i+1, i, i, i+1)
		}
		return query + "INSERT INTO t0 VALUES (1)"
	}
	arguments := func(n int) (args []any) {
		for i := range n {
			args = append(args, i)
		}
		return args
	}
	const tooBig = "string or blob too big: SQLITE_TOOBIG"
	rows := []struct {
		name, within, beyond, message string
	}{
		{"columns of a table",
			"CREATE TABLE w (" + columns(100) + ")", "CREATE TABLE w (" + columns(101) + ")",
			"too many columns on w" + code,
		},
		{"columns of a result",
			"SELECT " + list(100, "1", ","), "SELECT " + list(101, "1", ","), "too many columns in result set" + code,
		},
		{"terms of an order",
			"SELECT 1 ORDER BY " + list(100, "1", ","), "SELECT 1 ORDER BY " + list(101, "1", ","),
			"too many terms in ORDER BY clause" + code,
		},
		{"bytes of a statement",
			"SELECT 1" + strings.Repeat(" ", 100_000-8), "SELECT 1" + strings.Repeat(" ", 100_000-7),
			"statement too long: SQLITE_TOOBIG",
		},
		{"bytes of several statements",
			"SELECT 1;" + strings.Repeat(" ", 100_000-17) + "SELECT 2",
			"SELECT 1;" + strings.Repeat(" ", 100_000-16) + "SELECT 2", "statement too long: SQLITE_TOOBIG",
		},
		{"number of a parameter",
			"SELECT 1", "SELECT ?101", "variable number must be between ?1 and ?100 at offset 7" + code,
		},
		{"bytes of a pattern of LIKE",
			"SELECT 'a' LIKE '" + list(50, "b", "") + "'", "SELECT 'a' LIKE '" + list(51, "b", "") + "'",
			"LIKE or GLOB pattern too complex" + code,
		},
		{"bytes of a pattern of GLOB",
			"SELECT 'a' GLOB '" + list(50, "b", "") + "'", "SELECT 'a' GLOB '" + list(51, "b", "") + "'",
			"LIKE or GLOB pattern too complex" + code,
		},
		{"depth of an expression",
			"SELECT " + list(100, "1", "+"), "SELECT " + list(101, "1", "+"),
			"Expression tree is too large (maximum depth 100)" + code,
		},
		{"SELECTs in one",
			list(5, "SELECT 1", " UNION "), list(6, "SELECT 1", " UNION "), "too many terms in compound SELECT" + code,
		},
		{"SELECTs of all rows in one",
			list(5, "SELECT 1", " UNION ALL "), list(6, "SELECT 1", " UNION ALL "),
			"too many terms in compound SELECT" + code,
		},
		{"depth of triggers", triggers(9), triggers(11), "triggers nested too deep" + code},
		{"tables of a join",
			"SELECT 1 FROM " + list(64, "(SELECT 1)", ","), "SELECT 1 FROM " + list(65, "(SELECT 1)", ","),
			"at most 64 tables in a join" + code,
		},
	}
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		within := sql(r.within)
		if strings.HasPrefix(r.within, "CREATE") {
			within = within.is(done)
		}
		cases = append(cases,
			Case{"limit: " + r.name, []Op{call(within), call(sql(r.beyond).says(r.message)).to("other")}})
	}
	return append(cases,
		one("limit: rows of VALUES", sql("SELECT count(*) FROM (VALUES "+list(600, "(1)", ",")+")").gives(row(600))),
		one("limit: parameters", sql("SELECT "+list(100, "?", ","), arguments(100)...)),
		one("limit: one parameter more", sql("SELECT "+list(51, "?", ",")+", "+list(50, "?", "+"), arguments(101)...)),
		one("limit: operations of a statement", sql("SELECT 1 WHERE 1 IN ("+list(12_000, "1", ",")+")")),
		one("limit: conditions of a statement",
			sql("SELECT 1 WHERE "+list(9, "1 IN ("+list(4000, "?1", ",")+")", " AND "), 1),
		),
		one("limit: 32 arguments of a function", sql("SELECT max("+list(31, "1", ",")+", 2)").gives(row(2))),
		one("limit: 33 arguments of a function", sql("SELECT max("+list(32, "1", ",")+", 2)").
			differs([]any{row(2)}, sqlError("too many arguments on function max at offset 7"+code))),
		one("limit: 128 arguments of a function",
			sql("SELECT max("+list(128, "1", ",")+")").says("too many arguments on function max at offset 7"+code),
		),
		one("limit: 2 MiB as an argument", sql("SELECT length(?)", long(2<<20)).gives(row(2<<20))),
		one("limit: more than 2 MiB as an argument",
			sql("SELECT length(?)", long(2<<20+1)).differs([]any{row(2<<20 + 1)}, sqlError(tooBig)),
		),
		one("limit: 2 MiB as a result", sql("SELECT length(zeroblob(2097152))").gives(row(2<<20))),
		one("limit: more than 2 MiB as a result",
			sql("SELECT length(hex(zeroblob(1048577)))").differs([]any{row(2<<20 + 2)}, sqlError(tooBig)),
		),
		one("limit: 9 MiB as a result",
			sql("SELECT length(zeroblob(9437184))"), sql("SELECT zeroblob(9437184)").says(tooBig),
		),
		one("limit: 2 MB in a row",
			sql("CREATE TABLE t (a, b)"), sql("INSERT INTO t VALUES (?1, ?1)", long(1<<20-100)).is(done),
			sql("SELECT length(a) + length(b) FROM t").gives(row(2<<20-200)),
		),
		one("limit: more than 2 MiB in a row",
			sql("CREATE TABLE t (a, b)"),
			sql("INSERT INTO t VALUES (?1, ?1)", long(1<<20)).differs(done, sqlError(tooBig)),
		),
	)
}

// sizeCases cover databaseSize.
func sizeCases() []Case {
	const page = 4096
	return []Case{
		one("size: of a new object", sqlSize().is(page)),
		one("size: of a table", sql("CREATE TABLE t (a)"), sqlSize().is(2*page)),
		one("size: of a table and an index", sql("CREATE TABLE t (a); CREATE INDEX i ON t (a)"), sqlSize().is(3*page)),
		one("size: of what was deleted",
			sql("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))"), sqlSize(), sql("DELETE FROM t"),
			sqlSize().is(2*page), sql("DROP TABLE t"), sqlSize().is(page),
		),
		one("size: of large values",
			sql("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(1000000)), (zeroblob(300000))"), sqlSize(),
		),
		one("size: of many rows",
			sql("CREATE TABLE t (a); "+
				"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "+
				"FROM n WHERE i < 3000) INSERT INTO t SELECT hex(i * 1000000) FROM n"),
			sqlSize(),
		),
		one("size: of a key", put("a", 1), sqlSize().is(2*page)),
		one("size: of an alarm", setAlarm(100_000), sqlSize().is(2*page)),
		one("size: of a key and an alarm", put("a", 1), setAlarm(100_000), sqlSize().is(3*page)),
		one("size: of a key that was deleted", put("a", 1), remove("a"), sqlSize().differs(2*page, page)),
		one("size: after deleteAll",
			sql("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))"), put("a", 1), setAlarm(100_000),
			deleteAll(), sqlSize().is(page),
		),
		{"size: in another request", []Op{
			call(sql("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))"), deleteAll()),
			call(sqlSize().is(page), put("a", 1)),
			call(sqlSize().is(2 * page)),
		}},
	}
}
