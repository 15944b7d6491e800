package conformance

import (
	"fmt"
	"slices"
)

// orderCases cover who comes first: where a handler gives its turn up, what a constructor has
// written, at a reset, and when several wait for the same time of the clock.
func orderCases() []Case {
	return slices.Concat(syncCases(), requestOrderCases(), constructorWriteCases(), resetOrderCases(),
		sleepOrderCases(), nestingCases(), manyCases())
}

// holder is a call that keeps the turn of its object while others queue up behind it.
func holder() Op { return call(block(note("held"), sleep(300))) }

// behind returns a call that comes as the nth behind a holder.
func behind(n int64, operations ...Op) Op { return call(operations...).after("held").later(40 * n) }

// syncCases cover that sync gives the turn up.
func syncCases() []Case {
	reader := call(get("n").is(none), commit().is(done), put("n", 1)).after("held")
	return []Case{
		{"order: waiting events go on during a sync", []Op{
			parallel(holder(), reader, reader, reader, reader),
			call(get("n").is(value(1))),
		}},
		{"order: a sync after a write", []Op{
			parallel(holder(), behind(1, note("1"), put("a", 1), commit(), note("3")), behind(2, note("2"))),
			trace("held", "1", "2", "3"),
		}},
		{"order: a sync without a write", []Op{
			parallel(holder(), behind(1, note("1"), commit(), note("3")), behind(2, note("2"))),
			trace("held", "1", "2", "3"),
		}},
		{"order: other storage calls", []Op{
			parallel(
				holder(),
				behind(1, note("1"), put("a", 1), setAlarm(100_000), transaction("t", put("b", 1)), block(put("c", 1)),
					deleteAlarm(), list(nil), deleteAll(), note("2")),
				behind(2, note("3")),
			),
			trace("held", "1", "2", "3"),
		}},
		{"order: a sync in a block", []Op{
			parallel(holder(), behind(1, block(note("1"), put("a", 1), commit(), note("2"))), behind(2, note("3"))),
			trace("held", "1", "2", "3"),
		}},
		{"order: a sync in a transaction", []Op{
			parallel(
				holder(),
				behind(1, transaction("t", note("1"), put("a", 1), commit(), note("2"))), behind(2, note("3")),
			),
			trace("held", "1", "2", "3"),
		}},
	}
}

// requestOrderCases cover when a request or an answer leaves an object whose other events wait.
func requestOrderCases() []Case {
	answered := object{"facts": []any{object{"facts": []any{"ok", "ok"}}, "ok"}}
	holds := call(block(note("held"), sleep(300)), put("a", 1)).differs(failed(reset, "case: reset"), answered)
	asks := behind(1, note("1"), call(sleep(50), note("asked")).to("other"), note("4"))
	return []Case{
		{"order: a request while no event waits", []Op{
			parallel(
				call(note("held"), call(sleep(200), note("asked")).to("other"), note("4")),
				behind(1, note("2"), block(sleep(400)), note("3")),
			),
			trace("held", "2", "asked", "3", "4"),
		}},
		{"order: a request while an event waits that blocks", []Op{
			parallel(holder(), asks, behind(2, note("2"), block(sleep(300)), note("3"))),
			Op{Name: "trace"}.differs(
				[]any{"held", "1", "2", "3", "asked", "4"}, []any{"held", "1", "2", "asked", "3", "4"},
			),
		}},
		{"order: an answer while an event waits that blocks", []Op{
			parallel(group(holder(), note("answered")), behind(1, block(sleep(300), note("1")))),
			Op{Name: "trace"}.differs([]any{"held", "1", "answered"}, []any{"held", "answered", "1"}),
		}},
		{"order: an answer while an event waits that aborts", []Op{
			parallel(holds, behind(1, abort("case: reset")).fails(reset, "case: reset")),
			call(get("a").is(value(1))),
		}},
		{"order: an answer while an event waits whose block throws", []Op{
			parallel(holds, behind(1, block(throw("case: reset"))).fails(reset, "case: reset")),
			call(get("a").is(value(1))),
		}},
		{"order: an answer while an event waits that sleeps and aborts", []Op{
			parallel(
				call(block(note("held"), sleep(300)), put("a", 1)).is(answered),
				behind(1, sleep(100), abort("case: reset")).fails(reset, "case: reset"),
			),
			call(get("a").is(value(1))),
		}},
	}
}

