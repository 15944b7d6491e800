package conformance

import "strings"

// statementCases cover statements, and several statements in one query.
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
		one("sql: several statements",
			log, sql("INSERT INTO log VALUES ('a'); INSERT INTO log VALUES ('b')").is(done), left("a", "b"),
		),
		one("sql: rows of the last statement only",
			log, sql("SELECT 1; INSERT INTO log VALUES ('a'); SELECT 2").gives(row(2)), left("a"),
		),
		one("sql: arguments for the last statement",
			log, sql("INSERT INTO log VALUES ('a'); INSERT INTO log VALUES (?)", "b").is(done), left("a", "b"),
		),
		one("sql: arguments for the first of two statements",
			log,
			sql("INSERT INTO log VALUES (?); SELECT 1", "a").
				says("When executing multiple SQL statements in a single call, "+
					"only the last statement can have parameters."),
			left(),
		),
		one("sql: wrong arguments for the last statement",
			log, sql("INSERT INTO log VALUES ('a'); INSERT INTO log VALUES (?)").says(wrongArguments), left("a"),
		),
		one("sql: the second statement fails",
			log,
			sql("INSERT INTO log VALUES ('a'); INSERT INTO log VALUES (NULL); INSERT INTO log VALUES ('c')").
				says("NOT NULL constraint failed: log.x"+constraint("NOTNULL")),
			left("a"),
		),
		one("sql: the second statement is nonsense",
			log,
			sql("INSERT INTO log VALUES ('a'); nonsense here").says(`near "nonsense": syntax error at offset 0`+code),
			left("a"),
		),
		one("sql: the second statement uses the first",
			sql("CREATE TABLE made (x); INSERT INTO made VALUES (1), (2); SELECT sum(x) FROM made").gives(row(3)),
		),
		one("sql: white space after a statement", sql("SELECT 1; \t\r\n ").gives(row(1))),
		one("sql: vertical tab and form feed after a statement", sql("SELECT 1;\v\f")),
		one("sql: comments before a statement", sql(" -- one\n /* two; */ SELECT 1").gives(row(1))),
		one("sql: a comment within a statement", sql("SELECT /* ; */ 1 -- ;").gives(row(1))),
		one("sql: a comment after a statement",
			log, sql("INSERT INTO log VALUES ('a'); -- end").says(noStatement), left("a"),
		),
		one("sql: two semicolons", log, sql("INSERT INTO log VALUES ('a');;").says(noStatement), left("a")),
		one("sql: no text at all", sql("").says(noStatement)),
		one("sql: only white space", sql(" \n\t").says(noStatement)),
		one("sql: only a semicolon", sql(";").says(noStatement)),
		one("sql: only a vertical tab behind a blank", sql(" \v").says(noStatement)),
		one("sql: only a vertical tab", sql("\v").says("unrecognized token: \"\v\" at offset 0"+code)),
		one("sql: only a comment", sql("-- SELECT 1").says(noStatement)),
		one("sql: an open comment", sql("/* SELECT 1").says(noStatement)),
		one("sql: a byte order mark", sql("\ufeffSELECT 1")),
		one("sql: a NUL after a statement", sql("SELECT 1;\x00SELECT 2")),
		one("sql: a NUL within a statement", sql("SELECT\x00 1")),
		one("sql: rows of an insert",
			log, sql("INSERT INTO log VALUES (1), (2) RETURNING x, x * 2").gives(row(1, 2), row(2, 4)),
		),
		one("sql: rows of an update",
			log, sql("INSERT INTO log VALUES (1), (2)"),
			sql("UPDATE log SET x = x + 1 RETURNING x").gives(row(2), row(3)),
		),
		one("sql: rows of a delete",
			log, sql("INSERT INTO log VALUES (1), (2)"), sql("DELETE FROM log WHERE x > 1 RETURNING x").gives(row(2)),
			left(1),
		),
		one("sql: upsert",
			sql("CREATE TABLE t (k PRIMARY KEY, n)"),
			sql("INSERT INTO t VALUES ('a', 1) ON CONFLICT (k) DO UPDATE SET n = n + 1 RETURNING n").gives(row(1)),
			sql("INSERT INTO t VALUES ('a', 1) ON CONFLICT (k) DO UPDATE SET n = n + 1 RETURNING n").gives(row(2)),
			sql("INSERT OR IGNORE INTO t VALUES ('a', 9) RETURNING n").gives(),
			sql("REPLACE INTO t VALUES ('a', 5) RETURNING n").gives(row(5)),
		),
		one("sql: recursive query",
			sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT i FROM n").
				gives(row(1), row(2), row(3), row(4)),
		),
		one("sql: JSON",
			sql(`SELECT json_extract('{"a":[1,2]}', '$.a[1]'), '{"a":5}' ->> 'a', json('[1, 2]')`).
				gives(row(2, 5, "[1,2]")),
		),
		one("sql: the rows of a JSON list", sql("SELECT value FROM json_each('[3, 4]')").gives(row(3), row(4))),
		one("sql: window function",
			sql("SELECT sum(column1) OVER (ORDER BY column1) FROM (VALUES (1), (2), (3))").
				gives(row(1), row(3), row(6)),
		),
		one("sql: dates",
			sql("SELECT date(0, 'unixepoch'), strftime('%Y', '2024-02-03'), "+
				"unixepoch('1970-01-02'), julianday('2000-01-01')").gives(row("1970-01-01", "2024", 86400, 2451544.5)),
		),
		one("sql: text of numbers",
			sql("SELECT 1.0 || '', 1e20 || '', 0.1 + 0.2 || '', format('%.2f', 2.0 / 3), quote(x'00ff')"),
		),
		one("sql: a text with a quote in double quotes", sql(`SELECT "text"`)),
		one("sql: upper and lower case",
			sql("SELECT upper('é'), lower('ABC'), 'a' = 'A', 'a' LIKE 'A', 'a' GLOB 'A'").
				gives(row("é", "abc", 0, 1, 0)),
		),
		one("sql: an expression with many rows",
			sql("SELECT group_concat(value, ',') FROM json_each('["+strings.Repeat("1,", 299)+"1]')"),
		),
	}
}
