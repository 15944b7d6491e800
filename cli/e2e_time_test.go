package cli_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/control"
)

func TestTheClockOfARunningEmulatorIsMovedInEveryWay(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen", "--time", "2030-01-01", "--seed", "5")
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	now := func(args ...string) (clock control.Time) {
		t.Helper()
		p.succeed(&clock, append(append([]string{"time"}, args...), "--json")...)
		return clock
	}
	if got := now("now"); !got.Now.Equal(start) || got.Mode != control.Frozen {
		t.Fatalf("got %+v, want a clock that is frozen at %s", got, start)
	}
	s.fetch(http.MethodPost, "/", "")
	moved := p.move("next")
	if !moved.To.Equal(start.Add(time.Hour)) || !slices.Equal(outcomes(moved), []string{"Basic/one ok"}) {
		t.Errorf("next: got %+v, want the alarm after an hour", moved)
	}
	if got := p.devtool("time", "next"); got.code != 1 || !strings.Contains(got.err, "nothing is due") {
		t.Errorf("next, when nothing is due: got %+v", got)
	}
	s.fetch(http.MethodPost, "/", "")
	got := p.move("jump", "1d")
	if !got.To.Equal(start.Add(25*time.Hour)) || len(got.Fired) != 1 || !got.Fired[0].At.Equal(got.To) {
		t.Errorf("jump: got %+v, want the alarm to run there, late", got)
	}
	if got := p.move("set", "2030-02-01"); !got.To.Equal(start.AddDate(0, 1, 0)) {
		t.Errorf("set: got %+v", got)
	}
	refused := p.devtool("time", "set", "2030-01-01")
	if refused.code != 1 || !strings.Contains(refused.err, "time does not run backwards") {
		t.Errorf("set back: got %+v, want a refusal", refused)
	}
	if got := now("speed", "1000"); got.Rate != 1000 || got.Mode != control.Frozen {
		t.Errorf("speed: got %+v", got)
	}
	now("resume")
	s.fetch(http.MethodPost, "/", "")
	eventually(t, "an hour passes in 3.6 s and the alarm runs", func() bool {
		pending, err := s.control().ListAlarms(t.Context(), control.AlarmsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return len(pending.Alarms) == 0
	})
	s.fetch(http.MethodPost, "/", "")
	if got := p.devtool("time", "reset"); got.code != 1 || !strings.Contains(got.err, "1 alarm is pending") {
		t.Errorf("reset with an alarm: got %+v", got)
	}
	back := now("reset", "--force")
	if back.Mode != control.Running || back.Rate != 1 || !back.Now.Before(start.AddDate(0, 1, 0)) {
		t.Errorf("reset: got %+v", back)
	}
}
