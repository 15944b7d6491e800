package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

func TestAlarmsListIsATable(t *testing.T) {
	e := emulator{alarms: control.Alarms{Now: noon, Alarms: []control.Alarm{
		{Object: object("Batcher", "late"), Due: noon.Add(-3 * time.Second)},
		{Object: object("Batcher", "busy"), Due: noon.Add(-time.Second), Running: true},
		{Object: object("Batcher", "default"), Due: noon.Add(9200 * time.Millisecond)},
		{Object: object("Batcher", "again"), Due: noon.Add(65 * time.Second), Retry: 2},
		{Object: object("Session", ""), Due: noon.Add(36 * time.Hour)},
		{Object: object("Session", "a/b\x1b[2J\n"), Due: noon.Add(40 * time.Hour)},
	}}}
	check(t, e.start(t).run(t.Context(), "alarms", "list"), result{out: `
OBJECT                                                                    DUE                       IN          RETRY
Batcher/late                                                              2026-10-01T11:59:57.000Z  overdue 3s
Batcher/busy                                                              2026-10-01T11:59:59.000Z  running
Batcher/default                                                           2026-10-01T12:00:09.200Z  in 9.2s
Batcher/again                                                             2026-10-01T12:01:05.000Z  in 1m5s     2 of 6
Session/0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a  2026-10-03T00:00:00.000Z  in 1d12h
Session/a/b\u001b[2J\n                                                    2026-10-03T04:00:00.000Z  in 1d16h
`[1:]})
}

func TestAlarmsListSaysWhenThereAreNone(t *testing.T) {
	e := emulator{alarms: control.Alarms{Now: noon}}
	c := e.start(t)
	check(t, c.run(t.Context(), "alarms", "list"), result{out: "no alarms are set\n"})
	check(t, c.run(t.Context(), "alarms", "list", "--json"), result{
		out: "{\n  \"now\": \"2026-10-01T12:00:00Z\",\n  \"alarms\": []\n}\n",
	})
}

func TestAlarmsListForPrograms(t *testing.T) {
	want := control.Alarms{Now: noon, Alarms: []control.Alarm{
		{Object: object("Batcher", "<a>"), Scheduled: noon, Due: noon.Add(2 * time.Second), Retry: 1, Running: true},
	}}
	e := emulator{alarms: want}
	got := e.start(t).run(t.Context(), "alarms", "list", "--json")
	if diff := cmp.Diff(want, decode[control.Alarms](t, got.out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(got.out, `"<a>"`) {
		t.Errorf("the name is mangled in %s", got.out)
	}
}

func TestAlarmsTriggerNamesTheObject(t *testing.T) {
	id := strings.Repeat("0A", 32)
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, `{}`},
		{[]string{"Batcher/default"}, `{"class":"Batcher","name":"default"}`},
		{[]string{"Batcher/a/b/"}, `{"class":"Batcher","name":"a/b/"}`},
		{[]string{"Batcher/" + id}, `{"class":"Batcher","id":"` + strings.ToLower(id) + `"}`},
		{[]string{"Batcher/" + id[1:]}, `{"class":"Batcher","name":"` + id[1:] + `"}`},
		{[]string{"Batcher/x/" + id}, `{"class":"Batcher","name":"x/` + id + `"}`},
		{[]string{"--", "Batcher/-x"}, `{"class":"Batcher","name":"-x"}`},
	} {
		e := emulator{triggered: control.Triggered{Fired: control.Fired{Outcome: control.OutcomeOK}}}
		got := e.start(t).run(t.Context(), append([]string{"alarms", "trigger"}, test.args...)...)
		if got.code != 0 {
			t.Errorf("%q: got %+v", test.args, got)
		}
		if diff := cmp.Diff([]string{"POST alarms/trigger " + test.want}, e.asked); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.args, diff)
		}
	}
}

func TestAlarmsTriggerShowsTheRun(t *testing.T) {
	again := noon.Add(4 * time.Second)
	a := object("Batcher", "a")
	next := control.Alarm{Object: a, Due: again}
	for _, test := range []struct {
		name string
		run  control.Triggered
		want result
	}{
		{
			"ok",
			control.Triggered{Fired: control.Fired{Object: a, At: noon, Outcome: control.OutcomeOK}},
			result{out: `
TIME                      OBJECT     OUTCOME  DETAIL
2026-10-01T12:00:00.000Z  Batcher/a  ok
the object has no alarm now
`[1:]},
		},
		{
			"ok after a retry, and set again",
			control.Triggered{
				Fired: control.Fired{Object: a, At: noon, Outcome: control.OutcomeOK, Retry: 2},
				Next:  &next,
			},
			result{out: `
TIME                      OBJECT     OUTCOME  DETAIL
2026-10-01T12:00:00.000Z  Batcher/a  ok       retry 2 of 6
its next alarm is due in 4s
`[1:]},
		},
		{
			"failed, to be retried",
			control.Triggered{
				Fired: control.Fired{
					Object: a, At: noon, Outcome: control.OutcomeRetry,
					Retry: 1, Error: "boom\nat line 1", RetryAt: &again,
				},
				Next: &next,
			},
			result{code: 1, out: `
TIME                      OBJECT     OUTCOME  DETAIL
2026-10-01T12:00:00.000Z  Batcher/a  retry    boom\nat line 1; retry 2 of 6 in 4s
its next alarm is due in 4s
`[1:], err: `devtool: the alarm of Batcher/a failed: boom\nat line 1` + "\n"},
		},
		{
			"dropped",
			control.Triggered{Fired: control.Fired{Object: a, At: noon, Outcome: control.OutcomeDropped}},
			result{code: 1, out: `
TIME                      OBJECT     OUTCOME  DETAIL
2026-10-01T12:00:00.000Z  Batcher/a  dropped
the object has no alarm now
`[1:], err: "devtool: the alarm of Batcher/a was not run\n"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := emulator{triggered: test.run}
			c := e.start(t)
			check(t, c.run(t.Context(), "alarms", "trigger"), test.want)

			got := c.run(t.Context(), "alarms", "trigger", "Batcher/a", "--json")
			if got.code != test.want.code {
				t.Errorf("with --json: got exit code %d, want %d", got.code, test.want.code)
			}
			if diff := cmp.Diff(test.run, decode[control.Triggered](t, got.out)); diff != "" {
				t.Errorf("with --json (-want +got):\n%s", diff)
			}
		})
	}
}
