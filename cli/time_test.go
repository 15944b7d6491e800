package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

func TestTimeShowsTheClock(t *testing.T) {
	next := control.Alarm{Object: object("Batcher", "default"), Due: noon.Add(9200 * time.Millisecond)}
	for _, test := range []struct {
		clock control.Time
		want  string
	}{
		{control.Time{Now: noon, Mode: control.Running, Offset: "0s"}, `
now    2026-10-01T12:00:00.000Z
clock  running, in step with real time
next   no alarm is set
`},
		{control.Time{Now: noon, Mode: control.Frozen, Offset: "36h0m0s", Next: &next}, `
now    2026-10-01T12:00:00.000Z
clock  frozen, 1d12h ahead of real time
next   Batcher/default in 9.2s, at 2026-10-01T12:00:09.200Z
`},
		{control.Time{Now: noon, Mode: control.Frozen, Offset: "-1m5s"}, `
now    2026-10-01T12:00:00.000Z
clock  frozen, 1m5s behind real time
next   no alarm is set
`},
	} {
		e := emulator{time: test.clock}
		c := e.start(t)
		for _, name := range []string{"now", "freeze", "resume"} {
			check(t, c.run(t.Context(), "time", name), result{out: test.want[1:]})
			got := c.run(t.Context(), "time", name, "--json")
			if diff := cmp.Diff(test.clock, decode[control.Time](t, got.out)); diff != "" {
				t.Errorf("time %s --json (-want +got):\n%s", name, diff)
			}
		}
		want := []string{
			"GET time", "GET time",
			"POST time/freeze", "POST time/freeze",
			"POST time/resume", "POST time/resume",
		}
		if diff := cmp.Diff(want, e.asked); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	}
}

func TestTimeShowsTheCronTriggerThatIsDueFirst(t *testing.T) {
	alarm := control.Alarm{Object: object("Batcher", "default"), Due: noon.Add(time.Minute)}
	for due, want := range map[time.Duration]string{
		30 * time.Second: "next   cron * * * * * in 30s, at 2026-10-01T12:00:30.000Z",
		2 * time.Minute:  "next   Batcher/default in 1m, at 2026-10-01T12:01:00.000Z",
	} {
		e := emulator{time: control.Time{Now: noon, Mode: control.Frozen, Offset: "0s", Next: &alarm,
			NextCron: &control.NextCron{Cron: "* * * * *", Due: noon.Add(due)}}}
		if got := e.start(t).run(t.Context(), "time", "now"); !strings.Contains(got.out, want) {
			t.Errorf("got %q, want %q in it", got.out, want)
		}
	}
}

func TestTimeAdvanceSendsTheDuration(t *testing.T) {
	for given, want := range map[string]string{
		"10s": "10s", "0": "0s", "0s": "0s", "2d": "48h0m0s", "1d12h": "36h0m0s", "-0s": "0s",
	} {
		var e emulator
		if got := e.start(t).run(t.Context(), "time", "advance", given, "--json"); got.code != 0 {
			t.Errorf("advance %s: got %+v", given, got)
		}
		if diff := cmp.Diff([]string{`POST time/advance {"duration":"` + want + `"}`}, e.asked); diff != "" {
			t.Errorf("advance %s (-want +got):\n%s", given, diff)
		}
	}
}

func TestTheLongestStepOfAMoveMayBeInDays(t *testing.T) {
	for given, want := range map[string]string{"90s": "1m30s", "1.5d": "36h0m0s", "0": "0s"} {
		var e emulator
		if got := e.start(t).run(t.Context(), "time", "advance", "10s", "--max-step", given, "--json"); got.code != 0 {
			t.Errorf("--max-step %s: got %+v", given, got)
		}
		request := `POST time/advance {"duration":"10s","maxStep":"` + want + `"}`
		if diff := cmp.Diff([]string{request}, e.asked); diff != "" {
			t.Errorf("--max-step %s (-want +got):\n%s", given, diff)
		}
	}
}

