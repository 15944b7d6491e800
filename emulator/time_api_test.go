package emulator

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/clock"
	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
)

// move moves the clock through the control API.
func (w *testWorld) move(q control.AdvanceRequest) control.Advanced {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	advanced, err := w.client().Advance(ctx, q, nil)
	if err != nil {
		w.t.Fatalf("move clock %+v: %v", q, err)
	}
	return advanced
}

func TestTheClockMovesByADurationToATimeAndToTheNextEvent(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	began := w.world.Clock().Now()
	after := func(d time.Duration) *time.Time { at := began.Add(d); return &at }
	w.want("a", "/set10s", "")
	for _, tt := range []struct {
		q     control.AdvanceRequest
		to    time.Duration
		fired []string
	}{
		{control.AdvanceRequest{Duration: "4s"}, 4 * time.Second, nil},
		{control.AdvanceRequest{To: after(6 * time.Second)}, 6 * time.Second, nil},
		{control.AdvanceRequest{Next: true}, 10 * time.Second, []string{"Lab/a ok"}},
		{control.AdvanceRequest{Duration: "0s"}, 10 * time.Second, nil},
	} {
		got := w.move(tt.q)
		if to := got.To.Sub(began); to != tt.to || got.Ran != len(tt.fired) || got.Stopped != "" {
			t.Errorf("%+v: got %+v at %s, want it at %s", tt.q, got, to, tt.to)
		}
		wantList(t, "fired", outcomes(got.Fired), tt.fired)
	}
}

func TestAJumpRunsLateWhatFellDueOnTheWay(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	w.want("a", "/set1s", "")
	w.want("b", "/set10s", "")
	w.want("c", "/set1h", "")
	got := w.move(control.AdvanceRequest{Duration: "1m", Jump: true})
	wantList(t, "fired", outcomes(got.Fired), []string{"Lab/a ok", "Lab/b ok"})
	for _, f := range got.Fired {
		if !f.At.Equal(got.To) || !f.Scheduled.Before(f.At) {
			t.Errorf("%s ran at %s, want %s, later than it was due", f.Object, f.At, got.To)
		}
	}
}

func TestInvalidMovesAreRefused(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	past := w.world.Clock().Now().Add(-time.Hour)
	for _, tt := range []struct {
		q      control.AdvanceRequest
		status int
		want   string
	}{
		{control.AdvanceRequest{}, 400, "say by how much"},
		{control.AdvanceRequest{Duration: "1s", Next: true}, 400, "one of them only"},
		{control.AdvanceRequest{Duration: "soon"}, 400, `"soon" is not a duration`},
		{control.AdvanceRequest{Duration: "-1s"}, 400, "time can't go back"},
		{control.AdvanceRequest{To: &past}, 400, "time does not run backwards"},
		{control.AdvanceRequest{To: &past, Jump: true}, 400, "time does not run backwards"},
		{control.AdvanceRequest{Next: true}, 404, "nothing is due"},
		{control.AdvanceRequest{Duration: "1s", MaxStep: "x"}, 400, `"x" is not a duration`},
		{control.AdvanceRequest{Duration: "1s", MaxRuns: -1}, 400, "a limit is negative"},
	} {
		_, err := w.client().Advance(t.Context(), tt.q, nil)
		var c *control.Error
		if !errors.As(err, &c) || c.Code.Status() != tt.status || !strings.Contains(c.Message, tt.want) {
			t.Errorf("%+v: got %v, want %d with %q", tt.q, err, tt.status, tt.want)
		}
	}
	_, err := w.client().Advance(t.Context(), control.AdvanceRequest{To: &past}, nil)
	if c := (*control.Error)(nil); !errors.As(err, &c) || !strings.Contains(c.Hint, "devtool time reset") {
		t.Errorf("the refusal of a past time does not say how to get there: %v", err)
	}
	if got := w.move(control.AdvanceRequest{Duration: "1s"}); got.Stopped != "" {
		t.Errorf("after the refusals the clock does not move: %s", got.Stopped)
	}
}

