package conformance

// writeCases cover which writes survive what happens after them in the same handler.
func writeCases() []Case {
	aborted := abort("case: aborted")
	rows := []struct {
		name   string
		before []Op // committed by another request
		do     []Op
		kind   string // how the call fails
		why    string
		after  []Op
	}{
		{"put, then abort", nil, program(put("a", 1), aborted), reset, "case: aborted", program(get("a").is(none))},
		{"put over a committed value, then abort",
			program(put("a", 0)), program(put("a", 1), aborted), reset, "case: aborted",
			program(get("a").is(value(0))),
		},
		{"put of several, then abort", nil, program(putMany(object{"a": 1, "b": 2}), aborted), reset, "case: aborted",
			program(list(nil).is(pairs()))},
		{"two puts with a get between, then abort",
			nil, program(put("a", 1), get("a"), put("b", 2), aborted), reset, "case: aborted",
			program(list(nil).is(pairs())),
		},
		{"delete, then abort",
			program(put("a", 1)), program(remove("a"), aborted), reset, "case: aborted",
			program(get("a").is(value(1))),
		},
		{"put and sync, then abort",
			nil, program(put("a", 1), commit(), aborted), reset, "case: aborted", program(get("a").is(value(1))),
		},
		{"put after sync, then abort",
			nil, program(put("a", 1), commit(), put("b", 2), aborted), reset, "case: aborted",
			program(list(nil).is(pairs("a", 1))),
		},
		{"put and sleep, then abort",
			nil, program(put("a", 1), sleep(5), aborted), reset, "case: aborted", program(get("a").is(value(1))),
		},
		{"put after sleep, then abort",
			nil, program(put("a", 1), sleep(5), put("b", 2), aborted), reset, "case: aborted",
			program(list(nil).is(pairs("a", 1))),
		},
		{"put and a call, then abort", nil, program(put("a", 1), call().to("other"), aborted), reset, "case: aborted",
			program(get("a").is(value(1)))},
		{"setAlarm, then abort",
			nil, program(setAlarm(100_000), aborted), reset, "case: aborted", program(getAlarm().is(none)),
		},
		{"setAlarm over a committed one, then abort",
			program(setAlarm(200_000)), program(setAlarm(100_000), aborted), reset, "case: aborted",
			program(getAlarm().is(alarmIn(200))),
		},
		{"deleteAlarm, then abort",
			program(setAlarm(100_000)), program(deleteAlarm(), aborted), reset, "case: aborted",
			program(getAlarm().is(alarmIn(100))),
		},
		{"setAlarm and sync, then abort", nil, program(setAlarm(100_000), commit(), aborted), reset, "case: aborted",
			program(getAlarm().is(alarmIn(100)))},
		{"put and setAlarm are one, then abort",
			nil, program(put("a", 1), setAlarm(100_000), aborted), reset, "case: aborted",
			program(get("a").is(none), getAlarm().is(none)),
		},
		{"put, then throw",
			nil, program(put("a", 1), throw("case: thrown")), "remote", "case: thrown", program(get("a").is(value(1))),
		},
		{"setAlarm, then throw", nil, program(setAlarm(100_000), throw("case: thrown")), "remote", "case: thrown",
			program(getAlarm().is(alarmIn(100)))},
		{"delete, then throw",
			program(put("a", 1)), program(remove("a"), throw("case: thrown")), "remote", "case: thrown",
			program(get("a").is(none)),
		},
		{"put in a block that throws",
			nil, program(block(put("a", 1), throw("case: blocked"))), reset, "case: blocked",
			program(get("a").is(none)),
		},
		{"put and sync in a block that throws",
			nil, program(block(put("a", 1), commit(), throw("case: blocked"))), reset, "case: blocked",
			program(get("a").is(value(1))),
		},
		{"put before a block that throws",
			nil, program(put("a", 1), block(throw("case: blocked"))), reset, "case: blocked",
			program(get("a").is(value(1))),
		},
		{"put in a block, then abort", nil, program(block(put("a", 1)), aborted), reset, "case: aborted", nil},
		{"put, then abort in a block", nil, program(put("a", 1), block(aborted)), reset, "case: aborted", nil},
	}
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		c := Case{Name: "writes: " + r.name}
		if r.before != nil {
			c.Do = append(c.Do, call(r.before...))
		}
		c.Do = append(c.Do, call(r.do...).fails(r.kind, r.why),
			call(append(program(list(nil), getAlarm()), r.after...)...))
		cases = append(cases, c)
	}
	return append(append(cases,
		Case{"writes: a call that fails keeps the caller's", []Op{
			call(
				put("a", 1), call(put("b", 2), throw("case: thrown")).to("other").fails("remote", "case: thrown"),
				put("c", 3),
			),
			call(list(nil).is(pairs("a", 1, "c", 3))),
			call(list(nil).is(pairs("b", 2))).to("other"),
		}},
		Case{"writes: a call to another object commits them first", []Op{
			call(put("a", 1), call(note("told")).to("other"), abort("case: aborted")).fails(reset, "case: aborted"),
			trace("told"),
			call(get("a").is(value(1))),
		}},
	), deleteAllCases()...)
}