// constructorWriteCases cover that a constructor's writes are committed before the first event.
func constructorWriteCases() []Case {
	aborted := call(abort("case: aborted")).fails(reset, "case: aborted")
	return []Case{
		{"order: the constructor's writes survive an abort of the first event", []Op{
			onConstruct(put("a", 1), setAlarm(100_000), sql("CREATE TABLE IF NOT EXISTS t (a)")),
			aborted,
			onConstruct(),
			call(get("a").is(value(1)), getAlarm().is(alarmIn(100)), sql("SELECT a FROM t").gives()),
		}},
		{"order: the first event's writes do not survive its abort", []Op{
			onConstruct(put("a", 1)),
			call(put("b", 1), abort("case: aborted")).fails(reset, "case: aborted"),
			onConstruct(),
			call(list(nil).is(pairs("a", 1))),
		}},
		{"order: a failing constructor's writes are lost", []Op{
			onConstruct(put("a", 1), setAlarm(100_000), throw("case: not made")),
			call().fails(reset, "case: not made"),
			onConstruct(),
			call(list(nil).is(pairs()), getAlarm().is(none)),
		}},
	}
}

// resetOrderCases cover the order in which callers learn of a reset. It is that of their arrival.
// If a block fails, the callers of events that wait for the turn are first.
func resetOrderCases() []Case {
	// fails calls the object a from the object b, and notes when the call has failed.
	fails := func(word string, operations ...Op) Op {
		return call(call(operations...).to("a"), note(word)).to("b")
	}
	runs := func(n int64, word string) Op { return fails(word, sleep(5000)).later(40 * n) }
	queued := func(n int64, word string) Op { return fails(word, note("runs")).after("held").later(40 * n) }
	violate := sql("PRAGMA defer_foreign_keys = on; CREATE TABLE p (a PRIMARY KEY); " +
		"CREATE TABLE c (a REFERENCES p); INSERT INTO c VALUES (1)")
	blocks := fails("x", sleep(200), block(note("held"), sleep(300), throw("case: blocked")))
	return []Case{
		{"order: callers of an object that aborts", []Op{
			parallel(
				runs(0, "1"), runs(1, "2"), runs(2, "3"), runs(3, "4"),
				fails("5", sleep(1), abort("case: aborted")).later(200),
			),
			trace("1", "2", "3", "4", "5"),
		}},
		{"order: callers of an object of which an event aborts that has not waited", []Op{
			parallel(runs(0, "1"), runs(1, "2"), fails("3", abort("case: aborted")).later(200)),
			Op{Name: "trace"}.differs([]any{"3", "1", "2"}, []any{"1", "2", "3"}),
		}},
		{"order: callers that wait for a block, and then an abort", []Op{
			parallel(
				runs(0, "1"), fails("2", block(note("held"), sleep(300)), abort("case: aborted")).later(100),
				queued(1, "3"), queued(2, "4"),
			),
			trace("held", "1", "2", "3", "4"),
		}},
		{"order: callers that wait for a block that aborts", []Op{
			parallel(
				runs(0, "1"), fails("2", sleep(1), block(note("held"), sleep(300), abort("case: aborted"))).later(100),
				queued(1, "3"), queued(2, "4"),
			),
			trace("held", "1", "2", "3", "4"),
		}},
		{"order: callers that wait for a transaction that aborts", []Op{
			parallel(
				runs(0, "1"),
				fails("2", transaction("t", note("held"), sleep(300), abort("case: aborted"))).later(100),
				queued(1, "3"), queued(2, "4"),
			),
			trace("held", "1", "2", "3", "4"),
		}},
		{"order: callers that wait for a commit that fails", []Op{
			parallel( // the errors differ; a case of survival has them
				runs(0, "1"), fails("2", block(note("held"), sleep(300)), violate).later(100),
				fails("3").after("held").later(40), fails("4").after("held").later(80),
			).anyOrder(),
			trace("held", "1", "2", "3", "4"),
		}},
		{"order: callers that wait for a constructor that fails", []Op{
			onConstruct(note("held"), sleep(300), throw("case: not made")).to("a"),
			parallel(fails("1"), queued(1, "2"), queued(2, "3")),
			trace("held", "1", "2", "3"),
			constructions().to("a").is(1),
		}},
		{"order: callers of an object that the first event aborts", []Op{
			parallel(fails("1", sleep(200), abort("case: aborted")), runs(1, "2"), runs(2, "3"), runs(3, "4")),
			trace("1", "2", "3", "4"),
		}},
		{"order: callers that wait for a block that throws", []Op{
			parallel(blocks, queued(1, "1"), queued(2, "2"), queued(3, "3"), queued(4, "4")),
			trace("held", "1", "2", "3", "4", "x"),
		}},
		{"order: callers of an object of which some run and some wait", []Op{
			parallel(blocks.later(40), runs(0, "4"), runs(2, "5"), queued(1, "1"), queued(2, "2"), queued(3, "3")),
			trace("held", "1", "2", "3", "4", "x", "5"),
		}},
		{"order: the worker's callers of an object that aborts", []Op{
			parallel(
				call(call(sleep(5000)).to("a"), note("1")).to("b"),
				call(call(sleep(5000)).to("a"), note("2")).to("c").later(40),
				call(call(sleep(5000)).to("a"), note("3")).to("d").later(80),
				call(call(sleep(1), abort("case: aborted")).to("a"), note("4")).to("e").later(200),
			),
			trace("1", "2", "3", "4"),
		}},
	}
}

