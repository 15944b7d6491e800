package clock_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/clock"
)

func TestClockStartsWhereItsStateSays(t *testing.T) {
	hour := epoch.Add(time.Hour)
	for _, tt := range []struct {
		name  string
		state clock.State
		now   time.Time
		mode  clock.Mode
		later time.Time // a minute of wall time after
	}{
		{"the zero State", clock.State{}, epoch, clock.Running, epoch.Add(time.Minute)},
		{"an unknown mode", clock.State{Mode: "sideways"}, epoch, clock.Running, epoch.Add(time.Minute)},
		{"an offset", clock.State{Mode: clock.Running, Offset: time.Hour}, hour, clock.Running, hour.Add(time.Minute)},
		{"a floor below", clock.State{Offset: time.Hour, At: epoch}, hour, clock.Running, hour.Add(time.Minute)},
		{"a floor above", clock.State{At: hour}, hour, clock.Running, hour.Add(time.Minute)},
		{"frozen before", clock.State{Mode: clock.Frozen, At: epoch.Add(-time.Hour)}, epoch.Add(-time.Hour),
			clock.Frozen, epoch.Add(-time.Hour)},
		{"frozen after", clock.State{Mode: clock.Frozen, At: hour}, hour, clock.Frozen, hour},
		{"frozen without a time", clock.State{Mode: clock.Frozen}, epoch, clock.Frozen, epoch},
		{"frozen between milliseconds", clock.State{Mode: clock.Frozen, At: hour.Add(-1)}, hour.Add(-time.Millisecond),
			clock.Frozen, hour.Add(-time.Millisecond)},
		{"frozen after the year 9999", clock.State{Mode: clock.Frozen, At: time.Unix(1<<62, 0)},
			time.UnixMilli(253_402_300_799_999), clock.Frozen, time.UnixMilli(253_402_300_799_999)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWall()
			c := clock.New(clock.Options{Wall: w.Now, State: tt.state})
			defer c.Close()
			if got := c.Mode(); got != tt.mode {
				t.Errorf("Mode: got %q, want %q", got, tt.mode)
			}
			// The first reading comes after a minute: a clock must not start only when it is read.
			w.pass(time.Minute)
			wantTime(t, "a minute later", c.Now(), tt.later)

			c = clock.New(clock.Options{Wall: newWall().Now, State: tt.state})
			defer c.Close()
			wantTime(t, "at once", c.Now(), tt.now)
		})
	}
}

func TestStateHoldsModeOffsetAndTime(t *testing.T) {
	w := newWall()
	w.pass(1500 * time.Microsecond) // the offset stays exact, although times are cut
	c := clock.New(clock.Options{Wall: w.Now})
	defer c.Close()

	w.pass(time.Second)
	now := epoch.Add(time.Second + time.Millisecond)
	check := func(want clock.State) {
		t.Helper()
		if diff := cmp.Diff(want, c.State()); diff != "" {
			t.Errorf("State (-want +got):\n%s", diff)
		}
	}
	check(clock.State{Mode: clock.Running, At: now})
	if err := c.Freeze(); err != nil {
		t.Fatal(err)
	}
	check(clock.State{Mode: clock.Frozen, At: now})
	advance(t, c, time.Hour)
	check(clock.State{Mode: clock.Frozen, At: now.Add(time.Hour)})
	w.pass(500*time.Microsecond + time.Minute)
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	check(clock.State{Mode: clock.Running, Offset: time.Hour - time.Minute - time.Millisecond, At: now.Add(time.Hour)})
}

func TestOffsetOfUndisturbedClockStaysExactlyZero(t *testing.T) {
	c := clock.New(clock.Options{})
	defer c.Close()
	c.Now()
	if got := c.State().Offset; got != 0 {
		t.Errorf("got %v, want 0", got)
	}
}

func TestRestartNeverShowsAnEarlierTime(t *testing.T) {
	for _, tt := range []struct {
		name string
		back time.Duration // how far the wall clock was set back while the program was down
		want time.Duration // since the State was taken
	}{
		{"the wall clock went on", -time.Minute, time.Minute},
		{"the wall clock was set back", time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWall()
			first := clock.New(clock.Options{Wall: w.Now})
			defer first.Close()
			advance(t, first, 24*time.Hour)
			state := first.State()

			w.pass(-tt.back)
			second := clock.New(clock.Options{Wall: w.Now, State: state})
			defer second.Close()
			wantTime(t, "Now", second.Now(), epoch.Add(24*time.Hour+tt.want))
		})
	}
}