// deleteAllCases cover DeleteAll, which takes effect at once: it is not part of the turn's writes.
func deleteAllCases() []Case {
	gone := program(list(nil).is(pairs()), getAlarm().is(none))
	aborted := abort("case: aborted")
	rows := []struct {
		name string
		do   []Op
		kind string
		why  string
	}{
		{"deleteAll, then abort", program(deleteAll(), aborted), reset, "case: aborted"},
		{"put and deleteAll, then abort", program(put("b", 1), deleteAll(), aborted), reset, "case: aborted"},
		{"setAlarm and deleteAll, then abort",
			program(setAlarm(200_000), deleteAll(), aborted), reset, "case: aborted",
		},
		{"deleteAlarm and deleteAll, then abort",
			program(deleteAlarm(), deleteAll(), aborted), reset, "case: aborted",
		},
		{"deleteAll and put, then abort", program(deleteAll(), put("b", 1), aborted), reset, "case: aborted"},
		{"deleteAll and setAlarm, then abort",
			program(deleteAll(), setAlarm(100_000), aborted), reset, "case: aborted",
		},
		{"deleteAll and CREATE TABLE, then abort",
			program(deleteAll(), sql("CREATE TABLE u (a)"), aborted), reset, "case: aborted",
		},
		{"deleteAll, then throw", program(deleteAll(), throw("case: thrown")), "remote", "case: thrown"},
		{"deleteAll in a block that throws",
			program(block(deleteAll(), throw("case: blocked"))), reset, "case: blocked",
		},
		{"deleteAll in a block, then abort", program(block(deleteAll()), aborted), reset, "case: aborted"},
	}
	var cases []Case
	for _, r := range rows {
		cases = append(cases, Case{"writes: " + r.name, []Op{
			call(put("a", 1), setAlarm(100_000), sql("CREATE TABLE t (a); INSERT INTO t VALUES (1)")),
			call(r.do...).fails(r.kind, r.why),
			call(
				append(
					gone, sql("SELECT a FROM t").says("no such table: t"+code),
					sql("SELECT a FROM u").says("no such table: u"+code),
				)...,
			),
		}})
	}
	return append(cases,
		Case{"writes: deleteAll in an alarm, then abort", []Op{
			onAlarm(program(deleteAll(), aborted), program(list(nil))),
			call(put("a", 1), setAlarm(0)),
			sleep(4000),
			{Name: "alarms", Count: 1},
			call(list(nil), getAlarm()),
		}},
		Case{"writes: deleteAll in an alarm, then throw", []Op{
			onAlarm(program(deleteAll(), throw("case: thrown")), program(list(nil))),
			call(put("a", 1), setAlarm(0)),
			sleep(4000),
			{Name: "alarms", Count: 1},
			call(list(nil), getAlarm()),
		}},
		Case{"writes: deleteAll and setAlarm in an alarm, then abort", []Op{
			onAlarm(program(deleteAll(), setAlarm(100_000), aborted), program(list(nil))),
			call(put("a", 1), setAlarm(0)),
			sleep(4000),
			{Name: "alarms", Count: 1},
			call(list(nil), getAlarm()),
		}},
	)
}
