package conformance

// soon is when an alarm fires that a case waits for, in milliseconds from now.
const soon = 20

// alarmCases are about setting an alarm, and about runs that do not fail.
func alarmCases() []Case {
	return []Case{
		{"alarm: due again while it runs", []Op{
			onAlarm(program(note("runs"), setAlarm(1), sleep(50), note("ends")), program(note("runs again"))),
			call(setAlarm(soon)),
			alarms(run(0, 0, done, done, done, done), run(0, 0, done)),
			trace("runs", "ends", "runs again"),
		}},
		one("alarm: none at first", getAlarm().is(none)),
		one("alarm: set", setAlarm(100_000).is(done), getAlarm().is(alarmIn(100))),
		{"alarm: seen by the next request", []Op{call(setAlarm(100_000)), call(getAlarm().is(alarmIn(100)))}},
		one("alarm: a later one replaces it", setAlarm(100_000), setAlarm(200_000).is(done), getAlarm().is(alarmIn(200))),
		one("alarm: an earlier one replaces it", setAlarm(200_000), setAlarm(100_000).is(done), getAlarm().is(alarmIn(100))),
		one("alarm: deleted", setAlarm(100_000), deleteAlarm().is(done), getAlarm().is(none)),
		one("alarm: delete of none", deleteAlarm().is(done), getAlarm().is(none)),
		one("alarm: set after delete", setAlarm(100_000), deleteAlarm(), setAlarm(200_000), getAlarm().is(alarmIn(200))),
		one("alarm: no key", setAlarm(100_000), list(nil).is(pairs())),
		one("alarm: deleteAll deletes it", put("a", 1), setAlarm(100_000), deleteAll(), getAlarm().is(none)),
		{"alarm: deleteAll deletes one set before", []Op{call(setAlarm(100_000)), call(deleteAll(), getAlarm().is(none)), call(getAlarm().is(none))}},
		one("alarm: set after deleteAll", deleteAll(), setAlarm(100_000).is(done), getAlarm().is(alarmIn(100))),
		one("alarm: at 0", setAlarm(0).by("epoch").is(refused), getAlarm().is(none)),
		one("alarm: before 1970", setAlarm(-1).by("epoch").is(refused), getAlarm().is(none)),
		one("alarm: a time that is refused leaves the one before", setAlarm(100_000), setAlarm(0).by("epoch").is(refused), getAlarm().is(alarmIn(100))),
		one("alarm: beyond 2262", setAlarm(9_223_372_036_855).by("epoch").is(refused), getAlarm().is(none)),
		one("alarm: as far ahead as can be", setAlarm(9_223_372_036_854).by("epoch").is(done)),
		one("alarm: a time that has passed is now", setAlarm(1).by("epoch").is(done), getAlarm().is(alarmIn(0))),
		{"alarm: a class without a handler can't set one", []Op{
			call(setAlarm(100_000).is(refused), getAlarm().is(none), deleteAlarm().is(done)).of("Mute"),
		}},
		{"alarm: a class without a handler is told of a bad time first", []Op{call(setAlarm(0).by("epoch").is(refused)).of("Mute")}},
		{"alarm: the constructor of a class without a handler can", []Op{
			onConstruct(setAlarm(100_000)).of("Mute").is(done),
			call(getAlarm().differs(none, alarmIn(100))).of("Mute"),
		}},
		{"alarm: one for each object", []Op{
			call(setAlarm(100_000)),
			call(getAlarm().is(none), setAlarm(200_000)).to("other"),
			call(getAlarm().is(alarmIn(100)), deleteAlarm()),
			call(getAlarm().is(alarmIn(200))).to("other"),
		}},

		{"alarm: fires once", []Op{
			onAlarm(program(put("ran", true), getAlarm())),
			call(setAlarm(soon)),
			alarms(run(0, 0, done, none)),
			call(get("ran").is(value(true)), getAlarm().is(none)),
			sleep(50),
			alarms(run(0, 0, done, none)),
		}},
		{"alarm: a time that has passed fires at once", []Op{
			onAlarm(program()),
			call(setAlarm(1).by("epoch")),
			alarms(run(0, 0)),
		}},
		{"alarm: replaced by a later one before it fires", []Op{
			onAlarm(program()),
			call(setAlarm(soon), setAlarm(100_000)),
			sleep(100),
			alarms(),
			call(getAlarm().is(alarmIn(100))),
		}},
		{"alarm: deleted before it fires", []Op{onAlarm(program()), call(setAlarm(soon), deleteAlarm()), sleep(100), alarms()}},
		{"alarm: deleteAll before it fires", []Op{onAlarm(program()), call(setAlarm(soon)), call(deleteAll()), sleep(100), alarms()}},
		{"alarm: sets the next one", []Op{
			onAlarm(program(setAlarm(soon), getAlarm()), program(setAlarm(soon)), program()),
			call(setAlarm(soon)),
			alarms(run(0, 0, done, alarmIn(0)), run(0, 0, done), run(0, 0)),
			call(getAlarm().is(none)),
		}},
		{"alarm: set and deleted by its handler", []Op{
			onAlarm(program(setAlarm(100_000), getAlarm(), deleteAlarm(), getAlarm())),
			call(setAlarm(soon)),
			alarms(run(0, 0, done, alarmIn(100), done, none)),
			call(getAlarm().is(none)),
		}},
		{"alarm: set by another request while it runs", []Op{
			onAlarm(program(note("runs"), waitFor("set"), getAlarm())),
			call(setAlarm(soon)),
			parallel(call(getAlarm().is(none), setAlarm(100_000), note("set")).after("runs")),
			alarms(run(0, 0, done, done, alarmIn(100))),
			call(getAlarm().is(alarmIn(100))),
		}},
		{"alarm: deleteAll by its handler", []Op{
			onAlarm(program(put("b", 2), deleteAll(), getAlarm())),
			call(put("a", 1), setAlarm(soon)),
			alarms(run(0, 0, done, done, none)),
			call(list(nil).is(pairs()), getAlarm().is(none)),
		}},
		{"alarm: in the same instance", []Op{
			onAlarm(program(count())),
			call(count().is(1), setAlarm(soon)),
			alarms(run(0, 0, 2)),
			constructions().is(1),
		}},
		{"alarm: reaches other objects", []Op{
			onAlarm(program(call(put("a", 1)).to("other"))),
			call(setAlarm(soon)),
			alarms(run(0, 0, object{"facts": []any{"ok"}})),
			call(get("a").is(value(1))).to("other"),
		}},
		{"alarm: lets requests in while it waits", []Op{
			onAlarm(program(note("runs"), waitFor("request"), note("ends"))),
			call(setAlarm(soon)),
			parallel(call(note("request")).after("runs")),
			alarms(run(0, 0, done, done, done)),
			trace("runs", "request", "ends"),
		}},
		{"alarm: in order of time, not of setting", []Op{
			onAlarm(program(note("main"))),
			onAlarm(program(note("other"))).to("other"),
			call(setAlarm(300)),
			call(setAlarm(100)).to("other"),
			alarms(run(0, 0, done)),
			trace("other", "main"),
		}},
	}
}

