package conformance

// survivalCases cover which effects of SQL and transactions survive a reset of the object.
func survivalCases() []Case {
	aborted := abort("case: aborted")
	thrown := throw("case: thrown")
	made := call(sql("CREATE TABLE t (a); INSERT INTO t VALUES (0)"))
	insert := sql("INSERT INTO t VALUES (1)")
	const deferred = "CREATE TABLE p (id PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"
	rows := []struct {
		name string
		do   []Op
		kind string
		why  string
		left []int
	}{
		{"an insert, then abort", program(insert, aborted), reset, "case: aborted", []int{0}},
		{"an insert and a read, then abort",
			program(insert, sql("SELECT a FROM t"), aborted), reset, "case: aborted", []int{0},
		},
		{"an insert and sync, then abort", program(insert, commit(), aborted), reset, "case: aborted", []int{0, 1}},
		{"an insert and a sleep, then abort",
			program(insert, sleep(2), aborted), reset, "case: aborted", []int{0, 1},
		},
		{"an insert and a call, then abort",
			program(insert, call().to("other"), aborted), reset, "case: aborted", []int{0, 1},
		},
		{"an insert after sync, then abort", program(commit(), insert, aborted), reset, "case: aborted", []int{0}},
		{"an insert, then throw", program(insert, thrown), "remote", "case: thrown", []int{0, 1}},
		{"an insert in a block that throws",
			program(block(insert, throw("case: blocked"))), reset, "case: blocked", []int{0},
		},
		{"an insert before a block that throws",
			program(insert, block(throw("case: blocked"))), reset, "case: blocked", []int{0, 1},
		},
		{"an update, then abort", program(sql("UPDATE t SET a = 5"), aborted), reset, "case: aborted", []int{0}},
		{"DROP TABLE and CREATE TABLE, then abort",
			program(sql("DROP TABLE t; CREATE TABLE t (a)"), aborted), reset, "case: aborted", []int{0},
		},
		{"ALTER TABLE, then abort",
			program(sql("ALTER TABLE t RENAME COLUMN a TO b"), aborted), reset, "case: aborted", []int{0},
		},
		{"several statements, then abort",
			program(sql("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"), aborted), reset, "case: aborted",
			[]int{0},
		},
		{"a failing statement, then abort",
			program(insert, sql("nonsense"), aborted), reset, "case: aborted", []int{0},
		},
		{"a transaction, then abort",
			program(transaction("t", insert), aborted), reset, "case: aborted", []int{0, 1},
		},
		{"an insert and a transaction, then abort",
			program(insert, transaction("t", put("a", 1)), aborted), reset, "case: aborted", []int{0, 1},
		},
		{"an insert after a transaction, then abort",
			program(transaction("t", put("a", 1)), insert, aborted), reset, "case: aborted", []int{0},
		},
		{"an insert and a transaction that throws, then abort",
			program(insert, transaction("t", put("a", 1), thrown), aborted), reset, "case: aborted", []int{0, 1},
		},
		{"an insert and a transaction that is rolled back, then abort",
			program(insert, transaction("t", put("a", 1), rollback()), aborted), reset, "case: aborted",
			[]int{0, 1},
		},
		{"an insert after a rollback, then abort",
			program(transaction("t", rollback(), insert), aborted), reset, "case: aborted", nil,
		},
		{"abort in a transaction", program(transaction("t", insert, aborted)), reset, "case: aborted", []int{0}},
		{"abort in a transaction after sync",
			program(transaction("t", insert, commit(), aborted)), reset, "case: aborted", []int{0},
		},
		{"abort in a transaction after a sleep",
			program(transaction("t", insert, sleep(2), aborted)), reset, "case: aborted", []int{0},
		},
		{"abort in a transaction after a call",
			program(transaction("t", insert, call().to("other"), aborted)), reset, "case: aborted", []int{0},
		},
		{"abort in an inner transaction",
			program(transaction("t", insert, transaction("u", insert, aborted))), reset, "case: aborted", []int{0},
		},
		{"abort after an inner transaction",
			program(transaction("t", transaction("u", insert), aborted)), reset, "case: aborted", []int{0},
		},
		{"a block that throws in a transaction",
			program(transaction("t", insert, block(throw("case: blocked")))), reset, "case: blocked", []int{0},
		},
		{"a transaction in a block that throws",
			program(block(transaction("t", insert), throw("case: blocked"))), reset, "case: blocked", []int{0, 1},
		},
	}
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		left := sql("SELECT * FROM t ORDER BY 1")
		if r.left != nil {
			var values [][]any
			for _, v := range r.left {
				values = append(values, row(v))
			}
			left = left.gives(values...)
		}
		cases = append(cases, Case{"survives: " + r.name,
			[]Op{made, call(r.do...).fails(r.kind, r.why), call(left, list(nil), count().is(1))}})
	}
	remote, remoteReset := object{"error": "remote"}, object{"error": reset}
	return append(cases,
		Case{"survives: nothing of a violated constraint", []Op{
			call(sql(deferred), put("a", 0)),
			call(sql("INSERT INTO c VALUES (1)").is(done), put("a", 1)).differs(remote, remoteReset),
			call(sql("SELECT * FROM c").gives(), get("a").is(value(0)), count().is(1)),
		}},
		Case{"survives: nothing of a constraint that is violated at sync", []Op{
			call(sql(deferred), count()),
			call(sql("INSERT INTO c VALUES (1)").is(done), commit(), put("a", 1)).differs(remote, remoteReset),
			call(sql("SELECT * FROM c").gives(), list(nil).is(pairs()), count().is(1)),
		}},
		Case{"survives: nothing of a transaction with a violated constraint", []Op{
			call(sql(deferred), count()),
			call(transaction("t", sql("INSERT INTO c VALUES (1)"), put("a", 1))).is(remoteReset),
			call(sql("SELECT * FROM c").gives(), list(nil).is(pairs()), count()),
		}},
		Case{"survives: a constraint that is violated in a transaction that throws", []Op{
			call(sql(deferred), count()),
			call(transaction("t", sql("INSERT INTO c VALUES (1)"), thrown), put("a", 1)),
			call(sql("SELECT * FROM c").gives(), list(nil).is(pairs("a", 1)), count().is(2)),
		}},
		Case{"survives: no pragma after abort", []Op{
			call(
				block(
					sql("PRAGMA foreign_keys = OFF"), sql("PRAGMA case_sensitive_like = ON"),
					sql("PRAGMA recursive_triggers = ON"), sql("PRAGMA foreign_keys").gives(row(0)),
				),
				commit(),
			),
			call(sql("PRAGMA foreign_keys").gives(row(0)), aborted).fails(reset, "case: aborted"),
			call(
				sql("PRAGMA foreign_keys").gives(row(1)), sql("SELECT 'a' LIKE 'A'").gives(row(1)),
				sql("PRAGMA recursive_triggers").gives(row(0)),
			),
		}},
		Case{"survives: pragmas in a transaction that throws", []Op{
			call(
				transaction("t",
					sql("PRAGMA recursive_triggers = ON"), sql("PRAGMA defer_foreign_keys = ON"), put("a", 1), thrown,
				),
				sql("PRAGMA recursive_triggers"), sql("PRAGMA defer_foreign_keys"),
			),
			call(sql("PRAGMA recursive_triggers"), sql("PRAGMA defer_foreign_keys")),
		}},
		Case{"survives: deleteAll with tables", []Op{
			made,
			call(
				sql("CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT 1; "+
					"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; CREATE VIRTUAL TABLE f USING fts5(x)"),
				put("a", 1), deleteAll().is(done),
			),
			call(
				sql("SELECT a FROM t").says("no such table: t"+code), list(nil).is(pairs()),
				sql("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'").gives(),
			),
		}},
		Case{"survives: deleteAll with tables that refer to each other", []Op{
			call(
				sql("CREATE TABLE p (id PRIMARY KEY, c REFERENCES c); " +
					"CREATE TABLE c (id PRIMARY KEY, p REFERENCES p); INSERT INTO p VALUES (1, NULL); " +
					"INSERT INTO c VALUES (1, 1); UPDATE p SET c = 1"),
			),
			call(deleteAll().is(done), sql("CREATE TABLE p (x); INSERT INTO p VALUES (1)").is(done)),
			call(sql("SELECT x FROM p").gives(row(1))),
		}},
		Case{"survives: writes after deleteAll", []Op{
			made,
			call(deleteAll(), sql("CREATE TABLE t (b); INSERT INTO t VALUES (7)"), put("a", 1), setAlarm(100_000)),
			call(sql("SELECT b FROM t").gives(row(7)), list(nil).is(pairs("a", 1)), getAlarm().is(alarmIn(100))),
		}},
		Case{"survives: foreign keys after deleteAll", []Op{
			call(
				sql("CREATE TABLE t (a)"), deleteAll(), sql("PRAGMA foreign_keys").gives(row(1)),
				sql("PRAGMA defer_foreign_keys").gives(row(0)),
			),
		}},
	)
}
