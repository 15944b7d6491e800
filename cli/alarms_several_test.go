package cli_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

// pendingAt returns an alarm that is due that long after noon, with an id of its own.
func pendingAt(name string, due time.Duration) control.Alarm {
	o := object("Batcher", name)
	o.ID = strings.Repeat(name, 64)
	return control.Alarm{Object: o, Scheduled: noon.Add(due), Due: noon.Add(due)}
}

// several returns an emulator with alarms of c, a and b, which are due in that order.
func several() *emulator {
	list := control.Alarms{Now: noon, Alarms: []control.Alarm{
		pendingAt("c", time.Second),
		pendingAt("a", time.Minute),
		pendingAt("b", time.Hour),
	}}
	e := &emulator{alarms: list, each: map[string]any{}}
	for _, alarm := range list.Alarms {
		for _, path := range []string{"Batcher/" + alarm.Name, "BATCHER/" + alarm.Name, "Batcher/" + alarm.ID} {
			e.each["GET alarms/"+path] = control.AlarmDetails{Now: noon, Alarm: alarm}
			e.each["DELETE alarms/"+path] = control.AlarmDetails{Now: noon, Alarm: alarm}
		}
	}
	return e
}

func busy(what string) *control.Error {
	return &control.Error{Code: control.CodeRunning, Message: what + " is busy", Hint: "wait"}
}

func TestSeveralAlarmsAreTriggeredInTheOrderInWhichTheyAreDue(t *testing.T) {
	e := several()
	e.triggered = control.Triggered{
		Fired: control.Fired{Object: object("Batcher", "x"), At: noon, Outcome: control.OutcomeOK},
	}
	c := e.start(t)
	for _, args := range [][]string{
		{"Batcher/b", "BATCHER/c", "Batcher/a", "Batcher/b"},
		{"--all"},
		{"--due-before", "2h"},
	} {
		e.asked = nil
		got := c.run(t.Context(), append([]string{"alarms", "trigger"}, args...)...)
		if got.code != 0 || strings.Count(got.out, "Batcher/x  ok") != 3 || strings.Count(got.out, "TIME") != 1 {
			t.Errorf("%q: got %+v, want a table of three runs", args, got)
		}
		var order []string
		for _, asked := range e.asked {
			if body, ok := strings.CutPrefix(asked, "POST alarms/trigger "); ok {
				order = append(order, decode[control.TriggerRequest](t, body).ID[:1])
			}
		}
		if diff := cmp.Diff([]string{"c", "a", "b"}, order); diff != "" {
			t.Errorf("%q: order (-want +got):\n%s", args, diff)
		}
	}
}

func TestSeveralTriggersFailIfOneDoes(t *testing.T) {
	e := several()
	e.triggered = control.Triggered{Fired: control.Fired{
		Object: object("Batcher", "x"), At: noon, Outcome: control.OutcomeFailed, Error: "boom",
	}}
	c := e.start(t)
	check(t, c.run(t.Context(), "alarms", "trigger", "Batcher/a", "Batcher/b"), result{code: 1, out: `
TIME                      OBJECT     OUTCOME  DETAIL
2026-10-01T12:00:00.000Z  Batcher/x  failed   boom; not run again
2026-10-01T12:00:00.000Z  Batcher/x  failed   boom; not run again
`[1:], err: "devtool: 2 of 2 alarms did not succeed\n"})

	// With --json, each run is a document of its own, and each refusal is a line.
	got := c.run(t.Context(), "alarms", "trigger", "Batcher/a", "Batcher/b", "--json")
	runs := json.NewDecoder(strings.NewReader(got.out))
	for range 2 {
		var run control.Triggered
		if err := runs.Decode(&run); err != nil || run.Error != "boom" {
			t.Errorf("got %+v, %v in %s", run, err, got.out)
		}
	}
	e.each["POST alarms/trigger"] = busy("it")
	check(t, c.run(t.Context(), "alarms", "trigger", "--all", "--due-before", "5m", "--json"), result{code: 1, err: `
{"error":"it is busy","code":"running","hint":"Wait"}
{"error":"it is busy","code":"running","hint":"Wait"}
{"error":"2 of 2 alarms did not succeed"}
`[1:]})
}

