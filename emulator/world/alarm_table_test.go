package world

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

// What events may do to an alarm that runs, waits for its retry or is pending, and the result. Each
// case is the platform's behaviour, as observed in workerd. The other rules of alarms are tested
// here:
//
//	arguments of SetAlarm         durable: TestStorageErrorsSayWhatWasTried,
//	                              TestAlarmIsKeptInWholeMilliseconds,
//	                              TestAlarmMayBeOneMillisecondAfterTheEpoch; a time out of range:
//	                              TestAFailedSetAlarmInTheAlarmHandlerDoesNotCostTheRetry; a past
//	                              one: TestAnAlarmInThePastMeansNow
//	classes without a handler     TestAClassWithoutAlarmHandler…, TestAnAlarmSetByAConstructor…
//	what GetAlarm shows           TestWhatGetAlarmShows, TestTheHandlerSeesNoAlarmUnlessItSetsOne
//	one alarm for each object     TestALaterSetAlarmReplacesTheEarlierOne
//	never beside itself           TestAnAlarmDoesNotRunBesideItself
//	beside other events           TestTheAlarmsHandlerRunsBesideOtherEventsWhereItWaits
//	in time, in order, once       TestAnAlarmFiresOnceAtItsTime, TestAlarmsFireInOrderOf…
//	the object's name             TestTheHandlerKnowsTheNameOfItsObject
//	15 minutes for one run        TestARunOfAnAlarmMayTakeFifteenMinutes
//	retries: schedule, counting   alarm_retry_test.go
//	DeleteAll and the alarm       TestDeleteAllTakesTheAlarmWithItByDate
//	constructors that set one     TestAConstructorThatSetsTheAlarmPutsItOffForever,
//	                              TestAConstructorThatMovesTheAlarmCancelsItsRun
//	crash, restart, overdue       TestACrashDuringAnAlarmRunsItAgain,
//	                              TestAnAlarmThatWasRunningAtTheEndRunsAgainFromTheBeginning,
//	                              TestAnAlarmThatIsOverdueFiresAtTheStart

// abort is State.Abort: no code of the handler runs after it.
func (c *call) abort(drop bool) error {
	return c.ask(func(ev *Event) error {
		ev.Abort("enough", drop, false)
		return nil
	})
}

// undone calls f in a transaction and rolls it back.
func (c *call) undone(f func() error) error {
	return errors.Join(
		c.plain(wire.MethodBlock),
		c.plain(wire.MethodBegin),
		f(),
		c.plain(wire.MethodRollback),
		c.plain(wire.MethodUnblock),
	)
}

// runsScript is alarmScript with more requests. The first run of an alarm calls first. Each run is
// noted as "SCHEDULED#RETRY", with the time since the first alarm's time. A retry also has how late
// it is, such as "+2s", in whole seconds.
func runsScript(first func(*call) error) *script {
	s := alarmScript(nil)
	for path, f := range map[string]func(*call) error{
		"/set1m":   func(c *call) error { return c.setAlarm(time.Minute) },
		"/abort":   func(c *call) error { return c.abort(false) },
		"/drop":    func(c *call) error { return c.abort(true) },
		"/slow":    func(c *call) error { return c.sleep(time.Hour) },
		"/set+no":  func(c *call) error { return errors.Join(c.setAlarm(time.Minute), c.abort(false)) },
		"/set-":    func(c *call) error { return c.undone(func() error { return c.setAlarm(time.Minute) }) },
		"/delete-": func(c *call) error { return c.undone(func() error { return c.plain(wire.MethodDeleteAlarm) }) },
	} {
		s.handlers[path] = func(c *call) (string, error) { return "", f(c) }
	}
	var begin int64
	s.handlers["alarm"] = func(c *call) (string, error) {
		run := begin == 0
		if run {
			begin = c.alarm.Scheduled
		}
		note := fmt.Sprint(time.Duration(c.alarm.Scheduled-begin) * time.Millisecond)
		if late := c.sinceScheduled().Truncate(time.Second); late > 0 {
			note += "+" + late.String()
		}
		s.note("%s#%d", note, c.alarm.RetryCount)
		if run && first != nil {
			return "", first(c)
		}
		return "", nil
	}
	return s
}

