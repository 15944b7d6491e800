package conformance

// schemaCases cover tables and the other parts of a schema.
func schemaCases() []Case {
	return []Case{
		one("sql: foreign keys are on",
			sql("PRAGMA foreign_keys").gives(row(1)),
			sql("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p ON DELETE CASCADE)"),
			sql("INSERT INTO c VALUES (1)").says("FOREIGN KEY constraint failed"+constraint("FOREIGNKEY")),
			sql("INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)").is(done), sql("DELETE FROM p").is(done),
			sql("SELECT * FROM c").gives(),
		),
		one("sql: a generated column",
			sql("CREATE TABLE t (a, b AS (a * 2), c AS (a * 3) STORED); INSERT INTO t VALUES (2); SELECT * FROM t").
				gives(row(2, 4, 6)),
		),
		one("sql: a table WITHOUT ROWID",
			sql("CREATE TABLE t (a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO t VALUES (2, 'b'), (1, 'a'); "+
				"SELECT b FROM t").gives(row("a"), row("b")),
		),
		one("sql: AUTOINCREMENT", sql("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x)"),
			sql("INSERT INTO t (x) VALUES ('a'), ('b'); DELETE FROM t; INSERT INTO t (x) VALUES ('c') RETURNING id").
				gives(row(3)),
			sql("SELECT * FROM sqlite_sequence").gives(row("t", 3))),
		one("sql: a trigger",
			sql("CREATE TABLE t (a); CREATE TABLE log (a); "+
				"CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a * 10); END"),
			sql("INSERT INTO t VALUES (1), (2)"), sql("SELECT a FROM log").gives(row(10), row(20)),
		),
		one("sql: a trigger that raises an error",
			sql("CREATE TABLE t (a); "+
				"CREATE TRIGGER r BEFORE INSERT ON t WHEN new.a < 0 BEGIN SELECT RAISE(ABORT, 'too small'); END"),
			sql("INSERT INTO t VALUES (-1)").says("too small"+constraint("TRIGGER")),
			sql("SELECT count(*) FROM t").gives(row(0)),
		),
		one("sql: a view",
			sql("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); "+
				"CREATE VIEW v AS SELECT sum(a) AS s FROM t; SELECT s FROM v").gives(row(3)),
			sql("INSERT INTO v VALUES (1)").says("cannot modify v because it is a view"+code),
		),
		one("sql: an index",
			sql("CREATE TABLE t (a, b); CREATE UNIQUE INDEX i ON t (a) WHERE b > 0; "+
				"INSERT INTO t VALUES (1, 0), (1, 0), (1, 1)"),
			sql("INSERT INTO t VALUES (1, 2)").says("UNIQUE constraint failed: t.a"+constraint("UNIQUE")),
			sql("SELECT count(*) FROM t").gives(row(3)),
		),
		one("sql: an index over an expression",
			sql("CREATE TABLE t (a); CREATE UNIQUE INDEX i ON t (lower(a)); INSERT INTO t VALUES ('A')"),
			sql("INSERT INTO t VALUES ('a')").says("UNIQUE constraint failed: index 'i'"+constraint("UNIQUE")),
		),
		one("sql: ALTER TABLE",
			sql("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2)"),
			sql("ALTER TABLE t ADD COLUMN c DEFAULT 3").is(done), sql("ALTER TABLE t RENAME COLUMN a TO x").is(done),
			sql("ALTER TABLE t DROP COLUMN b").is(done), sql("ALTER TABLE t RENAME TO u").is(done),
			sql("SELECT x, c FROM u").gives(row(1, 3)), sql("SELECT sql FROM sqlite_schema WHERE name = 'u'"),
		),
		one("sql: IF EXISTS",
			sql("DROP TABLE IF EXISTS t; CREATE TABLE IF NOT EXISTS t (a); CREATE TABLE IF NOT EXISTS t (a, b)").
				is(done),
			sql("CREATE TABLE t (a)").says(`table t already exists at offset 13`+code),
		),
		one("sql: a table from a query",
			sql("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b; SELECT * FROM t").gives(row(1, "x")),
		),
		one("sql: full text",
			sql("CREATE VIRTUAL TABLE f USING fts5(body)").is(done),
			sql("INSERT INTO f VALUES ('the quick fox'), ('a lazy dog')").is(done),
			sql("SELECT body FROM f WHERE f MATCH 'fox'").gives(row("the quick fox")),
			sql("SELECT highlight(f, 0, '<', '>') FROM f('dog')").gives(row("a lazy <dog>")),
			sql("SELECT snippet(f, 0, '[', ']', '…', 2), round(bm25(f), 3) FROM f('lazy')"),
		),
		one("sql: R*Tree",
			sql("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)").is(done),
			sql("INSERT INTO r VALUES (1, 0, 10), (2, 20, 30)").is(done),
			sql("SELECT id FROM r WHERE x0 >= 15").gives(row(2)), sql("SELECT rtreecheck('r')").gives(row("ok")),
		),
		one("sql: R*Tree of integers",
			sql("CREATE VIRTUAL TABLE r USING rtree_i32(id, x0, x1); INSERT INTO r VALUES (1, 0, 10); SELECT * FROM r").
				gives(row(1, 0, 10)),
		),
		one("sql: vocabulary of a full text",
			sql("CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('b a b'); "+
				"CREATE VIRTUAL TABLE v USING fts5vocab('f', 'row'); SELECT * FROM v").
				gives(row("a", 1, 1), row("b", 1, 2)),
		),
		one("sql: collations",
			sql("SELECT 'a' = 'A' COLLATE NOCASE, 'a ' = 'a' COLLATE RTRIM").gives(row(1, 1)),
			sql("SELECT 'a' = 'b' COLLATE nope").
				says("no such collation sequence: nope: SQLITE_ERROR (extended: SQLITE_ERROR_MISSING_COLLSEQ)"),
		),
		one("sql: the list of tables",
			sql("CREATE TABLE b (x); CREATE TABLE a (x)"),
			sql("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' "+
				"ORDER BY name").gives(row("a"), row("b")),
		),
		one("sql: changes and the last row",
			sql("CREATE TABLE t (id INTEGER PRIMARY KEY, a)"), sql("INSERT INTO t (a) VALUES (1), (2), (3)"),
			sql("SELECT changes(), last_insert_rowid()").gives(row(3, 3)), sql("DELETE FROM t WHERE id < 3"),
			sql("SELECT changes()").gives(row(2)),
		),
	}
}
