//go:build unix

package cli_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"devtool.internal/emulator/control"
)

// ends are the ways in which an emulator ends. Only a killed one has no chance to save its clock.
var ends = []syscall.Signal{syscall.SIGKILL, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT}

// TestNoEndShowsAnEarlierTime is the law of time for real processes: whatever moves the clock, and
// however the emulator ends, the next one shows no time before the latest that a handler or a
// report has shown, and keeps each move that was reported. Each alarm runs once. `make crash` lives
// through more ends. The clock package has the law of time for more worlds.
func TestNoEndShowsAnEarlierTime(t *testing.T) {
	t.Parallel()
	seed := *killingSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with: go test ./cli -run '^%s$' -killing.seed %d -killing.kills %d", t.Name(), seed, *killings)
	random := rand.New(rand.NewPCG(seed, 0))
	p := handlerProject(t, "moving")
	var latest time.Time
	saw := func(what string, now time.Time) {
		t.Helper()
		if now.Before(latest) {
			t.Errorf("%s: got %s after %s", what, now, latest)
		}
		latest = now
	}
	var alarms []string
	ask := func(s *server) {
		t.Helper()
		ms, err := strconv.ParseInt(s.get("/clock/now"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		saw("a handler", time.UnixMilli(ms))
		name := fmt.Sprintf("alarm%d", len(alarms))
		if in := pick(random, "1ms", "10m", "2h"); latest.Before(lastAlarm) {
			s.post("/"+name+"/tick?in="+in, "")
			alarms = append(alarms, name)
		}
	}
	for n := range max(len(ends), *killings) {
		s := p.dev(pick(random, nil, nil, []string{"--frozen"}, []string{"--frozen=false"})...)
		saw(fmt.Sprintf("life %d", n), p.time().Now)
		for range random.IntN(4) {
			move := pick(random, []string{"speed", "3600"}, []string{"speed", "1000000"}, []string{"speed", "1"},
				[]string{"freeze"}, []string{"resume"}, []string{"advance", "90m"}, []string{"jump", "1d"},
				[]string{"set", "2400-01-01"}, []string{"next"})
			got := p.devtool(append([]string{"time"}, append(move, "--json")...)...)
			var shown control.Time
			if lines := strings.Split(strings.TrimSpace(got.out), "\n"); got.code == 0 {
				var last control.AdvanceEvent
				if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err == nil && last.Advanced != nil {
					saw("a move's report", last.Advanced.To)
				} else if err := json.Unmarshal([]byte(got.out), &shown); err == nil {
					saw(strings.Join(move, " "), shown.Now)
				}
			}
			ask(s)
		}
		ask(s)
		end := ends[n%len(ends)]
		if err := s.cmd.Process.Signal(end); err != nil {
			t.Fatal(err)
		}
		if code := s.await(); end != syscall.SIGKILL && code != 0 {
			t.Errorf("%s: got exit code %d, want 0", end, code)
		}
	}
	s := p.dev("--frozen")
	p.move("advance", "2h")
	for _, name := range alarms {
		if got := s.get("/" + name + "/runs"); got != "1 runs" {
			t.Errorf("%s: got %s, want one", name, got)
		}
	}
}

// lastAlarm is before the last time for an alarm, which is in 2262.
var lastAlarm = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

// TestAFastClockOutlivesAKill is the smallest case of the law: the clock ran ahead of real time by
// itself, so that no step was saved.
func TestAFastClockOutlivesAKill(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	before := p.time().Now
	p.succeed(nil, "time", "speed", "3600")
	var seen control.Time
	eventually(t, "the clock is three hours ahead", func() bool {
		var err error
		if seen, err = s.control().Time(t.Context()); err != nil {
			t.Fatal(err)
		}
		return seen.Now.Sub(before) > 3*time.Hour
	})
	s.kill()
	p.dev()
	if got := p.time(); got.Now.Before(seen.Now) || got.Rate != 3600 {
		t.Errorf("after the kill: got %s at rate %v, want %s or later at 3600", got.Now, got.Rate, seen.Now)
	}
}

func TestFrozenDecidesForOneRun(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	for _, life := range []struct {
		args    []string
		want    string
		command []string // of `devtool time`, before the end
	}{
		{[]string{"--frozen"}, control.Frozen, nil},
		{nil, control.Running, nil},
		{[]string{"--frozen=true"}, control.Frozen, []string{"advance", "1h"}},
		{[]string{"--frozen=false"}, control.Running, []string{"freeze"}},
		{nil, control.Frozen, nil},
		{[]string{"--frozen=false"}, control.Running, nil},
		{nil, control.Frozen, []string{"resume"}},
		{nil, control.Running, nil},
		{[]string{"--frozen"}, control.Frozen, []string{"resume"}},
		{nil, control.Running, nil},
	} {
		s := p.dev(append(life.args, "--attach")...) // builds no program
		if got := p.time().Mode; got != life.want {
			t.Errorf("dev %q: got a clock that is %s, want %s", life.args, got, life.want)
		}
		if life.command != nil {
			p.succeed(nil, append([]string{"time"}, life.command...)...)
		}
		s.interrupt()
	}
}

func TestTheStartScreenSaysHowAFrozenClockResumes(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	p.succeed(nil, "time", "freeze")
	s.interrupt()
	cmd := command(t, p.dir, "dev", "--port", "0")
	var out output
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "dev is ready", func() bool { return strings.Contains(out.String(), "Ready on ") })
	cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it runs
	cmd.Wait()                       //nolint:errcheck // the screen is all that counts
	if got := out.String(); !strings.Contains(got, "clock  frozen at ") ||
		!strings.Contains(got, "`devtool time resume` lets it run") {
		t.Errorf("got %s, want a frozen clock and how to resume it", got)
	}
}