// sleepOrderCases cover the order of what waits for the same time, and of waitUntil.
func sleepOrderCases() []Case {
	overtakes := make([]Op, 0, 80)
	for i := range 40 {
		overtakes = append(overtakes, call(waitUntil(put("w", i))), call(get("w").is(value(i))))
	}
	sleeps := func(ms int64, word string) Op { return call(sleep(ms), note(word)) }
	blocks := call(block(note("held"), sleep(500)), commit(), note("sync")).later(100)
	sleeper := func(n int64, word string) Op { return behind(n, sleep(30), note(word)) }
	return []Case{
		{"order: equal sleeps", []Op{
			parallel(holder(), sleeper(1, "1"), sleeper(2, "2"), sleeper(3, "3"), sleeper(4, "4"), sleeper(5, "5")),
			trace("held", "1", "2", "3", "4", "5"),
		}},
		{"order: a sleep that ends in a block, and a sync after the block", []Op{
			parallel(sleeps(200, "1"), blocks),
			trace("held", "1", "sync"),
		}},
		{"order: two sleeps that end in a block, and a sync after the block", []Op{
			parallel(sleeps(200, "1"), sleeps(300, "2"), blocks),
			Op{Name: "trace"}.differs([]any{"held", "1", "sync", "2"}, []any{"held", "1", "2", "sync"}),
		}},
		{"order: no request overtakes waitUntil", overtakes},
		{"order: waitUntil is behind the events that wait already", []Op{
			parallel(holder(), behind(1, waitUntil(sleep(0), note("3"))), behind(2, note("2"))),
			waitFor("3"),
			trace("held", "2", "3"),
		}},
	}
}

// nestingCases cover how deep blocks and transactions may be nested.
func nestingCases() []Case {
	nest := func(n int, with func(...Op) Op) Op {
		inner := with(note("innermost"))
		for range n - 1 {
			inner = with(inner)
		}
		return inner
	}
	inTransaction := func(operations ...Op) Op { return transaction("t", operations...) }
	inBoth := func(operations ...Op) Op { return block(transaction("t", operations...)) }
	return []Case{
		{"nesting: 64 blocks", []Op{call(nest(64, block)), trace("innermost")}},
		{"nesting: 64 transactions", []Op{call(nest(64, inTransaction)), trace("innermost")}},
		{"nesting: 65 blocks", []Op{call(nest(65, block)), trace(), call(count().is(1)), constructions().is(1)}},
		{"nesting: 65 transactions",
			[]Op{call(nest(65, inTransaction)), trace(), call(count().is(1)), constructions().is(1)},
		},
		{"nesting: 33 blocks with transactions", []Op{call(nest(33, inBoth)), trace(), constructions().is(1)}},
		{"nesting: 63 blocks in the constructor", []Op{onConstruct(nest(63, block)), call(), trace("innermost")}},
		{"nesting: 64 blocks in the constructor", []Op{onConstruct(nest(64, block)), call(), trace()}},
		{"nesting: 65 blocks one after the other", []Op{
			call(slices.Repeat([]Op{block(note("in"))}, 65)...), constructions().is(1),
		}},
	}
}

// manyCases cover calls with more than 16 MiB.
func manyCases() []Case {
	large, keys, alike := object{}, []string{}, []any{}
	for i := range 10 {
		key := fmt.Sprint("k", i)
		large[key], keys = long(2_000_000), append(keys, key)
		alike = append(alike, key, long(2_000_000))
	}
	return []Case{
		one("many: put of 20 MB", putMany(large).is(done), getMany(keys...).is(pairs(alike...))),
		{"many: an abort after a put of 20 MB", []Op{
			call(putMany(large), abort("case: aborted")).fails(reset, "case: aborted"),
			call(list(nil).is(pairs())),
		}},
	}
}