func TestWhatHappensToAnAlarmDuringItsRun(t *testing.T) {
	other := func(path string) func(*call) error {
		return func(c *call) error {
			_, err := c.fetch(c.object, path) // its own object: another event has the turn meanwhile
			return err
		}
	}
	do := func(steps ...func(*call) error) func(*call) error {
		return func(c *call) error {
			for _, step := range steps {
				if err := step(c); err != nil {
					return err
				}
			}
			return nil
		}
	}
	set := func(c *call) error { return c.setAlarm(time.Minute) }
	setUndone := func(c *call) error { return c.undone(func() error { return set(c) }) }
	unset := func(c *call) error { return c.plain(wire.MethodDeleteAlarm) }
	wipe := func(c *call) error { return c.plain(wire.MethodDeleteAll) }
	commit := func(c *call) error { return c.sleep(time.Millisecond) }
	abort := func(c *call) error { return c.abort(false) }
	fail := func(*call) error { return errNoLuck }
	const once, again, another = "0s#0", "0s#0 0s+2s#1", "0s#0 1m0s#0"
	for _, tt := range []struct {
		name string
		run  func(*call) error // the first one; those after it do nothing
		want string
	}{
		{"succeeds", do(), once},
		{"fails", fail, again},
		{"aborts", abort, again},
		{"sets another", set, another},
		{"sets another and fails", do(set, fail), another},
		{"sets another and aborts: it was not committed", do(set, abort), again},
		{"sets another, waits and aborts", do(set, commit, abort), "0s#0 1m0s#0"},
		{"deletes it", unset, once},
		{"deletes it and fails", do(unset, fail), once},
		{"deletes it and aborts: it was not committed", do(unset, abort), again},
		{"deletes it, waits and aborts", do(unset, commit, abort), once},
		{"sets another, deletes that and fails", do(set, unset, fail), once},
		{"sets another in a transaction that is rolled back, and fails", do(setUndone, fail), again},
		{"deletes everything, after setting another", do(set, wipe), once},
		{"deletes everything and fails", do(wipe, fail), once},
		{"another event sets another", other("/set1m"), another},
		{"another event sets another, and it fails", do(other("/set1m"), fail), another},
		{"another event deletes it, and it goes on", do(other("/delete"), commit), once},
		{"another event deletes it, and it fails", do(other("/delete"), fail), once},
		{"another event deletes the one that it has set", do(set, other("/delete")), once},
		{"another event aborts", do(other("/abort"), fail), again},
		{"it drops the alarm as it aborts", func(c *call) error { return c.abort(true) }, once},
		{"another event drops the alarm as it aborts", other("/drop"), once},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := runsScript(tt.run)
			w := newWorld(t, s)
			w.want("a", "/set1s", "")
			w.moveOn(time.Hour)
			if got := s.notes(); got != tt.want {
				t.Errorf("got runs %q, want %q", got, tt.want)
			}
			w.want("a", "/get", "none")
		})
	}
}

func TestDroppingAnAlarmNeedsNoInstance(t *testing.T) {
	s := runsScript(func(c *call) error { return c.abort(true) })
	constructed := 0
	s.handlers["construct"] = func(*call) (string, error) { constructed++; return "", nil }
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	wantList(t, "fired", w.moveOn(time.Hour), []string{"Lab/a failed"})
	if constructed != 1 {
		t.Errorf("constructed %d times, want once", constructed)
	}
}

// An earlier alarm overrides the retry. That is our choice: workerd runs the old alarm at the time
// of the retry, and forgets the new one.
func TestWhatHappensToAnAlarmThatWaitsForItsRetry(t *testing.T) {
	for _, tt := range []struct{ name, path, want string }{
		{"nothing", "/get", "0s#0 0s+2s#1"},
		{"an earlier one is set", "/set1s", "0s#0 1s#0"},
		{"a later one is set", "/set1m", "0s#0 1m0s#0"},
		{"it is deleted", "/delete", "0s#0"},
		{"everything is deleted", "/wipe", "0s#0"},
		{"another one is set, and aborted", "/set+no", "0s#0 0s+2s#1"},
		{"another one is set in a transaction that is undone", "/set-", "0s#0 0s+2s#1"},
		{"it is deleted in a transaction that is undone", "/delete-", "0s#0 0s+2s#1"},
		{"the object is reset", "/abort", "0s#0 0s+2s#1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := runsScript(func(*call) error { return errNoLuck })
			w := newWorld(t, s)
			w.want("a", "/set1s", "")
			wantList(t, "first run", w.moveOn(time.Second), []string{"Lab/a retry"})
			w.get("a", tt.path)
			w.moveOn(time.Hour)
			if got := s.notes(); got != tt.want {
				t.Errorf("got runs %q, want %q", got, tt.want)
			}
			w.want("a", "/get", "none")
		})
	}
}