func TestAnAdvanceEndsAtItsLimits(t *testing.T) {
	w := newWorld(t, scripted.Alarms(func(c *call) error { return c.SetAlarm(time.Second) }))
	w.want("a", "/set1s", "")
	got := w.move(control.AdvanceRequest{Duration: "1h", MaxRuns: 5})
	if got.Ran != 5 || got.StoppedBy != control.StoppedByRuns || !strings.Contains(got.Stopped, "5 timers fired") {
		t.Errorf("got %d runs, stopped %q", got.Ran, got.Stopped)
	}
}

// An advance reports each event as it runs. Its caller can stop it in between.
func TestAnAdvanceReportsAsItGoesAndCanBeStopped(t *testing.T) {
	s := scripted.Alarms(func(c *call) error { return c.SetAlarm(time.Second) })
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	got, err := w.client().Advance(ctx, control.AdvanceRequest{Duration: "100000h"}, func(e control.AdvanceEvent) {
		if e.Fired != nil {
			if told++; told == 3 {
				cancel()
			}
		}
	})
	if err != nil || got.StoppedBy != control.StoppedByRequest || got.Ran < 3 {
		t.Fatalf("got %+v, %v; want it stopped after some runs", got, err)
	}
	if _, ok := w.alarm("a"); !ok {
		t.Error("the next alarm is lost")
	}
	if now := w.world.Clock().Now(); !now.Equal(got.To) {
		t.Errorf("the clock stands at %s, the report says %s", now, got.To)
	}
	if next := w.move(control.AdvanceRequest{Next: true}); next.Ran != 1 {
		t.Errorf("the next advance runs nothing: %+v", next)
	}
}

func TestAClientThatGoesEndsItsAdvance(t *testing.T) {
	s := scripted.Alarms(func(c *call) error { return c.SetAlarm(time.Second) })
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	ctx, cancel := context.WithCancel(t.Context())
	url := w.server.URL + control.Prefix + "time/advance"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"duration":"100000h"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := w.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	resp.Body.Close()
	eventually(t, "the clock is free", func() bool {
		_, err := w.client().Freeze(t.Context())
		return err == nil
	})
}

func TestALongStepReportsProgress(t *testing.T) {
	release := make(chan struct{})
	s := scripted.Alarms(func(*call) error { <-release; return nil })
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	due := w.world.Clock().Now().Add(time.Second)
	once := sync.OnceFunc(func() { close(release) })
	defer once()
	var seen *control.Progress
	got, err := w.client().Advance(t.Context(), control.AdvanceRequest{Duration: "1m"}, func(e control.AdvanceEvent) {
		if e.Progress != nil && seen == nil {
			seen = e.Progress
			once()
		}
	})
	if err != nil || got.Ran != 1 || seen == nil || !seen.Now.Equal(due) || seen.Ran != 0 {
		t.Errorf("got %+v, %v with progress %+v, want that of the step at %s", got, err, seen, due)
	}
}

func TestSpeed(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	got, err := w.client().Speed(t.Context(), 60)
	if err != nil || got.Rate != 60 || w.world.Clock().Rate() != 60 {
		t.Errorf("got %+v, %v; want rate 60", got, err)
	}
	for _, rate := range []float64{0, -1, clock.MaxRate + 1} {
		_, err := w.client().Speed(t.Context(), rate)
		if err == nil || !strings.Contains(err.Error(), "the clock can't run at") {
			t.Errorf("rate %v: got %v", rate, err)
		}
	}
	w.restart(scripted.Alarms(nil))
	if got := w.Time().Rate; got != 60 {
		t.Errorf("after a restart: got rate %v, want 60", got)
	}
}

func TestResetGoesBackUnlessAlarmsArePending(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	w.moveOn(1000 * time.Hour)
	w.want("a", "/set1h", "")
	ahead := w.world.Clock().Now()
	var refused *control.Error
	_, err := w.client().ResetTime(t.Context(), control.ResetRequest{})
	if !errors.As(err, &refused) || refused.Code != control.CodeAlarmsPending ||
		!strings.Contains(refused.Message, "1 alarm is pending, which would keep its time") {
		t.Errorf("got %v, want 409", err)
	}
	got, err := w.client().ResetTime(t.Context(), control.ResetRequest{Force: true})
	if err != nil || got.Mode != control.Running || !got.Now.Before(ahead.Add(-999*time.Hour)) {
		t.Errorf("got %+v, %v; want real time", got, err)
	}
	if a, ok := w.alarm("a"); !ok || !a.Due.Equal(ahead.Add(time.Hour)) {
		t.Errorf("got alarm %v, want it at its time", a)
	}
	if err := w.world.Clock().Freeze(); err != nil {
		t.Fatal(err)
	}
	const idleLimit = 10 * time.Second // how long an object stays in memory
	w.moveOn(idleLimit)
	eventually(t, "the idle object is evicted on the new time", func() bool { return report(t, w).InMemory == 0 })
}