// retryCases are about runs of an alarm that fail. Most of them take two seconds, in which the first retry comes.
func retryCases() []Case {
	fail := throw("case: fail")
	return []Case{
		{"retry: after a failure", []Op{
			onAlarm(program(put("a", 1), fail), program(getAlarm())),
			call(setAlarm(soon)),
			alarms(run(0, 0, done), run(1, 2, none)),
			call(getAlarm().is(none), get("a").is(value(1))),
		}},
		{"retry: the second comes later", []Op{
			onAlarm(program(fail), program(fail), program()),
			call(setAlarm(soon)),
			alarms(run(0, 0), run(1, 2), run(2, 4)),
		}},
		{"retry: in the same instance", []Op{
			onAlarm(program(count(), fail), program(count())),
			call(setAlarm(soon)),
			alarms(run(0, 0, 1), run(1, 2, 2)),
			constructions().is(1),
		}},
		{"retry: the alarm is still set while it waits", []Op{
			onAlarm(program(fail), program()),
			call(setAlarm(soon)),
			alarms(run(0, 0)),
			call(getAlarm().is(alarmIn(0))),
		}},
		{"retry: not after a new alarm was set", []Op{
			onAlarm(program(setAlarm(100_000), fail), program(note("again"))),
			call(setAlarm(soon)),
			alarms(run(0, 0, done)),
			sleep(3000),
			trace(),
			call(getAlarm().is(alarmIn(100))),
		}},
		{"retry: the new alarm is no retry", []Op{
			onAlarm(program(setAlarm(100), fail), program()),
			call(setAlarm(soon)),
			alarms(run(0, 0, done), run(0, 0)),
		}},
		{"retry: not after the handler deleted it", []Op{
			onAlarm(program(deleteAlarm(), fail), program(note("again"))),
			call(setAlarm(soon)),
			alarms(run(0, 0, done)),
			call(getAlarm().is(none)),
			sleep(3000),
			trace(),
		}},
		{"retry: not after set and delete", []Op{
			onAlarm(program(setAlarm(100_000), deleteAlarm(), fail), program(note("again"))),
			call(setAlarm(soon)),
			alarms(run(0, 0, done, done)),
			sleep(3000),
			trace(),
			call(getAlarm().is(none)),
		}},
		{"retry: deleted while it waits", []Op{
			onAlarm(program(fail), program(note("again"))),
			call(setAlarm(soon)),
			alarms(run(0, 0)),
			call(deleteAlarm(), getAlarm().is(none)),
			sleep(3000),
			trace(),
		}},
		{"retry: replaced by a later alarm while it waits", []Op{
			onAlarm(program(fail), program()),
			call(setAlarm(soon)),
			alarms(run(0, 0)),
			call(setAlarm(4500), getAlarm().is(alarmIn(0))),
			alarms(run(0, 0), run(0, 4)),
		}},
		{"retry: replaced by an earlier alarm while it waits", []Op{
			onAlarm(program(fail), program()),
			call(setAlarm(soon)),
			alarms(run(0, 0)),
			call(setAlarm(200)),
			Op{Name: "alarms", Count: 2}.differs([]any{run(0, 0), run(1, 2)}, []any{run(0, 0), run(0, 0)}),
		}},
		{"retry: after abort", []Op{
			onAlarm(program(count(), abort("case: aborted")), program(count())),
			call(setAlarm(soon)),
			alarms(run(0, 0, 1), run(1, 2, 1)),
			constructions().is(2),
		}},
		{"retry: abort takes the new alarm back", []Op{
			onAlarm(program(setAlarm(100_000), abort("case: aborted")), program(getAlarm())),
			call(setAlarm(soon)),
			alarms(run(0, 0, done), run(1, 2, none)),
			call(getAlarm().is(none)),
		}},
		{"retry: abort takes the deletion back", []Op{
			onAlarm(program(deleteAlarm(), abort("case: aborted")), program()),
			call(setAlarm(soon)),
			alarms(run(0, 0, done), run(1, 2)),
		}},
		{"retry: not for a new alarm that was committed before abort", []Op{
			onAlarm(program(setAlarm(100_000), sleep(20), abort("case: aborted")), program(note("again"))),
			call(setAlarm(soon)),
			alarms(run(0, 0, done, done)),
			sleep(3000),
			trace(),
			call(getAlarm().is(alarmIn(100))),
		}},
		{"retry: none if abort drops the alarm", []Op{
			onAlarm(program(abort("case: aborted").by("drop")), program(note("again"))),
			call(setAlarm(soon)),
			alarms(run(0, 0)),
			sleep(3000),
			trace(),
			call(getAlarm().is(none)),
		}},
		{"retry: after abort by another request", []Op{
			onAlarm(program(note("runs"), waitFor("never")), program(note("again"))),
			call(setAlarm(soon)),
			parallel(call(abort("case: aborted")).after("runs").fails("reset", "case: aborted")),
			sleep(4000),
			trace("runs", "again"),
			call(getAlarm().is(none)),
		}},
		{"retry: uncounted after the constructor has failed", []Op{
			onAlarm(program(count())),
			call(setAlarm(200), commit()),
			call(abort("case: aborted")).fails("reset", "case: aborted"),
			onConstruct(throw("case: no constructor")),
			sleep(1000),
			onConstruct(),
			alarms(run(0, 0, 1)),
		}},
	}
}
