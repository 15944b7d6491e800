package conformance

// hangUpCases cover what goes on after a client has hung up. On the platform everything does.
func hangUpCases() []Case {
	// What waits notes its fact in the trace.
	slept, failed := `"ok"`, `{"error":"refused"}`
	end := func(platform, ours []any) Op {
		if ours != nil {
			return Op{Name: "trace"}.differs(platform, ours)
		}
		return Op{Name: "trace"}.is(platform)
	}
	words := func(words ...any) []any { return append([]any{hangUp}, words...) }
	long := sleep(150)
	rows := []struct {
		name           string
		leaves         []Op
		platform, ours []any
	}{
		{"a sleep", program(call(note(hangUp), witness(long), note("end"))), words(slept, "end"), words(failed, "end")},
		{"a sleep in a block",
			program(call(block(note(hangUp), witness(long)), note("end"))), words(slept, "end"), nil,
		},
		{"a sleep in a block in a block",
			program(call(block(block(note(hangUp), witness(long)), witness(long)), note("end"))),
			words(slept, slept, "end"), nil,
		},
		{"a sleep in a transaction",
			program(call(transaction("t", put("a", 1), note(hangUp), witness(long), put("b", 1)), note("end"))),
			words(slept, "end"), nil,
		},
		{"a call in a block",
			program(call(block(note(hangUp), witness(call(long).to("other"))), note("end"))),
			words(`{"facts":["ok"]}`, "end"), nil,
		},
		{"a call", program(call(note(hangUp), witness(call(sleep(150)).to("other")), note("end"))),
			words(`{"facts":["ok"]}`, "end"), words(failed, "end"),
		},
		{"storage calls",
			program(call(note(hangUp), sleep(150), witness(put("a", 1)), witness(transaction("t", put("b", 1))),
				witness(sql("CREATE TABLE t (a)")), witness(setAlarm(100_000)), witness(commit()), note("end"))),
			words(slept, `{"facts":["ok"]}`, slept, slept, slept, "end"), nil,
		},
		{"waitUntil",
			program(call(waitUntil(waitFor(hangUp), witness(long), note("end")), sleep(20), note(hangUp), sleep(50))),
			words(slept, "end"), nil,
		},
		{"the worker's own handler",
			program(note(hangUp), witness(long), note("end")), words(slept, "end"), words(failed, "end"),
		},
		{"the constructor",
			program(onConstruct(note(hangUp), witness(long), put("made", true), note("end")), call()),
			words(slept, "end"), nil,
		},
	}
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		cases = append(cases, Case{"hang-up: " + r.name,
			[]Op{goes(r.leaves...), waitFor("end"), end(r.platform, r.ours), call(list(nil))}})
	}
	return append(cases,
		Case{"hang-up: an object keeps its memory", []Op{
			goes(call(count(), block(note(hangUp), sleep(100)))),
			call(count().is(2)),
			constructions().is(1),
		}},
		Case{"hang-up: a sleep in a block that begins later", []Op{
			goes(call(note(hangUp), sleep(30), block(witness(sleep(150))), note("end"))),
			waitFor("end"), trace(hangUp, slept, "end"), constructions().is(1),
		}},
		Case{"hang-up: an event that waits for its turn", []Op{
			goes(parallel(call(block(note("blocked"), waitFor("gone"))), call(note("runs")).after("blocked"),
				group(note(hangUp)).after("blocked").later(50))),
			note("gone"), sleep(200),
			Op{Name: "trace"}.differs([]any{"blocked", hangUp, "gone", "runs"}, []any{"blocked", hangUp, "gone"}),
		}},
	)
}