func TestTheClockStartsAtTheGivenTime(t *testing.T) {
	start := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	w := newStoppedWorld(t, func(o *Options) { o.Time = start })
	w.start(scripted.Alarms(nil))
	if now := w.world.Clock().Now(); !now.Equal(start) {
		t.Errorf("got %s, want %s", now, start)
	}
	w.want("a", "/set1h", "")
	start = start.Add(30 * time.Minute)
	w.restart(scripted.Alarms(nil))
	if now := w.world.Clock().Now(); !now.Equal(start) {
		t.Errorf("after a restart at a later time: got %s, want %s", now, start)
	}
	if a, ok := w.alarm("a"); !ok || a.Due.Sub(start) != 30*time.Minute {
		t.Errorf("got alarm %v, want it in half an hour", a)
	}
	w.stop()
	_, err := New(Options{
		Load: func() (*config.Config, error) {
			c, _, err := config.Load(filepath.Join(w.dir, "wrangler.jsonc"), config.Options{})
			return c, err
		},
		State: filepath.Join(w.dir, "state"), Time: start.Add(-time.Hour), Log: slog.New(slog.DiscardHandler),
	})
	if err == nil || !strings.Contains(err.Error(), "can't go back to 2031-02-03T03:35:06Z") {
		t.Errorf("an earlier time: got %v", err)
	}
}

// An emulator that is killed saves nothing at its end. The next one must not start before this one.
func TestTheGivenTimeIsSavedAtTheStart(t *testing.T) {
	start := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	for name, frozen := range map[string]bool{"frozen": true, "running": false} {
		t.Run(name, func(t *testing.T) {
			mode := clock.Running
			if frozen {
				mode = clock.Frozen
			}
			w := newStoppedWorld(t, func(o *Options) { o.Time, o.Frozen = start, frozen })
			w.start(scripted.Alarms(nil))
			saved, err := w.state.ReadClock()
			if err != nil {
				t.Fatal(err)
			}
			next := clock.New(clock.Options{State: saved, Mode: mode})
			defer next.Close()
			if now := next.Now(); now.Before(start) || frozen && !now.Equal(start) {
				t.Errorf("the next emulator would start at %s, want %s", now, start)
			}
		})
	}
}

// trace returns what happens, with a seed, to some objects that fail at the same time.
func trace(t *testing.T, seed uint64) string {
	s := scripted.Alarms(func(*call) error { return errNoLuck })
	w := newStoppedWorld(t, func(o *Options) {
		o.Seed, o.Time = seed, time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	})
	w.start(s)
	defer w.stop()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		w.want(name, "/set1h", "")
	}
	var lines []string
	for _, f := range w.move(control.AdvanceRequest{Duration: "2h"}).Fired {
		lines = append(lines, f.At.Format(time.RFC3339Nano)+" "+f.Name)
	}
	return strings.Join(lines, "\n")
}

func TestTheSameSeedGivesTheSameTrace(t *testing.T) {
	if a, b := trace(t, 7), trace(t, 7); a != b {
		t.Errorf("the same seed gives\n%s\nand\n%s", a, b)
	}
	if a, b := trace(t, 7), trace(t, 8); a == b {
		t.Errorf("another seed gives the same\n%s", a)
	}
	const inOrder = "2031-02-03T05:05:06Z a\n2031-02-03T05:05:06Z b\n"
	if a, b := trace(t, 0), trace(t, 0); a != b || !strings.HasPrefix(a, inOrder) {
		t.Errorf("without a seed: got\n%s\nand\n%s\nwant the order in which the alarms were set", a, b)
	}
}
