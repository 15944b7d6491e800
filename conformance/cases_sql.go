package conformance

import "strings"

// sqlCases are about statements and their values: what is bound, what comes back, and several statements in one.
func sqlCases() []Case {
	return append(append(bindingCases(), statementCases()...), schemaCases()...)
}

func bindingCases() []Case {
	rows := []struct {
		name string
		arg  any
		// The type that SQL sees, and what columns of INTEGER, REAL, TEXT, BLOB and NUMERIC affinity give back.
		kind                               string
		integer, real, text, blob, numeric any
	}{
		{"a whole number", 1, "real", 1, 1, "1.0", 1, 1},
		{"zero", 0, "real", 0, 0, "0.0", 0, 0},
		{"a negative number", -7, "real", -7, -7, "-7.0", -7, -7},
		{"a fraction", 1.5, "real", 1.5, 1.5, "1.5", 1.5, 1.5},
		{"a large number", 1 << 53, "real", 1 << 53, 1 << 53, "9007199254740992.0", 1 << 53, 1 << 53},
		{"a number beyond integers", 1e300, "real", 1e300, 1e300, "1.0e+300", 1e300, 1e300},
		{"a small number", 1e-300, "real", 1e-300, 1e-300, "1.0e-300", 1e-300, 1e-300},
		{"a number of many digits", 0.1, "real", 0.1, 0.1, "0.1", 0.1, 0.1},
		{"infinity", number("Infinity"), "real", number("Infinity"), number("Infinity"), "Inf", number("Infinity"), number("Infinity")},
		{"negative infinity", number("-Infinity"), "real", number("-Infinity"), number("-Infinity"), "-Inf", number("-Infinity"), number("-Infinity")},
		{"NaN", number("NaN"), "null", nil, nil, nil, nil, nil},
		{"null", nil, "null", nil, nil, nil, nil, nil},
		{"true", true, "text", "true", "true", "true", "true", "true"},
		{"false", false, "text", "false", "false", "false", "false", "false"},
		{"text", "é😀", "text", "é😀", "é😀", "é😀", "é😀", "é😀"},
		{"text with a NUL", "a\x00b", "text", "a\x00b", "a\x00b", "a\x00b", "a\x00b", "a\x00b"},
		{"no text", "", "text", "", "", "", "", ""},
		{"digits", "12", "text", 12, 12, "12", "12", 12},
		{"digits with a fraction", "12.50", "text", 12.5, 12.5, "12.50", "12.50", 12.5},
		{"bytes", binary("AP8B"), "blob", binary("AP8B"), binary("AP8B"), binary("AP8B"), binary("AP8B"), binary("AP8B")},
		{"no bytes", binary(""), "blob", binary(""), binary(""), binary(""), binary(""), binary("")},
	}
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		cases = append(cases, one("sql: "+r.name+" as an argument",
			sql("SELECT typeof(?)", r.arg).gives(row(r.kind)),
			sql("SELECT ?", r.arg).gives(row(r.blob)),
			sql("CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e NUMERIC)").is(done),
			sql("INSERT INTO t VALUES (?1, ?1, ?1, ?1, ?1) RETURNING *", r.arg).gives(row(r.integer, r.real, r.text, r.blob, r.numeric)),
			sql("SELECT * FROM t").gives(row(r.integer, r.real, r.text, r.blob, r.numeric)),
			sql("SELECT typeof(a), typeof(b), typeof(c), typeof(d), typeof(e) FROM t"),
		))
	}
	return append(cases,
		one("sql: parameters by position", sql("SELECT ?, ?, ?", 1, "b", nil).gives(row(1, "b", nil))),
		one("sql: parameters by number", sql("SELECT ?2, ?1, ?2", 1, 2).gives(row(2, 1, 2))),
		one("sql: parameters by name", sql("SELECT :b, @a, $c, :b", 1, 2, 3).gives(row(1, 2, 3, 1))),
		one("sql: parameters by number and position", sql("SELECT ?2, ?", 1, 2, 3)),
		one("sql: an argument too few", sql("SELECT ?, ?", 1).says(wrongArguments)),
		one("sql: an argument too many", sql("SELECT ?", 1, 2).says(wrongArguments)),
		one("sql: an argument without a parameter", sql("SELECT 1", 1).says(wrongArguments)),
		one("sql: a parameter without an argument", sql("SELECT ?").says(wrongArguments)),
		one("sql: fewer arguments than the highest number", sql("SELECT ?3", 1).says(wrongArguments)),
		one("sql: integers that no number has", sql("SELECT 9007199254740993, 9223372036854775807")),
		one("sql: text from an integer", sql("SELECT CAST(9007199254740993 AS TEXT)").gives(row("9007199254740993"))),
		one("sql: an expression's value", sql("SELECT 1 + 1, 1 + 1.0, 7 / 2, 7 / 2.0, 'a' || 'b', x'00ff', NULL, 1 = 1").
			gives(row(2, 2, 3, 3.5, "ab", binary("AP8="), nil, 1))),
		one("sql: an argument divides as a REAL", sql("SELECT 7 / ?", 2).gives(row(3.5))),
		one("sql: the limit of a query", sql("SELECT column1 FROM (VALUES (1), (2), (3)) LIMIT ?", 2)),
		one("sql: an argument finds an integer", sql("CREATE TABLE t (n INTEGER, x)"), sql("INSERT INTO t VALUES (5, 5), ('5', '5')"),
			sql("SELECT count(*) FROM t WHERE n = ?", 5).gives(row(2)), sql("SELECT count(*) FROM t WHERE x = ?", 5).gives(row(1)),
			sql("SELECT count(*) FROM t WHERE n = ?", "5").gives(row(2)), sql("SELECT count(*) FROM t WHERE x = ?", "5").gives(row(1))),
		one("sql: a TRUE argument is no truth", sql("SELECT ? = TRUE, CASE WHEN ? THEN 1 ELSE 0 END", true, true).gives(row(0, 0))),
	)
}

