package clock_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"devtool.internal/clock"
)

func TestZeroOptionsShowRealTime(t *testing.T) {
	c := clock.New(clock.Options{})
	defer c.Close()

	before := time.Now().Truncate(time.Millisecond)
	got := c.Now()
	after := time.Now()
	if got.Before(before) || got.After(after) {
		t.Errorf("Now: got %v, want between %v and %v", got, before, after)
	}
	if got := c.Mode(); got != clock.Running {
		t.Errorf("Mode: got %q, want %q", got, clock.Running)
	}
}

func TestNowIsUTCCutToWholeMilliseconds(t *testing.T) {
	for _, tt := range []struct{ name, wall, want string }{
		{"just before the next", "2026-03-04T05:06:07.123999999+02:00", "2026-03-04T03:06:07.123Z"},
		{"whole", "2026-03-04T05:06:07.5Z", "2026-03-04T05:06:07.5Z"},
		{"before 1970", "1969-12-31T23:59:59.9985Z", "1969-12-31T23:59:59.998Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, tt.wall)
			if err != nil {
				t.Fatal(err)
			}
			c := clock.New(clock.Options{Wall: func() time.Time { return at }})
			defer c.Close()
			if got := c.Now().Format(time.RFC3339Nano); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestFreezeStopsTheClockAndResumeContinuesFromThere(t *testing.T) {
	w := newWall()
	c := clock.New(clock.Options{Wall: w.Now})
	defer c.Close()

	w.pass(time.Second)
	if err := c.Freeze(); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	wantTime(t, "frozen", c.Now(), epoch.Add(time.Second))
	if got := c.Mode(); got != clock.Frozen {
		t.Errorf("Mode: got %q, want %q", got, clock.Frozen)
	}
	if err := c.Freeze(); err != nil {
		t.Errorf("freezing a frozen clock: %v", err)
	}

	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	wantTime(t, "resumed", c.Now(), epoch.Add(time.Second))
	w.pass(time.Minute)
	if err := c.Resume(); err != nil {
		t.Errorf("resuming a running clock: %v", err)
	}
	wantTime(t, "a minute after", c.Now(), epoch.Add(time.Minute+time.Second))
}

func TestClockGoesOnWhenTheWallClockLeapsBack(t *testing.T) {
	w := newWall()
	c := clock.New(clock.Options{Wall: w.Now})
	defer c.Close()

	w.pass(time.Minute)
	wantTime(t, "before the leap", c.Now(), epoch.Add(time.Minute))
	w.pass(-time.Hour)
	wantTime(t, "after the leap", c.Now(), epoch.Add(time.Minute))
	w.pass(time.Second)
	wantTime(t, "a second later", c.Now(), epoch.Add(time.Minute+time.Second))
	if got, want := c.State().Offset, time.Hour; got != want {
		t.Errorf("Offset: got %v, want %v", got, want)
	}
}

func TestElapsedFollowsTheWallClockOnlyWhenItLeapsForward(t *testing.T) {
	for _, tt := range []struct {
		name               string
		steady, wall, want time.Duration
	}{
		{"the two agree", time.Minute, time.Minute, time.Minute},
		{"the wall clock wanders", time.Minute, time.Minute + 5*time.Millisecond, time.Minute},
		{"the laptop slept for two hours", time.Minute, 2*time.Hour + time.Minute, 2*time.Hour + time.Minute},
		{"the wall clock was set back", time.Minute, -time.Hour, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := clock.Elapsed(tt.steady, tt.wall); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDueIsRoundedUpToWholeMillisecondsAndKeptInRange(t *testing.T) {
	last := time.UnixMilli(8_640_000_000_000_000).UTC()
	first := time.UnixMilli(-8_640_000_000_000_000).UTC()
	for _, tt := range []struct {
		name      string
		due, want time.Time
	}{
		{"whole", epoch.Add(time.Second), epoch.Add(time.Second)},
		{"a nanosecond more", epoch.Add(1), epoch.Add(time.Millisecond)},
		{"a nanosecond less", epoch.Add(-1), epoch},
		{"before 1970", time.Unix(0, -1), time.UnixMilli(0)},
		{"zero", time.Time{}, time.Time{}},
		{"after the end of time", last.Add(1), last},
		{"far after the end of time", time.Unix(1<<62, 0), last},
		{"before its beginning", first.Add(-1), first},
		{"far before its beginning", time.Unix(-1<<62, 0), first},
	} {
		t.Run(tt.name, func(t *testing.T) {
			timer := frozenAt(t, epoch).At(tt.due, nil)
			wantTime(t, "Due", timer.Due(), tt.want)
			if got := timer.Due().Location(); got != time.UTC {
				t.Errorf("location: got %v, want UTC", got)
			}
		})
	}
}

func TestNextIsTheEarliestPendingTimer(t *testing.T) {
	c := frozenAt(t, epoch)
	if due, ok := c.Next(); ok {
		t.Errorf("without timers: got %v, want none", due)
	}

	late := c.At(epoch.Add(time.Hour), func(*clock.Step) {})
	past := c.At(epoch.Add(-time.Hour), func(*clock.Step) {})
	for _, want := range []*clock.Timer{past, late} {
		due, ok := c.Next()
		if !ok {
			t.Fatal("no next timer")
		}
		wantTime(t, "Next", due, want.Due())
		if !want.Stop() {
			t.Error("Stop: got false, want true")
		}
	}
	if due, ok := c.Next(); ok {
		t.Errorf("with all stopped: got %v, want none", due)
	}
}

func TestATimerAheadFiresFirstOfItsInstant(t *testing.T) {
	c := frozenAt(t, epoch)
	var fired []string
	note := func(name string) func(*clock.Step) {
		return func(*clock.Step) { fired = append(fired, name) }
	}
	c.At(epoch.Add(2*time.Second), note("set before"))
	c.AtFirst(epoch.Add(2*time.Second), note("ahead"))
	c.AtFirst(epoch.Add(2*time.Second), note("ahead, too"))
	c.At(epoch.Add(time.Second), note("due before"))
	advance(t, c, 3*time.Second)
	if got, want := strings.Join(fired, ", "), "due before, ahead, ahead, too, set before"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStopReportsWhetherItKeptTheTimerFromFiring(t *testing.T) {
	c := frozenAt(t, epoch)
	var stopped, fired int
	timer := c.At(epoch.Add(time.Second), func(*clock.Step) { stopped++ })
	var own *clock.Timer
	own = c.At(epoch.Add(time.Second), func(*clock.Step) {
		fired++
		if own.Stop() {
			t.Error("Stop of a timer that is firing: got true, want false")
		}
	})

	if !timer.Stop() {
		t.Error("first Stop: got false, want true")
	}
	if timer.Stop() {
		t.Error("second Stop: got true, want false")
	}
	advance(t, c, time.Minute)
	if own.Stop() {
		t.Error("Stop of a timer that has fired: got true, want false")
	}
	if stopped != 0 || fired != 1 {
		t.Errorf("got %d firings of the stopped timer and %d of the other, want 0 and 1", stopped, fired)
	}
}

func TestClosedClockStillShowsItsTimeAndRefusesTheRest(t *testing.T) {
	saves := 0
	c := clock.New(clock.Options{
		State: clock.State{Mode: clock.Frozen, At: epoch},
		Save:  func(clock.State) error { saves++; return nil },
	})
	timer := c.At(epoch, func(*clock.Step) { t.Error("a timer fired after Close") })
	saves = 0 // the one of New
	c.Close()
	c.Close()

	wantTime(t, "Now", c.Now(), epoch)
	_, err := c.Advance(t.Context(), time.Second, clock.Limits{})
	for what, err := range map[string]error{"Freeze": c.Freeze(), "Resume": c.Resume(), "Advance": err} {
		if !errors.Is(err, clock.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", what, err)
		}
	}
	if !timer.Stop() {
		t.Error("Stop: got false, want true")
	}
	if saves != 0 {
		t.Errorf("saves: got %d, want 0", saves)
	}
}

func TestTimersAreSmall(t *testing.T) {
	if got := unsafe.Sizeof(clock.Timer{}); got > 48 {
		t.Errorf("a timer takes %d bytes, want at most 48", got)
	}
	c := frozenAt(t, epoch)
	got := testing.AllocsPerRun(100, func() { c.At(epoch, func(*clock.Step) {}).Stop() })
	if got > 1 {
		t.Errorf("setting and stopping a timer allocates %v times, want once", got)
	}
}