func TestWhatHappensToAPendingAlarm(t *testing.T) {
	for _, tt := range []struct{ name, path, want string }{
		{"another one is set, and aborted", "/set+no", "10s"},
		{"another one is set in a transaction that is undone", "/set-", "10s"},
		{"it is deleted in a transaction that is undone", "/delete-", "10s"},
		{"another one is set", "/set1m", "1m0s"},
		{"it is deleted", "/delete", "none"},
		{"everything is deleted", "/wipe", "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, runsScript(nil))
			w.want("a", "/set10s", "")
			w.get("a", tt.path)
			w.want("a", "/get", tt.want)
			got := "none"
			if a, set := w.alarm("a"); set {
				got = a.Due.Sub(w.clock.Now()).String()
			}
			if got != tt.want {
				t.Errorf("the clock waits for %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWhatGetAlarmShows(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["/undo"] = func(c *call) (string, error) {
		shown := ""
		err := c.undone(func() error {
			err := c.setAlarm(time.Minute)
			shown = c.alarmIn()
			return err
		})
		return shown + " " + c.alarmIn(), err
	}
	fail := true
	s.handlers["alarm"] = func(c *call) (string, error) {
		other := func(path string) string { text, _ := c.fetch(c.object, path); return text }
		s.note("handler:%s other:%s", c.alarmIn(), other("/get"))
		if fail {
			return "", errNoLuck
		}
		other("/set1h")
		s.note("then:%s", c.alarmIn())
		return "", nil
	}
	w := newWorld(t, s)
	w.want("a", "/get", "none")
	w.want("a", "/set1s", "")
	w.want("a", "/get", "1s")
	w.want("a", "/undo", "1m0s 1s")
	w.moveOn(2 * time.Second)
	w.want("a", "/get", "-1s") // it waits for its retry
	fail = false
	w.moveOn(2 * time.Second)
	if got, want := s.notes(), "handler:none other:none handler:none other:none then:1h0m0s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAConstructorThatSetsTheAlarmPutsItOffForever(t *testing.T) {
	s := runsScript(nil)
	// Longer than an object stays in memory: each wake-up constructs it again.
	s.handlers["construct"] = func(c *call) (string, error) { return "", c.setAlarm(time.Minute) }
	w := newWorld(t, s)
	w.want("a", "/get", "1m0s")
	wantList(t, "fired", w.moveOn(5*time.Minute), slices.Repeat([]string{"Lab/a dropped"}, 5))
	if got := s.notes(); got != "" {
		t.Errorf("got runs %q, want none", got)
	}
}

func TestAnAlarmThatWasRunningAtTheEndRunsAgainFromTheBeginning(t *testing.T) {
	s := runsScript(func(c *call) error { return errors.Join(c.store("k", "v"), c.sleep(time.Hour)) })
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.moveOn(2 * time.Second)
	w.restart(s)
	wantList(t, "at start", w.moveOn(0), []string{"Lab/a ok"})
	if got, want := s.notes(), "0s#0 0s+1s#0"; got != want {
		t.Errorf("got runs %q, want %q", got, want)
	}
	w.want("a", "/k", "v")
}

func TestAnAlarmThatIsOverdueFiresAtTheStart(t *testing.T) {
	s := runsScript(func(*call) error { return errNoLuck })
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.want("b", "/set10s", "")
	wantList(t, "before", w.moveOn(time.Second), []string{"Lab/a retry"})
	w.restart(s)
	wantList(t, "at start", w.moveOn(0), []string{"Lab/a ok"}) // and not at the time of its retry
	if got, want := s.notes(), "0s#0 0s#0"; got != want {
		t.Errorf("got runs %q, want %q: the counter does not outlive the emulator", got, want)
	}
	wantList(t, "later", w.moveOn(time.Minute), []string{"Lab/b ok"})
}

func TestTheHandlerKnowsTheNameOfItsObject(t *testing.T) {
	for name, restart := range map[string]bool{"after an eviction": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			s := alarmScript(nil)
			named := ""
			s.handlers["construct"] = func(c *call) (string, error) { named = c.object; return "", nil }
			w := newWorld(t, s)
			w.want("a", "/set1h", "")
			if restart {
				w.restart(s)
			}
			named = ""
			w.moveOn(time.Hour)
			if named != "a" {
				t.Errorf("got %q, want a", named)
			}
		})
	}
}

func TestTheAlarmsHandlerRunsBesideOtherEventsWhereItWaits(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["alarm"] = func(c *call) (string, error) {
		s.note("begin")
		_, err := c.fetch(c.object, "/k")
		s.note("end")
		return "", err
	}
	s.handlers["/k"] = func(*call) (string, error) { s.note("other"); return "", nil }
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.moveOn(time.Minute)
	if got, want := s.notes(), "begin other end"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
