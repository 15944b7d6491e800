package conformance

import (
	"fmt"
	"math/rand/v2"
)

// tables creates the tables of random SQL. They have a few constraints of each sort, which random
// rows often violate.
const tables = `CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v);
	CREATE TABLE IF NOT EXISTS u (name TEXT NOT NULL UNIQUE, n INTEGER CHECK (n < 50), ` +
	`t REFERENCES t ON DELETE SET NULL);
	CREATE INDEX IF NOT EXISTS byN ON u (n)`

// sqlAll returns operations that show the content of the tables.
func sqlAll() []Op {
	return []Op{sql("SELECT * FROM t ORDER BY k"), sql("SELECT * FROM u ORDER BY name")}
}

var sqlKinds = []kind{
	{6, func(r *rand.Rand) Op { return sql("INSERT INTO t VALUES (?, ?)", rowKey(r), sqlValue(r)) }},
	{3, func(r *rand.Rand) Op {
		return sql("INSERT INTO t (v) VALUES (?1), (?1) RETURNING k, typeof(v), v", sqlValue(r))
	}},
	{3, func(r *rand.Rand) Op {
		return sql("INSERT INTO t VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v RETURNING *", rowKey(r),
			sqlValue(r))
	}},
	{1, func(r *rand.Rand) Op {
		return sql("INSERT OR IGNORE INTO t (k) VALUES (1), (2), (3); SELECT changes()")
	}},
	{3, func(r *rand.Rand) Op {
		return sql("UPDATE t SET v = ? WHERE k = ? RETURNING k", sqlValue(r), rowKey(r))
	}},
	{1, func(r *rand.Rand) Op { return sql("UPDATE t SET k = k + 1 WHERE k > ?", rowKey(r)) }},
	{3, func(r *rand.Rand) Op { return sql("DELETE FROM t WHERE k = ? RETURNING v", rowKey(r)) }},
	{1, func(*rand.Rand) Op { return sql("DELETE FROM t") }},
	{5, func(r *rand.Rand) Op { return sql("INSERT INTO u VALUES (?, ?, ?)", rowName(r), r.IntN(60), rowKey(r)) }},
	{3, func(r *rand.Rand) Op {
		return sql("REPLACE INTO u (name, n) VALUES (?, ?) RETURNING name", rowName(r), r.IntN(60))
	}},
	{2, func(r *rand.Rand) Op { return sql("UPDATE u SET n = n + ? WHERE name = ?", r.IntN(30), rowName(r)) }},
	{2, func(r *rand.Rand) Op { return sql("UPDATE u SET t = ? WHERE n > ?", rowKey(r), r.IntN(60)) }},
	{2, func(r *rand.Rand) Op { return sql("DELETE FROM u WHERE name = ?", rowName(r)) }},
	{3, func(*rand.Rand) Op {
		return sql("SELECT t.k, u.name, u.n FROM t LEFT JOIN u ON u.t = t.k ORDER BY 1, 2")
	}},
	{2, func(*rand.Rand) Op {
		return sql("SELECT count(*), sum(n), avg(n), min(name), group_concat(name) FROM (SELECT * " +
			"FROM u ORDER BY name)")
	}},
	{3, func(*rand.Rand) Op { return sql("SELECT k, typeof(v), v FROM t ORDER BY k DESC") }},
	{2, func(r *rand.Rand) Op {
		return sql("SELECT k FROM t WHERE v = ? OR k < ? ORDER BY k LIMIT ?", sqlValue(r), rowKey(r), r.IntN(4))
	}},
	{2, func(r *rand.Rand) Op {
		return sql("INSERT INTO t (v) VALUES ('a'); UPDATE u SET n = n + 9; INSERT INTO u VALUES (?, 1, NULL)",
			rowName(r))
	}},
	{1, func(*rand.Rand) Op { return sql("ALTER TABLE t ADD COLUMN x DEFAULT 'x'") }},
	{1, func(*rand.Rand) Op { return sql("DROP TABLE u") }},
	{1, func(*rand.Rand) Op { return sql("DROP TABLE IF EXISTS u; DROP TABLE t") }},
	{3, func(*rand.Rand) Op { return sql(tables) }},
	{1, func(*rand.Rand) Op { return sql("SELECT 1; SELEC 2") }},
	{1, func(*rand.Rand) Op { return sql("PRAGMA quick_check") }},
	{1, func(*rand.Rand) Op { return sql("PRAGMA foreign_key_check") }},
}

func rowKey(r *rand.Rand) int { return r.IntN(6) }

func rowName(r *rand.Rand) any {
	names := []any{"a", "b", "B", "é", "", 7, nil}
	return names[r.IntN(len(names))]
}

// sqlValue returns an argument that both sides bind alike, so no bool.
func sqlValue(r *rand.Rand) any {
	switch r.IntN(9) {
	case 8:
		return large(r)
	case 0:
		return nil
	case 1:
		return r.Int64N(1<<54) - 1<<53
	case 2:
		return r.NormFloat64()
	case 3:
		return fmt.Sprint(r.IntN(10))
	case 4:
		return binary("AP8B")
	case 5:
		return fmt.Sprintf("text %d\x00 é", r.IntN(10))
	}
	return r.IntN(10)
}

// anyTransaction returns a transaction with a random program, sometimes with another transaction
// inside.
func anyTransaction(r *rand.Rand, name string) Op {
	inside := map[string]string{"t": "u", "u": "v"}[name]
	kinds := []kind{
		{40, func(r *rand.Rand) Op { return choose(r, innerKinds) }},
		{20, func(r *rand.Rand) Op { return choose(r, storageKinds).in(name) }},
		{8, func(r *rand.Rand) Op { return choose(r, alarmKinds).in(name) }},
		{5, func(*rand.Rand) Op { return rollback() }},
		{5, func(*rand.Rand) Op { return throw("case: in a transaction") }},
		{2, func(*rand.Rand) Op { return sleep(1) }},
		{2, func(*rand.Rand) Op { return commit() }},
		{1, func(*rand.Rand) Op { return abort("case: aborted") }},
		{1, func(r *rand.Rand) Op { return call(put(key(r), anyValue(r))).to("other") }},
		{1, func(r *rand.Rand) Op { return block(some(r, 2, innerKinds)...) }},
		{1, func(*rand.Rand) Op { return block(throw("case: blocked")) }},
	}
	if inside != "" {
		kinds = append(kinds, kind{10, func(r *rand.Rand) Op { return anyTransaction(r, inside) }})
	}
	return transaction(name, some(r, 6, kinds)...)
}