func TestAFailureForOneObjectDoesNotStopTheOthers(t *testing.T) {
	e := several()
	for path := range e.each {
		if strings.HasPrefix(path, "DELETE alarms/Batcher/aaaa") {
			e.each[path] = busy("Batcher/a")
		}
	}
	c := e.start(t)
	const deleted = `
deleted the alarm of Batcher/c for 2026-10-01T12:00:01.000Z, in 1s
deleted the alarm of Batcher/b for 2026-10-01T13:00:00.000Z, in 1h
`
	check(t, c.run(t.Context(), "alarms", "delete", "--all"), result{
		code: 1, out: deleted[1:], err: "devtool: Batcher/a is busy\n  Wait\ndevtool: 1 of 3 alarms did not succeed\n",
	})
	check(t, c.run(t.Context(), "alarms", "delete", "Batcher/a"), result{
		code: 1, err: "devtool: Batcher/a is busy\n  Wait\n",
	})
}

func TestNothingIsDoneUnlessEachNamedObjectHasAnAlarm(t *testing.T) {
	for _, command := range []string{"delete", "trigger", "snooze"} {
		e := several()
		e.each["GET alarms/Batcher/d"] = &control.Error{
			Code: control.CodeNoAlarm, Message: "Batcher/d has no alarm", Hint: "…",
		}
		args := []string{"alarms", command, "Batcher/a", "Batcher/d"}
		if command == "snooze" {
			args = append(args, "10m")
		}
		got := e.start(t).run(t.Context(), args...)
		check(t, got, result{
			code: 1,
			err:  "devtool: Batcher/d has no alarm\n  Objects with an alarm: Batcher/c, Batcher/a, Batcher/b\n",
		})
		for _, asked := range e.asked {
			if !strings.HasPrefix(asked, "GET ") {
				t.Errorf("%s: asked for %s", command, asked)
			}
		}
	}
}

func TestAlarmsAreSetForADurationOrATime(t *testing.T) {
	details := control.AlarmDetails{Now: noon, Alarm: pendingAt("a", 10*time.Second)}
	for when, want := range map[string]string{
		"10s":                       `{"in":"10s"}`,
		"1d12h":                     `{"in":"36h0m0s"}`,
		"now":                       `{"in":"0s"}`,
		"2026-01-01":                `{"at":"2026-01-01T00:00:00Z"}`,
		"2026-01-01T10:00":          `{"at":"2026-01-01T10:00:00Z"}`,
		"2026-01-01T10:00:00+02:00": `{"at":"2026-01-01T08:00:00Z"}`,
	} {
		e := emulator{each: map[string]any{"PUT alarms/Batcher/a": details}}
		check(t, e.start(t).run(t.Context(), "alarms", "set", "Batcher/a", when),
			result{out: "set the alarm of Batcher/a for 2026-10-01T12:00:10.000Z, in 10s\n"})
		if diff := cmp.Diff([]string{"PUT alarms/Batcher/a " + want}, e.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
}

func TestAnAlarmIsShownWithItsRetry(t *testing.T) {
	alarm := pendingAt("a", time.Second)
	alarm.Due, alarm.Retry = noon.Add(-time.Minute), 2
	alarm.Held = true
	e := emulator{each: map[string]any{"GET alarms/Batcher/a": control.AlarmDetails{Now: noon, Alarm: alarm}}}
	check(t, e.start(t).run(t.Context(), "alarms", "get", "Batcher/a"), result{out: `
object   Batcher/a
id       `[1:] + alarm.ID + `
due      2026-10-01T11:59:00.000Z, overdue 1m, held
set for  2026-10-01T12:00:01.000Z
retry    2 of 6
`})
}
