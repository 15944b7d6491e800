package conformance

// turnCases cover what may run in an object while one of its handlers waits.
func turnCases() []Case {
	const parties = 10
	increments := make([]Op, parties)
	for i := range increments {
		increments[i] = call(get("n").anyOrder(), count().anyOrder(), put("n", "x"), get("n").is(value("x")))
	}
	return []Case{
		{"turns: no event enters during storage calls", []Op{
			parallel(
				call(
					note("1 begins"), put("a", 1), get("a").is(value(1)), list(nil), setAlarm(100_000), getAlarm(),
					note("1 ends"),
				),
				call(note("2 begins"), put("a", 2), get("a").is(value(2)), note("2 ends")).after("1 begins"),
			),
			trace("1 begins", "1 ends", "2 begins", "2 ends"),
		}},
		{"turns: other events enter while a handler sleeps", []Op{
			parallel(
				call(note("1 begins"), waitFor("2"), note("1 ends")),
				call(note("2")).after("1 begins"),
			),
			trace("1 begins", "2", "1 ends"),
		}},
		{"turns: other events enter while a handler calls", []Op{
			parallel(
				call(note("1 begins"), call(waitFor("2")).to("other"), note("1 ends")),
				call(note("2")).after("1 begins"),
			),
			trace("1 begins", "2", "1 ends"),
		}},
		{"turns: a handler sees what others wrote while it waited", []Op{
			call(put("a", 1)),
			parallel(
				call(get("a").is(value(1)), note("read"), waitFor("written"), get("a").is(value(2))),
				call(put("a", 2), note("written")).after("read"),
			),
		}},
		{"turns: what a handler reads before it waits may be lost", []Op{
			parallel(
				call(get("a").is(none), note("read"), waitFor("written"), put("a", "from 1")),
				call(put("a", "from 2"), note("written")).after("read"),
			),
			call(get("a").is(value("from 1"))),
		}},
		{"turns: sync never shows half of the writes", []Op{
			parallel(
				call(put("a", 1), note("put"), commit(), put("b", 1)),
				call(get("a").is(value(1))).after("put"),
			),
		}},
		{"turns: many at once never interleave",
			[]Op{parallel(increments...), call(get("n").is(value("x")), count().is(parties+1))},
		},
		{"turns: A calls B calls A", []Op{
			call(put("a", 1), Op{Name: "call", Object: "other", Do: []Op{
				note("B"), call(note("A"), get("a").is(value(1)), put("a", 2)),
			}}, get("a").is(value(2))),
			trace("B", "A"),
		}},
		{"turns: an object calls itself", []Op{
			call(put("a", 1), call(get("a").is(value(1)), count().is(1)), count().is(2)),
		}},
		{"turns: two objects run at once", []Op{
			parallel(
				call(note("1"), waitFor("2"), note("3")),
				call(waitFor("1"), note("2"), waitFor("3")).to("other"),
			),
			trace("1", "2", "3"),
		}},
		{"turns: no event enters during a block that sleeps", []Op{
			parallel(
				call(block(note("1 begins"), sleep(50), note("1 ends"))),
				call(note("2")).after("1 begins"),
			),
			trace("1 begins", "1 ends", "2"),
		}},
		{"turns: no event enters during a block that calls", []Op{
			parallel(
				call(block(note("1 begins"), call(sleep(50)).to("other"), note("1 ends"))),
				call(note("2")).after("1 begins"),
			),
			trace("1 begins", "1 ends", "2"),
		}},
		{"turns: other events enter between two blocks", []Op{
			parallel(
				call(block(note("1 begins")), waitFor("2"), block(note("1 ends"))),
				call(note("2")).after("1 begins"),
			),
			trace("1 begins", "2", "1 ends"),
		}},
		{"turns: a block in a block", []Op{
			parallel(
				call(block(note("1 begins"), block(sleep(20), note("inner")), sleep(20), note("1 ends"))),
				call(note("2")).after("1 begins"),
			),
			trace("1 begins", "inner", "1 ends", "2"),
		}},
		{"turns: blocks wait for each other", []Op{
			parallel(
				call(block(note("1 begins"), sleep(30), note("1 ends"))),
				call(block(note("2 begins"), sleep(30), note("2 ends"))).after("1 begins"),
			),
			trace("1 begins", "1 ends", "2 begins", "2 ends"),
		}},
		{"turns: a block returns its facts",
			[]Op{call(block(put("a", 1).is(done), get("a").is(value(1)), count().is(1)))},
		},
		{"turns: an alarm waits for a block", []Op{
			onAlarm(program(note("alarm"))),
			call(setAlarm(1), block(note("begins"), sleep(100), note("ends"))),
			alarms(run(0, 0, done)),
			trace("begins", "ends", "alarm"),
		}},
		{"turns: no event enters during the constructor", []Op{
			onConstruct(note("constructor begins"), sleep(50), note("constructor ends")),
			parallel(call(note("1")), call(note("2")).after("1")),
			trace("constructor begins", "constructor ends", "1", "2"),
			constructions().is(1),
		}},
		{"turns: waitUntil goes on after the answer", []Op{
			call(waitUntil(waitFor("answered"), put("a", 1), note("late")).is(done), note("answer")),
			note("answered"),
			waitFor("late"),
			trace("answer", "answered", "late"),
			call(get("a").is(value(1))),
		}},
		{"turns: waitUntil begins", []Op{
			call(waitUntil(note("background")), note("handler")),
			waitFor("background"),
			Op{Name: "trace"}.differs([]any{"background", "handler"}, []any{"handler", "background"}),
		}},
		{"turns: no caller sees an error of waitUntil", []Op{
			call(waitUntil(sleep(5), throw("case: background")), put("a", 1).is(done)),
			sleep(50),
			call(get("a").is(value(1)), count().is(1)),
			constructions().is(1),
		}},
	}
}