func TestTimeAdvanceReportsWhatFired(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	again := at(12)
	ok := control.Fired{Object: object("Batcher", "default"), At: at(5), Outcome: control.OutcomeOK}
	retry := control.Fired{
		Object: object("Batcher", "x"), At: at(10), Outcome: control.OutcomeRetry, Error: "boom", RetryAt: &again,
	}
	failed := control.Fired{
		Object: object("Session", "y"), At: at(10), Outcome: control.OutcomeFailed, Error: "bang", Retry: 6,
	}
	next := control.Alarm{Object: object("Batcher", "x"), Due: again, Retry: 1}

	for _, test := range []struct {
		name     string
		advanced control.Advanced
		want     result
	}{
		{
			"nothing",
			control.Advanced{From: noon, To: at(10), Mode: control.Running, Fired: []control.Fired{}},
			result{out: `
nothing came due

now    2026-10-01T12:00:10.000Z, 10s on
clock  running
next   no alarm is set
`[1:]},
		},
		{
			"a success and a retry to come",
			control.Advanced{
				From: noon, To: at(10), Mode: control.Frozen,
				Ran: 2, Fired: []control.Fired{ok, retry}, Next: &next,
			},
			result{out: `
TIME                      OBJECT           OUTCOME  DETAIL
2026-10-01T12:00:05.000Z  Batcher/default  ok
2026-10-01T12:00:10.000Z  Batcher/x        retry    boom; retry 1 of 6 in 2s

now    2026-10-01T12:00:10.000Z, 10s on
clock  frozen
next   Batcher/x in 2s, at 2026-10-01T12:00:12.000Z
`[1:]},
		},
		{
			"a failure for good",
			control.Advanced{
				From: noon, To: at(10), Mode: control.Frozen,
				Ran: 2, Failed: 1, Fired: []control.Fired{ok, failed},
			},
			result{code: 1, out: `
TIME                      OBJECT           OUTCOME  DETAIL
2026-10-01T12:00:05.000Z  Batcher/default  ok
2026-10-01T12:00:10.000Z  Session/y        failed   bang; not run again

now    2026-10-01T12:00:10.000Z, 10s on
clock  frozen
next   no alarm is set
`[1:], err: "devtool: runs failed for good: 1 of 2\n  The log of `devtool dev` shows what they did\n"},
		},
		{
			"an early end",
			control.Advanced{
				From: noon, To: at(5), Mode: control.Frozen,
				Ran: 1, Fired: []control.Fired{ok}, Stopped: "Batcher/x did not return within 30 s",
			},
			result{code: 1, out: `
TIME                      OBJECT           OUTCOME  DETAIL
2026-10-01T12:00:05.000Z  Batcher/default  ok

now    2026-10-01T12:00:05.000Z, 5s on
clock  frozen
next   no alarm is set
`[1:], err: "devtool: the clock stopped at 2026-10-01T12:00:05.000Z: Batcher/x did not return within 30 s\n" +
				"  `devtool time advance` goes on from there\n"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := emulator{advanced: test.advanced}
			c := e.start(t)
			check(t, c.run(t.Context(), "time", "advance", "10s"), test.want)

			got := c.run(t.Context(), "time", "advance", "10s", "--json")
			if got.code != test.want.code {
				t.Errorf("with --json: got exit code %d, want %d", got.code, test.want.code)
			}
			if diff := cmp.Diff(test.advanced, advancedOf(t, got.out)); diff != "" {
				t.Errorf("with --json (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheClockIsMovedInSeveralWays(t *testing.T) {
	for command, want := range map[string]string{
		"advance --to 2026-12-24":                  `POST time/advance {"to":"2026-12-24T00:00:00Z"}`,
		"advance --to 2026-12-24T18:00":            `POST time/advance {"to":"2026-12-24T18:00:00Z"}`,
		"advance --to 2026-12-24T18:00:00.5+01:00": `POST time/advance {"to":"2026-12-24T17:00:00.5Z"}`,
		"advance 1s --max-runs 7 --max-standing 3": `POST time/advance {"duration":"1s","maxRuns":7,"maxStanding":3}`,
		"next":               `POST time/advance {"next":true}`,
		"next --max-step 5s": `POST time/advance {"next":true,"maxStep":"5s"}`,
		"jump 1d":            `POST time/advance {"duration":"24h0m0s","jump":true}`,
		"set 2027-01-01":     `POST time/advance {"to":"2027-01-01T00:00:00Z","jump":true}`,
		"speed 60":           `POST time/speed {"rate":60}`,
		"speed 0.5":          `POST time/speed {"rate":0.5}`,
		"reset":              `POST time/reset {}`,
		"reset --force":      `POST time/reset {"force":true}`,
	} {
		e := emulator{time: control.Time{Mode: control.Running, Offset: "0s"}}
		if got := e.start(t).run(t.Context(), append([]string{"time"}, strings.Fields(command)...)...); got.code != 0 {
			t.Errorf("time %s: got %+v", command, got)
		}
		if diff := cmp.Diff([]string{want}, e.asked); diff != "" {
			t.Errorf("time %s (-want +got):\n%s", command, diff)
		}
	}
}

func TestMovesThatMakeNoSenseAreNotSent(t *testing.T) {
	for command, want := range map[string]string{
		"advance":                    "`devtool time advance` needs an argument: DURATION",
		"advance 1s --to 2026-12-24": "both DURATION and --to say how far to go",
		"advance --to tomorrow":      `"tomorrow" is not a time`,
		"advance --to 2026-13-01":    `"2026-13-01" is not a time`,
		"set 10s":                    `"10s" is not a time`,
		"jump":                       "`devtool time jump` needs an argument: DURATION",
		"jump -1h":                   "the clock cannot go back, so not by -1h",
		"speed fast":                 `"fast" is not a rate`,
		"next 1s":                    `unexpected argument "1s"`,
	} {
		var e emulator
		got := e.start(t).run(t.Context(), append([]string{"time"}, strings.Fields(command)...)...)
		if got.code != 2 || !strings.Contains(got.err, want) || len(e.asked) > 0 {
			t.Errorf("time %s: got %+v and requests %q, want exit code 2 with %q", command, got, e.asked, want)
		}
	}
}

func TestARateIsShownWhenItIsUnusual(t *testing.T) {
	for mode, want := range map[string]string{
		control.Running: "running at 60 times real time",
		control.Frozen:  "frozen (later 60 times real time)",
	} {
		e := emulator{time: control.Time{Now: noon, Mode: mode, Rate: 60, Offset: "1h"}}
		check(t, e.start(t).run(t.Context(), "time", "speed", "60"), result{out: `
now    2026-10-01T12:00:00.000Z
clock  `[1:] + want + `, 1h ahead of real time
next   no alarm is set
`})
	}
}
