package conformance

// cursorCases are about reading rows one by one.
func cursorCases() []Case {
	three := sql("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')").is(done)
	const all = "SELECT a FROM t"
	const noResult = "Expected exactly one result from SQL query, but got no results."
	const results = "Expected exactly one result from SQL query, but got multiple results."
	counts := func(read, written int) any { return object{"read": read, "written": written} }
	return []Case{
		one("cursor: rows in order", three, sqlOpen("c", all).is(row("a")), sqlNext("c").is(row("a")), sqlNext("c").is(row("b")),
			sqlNext("c").is(row("c")), sqlNext("c").is("end"), sqlNext("c").is("end")),
		one("cursor: the rest", three, sqlOpen("c", all), sqlNext("c"), sqlRest("c").is([]any{row("b"), row("c")}), sqlRest("c").is([]any{}), sqlNext("c").is("end")),
		one("cursor: names of columns", sqlOpen("c", "SELECT 1 AS a, 2 AS a, 3, x AS \"é b\", x FROM (SELECT 4 AS x)").is(row("a", "a", "3", "é b", "x")),
			sqlNext("c").is(row(1, 2, 3, 4, 4))),
		one("cursor: names of a table's columns", sql("CREATE TABLE t (A, \"b c\")"), sqlOpen("c", "SELECT * FROM t").is(row("A", "b c")),
			sqlOpen("d", "SELECT a, t.a, count(*) FROM t").is(row("A", "A", "count(*)"))),
		one("cursor: a statement without columns", sqlOpen("c", "CREATE TABLE t (a)").is(row()), sqlNext("c").is("end"), sqlRest("c").is([]any{})),
		one("cursor: one row", three, sqlOpen("c", all+" WHERE id = 2"), sqlOne("c").is(row("b")), sqlNext("c").is("end")),
		one("cursor: one row of none", three, sqlOpen("c", all+" WHERE id = 9"), sqlOne("c").says(noResult), sqlNext("c").is("end")),
		one("cursor: one row of three", three, sqlOpen("c", all), sqlOne("c").says(results), sqlNext("c").is("end"), sqlOne("c").says(noResult)),
		one("cursor: the one row that is left", three, sqlOpen("c", all), sqlNext("c"), sqlNext("c"), sqlOne("c").is(row("c"))),
		one("cursor: one row when all were read", three, sqlOpen("c", all), sqlRest("c"), sqlOne("c").says(noResult)),
		one("cursor: one row of a statement without rows", sqlOpen("c", "CREATE TABLE t (a)"), sqlOne("c").says(noResult)),
		one("cursor: two of one text", three, sqlOpen("c", all), sqlNext("c"), sqlOpen("d", all), sqlNext("d").is(row("a")), sqlNext("c").is(row("b")),
			sqlRest("d").is([]any{row("b"), row("c")}), sqlRest("c").is([]any{row("c")})),
		one("cursor: two of one text with arguments", three, sqlOpen("c", "SELECT a FROM t WHERE id > ?", 1), sqlOpen("d", "SELECT a FROM t WHERE id > ?", 2),
			sqlRest("c").is([]any{row("b"), row("c")}), sqlRest("d").is([]any{row("c")})),
		one("cursor: writes take effect without a reader", sql("CREATE TABLE t (a)"), sqlOpen("c", "INSERT INTO t VALUES (1), (2) RETURNING a"),
			sql("SELECT a FROM t").gives(row(1), row(2)), sqlRest("c").is([]any{row(1), row(2)})),
		one("cursor: a write without columns takes effect", sql("CREATE TABLE t (a)"), sqlOpen("c", "INSERT INTO t VALUES (1), (2)"), sql("SELECT a FROM t").gives(row(1), row(2))),
		one("cursor: an index does not change what is read", three, sqlOpen("c", "SELECT a FROM t ORDER BY a DESC"), sqlRest("c").is([]any{row("c"), row("b"), row("a")})),
		one("cursor: rows read", three, sqlOpen("c", all), sqlCounts("c").is(counts(1, 0)), sqlNext("c"), sqlCounts("c").is(counts(2, 0)),
			sqlNext("c"), sqlCounts("c").is(counts(3, 0)), sqlNext("c"), sqlCounts("c").is(counts(3, 0)), sqlNext("c"), sqlCounts("c").is(counts(3, 0))),
		one("cursor: rows read of none", sql("CREATE TABLE t (a)"), sqlOpen("c", all), sqlCounts("c").differs(counts(1, 0), counts(0, 0))),
		one("cursor: rows written by inserts", sql("CREATE TABLE t (a)"), sqlOpen("c", "INSERT INTO t VALUES (1), (2), (3)"), sqlCounts("c")),
		one("cursor: rows written with an index", sql("CREATE TABLE t (a); CREATE INDEX i ON t (a)"), sqlOpen("c", "INSERT INTO t VALUES (1), (2)"), sqlCounts("c").is(counts(0, 4))),
		one("cursor: rows written by a delete", three, sqlOpen("c", "DELETE FROM t WHERE id > 1"), sqlCounts("c").differs(counts(2, 2), counts(0, 2))),
		one("cursor: rows written by an update", three, sqlOpen("c", "UPDATE t SET a = 1"), sqlCounts("c").differs(counts(3, 3), counts(0, 3))),
		one("cursor: rows read of a count", three, sqlOpen("c", "SELECT count(*) FROM t"), sqlCounts("c").differs(counts(3, 0), counts(1, 0))),
		one("cursor: rows read and not wanted", three, sqlOpen("c", all+" WHERE a = 'c'"), sqlCounts("c").differs(counts(3, 0), counts(1, 0))),
		one("cursor: over a write to another table", three, sql("CREATE TABLE u (a)"), sqlOpen("c", all), sqlNext("c"), sql("INSERT INTO u VALUES (1)").is(done),
			put("k", 1), sqlRest("c").is([]any{row("b"), row("c")})),
		one("cursor: over sync", three, sqlOpen("c", all), sqlNext("c"), commit(), sqlRest("c").is([]any{row("b"), row("c")})),
		one("cursor: over a sleep", three, sqlOpen("c", all), sqlNext("c"), sleep(1), sqlRest("c").is([]any{row("b"), row("c")})),
		one("cursor: over writes and sync", three, sqlOpen("c", all), sqlNext("c"), put("k", 1), commit(), put("k", 2), commit(), sqlRest("c").is([]any{row("b"), row("c")})),
		one("cursor: over a transaction", three, sqlOpen("c", all), sqlNext("c"), transaction("t", put("k", 1)), sqlRest("c").is([]any{row("b"), row("c")})),
		one("cursor: sees no delete of what was read ahead", three, sqlOpen("c", all), sqlNext("c"), sql("DELETE FROM t"),
			sqlRest("c").differs([]any{row("b")}, []any{row("b"), row("c")})),
		one("cursor: sees no insert of what was read ahead", three, sqlOpen("c", all), sqlNext("c"), sql("INSERT INTO t VALUES (4, 'd')"),
			sqlRest("c").differs([]any{row("b"), row("c"), row("d")}, []any{row("b"), row("c")})),
		one("cursor: DROP TABLE under it", three, sqlOpen("c", all), sqlNext("c"),
			sql("DROP TABLE t").differs(sqlError("database table is locked: SQLITE_LOCKED"), done), sqlRest("c").is([]any{row("b"), row("c")})),
		one("cursor: DROP TABLE when all was read", three, sqlOpen("c", all), sqlRest("c"), sql("DROP TABLE t").is(done)),
		one("cursor: over deleteAll", three, sqlOpen("c", all), sqlNext("c"), deleteAll(),
			sqlRest("c").differs(sqlError("SQLite query was canceled because the database was deleted."), []any{row("b"), row("c")})),
		{"cursor: rows of a write over its commit", []Op{
			call(sql("CREATE TABLE t (a)")),
			call(sqlOpen("c", "INSERT INTO t VALUES (1), (2) RETURNING a"), sqlNext("c"), commit(), sqlNext("c")).differs(refused, object{"facts": []any{row("a"), row(1), done, row(2)}}),
			call(sql("SELECT a FROM t").differs([]any{}, []any{row(1), row(2)})),
		}},
		{"cursor: rows of a write that is not the last statement", []Op{
			call(sql("CREATE TABLE t (a)")),
			call(sql("INSERT INTO t VALUES (1) RETURNING a; SELECT 2")).differs(refused, object{"facts": []any{[]any{row(2)}}}),
			call(sql("SELECT a FROM t").differs([]any{}, []any{row(1)})),
		}},
		one("cursor: rows of a write, all read", sql("CREATE TABLE t (a)"), sqlOpen("c", "INSERT INTO t VALUES (1), (2) RETURNING a"), sqlRest("c"), commit(), sqlNext("c").is("end"),
			sql("SELECT a FROM t").gives(row(1), row(2))),
	}
}
