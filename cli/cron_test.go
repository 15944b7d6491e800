package cli_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

func TestCronListIsATable(t *testing.T) {
	e := emulator{objects: control.Crons{Now: noon, Handled: true, Crons: []control.Cron{
		{Cron: "*/5 * * * *", Next: []time.Time{
			noon.Add(5 * time.Minute), noon.Add(10 * time.Minute), noon.Add(15 * time.Minute),
		}},
		{Cron: "0 11 * * *", Next: []time.Time{noon.Add(-time.Hour), noon.Add(23 * time.Hour)}},
		{Cron: "0 0 31 2 *"},
	}}}
	c := e.start(t)
	check(t, c.run(t.Context(), "cron", "list"), result{out: `
CRON         NEXT                      IN          THEN
*/5 * * * *  2026-10-01T12:05:00.000Z  in 5m       2026-10-01T12:10:00.000Z
0 11 * * *   2026-10-01T11:00:00.000Z  overdue 1h  2026-10-02T11:00:00.000Z
0 0 31 2 *   never
`[1:]})
	if diff := cmp.Diff([]string{"GET cron"}, e.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	got := decode[control.Crons](t, c.run(t.Context(), "cron", "list", "--json").out)
	if diff := cmp.Diff(e.objects, any(got)); diff != "" {
		t.Errorf("with --json (-want +got):\n%s", diff)
	}
}

func TestCronListSaysWhyNothingRuns(t *testing.T) {
	none := emulator{objects: control.Crons{Now: noon}}
	c := none.start(t)
	check(t, c.run(t.Context(), "cron", "list"), result{out: "the configuration has no cron triggers\n"})
	check(t, c.run(t.Context(), "cron", "list", "--json"), result{
		out: "{\n  \"now\": \"2026-10-01T12:00:00Z\",\n  \"handled\": false,\n  \"crons\": []\n}\n",
	})

	hourly := control.Cron{Cron: "0 * * * *", Next: []time.Time{noon.Add(time.Hour)}}
	unhandled := emulator{objects: control.Crons{Now: noon, Crons: []control.Cron{hourly}}}
	check(t, unhandled.start(t).run(t.Context(), "cron", "list"), result{out: `
CRON       NEXT                      IN     THEN
0 * * * *  2026-10-01T13:00:00.000Z  in 1h

they do not run: the worker has no Scheduled handler
`[1:]})
}

func TestCronTriggerNamesTheExpressionAndTheTime(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, `{}`},
		{[]string{"0 * * * *"}, `{"cron":"0 * * * *"}`},
		{[]string{"--time", "2027-01-01", "0 * * * *"}, `{"cron":"0 * * * *","time":"2027-01-01T00:00:00Z"}`},
		{[]string{"--time", "2027-01-01T01:00:00+01:00"}, `{"time":"2027-01-01T00:00:00Z"}`},
	} {
		e := emulator{objects: control.Fired{Kind: control.KindCron, Outcome: control.OutcomeOK}}
		got := e.start(t).run(t.Context(), append([]string{"cron", "trigger"}, test.args...)...)
		if got.code != 0 {
			t.Errorf("%q: got %+v", test.args, got)
		}
		if diff := cmp.Diff([]string{"POST cron/trigger " + test.want}, e.asked); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.args, diff)
		}
	}
}

func TestCronTriggerShowsTheRun(t *testing.T) {
	fired := control.Fired{Kind: control.KindCron, Cron: "0 * * * *", At: noon, Scheduled: noon}
	for _, test := range []struct {
		outcome, err string
		want         result
	}{
		{control.OutcomeOK, "", result{out: `
TIME                      OBJECT          OUTCOME  DETAIL
2026-10-01T12:00:00.000Z  cron 0 * * * *  ok
`[1:]}},
		{control.OutcomeFailed, "boom", result{code: 1, out: `
TIME                      OBJECT          OUTCOME  DETAIL
2026-10-01T12:00:00.000Z  cron 0 * * * *  failed   boom; not run again
`[1:], err: "devtool: the cron trigger 0 * * * * failed: boom\n"}},
		{control.OutcomeDropped, "the worker has no Scheduled handler", result{code: 1, out: `
TIME                      OBJECT          OUTCOME  DETAIL
2026-10-01T12:00:00.000Z  cron 0 * * * *  dropped  the worker has no Scheduled handler
`[1:], err: "devtool: the cron trigger 0 * * * * was not run: the worker has no Scheduled handler\n"}},
	} {
		fired.Outcome, fired.Error = test.outcome, test.err
		e := emulator{objects: fired}
		c := e.start(t)
		check(t, c.run(t.Context(), "cron", "trigger"), test.want)
		got := c.run(t.Context(), "cron", "trigger", "--json")
		if got.code != test.want.code {
			t.Errorf("%s with --json: got exit code %d, want %d", test.outcome, got.code, test.want.code)
		}
		if diff := cmp.Diff(fired, decode[control.Fired](t, got.out)); diff != "" {
			t.Errorf("%s with --json (-want +got):\n%s", test.outcome, diff)
		}
	}
}

func TestCronTriggerRefusesABadTime(t *testing.T) {
	var e emulator
	got := e.start(t).run(t.Context(), "cron", "trigger", "--time", "soon")
	if got.code != 2 || len(e.asked) > 0 {
		t.Errorf("got %+v and requests %q, want a misuse without a request", got, e.asked)
	}
}
