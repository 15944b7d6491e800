package conformance

// systemCases cover where the platform's own tables, and statements that it has not ended, show.
func systemCases() []Case {
	made := sql("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)")
	opened := []Op{made, sqlOpen("c", "SELECT a FROM t"), sqlNext("c").is(row(1))}
	left := rows(row(2), row(3))
	aborted := sqlError("abort due to ROLLBACK: SQLITE_ABORT (extended: SQLITE_ABORT_ROLLBACK)")
	undone := func(name string, operations ...Op) Case {
		return Case{"system: a cursor over the rollback of " + name,
			[]Op{call(append(opened[:len(opened):len(opened)], operations...)...)}}
	}
	locked := sqlError("database table is locked: SQLITE_LOCKED")
	return []Case{
		undone("a write", transaction("t", sql("INSERT INTO t VALUES (4)"), rollback()), sqlRest("c").is(left)),
		undone("nothing", transaction("t", rollback()), sqlRest("c").is(left)),
		undone("the first key", transaction("t", put("a", 1), rollback()), sqlRest("c").differs(aborted, left)),
		undone("a later key",
			put("a", 1), transaction("t", put("b", 1), rollback()), sqlRest("c").is(left),
		),
		undone("a new table",
			transaction("t", sql("CREATE TABLE u (a)"), rollback()), sqlRest("c").differs(aborted, left),
		),
		one("system: DROP TABLE after a SELECT that is not the last statement", made,
			sql("SELECT a FROM t; DROP TABLE t").differs(locked, done),
		),
		one("system: DROP INDEX after a SELECT that is not the last statement", made, sql("CREATE INDEX i ON t (a)"),
			sql("SELECT a FROM t; DROP INDEX i").differs(locked, done),
		),
		one("system: DROP TABLE after a pragma that is not the last statement", made,
			sql("PRAGMA table_info(t); DROP TABLE t").differs(locked, done),
		),
		one("system: ALTER TABLE after a SELECT that is not the last statement", made,
			sql("SELECT a FROM t; ALTER TABLE t ADD COLUMN b").is(done),
		),
		one("system: DROP TABLE after a SELECT of its own", made, sql("SELECT a FROM t"), sql("DROP TABLE t").is(done)),
		one("system: the platform's tables in a new object",
			sql("SELECT name FROM sqlite_schema ORDER BY 1").
				differs(rows(), rows(row("_cf_KV"), row("_cf_METADATA"))),
		),
		one("system: the platform's tables after the first key and alarm", put("a", 1), setAlarm(100_000),
			sql("SELECT name FROM sqlite_schema ORDER BY 1").gives(row("_cf_KV"), row("_cf_METADATA")),
		),
	}
}
