package cli_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/control"
)

// TestMissedAlarms stops an emulator, lets its clock pass the alarms, and starts it again.
func TestMissedAlarms(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--time", "2030-01-01")
	// later sets alarms without an emulator, and starts one a day on, after the alarms were due.
	day := time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)
	later := func(args ...string) *server {
		s.interrupt()
		for i, name := range []string{"z", "m", "a"} {
			due := day.Add(time.Duration(i+1) * time.Hour)
			p.succeed(nil, "alarms", "set", "Basic/"+name, due.Format(time.RFC3339))
		}
		p.succeed(nil, "alarms", "set", "Basic/after", day.Add(36*time.Hour).Format(time.RFC3339))
		day = day.Add(24 * time.Hour)
		s = p.dev(append([]string{"--time", day.Format(time.RFC3339)}, args...)...)
		return s
	}
	names := func() (names []string) {
		for _, alarm := range p.alarms().Alarms {
			names = append(names, alarm.Name)
		}
		return names
	}
	const overdue = "3 alarms are overdue, the first by 23h, the last by 21h"

	later()
	s.awaitLog(overdue + ": they fire as soon as the program is up, the first one first")
	eventually(t, "the overdue alarms have run", func() bool { return slices.Equal(names(), []string{"after"}) })
	var runs [][]string
	eventually(t, "the log has the runs", func() bool {
		runs = regexp.MustCompile(`alarm Basic/(\w+) ok`).FindAllStringSubmatch(s.stderr.String(), -1)
		return len(runs) >= 3
	})
	if len(runs) != 3 || runs[0][1] != "z" || runs[1][1] != "m" || runs[2][1] != "a" {
		t.Errorf("the log has the runs %q, want those of z, m and a", runs)
	}

	later("--missed", "skip")
	s.awaitLog(overdue + ": they are skipped")
	s.awaitLog("skipped the alarm of Basic/m for 2030-01-02T02:00:00Z")
	if got := names(); !slices.Equal(got, []string{"after"}) || strings.Contains(s.stderr.String(), " ok") {
		t.Errorf("skipped: got alarms %q, want only that of after, and no run in\n%s", got, s.stderr.String())
	}

	later("--missed", "hold")
	s.awaitLog(overdue + ": they are held until you move the clock")
	if got := names(); !slices.Equal(got, []string{"z", "m", "a", "after"}) || !p.alarms().Alarms[0].Held {
		t.Errorf("held: got alarms %q, want all, the first one held", got)
	}
	p.succeed(nil, "alarms", "snooze", "Basic/m", "1h")
	p.succeed(nil, "alarms", "delete", "Basic/z")
	if got := len(p.advance("0s").Fired); got != 1 {
		t.Errorf("%d alarms ran when the clock was moved, want that of a", got)
	}

	later("--frozen")
	s.awaitLog(overdue + ": the clock stands still, so they fire when that is moved (`devtool time advance 0s`)")
	if got := len(p.advance("0s").Fired); got != 3 {
		t.Errorf("%d alarms ran when the clock was moved, want 3", got)
	}
}

// TestSeveralAlarmsAtOnce sets and triggers the alarms of several objects with one command each.
func TestSeveralAlarmsAtOnce(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.dev("--frozen")
	p.succeed(nil, "alarms", "set", "Basic/late", "2h")
	p.succeed(nil, "alarms", "set", "Basic/a", "BASIC/b", "Basic/c", "1h")

	got := p.devtool("alarms", "trigger", "Basic/late", "BASIC/b", "Basic/a")
	rows := regexp.MustCompile(`(?m)^\S+  Basic/(\w+) +ok$`).FindAllStringSubmatch(got.out, -1)
	if got.code != 0 || len(rows) != 3 || rows[0][1] != "a" || rows[1][1] != "b" || rows[2][1] != "late" {
		t.Errorf("trigger: got %+v, want the runs of a, b and late", got)
	}
	got = p.devtool("alarms", "trigger", "--all", "--json")
	run := decode[control.Triggered](t, got.out)
	if got.code != 0 || run.Name != "c" || run.Outcome != control.OutcomeOK {
		t.Errorf("trigger --all: got %+v, want the run of c", got)
	}
	if got := p.devtool("alarms", "trigger", "--all"); got.code != 0 || got.out != "no alarms are set\n" {
		t.Errorf("trigger --all without alarms: got %+v", got)
	}
	if got := p.devtool("alarms", "trigger"); got.code != 1 || got.err != "devtool: no alarm is set\n" {
		t.Errorf("trigger without alarms: got %+v", got)
	}
}