func TestStateOutlivesAnOffsetTooLargeForADuration(t *testing.T) {
	w := newWall()
	first := clock.New(clock.Options{Wall: w.Now})
	defer first.Close()
	advance(t, first, math.MaxInt64)
	advance(t, first, math.MaxInt64)

	second := clock.New(clock.Options{Wall: w.Now, State: first.State()})
	defer second.Close()
	wantTime(t, "Now", second.Now(), first.Now())
	w.pass(time.Second)
	wantTime(t, "a second later", second.Now(), first.Now())
}

func TestEachChangeOfStateIsSaved(t *testing.T) {
	var got []clock.State
	w := newWall()
	c := clock.New(clock.Options{Wall: w.Now, Save: func(s clock.State) error { got = append(got, s); return nil }})
	defer c.Close()
	after := func(d time.Duration) time.Time { return epoch.Add(d) }
	const lease = 2 * time.Second // a running clock saves a time that it has not reached

	w.pass(time.Second)
	_ = c.Freeze()
	_ = c.Freeze() // changes nothing
	c.At(after(time.Second), func(*clock.Step) {})
	c.At(after(3*time.Second), func(*clock.Step) {})
	c.At(after(3*time.Second), func(*clock.Step) {})
	advance(t, c, 3*time.Second)
	_ = c.Resume()
	c.At(after(5*time.Second), func(*clock.Step) { w.pass(time.Second) })
	advance(t, c, 2*time.Second)

	want := []clock.State{
		{Mode: clock.Running, At: after(lease)},                                          // New
		{Mode: clock.Frozen, At: after(1 * time.Second)},                                 // Freeze
		{Mode: clock.Frozen, At: after(1 * time.Second)},                                 // the advance begins
		{Mode: clock.Frozen, At: after(3 * time.Second)},                                 // the step to the two timers
		{Mode: clock.Frozen, At: after(4 * time.Second)},                                 // the end of the advance
		{Mode: clock.Running, Offset: 3 * time.Second, At: after(4*time.Second + lease)}, // Resume
		{Mode: clock.Running, Offset: 3 * time.Second, At: after(4 * time.Second)},       // the advance begins
		{Mode: clock.Running, Offset: 4 * time.Second, At: after(5 * time.Second)},       // the step
		{Mode: clock.Running, Offset: 4 * time.Second, At: after(6 * time.Second)},       // the target, a second later
		{Mode: clock.Running, Offset: 4 * time.Second, At: after(6*time.Second + lease)}, // the clock runs on
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("saved (-want +got):\n%s", diff)
	}
}

func TestStateSurvivesJSON(t *testing.T) {
	want := clock.State{Mode: clock.Frozen, Offset: 90 * time.Second, At: epoch}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), `{"mode":"frozen","offset":90000000000,"at":"2026-03-04T05:06:07Z"}`; got != want {
		t.Errorf("encoded: got %s, want %s", got, want)
	}
	var got clock.State
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestModeIsParsed(t *testing.T) {
	for text, want := range map[string]clock.Mode{"running": clock.Running, "": clock.Running, "frozen": clock.Frozen} {
		var got clock.Mode
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %q and error %v, want %q", text, got, err, want)
		}
	}
	var m clock.Mode
	const want = `parse clock mode "Frozen": want "running" or "frozen"`
	if err := m.UnmarshalText([]byte("Frozen")); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func FuzzStateFromJSON(f *testing.F) {
	f.Add(`{}`)
	f.Add(`{"mode":"frozen","at":"9999-12-31T23:59:59.9999Z"}`)
	f.Add(`{"mode":"running","offset":9223372036854775807,"at":"0001-01-01T00:00:00.1Z"}`)
	f.Add(`{"offset":-9223372036854775808}`)
	f.Add(`{"mode":"frozen","at":"0000-01-01T00:00:00+23:00"}`)
	f.Add(`{"mode":"frozen","at":"0001-01-01T00:00:00.0001Z"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var s clock.State
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		c := clock.New(clock.Options{Wall: newWall().Now, State: s})
		defer c.Close()
		saved, err := json.Marshal(c.State())
		if err != nil {
			t.Fatalf("the state of a clock started from %s cannot be saved: %v", text, err)
		}
		var again clock.State
		if err := json.Unmarshal(saved, &again); err != nil {
			t.Fatal(err)
		}
		next := clock.New(clock.Options{Wall: newWall().Now, State: again})
		defer next.Close()
		wantTime(t, "Now after a second restart", next.Now(), c.Now())
	})
}
