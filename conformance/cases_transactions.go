package conformance

// transactionCases are about transactions: what they keep and undo, of keys, tables and the alarm, and what may be done
// in them.
func transactionCases() []Case {
	table := sql("CREATE TABLE t (a)").is(done)
	insert := func(n int) Op { return sql("INSERT INTO t VALUES (?)", n) }
	rows := func(values ...int) Op {
		var rows [][]any
		for _, v := range values {
			rows = append(rows, row(v))
		}
		return sql("SELECT a FROM t ORDER BY a").gives(rows...)
	}
	thrown := throw("case: thrown")
	return []Case{
		one("txn: is committed", transaction("t", put("a", 1).in("t"), get("a").in("t").is(value(1))), get("a").is(value(1))),
		one("txn: the storage takes part", transaction("t", put("a", 1), get("a").in("t").is(value(1)), rollback("t").is(done), get("a").is(none)), get("a").is(none)),
		one("txn: throws", put("a", 0), transaction("t", put("a", 1).in("t"), put("b", 1), thrown), list(nil).is(pairs("a", 0)), count().is(1)),
		one("txn: all operations of it", put("x", 0), transaction("t", put("a", 1).in("t"), putMany(object{"b": 2, "c": 3}).in("t"), getMany("a", "c", "d").in("t").is(pairs("a", 1, "c", 3)),
			remove("b").in("t").is(true), deleteMany("x", "y").in("t").is(1), list(object{"reverse": true}).in("t").is(pairs("c", 3, "a", 1)),
			setAlarm(100_000).in("t").is(done), getAlarm().in("t").is(alarmIn(100)), deleteAlarm().in("t").is(done), getAlarm().in("t").is(none)),
			list(nil).is(pairs("a", 1, "c", 3))),
		one("txn: rolled back", put("a", 0), transaction("t", put("a", 1).in("t"), rollback("t").is(done), get("a").is(value(0))), get("a").is(value(0))),
		one("txn: rolled back twice", transaction("t", put("a", 1).in("t"), rollback("t").is(done), rollback("t").is(done)), get("a").is(none)),
		one("txn: used when it was rolled back", transaction("t", rollback("t"), put("a", 1).in("t").is(refused), get("a").in("t").is(refused), list(nil).in("t").is(refused),
			remove("a").in("t").is(refused), getAlarm().in("t").is(refused), setAlarm(100_000).in("t").is(refused), deleteAlarm().in("t").is(refused)), list(nil).is(pairs())),
		one("txn: the storage when it was rolled back", transaction("t", put("a", 1).in("t"), rollback("t"), put("b", 2)), list(nil).is(pairs("b", 2))),
		one("txn: throws when it was rolled back", transaction("t", put("a", 1).in("t"), rollback("t"), put("b", 2), thrown), list(nil).is(pairs("b", 2))),
		one("txn: used when it has ended", transaction("t", put("a", 1).in("t")), put("b", 1).in("t").is(refused), get("a").in("t").is(refused), rollback("t").is(refused),
			list(nil).is(pairs("a", 1))),
		one("txn: used when it has thrown", transaction("t", put("a", 1).in("t"), thrown), put("b", 1).in("t").is(refused), list(nil).is(pairs())),
		one("txn: deleteAll in it", put("a", 1), transaction("t", deleteAll().is(refused)), get("a").is(value(1))),
		one("txn: sync in it", transaction("t", put("a", 1), commit(), thrown), get("a").is(none)),
		one("txn: sleeps", transaction("t", put("a", 1), sleep(2), put("b", 1), thrown), list(nil).is(pairs())),
		one("txn: calls another object", transaction("t", put("a", 1), call(put("x", 1)).to("other"), thrown), list(nil).is(pairs()), call(list(nil).is(pairs("x", 1))).to("other")),
		one("txn: blocks", transaction("t", put("a", 1), block(put("b", 1)), thrown), list(nil).is(pairs())),
		one("txn: in a block", block(transaction("t", put("a", 1), thrown), put("b", 1)), list(nil).is(pairs("b", 1))),
		one("txn: nothing in it", transaction("t"), list(nil).is(pairs())),
		one("txn: after writes", put("a", 1), transaction("t", put("b", 1), thrown), list(nil).is(pairs("a", 1))),
		one("txn: one after the other", transaction("t", put("a", 1)), transaction("u", put("b", 1), thrown), transaction("v", put("c", 1)), list(nil).is(pairs("a", 1, "c", 1))),

		one("txn nested: both are committed", transaction("t", put("a", 1).in("t"), transaction("u", put("b", 1).in("u")), put("c", 1).in("t")),
			list(nil).is(pairs("a", 1, "b", 1, "c", 1))),
		one("txn nested: the inner throws", transaction("t", put("a", 1), transaction("u", put("b", 1), thrown), get("b").is(none), put("c", 1)), list(nil).is(pairs("a", 1, "c", 1))),
		one("txn nested: the outer throws", transaction("t", put("a", 1), transaction("u", put("b", 1)), get("b").is(value(1)), thrown), list(nil).is(pairs())),
		one("txn nested: the inner is rolled back", transaction("t", put("a", 1), transaction("u", put("b", 1), rollback("u").is(done), put("d", 1)), put("c", 1)),
			list(nil).is(pairs("a", 1, "c", 1, "d", 1))),
		one("txn nested: the outer is rolled back afterwards", transaction("t", put("a", 1), transaction("u", put("b", 1)), rollback("t").is(done), put("c", 1)),
			list(nil).is(pairs("c", 1))),
		one("txn nested: the outer is rolled back within", transaction("t", put("a", 1), transaction("u", put("b", 1), rollback("t").is(refused)), put("c", 1)),
			list(nil).is(pairs("a", 1, "b", 1, "c", 1))),
		one("txn nested: the outer is used within", transaction("t", transaction("u", put("a", 1).in("t"), thrown)), list(nil)),
		one("txn nested: three of them", transaction("t", put("a", 1), transaction("u", put("b", 1), transaction("v", put("c", 1), thrown), put("d", 1)), put("e", 1)),
			list(nil).is(pairs("a", 1, "b", 1, "d", 1, "e", 1))),

		one("txn of SQL: is committed", table, transaction("t", insert(1), insert(2)), rows(1, 2)),
		one("txn of SQL: throws", table, insert(1), transaction("t", insert(2), sql("UPDATE t SET a = a * 10"), rows(10, 20), thrown), rows(1)),
		one("txn of SQL: rolled back", table, transaction("t", insert(1), rollback("t").is(done), rows(), insert(2)), rows(2)),
		one("txn of SQL: a table is made and undone", transaction("t", table, insert(1), thrown), sql("SELECT a FROM t").says("no such table: t"+code)),
		one("txn of SQL: a table is dropped and undone", table, insert(1), transaction("t", sql("DROP TABLE t").is(done), thrown), rows(1)),
		one("txn of SQL: a column is added and undone", table, insert(1), transaction("t", sql("ALTER TABLE t ADD COLUMN b"), sql("SELECT b FROM t").gives(row(nil)), thrown),
			sql("SELECT b FROM t").says("no such column: b at offset 7"+code), rows(1)),
		one("txn of SQL: with keys and the alarm", table, put("a", 0), setAlarm(200_000), transaction("t", insert(1), put("a", 1), remove("b"), setAlarm(100_000), thrown),
			rows(), get("a").is(value(0)), getAlarm().is(alarmIn(200))),
		one("txn of SQL: with the alarm deleted", table, setAlarm(200_000), transaction("t", insert(1), deleteAlarm(), getAlarm().is(none), rollback("t"), getAlarm().is(alarmIn(200))),
			rows(), getAlarm().is(alarmIn(200))),
		one("txn of SQL: a statement fails", table, transaction("t", insert(1), sql("INSERT INTO t VALUES (1, 2)"), insert(3)), rows(1, 3)),
		one("txn of SQL: BEGIN in it", table, transaction("t", insert(1), sql("BEGIN").says(noTransactions)), rows(1)),
		one("txn of SQL: nested", table, transaction("t", insert(1), transaction("u", insert(2), thrown), insert(3), transaction("v", insert(4))), rows(1, 3, 4)),
		one("txn of SQL: a cursor within", table, sql("INSERT INTO t VALUES (1), (2), (3)"), transaction("t", sqlOpen("c", "SELECT a FROM t"), sqlNext("c").is(row(1)), insert(4), put("a", 1)),
			rows(1, 2, 3, 4)),
		one("txn of SQL: a cursor over its end", table, sql("INSERT INTO t VALUES (1), (2), (3)"), transaction("t", sqlOpen("c", "SELECT a FROM t"), sqlNext("c").is(row(1))),
			sqlRest("c").is([]any{row(2), row(3)})),
		one("txn of SQL: a cursor over its rollback", table, sql("INSERT INTO t VALUES (1), (2), (3)"), transaction("t", sqlOpen("c", "SELECT a FROM t"), sqlNext("c").is(row(1)), rollback("t"), sqlNext("c"))),
		one("txn of SQL: foreign keys are deferred", sql("CREATE TABLE p (id PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"),
			transaction("t", sql("INSERT INTO c VALUES (1)").is(done), sql("INSERT INTO p VALUES (1)").is(done)), sql("SELECT p FROM c").gives(row(1))),
		one("txn of SQL: changes of pragmas", transaction("t", sql("PRAGMA defer_foreign_keys = ON"), sql("PRAGMA defer_foreign_keys").gives(row(1))), sql("PRAGMA defer_foreign_keys")),
	}
}
