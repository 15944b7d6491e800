package conformance

// sqlErrorCases cover the errors of SQL. Both sides return the platform's texts, with SQLite's
// code.
func sqlErrorCases() []Case {
	tables := sql(`CREATE TABLE u (x UNIQUE, y);
		CREATE TABLE p (id INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0)) STRICT;
		CREATE TABLE k (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;
		CREATE TABLE c (p REFERENCES p);
		CREATE TABLE n (x NOT NULL, y CONSTRAINT small CHECK (y < 10));
		INSERT INTO u VALUES (1, 1); INSERT INTO p VALUES (1, 1); INSERT INTO k VALUES (1, 1)`).is(done)
	rows := []struct{ query, message string }{
		{"selec 1", `near "selec": syntax error at offset 0` + code},
		{"  selec 1", `near "selec": syntax error at offset 2` + code},
		{"SELECT 1 +", "incomplete input" + code},
		{"SELECT", "incomplete input" + code},
		{"SELECT 'a", `unrecognized token: "'a" at offset 7` + code},
		{"SELECT 1)", `near ")": syntax error at offset 8` + code},
		{"SELECT # 1", `unrecognized token: "#" at offset 7` + code},
		{"SELECT * FROM nope", "no such table: nope" + code},
		{"SELECT * FROM nope.u", "no such table: nope.u" + code},
		{"DELETE FROM nope", "no such table: nope" + code},
		{"DROP TABLE nope", "no such table: nope" + code},
		{"DROP INDEX nope", "no such index: nope" + code},
		{"DROP VIEW u", "use DROP TABLE to delete table u" + code},
		{"SELECT nope FROM u", "no such column: nope at offset 7" + code},
		{"SELECT 'é', nope FROM u", "no such column: nope at offset 13" + code},
		{"SELECT u.nope FROM u", "no such column: u.nope at offset 7" + code},
		{"SELECT x FROM u, n", "ambiguous column name: x at offset 7" + code},
		{"UPDATE u SET nope = 1", "no such column: nope" + code},
		{"INSERT INTO u (nope) VALUES (1)", "table u has no column named nope" + code},
		{"INSERT INTO u VALUES (1)", "table u has 2 columns but 1 values were supplied" + code},
		{"INSERT INTO u (x) VALUES (1, 2)", "2 values for 1 columns" + code},
		{"VALUES (1), (2, 3)", "all VALUES must have the same number of terms" + code},
		{"SELECT 1 UNION SELECT 1, 2",
			"SELECTs to the left and right of UNION do not have the same number of result columns" + code,
		},
		{"SELECT (SELECT 1, 2)", "sub-select returns 2 columns - expected 1" + code},
		{"SELECT nope()", "no such function: nope at offset 7" + code},
		{"SELECT abs()", "wrong number of arguments to function abs() at offset 7" + code},
		{"SELECT sum(sum(x)) FROM u", "misuse of aggregate function sum() at offset 11" + code},
		{"SELECT * FROM u WHERE sum(x) > 1", "misuse of aggregate function sum() at offset 22" + code},
		{"SELECT x FROM u ORDER BY 3", "1st ORDER BY term out of range - should be between 1 and 1" + code},
		{"SELECT abs(-9223372036854775807 - 1)", "integer overflow" + code},
		{"SELECT json('{')", "malformed JSON" + code},
		{"INSERT INTO u VALUES (1, 2)", "UNIQUE constraint failed: u.x" + constraint("UNIQUE")},
		{"INSERT INTO k VALUES (1, 1)", "UNIQUE constraint failed: k.a, k.b" + constraint("PRIMARYKEY")},
		{"INSERT INTO p VALUES (1, 2)", "UNIQUE constraint failed: p.id" + constraint("PRIMARYKEY")},
		{"INSERT INTO p VALUES (2, 0)", "CHECK constraint failed: n > 0" + constraint("CHECK")},
		{"INSERT INTO n VALUES (1, 10)", "CHECK constraint failed: small" + constraint("CHECK")},
		{"INSERT INTO n VALUES (NULL, 1)", "NOT NULL constraint failed: n.x" + constraint("NOTNULL")},
		{"INSERT INTO p VALUES (2, 'a')", "cannot store TEXT value in INTEGER column p.n" + constraint("DATATYPE")},
		{"INSERT INTO p VALUES ('a', 1)", "datatype mismatch: SQLITE_MISMATCH"},
		{"INSERT INTO c VALUES (9)", "FOREIGN KEY constraint failed" + constraint("FOREIGNKEY")},
		{"UPDATE u SET rowid = 'a'", "datatype mismatch: SQLITE_MISMATCH"},
		{"CREATE TABLE t (a, a)", "duplicate column name: a" + code},
		{"CREATE TABLE sqlite_t (a)", "object name reserved for internal use: sqlite_t" + code},
		{"CREATE TABLE t (a NOPE) STRICT", `unknown datatype for t.a: "NOPE"` + code},
		{"CREATE INDEX i ON u (nope)", "no such column: nope at offset 21" + code},
		{"ALTER TABLE u DROP COLUMN x", `cannot drop UNIQUE column: "x"` + code},
		{"ALTER TABLE u ADD COLUMN z NOT NULL", "Cannot add a NOT NULL column with default value NULL" + code},
		{"SELECT 1; SELECT 2; selec 3", `near "selec": syntax error at offset 0` + code},
		{"SELECT ?0", "variable number must be between ?1 and ?100 at offset 7" + code},
		{"PRAGMA nope", notAuthorized},
	}
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		cases = append(cases, one("sql error: "+r.query, tables, sql(r.query).says(r.message),
			sql("SELECT (SELECT count(*) FROM u), (SELECT count(*) FROM p), (SELECT count(*) FROM k), "+
				"(SELECT count(*) FROM n), (SELECT count(*) FROM c)").
				gives(row(1, 1, 1, 0, 0))))
	}
	return append(cases,
		one("sql error: a statement that fails midway leaves nothing", tables,
			sql("INSERT INTO u VALUES (2, 2), (3, 3), (1, 1)").says(
				"UNIQUE constraint failed: u.x"+constraint("UNIQUE"),
			),
			sql("SELECT x FROM u").gives(row(1))),
		one("sql error: OR FAIL keeps the rows before", tables,
			sql("INSERT OR FAIL INTO u VALUES (2, 2), (1, 1), (3, 3)").
				says("UNIQUE constraint failed: u.x"+constraint("UNIQUE")),
			sql("SELECT x FROM u").gives(row(1), row(2))),
		one("sql error: the object goes on",
			tables, sql("INSERT INTO u VALUES (1, 1)"), sql("INSERT INTO u VALUES (2, 2)").is(done), put("a", 1),
			sql("SELECT x FROM u").gives(row(1), row(2)), count().is(1),
		),
		Case{"sql error: what was written before the failure stays", []Op{
			call(
				put("a", 1), sql("CREATE TABLE t (x NOT NULL); INSERT INTO t VALUES (1)"),
				sql("INSERT INTO t VALUES (NULL)"),
			),
			call(sql("SELECT x FROM t").gives(row(1)), get("a").is(value(1))),
		}},
		Case{"sql error: a row between two fails", []Op{
			call(sql("CREATE TABLE t AS VALUES (1), (2), (-9223372036854775808), (4)"),
				sqlOpen("c", "SELECT abs(column1) FROM t"), sqlNext("c").is(row(1)), sqlNext("c"), sqlRest("c")),
		}},
	)
}
