package conformance

// idle is longer than an object stays in memory without an event, which is ten seconds. It is in
// milliseconds.
const idle = 12_000

// lifecycleCases cover instances: when they begin, when they end, and what callers get.
func lifecycleCases() []Case {
	return []Case{
		{"life: one instance for all requests", []Op{call(count().is(1)), call(count().is(2)), constructions().is(1)}},
		{"life: one instance for simultaneous first requests", []Op{
			onConstruct(sleep(30)),
			parallel(call(count().anyOrder()), call(count().anyOrder()), call(count().anyOrder())),
			call(count().is(4)),
			constructions().is(1),
		}},
		{"life: each object has its own",
			[]Op{call(count().is(1)), call(count().is(1)).to("other"), call(count().is(2))},
		},
		{"life: no instance before the first request",
			[]Op{idFromName("life: no instance before the first request"), constructions().is(0)},
		},
		{"life: memory is gone after idle time, storage is not", []Op{
			call(count().is(1), put("a", 1)),
			sleep(idle),
			call(count().is(1), get("a").is(value(1))),
			constructions().is(2),
		}},
		{"life: a request keeps the instance", []Op{
			call(count().is(1), sleep(idle), count().is(2)),
			constructions().is(1),
		}},
		{"life: waitUntil keeps the instance", []Op{
			call(count().is(1), waitUntil(sleep(idle), note("late"))),
			waitFor("late"),
			call(count().is(2)),
			constructions().is(1),
		}},
		{"life: an alarm wakes an object that was idle", []Op{
			onAlarm(program(count())),
			call(count().is(1), setAlarm(idle)),
			alarms(run(0, 0, 1)),
			constructions().is(2),
		}},

		{"life: a handler that throws", []Op{
			call(count().is(1)),
			call(throw("case: thrown")).fails("remote", "case: thrown"),
			call(count().is(2)),
			constructions().is(1),
		}},
		{"life: a handler that aborts", []Op{
			call(count().is(1)),
			call(abort("case: aborted")).fails(reset, "case: aborted"),
			call(count().is(1)),
			constructions().is(2),
		}},
		{"life: nothing runs after abort", []Op{
			call(note("before"), abort("case: aborted"), note("after")).fails(reset, "case: aborted"),
			sleep(20),
			trace("before"),
		}},
		{"life: abort fails the others of the object", []Op{
			parallel(
				call(note("waits"), waitFor("never")).fails(reset, "case: aborted"),
				call(abort("case: aborted")).after("waits").fails(reset, "case: aborted"),
			),
			call(count().is(1)),
		}},
		{"life: abort of one object leaves the others", []Op{
			call(count().is(1)).to("other"),
			call(abort("case: aborted")).fails(reset, "case: aborted"),
			call(count().is(2)).to("other"),
		}},
		{"life: abort of a called object is the caller's to handle", []Op{
			call(call(abort("case: aborted")).to("other").fails(reset, "case: aborted"), count().is(1)),
			call(count().is(2)),
		}},
		{"life: a failed call passed on", []Op{
			call(call(throw("case: thrown")).to("other").fails("remote", "case: thrown")),
		}},
		{"life: a block that throws", []Op{
			call(count().is(1)),
			call(block(throw("case: blocked"))).fails(reset, "case: blocked"),
			call(count().is(1)),
			constructions().is(2),
		}},
		{"life: a block that throws fails the others of the object", []Op{
			parallel(
				call(note("waits"), waitFor("never")).fails(reset, "case: blocked"),
				call(block(throw("case: blocked"))).after("waits").fails(reset, "case: blocked"),
			),
			call(count().is(1)),
		}},
		{"life: a refused operation in a block", []Op{
			call(block(setAlarm(0).by("epoch").is(refused), put("a", 1).is(done)), get("a").is(value(1))),
		}},

		{"life: the constructor may use the storage", []Op{
			onConstruct(put("made", true)),
			call(get("made").is(value(true))),
		}},
		{"life: the constructor may set an alarm", []Op{
			onConstruct(setAlarm(100_000)),
			call(getAlarm().is(alarmIn(100))),
		}},
		{"life: the constructor may call", []Op{
			onConstruct(call(put("a", 1)).to("other")),
			call(count().is(1)),
			call(get("a").is(value(1))).to("other"),
		}},
		{"life: a constructor that fails", []Op{
			onConstruct(throw("case: not made")),
			call(note("runs")).fails(reset, "case: not made"),
			call(note("runs")).fails(reset, "case: not made"),
			trace(),
			constructions().is(2),
			onConstruct(),
			call(count().is(1)),
			constructions().is(3),
		}},
		{"life: puts of a failing constructor", []Op{
			onConstruct(put("a", 1), throw("case: not made")),
			call().fails(reset, "case: not made"),
			onConstruct(),
			call(get("a").is(none)),
		}},
		{"life: commits of a failing constructor", []Op{
			onConstruct(put("a", 1), commit(), throw("case: not made")),
			call().fails(reset, "case: not made"),
			onConstruct(),
			call(get("a").is(value(1))),
		}},
		{"life: a constructor that aborts", []Op{
			onConstruct(abort("case: aborted")),
			call().fails(reset, "case: aborted"),
			onConstruct(),
			call(count().is(1)),
		}},
	}
}