func statementCases() []Case {
	log := sql("CREATE TABLE log (x NOT NULL)").is(done)
	left := func(values ...any) Op {
		var rows [][]any
		for _, v := range values {
			rows = append(rows, row(v))
		}
		return sql("SELECT x FROM log").gives(rows...)
	}
	return []Case{
		one("sql: several statements", log, sql("INSERT INTO log VALUES ('a'); INSERT INTO log VALUES ('b')").is(done), left("a", "b")),
		one("sql: rows of the last statement only", log, sql("SELECT 1; INSERT INTO log VALUES ('a'); SELECT 2").gives(row(2)), left("a")),
		one("sql: arguments for the last statement", log, sql("INSERT INTO log VALUES ('a'); INSERT INTO log VALUES (?)", "b").is(done), left("a", "b")),
		one("sql: arguments for the first of two statements", log, sql("INSERT INTO log VALUES (?); SELECT 1", "a").
			says("When executing multiple SQL statements in a single call, only the last statement can have parameters."), left()),
		one("sql: wrong arguments for the last statement", log, sql("INSERT INTO log VALUES ('a'); INSERT INTO log VALUES (?)").says(wrongArguments), left("a")),
		one("sql: the second statement fails", log, sql("INSERT INTO log VALUES ('a'); INSERT INTO log VALUES (NULL); INSERT INTO log VALUES ('c')").
			says("NOT NULL constraint failed: log.x"+constraint("NOTNULL")), left("a")),
		one("sql: the second statement is nonsense", log, sql("INSERT INTO log VALUES ('a'); nonsense here").says(`near "nonsense": syntax error at offset 0`+code), left("a")),
		one("sql: the second statement uses the first", sql("CREATE TABLE made (x); INSERT INTO made VALUES (1), (2); SELECT sum(x) FROM made").gives(row(3))),
		one("sql: white space after a statement", sql("SELECT 1; \t\r\n ").gives(row(1))),
		one("sql: vertical tab and form feed after a statement", sql("SELECT 1;\v\f")),
		one("sql: comments before a statement", sql(" -- one\n /* two; */ SELECT 1").gives(row(1))),
		one("sql: a comment within a statement", sql("SELECT /* ; */ 1 -- ;").gives(row(1))),
		one("sql: a comment after a statement", log, sql("INSERT INTO log VALUES ('a'); -- end").says(noStatement), left("a")),
		one("sql: two semicolons", log, sql("INSERT INTO log VALUES ('a');;").says(noStatement), left("a")),
		one("sql: no text at all", sql("").says(noStatement)),
		one("sql: only white space", sql(" \n\t").says(noStatement)),
		one("sql: only a semicolon", sql(";").says(noStatement)),
		one("sql: only a comment", sql("-- SELECT 1").says(noStatement)),
		one("sql: an open comment", sql("/* SELECT 1").says(noStatement)),
		one("sql: a byte order mark", sql("\ufeffSELECT 1")),
		one("sql: a NUL after a statement", sql("SELECT 1;\x00SELECT 2")),
		one("sql: a NUL within a statement", sql("SELECT\x00 1")),
		one("sql: rows of an insert", log, sql("INSERT INTO log VALUES (1), (2) RETURNING x, x * 2").gives(row(1, 2), row(2, 4))),
		one("sql: rows of an update", log, sql("INSERT INTO log VALUES (1), (2)"), sql("UPDATE log SET x = x + 1 RETURNING x").gives(row(2), row(3))),
		one("sql: rows of a delete", log, sql("INSERT INTO log VALUES (1), (2)"), sql("DELETE FROM log WHERE x > 1 RETURNING x").gives(row(2)), left(1)),
		one("sql: upsert", sql("CREATE TABLE t (k PRIMARY KEY, n)"),
			sql("INSERT INTO t VALUES ('a', 1) ON CONFLICT (k) DO UPDATE SET n = n + 1 RETURNING n").gives(row(1)),
			sql("INSERT INTO t VALUES ('a', 1) ON CONFLICT (k) DO UPDATE SET n = n + 1 RETURNING n").gives(row(2)),
			sql("INSERT OR IGNORE INTO t VALUES ('a', 9) RETURNING n").gives(), sql("REPLACE INTO t VALUES ('a', 5) RETURNING n").gives(row(5))),
		one("sql: recursive query", sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT i FROM n").gives(row(1), row(2), row(3), row(4))),
		one("sql: JSON", sql(`SELECT json_extract('{"a":[1,2]}', '$.a[1]'), '{"a":5}' ->> 'a', json('[1, 2]')`).gives(row(2, 5, "[1,2]"))),
		one("sql: the rows of a JSON list", sql("SELECT value FROM json_each('[3, 4]')").gives(row(3), row(4))),
		one("sql: window function", sql("SELECT sum(column1) OVER (ORDER BY column1) FROM (VALUES (1), (2), (3))").gives(row(1), row(3), row(6))),
		one("sql: dates", sql("SELECT date(0, 'unixepoch'), strftime('%Y', '2024-02-03'), unixepoch('1970-01-02'), julianday('2000-01-01')").
			gives(row("1970-01-01", "2024", 86400, 2451544.5))),
		one("sql: text of numbers", sql("SELECT 1.0 || '', 1e20 || '', 0.1 + 0.2 || '', format('%.2f', 2.0 / 3), quote(x'00ff')")),
		one("sql: a text with a quote in double quotes", sql(`SELECT "text"`)),
		one("sql: upper and lower case", sql("SELECT upper('é'), lower('ABC'), 'a' = 'A', 'a' LIKE 'A', 'a' GLOB 'A'").gives(row("é", "abc", 0, 1, 0))),
		one("sql: an expression with many rows", sql("SELECT group_concat(value, ',') FROM json_each('["+strings.TrimSuffix(strings.Repeat("1,", 300), ",")+"]')")),
	}
}

func schemaCases() []Case {
	return []Case{
		one("sql: foreign keys are on", sql("PRAGMA foreign_keys").gives(row(1)),
			sql("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p ON DELETE CASCADE)"),
			sql("INSERT INTO c VALUES (1)").says("FOREIGN KEY constraint failed"+constraint("FOREIGNKEY")),
			sql("INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)").is(done), sql("DELETE FROM p").is(done), sql("SELECT * FROM c").gives()),
		one("sql: a generated column", sql("CREATE TABLE t (a, b AS (a * 2), c AS (a * 3) STORED); INSERT INTO t VALUES (2); SELECT * FROM t").gives(row(2, 4, 6))),
		one("sql: a table WITHOUT ROWID", sql("CREATE TABLE t (a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO t VALUES (2, 'b'), (1, 'a'); SELECT b FROM t").gives(row("a"), row("b"))),
		one("sql: AUTOINCREMENT", sql("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x)"),
			sql("INSERT INTO t (x) VALUES ('a'), ('b'); DELETE FROM t; INSERT INTO t (x) VALUES ('c') RETURNING id").gives(row(3)),
			sql("SELECT * FROM sqlite_sequence").gives(row("t", 3))),
		one("sql: a trigger", sql("CREATE TABLE t (a); CREATE TABLE log (a); CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a * 10); END"),
			sql("INSERT INTO t VALUES (1), (2)"), sql("SELECT a FROM log").gives(row(10), row(20))),
		one("sql: a trigger that refuses", sql("CREATE TABLE t (a); CREATE TRIGGER r BEFORE INSERT ON t WHEN new.a < 0 BEGIN SELECT RAISE(ABORT, 'too small'); END"),
			sql("INSERT INTO t VALUES (-1)").says("too small"+constraint("TRIGGER")), sql("SELECT count(*) FROM t").gives(row(0))),
		one("sql: a view", sql("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); CREATE VIEW v AS SELECT sum(a) AS s FROM t; SELECT s FROM v").gives(row(3)),
			sql("INSERT INTO v VALUES (1)").says("cannot modify v because it is a view"+code)),
		one("sql: an index", sql("CREATE TABLE t (a, b); CREATE UNIQUE INDEX i ON t (a) WHERE b > 0; INSERT INTO t VALUES (1, 0), (1, 0), (1, 1)"),
			sql("INSERT INTO t VALUES (1, 2)").says("UNIQUE constraint failed: t.a"+constraint("UNIQUE")), sql("SELECT count(*) FROM t").gives(row(3))),
		one("sql: an index over an expression", sql("CREATE TABLE t (a); CREATE UNIQUE INDEX i ON t (lower(a)); INSERT INTO t VALUES ('A')"),
			sql("INSERT INTO t VALUES ('a')").says("UNIQUE constraint failed: index 'i'"+constraint("UNIQUE"))),
		one("sql: ALTER TABLE", sql("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2)"), sql("ALTER TABLE t ADD COLUMN c DEFAULT 3").is(done),
			sql("ALTER TABLE t RENAME COLUMN a TO x").is(done), sql("ALTER TABLE t DROP COLUMN b").is(done), sql("ALTER TABLE t RENAME TO u").is(done),
			sql("SELECT x, c FROM u").gives(row(1, 3)), sql("SELECT sql FROM sqlite_schema WHERE name = 'u'")),
		one("sql: IF EXISTS", sql("DROP TABLE IF EXISTS t; CREATE TABLE IF NOT EXISTS t (a); CREATE TABLE IF NOT EXISTS t (a, b)").is(done),
			sql("CREATE TABLE t (a)").says(`table t already exists at offset 13`+code)),
		one("sql: a table from a query", sql("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b; SELECT * FROM t").gives(row(1, "x"))),
		one("sql: full text", sql("CREATE VIRTUAL TABLE f USING fts5(body)").is(done), sql("INSERT INTO f VALUES ('the quick fox'), ('a lazy dog')").is(done),
			sql("SELECT body FROM f WHERE f MATCH 'fox'").gives(row("the quick fox")), sql("SELECT highlight(f, 0, '<', '>') FROM f('dog')").gives(row("a lazy <dog>")),
			sql("SELECT snippet(f, 0, '[', ']', '…', 2), round(bm25(f), 3) FROM f('lazy')")),
		one("sql: R*Tree", sql("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)").is(done), sql("INSERT INTO r VALUES (1, 0, 10), (2, 20, 30)").is(done),
			sql("SELECT id FROM r WHERE x0 >= 15").gives(row(2)), sql("SELECT rtreecheck('r')").gives(row("ok"))),
		one("sql: R*Tree of integers", sql("CREATE VIRTUAL TABLE r USING rtree_i32(id, x0, x1); INSERT INTO r VALUES (1, 0, 10); SELECT * FROM r").gives(row(1, 0, 10))),
		one("sql: vocabulary of a full text", sql("CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('b a b'); CREATE VIRTUAL TABLE v USING fts5vocab('f', 'row'); SELECT * FROM v").
			gives(row("a", 1, 1), row("b", 1, 2))),
		one("sql: collations", sql("SELECT 'a' = 'A' COLLATE NOCASE, 'a ' = 'a' COLLATE RTRIM").gives(row(1, 1)),
			sql("SELECT 'a' = 'b' COLLATE nope").says("no such collation sequence: nope: SQLITE_ERROR (extended: SQLITE_ERROR_MISSING_COLLSEQ)")),
		one("sql: the tables there are", sql("CREATE TABLE b (x); CREATE TABLE a (x)"),
			sql("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name").gives(row("a"), row("b"))),
		one("sql: changes and the last row", sql("CREATE TABLE t (id INTEGER PRIMARY KEY, a)"), sql("INSERT INTO t (a) VALUES (1), (2), (3)"),
			sql("SELECT changes(), last_insert_rowid()").gives(row(3, 3)), sql("DELETE FROM t WHERE id < 3"), sql("SELECT changes()").gives(row(2))),
	}
}
