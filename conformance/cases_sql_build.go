package conformance

// buildCases cover what shows how the SQLite engine was compiled: both sides have the same version
// of it, built with different options. docs/conformance.md has the options as a table.
func buildCases() []Case {
	made := sql("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
	tooComplex := "LIKE or GLOB pattern too complex" + code
	return []Case{
		one("build: LIKE on BLOBs",
			sql("SELECT x'616263' LIKE 'a%', x'61' LIKE NULL, 'abc' LIKE x'6125', x'2561' LIKE x'61' ESCAPE x'25', "+
				"like(x'41', 'a'), x'ff' LIKE '_'").gives(row(1, nil, 1, 0, 1, 1)),
			sql("SELECT 'a' LIKE zeroblob(51)").says(tooComplex),
		),
		one("build: GLOB on BLOBs",
			sql("SELECT x'616263' GLOB 'a*', NULL GLOB x'61', 'b' GLOB x'5b612d635d', glob(x'41', 'a'), "+
				"zeroblob(0) GLOB ''").gives(row(1, nil, 1, 0, 1)),
			sql("SELECT 'a' GLOB zeroblob(51)").says(tooComplex),
		),
		one("build: LIKE and GLOB on a BLOB as an argument",
			sql("SELECT ?1 LIKE 'a%', 'abc' LIKE ?1, ?1 GLOB 'a*', 'abc' GLOB ?1", binary("YWJj")).
				gives(row(1, 1, 1, 1)),
		),
		one("build: LIKE and GLOB on BLOBs in a column with an index",
			sql("CREATE TABLE t (a UNIQUE, b TEXT COLLATE NOCASE UNIQUE); "+
				"INSERT INTO t VALUES (x'616263', x'616263'), ('abd', 'abd'), ('b', 'b')").is(done),
			sql("SELECT b FROM t WHERE a GLOB 'ab*' ORDER BY 1").gives(row("abd"), row(binary("YWJj"))),
			sql("SELECT a FROM t WHERE b LIKE 'ab%' ORDER BY 1").gives(row("abd"), row(binary("YWJj"))),
		),
		one("build: LIKE on BLOBs after PRAGMA case_sensitive_like",
			sql("PRAGMA case_sensitive_like = ON"), sql("SELECT x'41' LIKE 'a', x'61' LIKE 'a'").gives(row(0, 1)),
			sql("PRAGMA case_sensitive_like = OFF"), sql("SELECT x'41' LIKE 'a', 'A' LIKE x'61'").gives(row(1, 1)),
		),
		one("build: LIKE in an index",
			sql("CREATE TABLE t (a); CREATE INDEX i ON t (a) WHERE a LIKE 'a%' OR a GLOB 'a*'").is(done),
			sql("PRAGMA case_sensitive_like = OFF"),
			sql("CREATE INDEX j ON t (a) WHERE a LIKE 'a%'").
				says("non-deterministic functions prohibited in partial index WHERE clauses at offset 32"+code),
		),
		one("build: an index for a pattern that begins with text",
			sql("CREATE TABLE t (a PRIMARY KEY)"),
			sql("EXPLAIN QUERY PLAN SELECT a FROM t WHERE a GLOB 'a*'").differs(
				rows(row(2, 0, 156, "SEARCH t USING COVERING INDEX sqlite_autoindex_t_1 (a>? AND a<?)")),
				rows(row(2, 0, 216, "SCAN t")),
			),
		),
		one("build: LIKE and GLOB in FTS5",
			sql("CREATE VIRTUAL TABLE f USING fts5(a, tokenize = 'trigram'); "+
				"INSERT INTO f VALUES ('hello'), (x'616263')").is(done),
			sql("SELECT rowid FROM f WHERE a LIKE '%ELL%'").gives(row(1)),
			sql("SELECT rowid FROM f WHERE a GLOB '*abc*'").gives(row(2)),
			sql("EXPLAIN QUERY PLAN SELECT rowid FROM f WHERE a GLOB '*abc*'"),
		),

		one("build: ANALYZE",
			sql("CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1), (1), (2); ANALYZE").is(done),
			sql("SELECT * FROM sqlite_stat1 WHERE tbl = 't'").gives(row("t", "i", "3 2")),
			sql("SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'").gives(row("sqlite_stat1")),
			sql("SELECT * FROM sqlite_stat4").says("no such table: sqlite_stat4"+code),
		),
		one("build: functions that the platform's engine lacks",
			sql("SELECT geopoly_area(1)").says("no such function: geopoly_area at offset 7"+code),
			sql("SELECT geopoly_svg()").says("no such function: geopoly_svg at offset 7"+code),
			sql("SELECT soundex(1, 2)").says("no such function: soundex at offset 7"+code),
			sql("SELECT sqlite_offset()").says("no such function: sqlite_offset at offset 7"+code),
		),
		one("build: modules that the platform's engine lacks",
			sql("CREATE VIRTUAL TABLE g USING geopoly").says(notAuthorized),
			sql("SELECT * FROM dbstat").says("no such table: dbstat"+code),
			sql("SELECT * FROM sqlite_dbpage").says("no such table: sqlite_dbpage"+code),
		),
		one("build: DELETE with LIMIT", made,
			sql("DELETE FROM t ORDER BY a LIMIT 1").
				differs(done, sqlError(`near "ORDER": syntax error at offset 14`+code)),
		),
		one("build: UPDATE with LIMIT", made,
			sql("UPDATE t SET b = 9 LIMIT 1").
				differs(done, sqlError(`near "LIMIT": syntax error at offset 19`+code)),
		),
		one("build: a width of more than 100,000",
			sql("SELECT length(printf('%*s', 200000, 'a')), length(format('%.200000f', 1.5))").
				differs(rows(row(100_000, 100_002)), rows(row(200_000, 200_002))),
		),
		one("build: the last digit of a sine", sql("SELECT sin(-2.5) - -0.5984721441039565").
			differs(rows(row(0)), rows(row(1.1102230246251565e-16)))),
	}
}
