package conformance

import (
	"fmt"
	"strings"
)

// keyCases cover operations on one key and on several: get, put, delete, deleteAll and sync.
func keyCases() []Case {
	return []Case{
		one("get of a key that was never put", get("a").is(none)),
		one("get after put", put("a", 1).is(done), get("a").is(value(1))),
		one("put again replaces", put("a", 1), put("a", "two").is(done), get("a").is(value("two"))),
		one("null is a value", put("a", nil).is(done), get("a").is(value(nil)), list(nil).is(pairs("a", nil))),
		one("the empty key",
			put("", 1).is(done), get("").is(value(1)), list(nil).is(pairs("", 1)), remove("").is(true),
		),
		one("keys are case-sensitive", put("a", 1), get("A").is(none)),
		one("keys are not normalised", put("\u00e9", 1), get("e\u0301").is(none)),
		one("keys with a NUL", put("a\x00b", 1), get("a").is(none), get("a\x00b").is(value(1))),
		one("keys with quotes",
			put(`'"%_`, 1), get(`'"%_`).is(value(1)), list(object{"prefix": `'"%`}).is(pairs(`'"%_`, 1)),
		),
		one("a key of 1,000 bytes",
			put(strings.Repeat("k", 1000), 1).is(done), get(strings.Repeat("k", 1000)).is(value(1)),
		),
		one("a key called __proto__", put("__proto__", 1).is(done), get("__proto__").is(value(1))),
		one("a key that begins like the runtime's own", put("_cf_KV", 1).is(done), get("_cf_KV").is(value(1))),

		one("delete says whether there was a value",
			put("a", 1), remove("a").is(true), remove("a").is(false), get("a").is(none),
		),
		one("delete of a key that was never put", remove("a").is(false)),
		one("delete leaves the others", put("a", 1), put("ab", 2), remove("a"), list(nil).is(pairs("ab", 2))),
		one("put after delete", put("a", 1), remove("a"), put("a", 2), get("a").is(value(2))),

		one("several keys at once", put("a", 1), put("b", 2), put("c", 3), getMany("a", "c").is(pairs("a", 1, "c", 3))),
		one("several keys come ordered", put("a", 1), put("b", 2), getMany("b", "a").is(pairs("a", 1, "b", 2))),
		one("several keys, some missing", put("a", 1), getMany("x", "a", "y").is(pairs("a", 1))),
		one("several keys, one twice", put("a", 1), getMany("a", "a").is(pairs("a", 1))),
		one("no keys at all", put("a", 1), getMany().is(pairs())),
		one("128 keys at once",
			putMany(numbered(128)).is(done), getMany(names(128)...), deleteMany(names(128)...).is(128),
		),
		one("129 keys to get", getMany(names(129)...).differs(pairs(), refused)),
		one("129 keys to put", putMany(numbered(129)).differs(done, refused)),
		one("129 keys to delete", deleteMany(names(129)...).differs(0, refused)),

		one("put of several", putMany(object{"b": 2, "a": 1}).is(done), list(nil).is(pairs("a", 1, "b", 2))),
		one("put of several replaces", put("a", 0), putMany(object{"b": 2, "a": 1}), get("a").is(value(1))),
		one("put of none", putMany(object{}).is(done), list(nil).is(pairs())),
		one("delete of several says how many there were",
			put("a", 1), put("b", 2), deleteMany("a", "x", "b").is(2), list(nil).is(pairs()),
		),
		one("delete of several, one twice", put("a", 1), deleteMany("a", "a").is(1)),
		one("delete of none", put("a", 1), deleteMany().is(0), get("a").is(value(1))),

		one("deleteAll", put("a", 1), put("b", 2), deleteAll().is(done), list(nil).is(pairs()), get("a").is(none)),
		one("deleteAll of nothing", deleteAll().is(done), list(nil).is(pairs())),
		one("deleteAll twice", put("a", 1), deleteAll(), deleteAll().is(done)),
		one("put after deleteAll", put("a", 1), deleteAll(), put("b", 2).is(done), list(nil).is(pairs("b", 2))),
		{"deleteAll in another request", []Op{
			call(put("a", 1)),
			call(deleteAll().is(done), put("b", 2)),
			call(list(nil).is(pairs("b", 2))),
		}},
		{"deleteAll leaves the instance", []Op{call(count().is(1), deleteAll()), call(count().is(2))}},
		one("sync of nothing", commit().is(done)),
		one("sync after put", put("a", 1), commit().is(done), get("a").is(value(1))),
		{"what one request puts, the next one gets", []Op{call(put("a", 1)), call(get("a").is(value(1)))}},
		{"objects do not share keys", []Op{
			call(put("a", 1)),
			call(get("a").is(none)).to("other"),
			call(get("a").is(none)).of("Mute"),
			call(get("a").is(value(1))),
		}},
		one("a value is copied", alias("a").is([]any{"stored"})),
	}
}

// names returns n keys.
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("key %03d", i)
	}
	return all
}

// numbered returns n keys, each with a value.
func numbered(n int) object {
	all := object{}
	for i, name := range names(n) {
		all[name] = i
	}
	return all
}
