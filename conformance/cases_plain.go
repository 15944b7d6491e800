package conformance

import "strings"

// plainCases cover objects of a class without SQLite.
func plainCases() []Case {
	plain := func(program ...Op) Op { return call(program...).of("Plain") }
	of := func(name string, program ...Op) Case { return Case{"plain: " + name, []Op{plain(program...)}} }
	const noSQL = "SQL is not enabled for this Durable Object class. To enable it, change `new_classes` to " +
		"`new_sqlite_classes` "
	refusal := func(o Op) Op {
		return o.differs(
			sqlError(noSQL+"within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. "+
				"If using workerd directly,set `enableSql = true` in your workerd config for the class. "+
				"Note that this change cannot be made after the class is already deployed to production."),
			sqlError(noSQL+"in the migration that creates the class"))
	}
	many, keys := object{}, []string{}
	for i := range 129 {
		key := strings.Repeat("k", i+1)
		many[key], keys = i, append(keys, key)
	}
	return []Case{
		of("SQL", refusal(sql("SELECT 1")), refusal(sqlSize()), refusal(sqlOpen("c", "SELECT 1"))),
		of("keys",
			put("a", []any{1}), get("a").is(value([]any{1})), putMany(object{"b": 1, "c": 2}),
			getMany("a", "b", "x").is(pairs("a", []any{1}, "b", 1)), remove("a").is(true), deleteMany("b", "x").is(1),
			list(object{"reverse": true}).is(pairs("c", 2)), deleteAll(), list(nil).is(pairs()), commit(),
		),
		of("transactions",
			transaction("t", put("a", 1), throw("case: thrown")), list(nil).is(pairs()),
			transaction("t", put("a", 1), rollback()), list(nil).is(pairs()),
			transaction("t", put("a", 1), transaction("u", put("b", 1), rollback())), list(nil).is(pairs("a", 1)),
		),
		of("large values", put("a", long(131_000)).is(done), put("b", long(131_200)).differs(done, refused)),
		of("long keys",
			put(strings.Repeat("k", 2048), 1).is(done), put(strings.Repeat("k", 2049), 1).differs(done, refused),
			get(strings.Repeat("k", 2049)).differs(value(1), refused),
		),
		of("129 keys", putMany(many).differs(done, refused), deleteMany(keys...).differs(129, refused)),
		of("an alarm without a handler", setAlarm(100_000).is(refused), getAlarm().is(none), deleteAlarm().is(done)),
		{"plain: writes before an abort", []Op{
			plain(put("a", 1), commit(), put("b", 1), abort("case: aborted")),
			plain(list(nil).is(pairs("a", 1)), count().is(1)),
		}},
		{"plain: writes in a block that throws", []Op{
			plain(block(put("a", 1), throw("case: blocked"))), plain(list(nil).is(pairs()), count().is(1)),
		}},
		{"plain: many at once", []Op{
			parallel(plain(count().anyOrder(), put("a", 1)), plain(count().anyOrder()), plain(count().anyOrder())),
			plain(count().is(4), get("a").is(value(1))),
		}},
	}
}
