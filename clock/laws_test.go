package clock_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/clock"
)

// A world is a set of timers that set and stop other timers when they fire. Timers are numbered in
// the order in which they are set. Times are in milliseconds from the world's beginning.
type world struct {
	First []int64 // when the initial timers are due
	Acts  []act   // timer n does Acts[n % len(Acts)]
}

type act struct {
	Set       []int64 // sets timers, due so long after now
	Stop      []int   // stops timers, by their number modulo how many there are
	Elsewhere bool    // works on another goroutine, under a hold on its step
}

// maxTimers bounds the number of timers in a world, which could otherwise set each other for ever.
const maxTimers = 60

// durations draws short times, so that timers often coincide with each other and with the ends of
// advances.
func durations(low int64) *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64Range(low, 6), rapid.Int64Range(low, 100))
}

func worlds() *rapid.Generator[world] {
	return rapid.Custom(func(t *rapid.T) world {
		acts := rapid.Custom(func(t *rapid.T) act {
			return act{
				Set:       rapid.SliceOfN(durations(-4), 0, 3).Draw(t, "set"),
				Stop:      rapid.SliceOfN(rapid.IntRange(0, maxTimers), 0, 2).Draw(t, "stop"),
				Elsewhere: rapid.Bool().Draw(t, "elsewhere"),
			}
		})
		return world{
			First: rapid.SliceOfN(durations(-4), 1, 12).Draw(t, "first"),
			Acts:  rapid.SliceOfN(acts, 1, 6).Draw(t, "acts"),
		}
	})
}

// An event is what can be observed of a world: a timer fired, or stopping a timer did or did not
// keep it from firing.
type event struct {
	At    int64
	Timer int
	Due   int64
	Stop  bool // the timer was stopped, not fired
	Kept  bool // what Stop reported
}

// A host runs a world's timers.
type host interface {
	now() int64
	set(n int, due int64)
	stop(n int) bool
}

// A course is one run of a world on some host.
type course struct {
	world
	host  host
	count int // timers set so far
	due   []int64
	trace []event
}

func begin(w world, h host) *course {
	p := &course{world: w, host: h}
	for _, due := range w.First {
		p.set(due)
	}
	return p
}

func (p *course) set(due int64) {
	if p.count == maxTimers {
		return
	}
	p.count++
	p.due = append(p.due, due)
	p.host.set(p.count-1, due)
}

func (p *course) act(n int) act { return p.Acts[n%len(p.Acts)] }

func (p *course) fire(n int) {
	now := p.host.now()
	p.trace = append(p.trace, event{At: now, Timer: n, Due: p.due[n]})
	for _, after := range p.act(n).Set {
		p.set(now + after)
	}
	for _, which := range p.act(n).Stop {
		which %= p.count
		p.trace = append(p.trace,
			event{At: now, Timer: which, Due: p.due[which], Stop: true, Kept: p.host.stop(which)})
	}
}

// A model says what should happen, in the plainest way: it searches all timers for the next.
type model struct {
	at      int64
	pending []modelTimer // in the order in which they were set
}

type modelTimer struct {
	n   int
	due int64
}

func (m *model) now() int64 { return m.at }

func (m *model) set(n int, due int64) { m.pending = append(m.pending, modelTimer{n, due}) }

func (m *model) stop(n int) bool {
	before := len(m.pending)
	m.pending = slices.DeleteFunc(m.pending, func(t modelTimer) bool { return t.n == n })
	return len(m.pending) < before
}

func (m *model) advance(d int64, fire func(n int)) {
	target := m.at + d
	for {
		var next *modelTimer
		for i, t := range m.pending {
			if t.due <= target && (next == nil || t.due < next.due) {
				next = &m.pending[i]
			}
		}
		if next == nil {
			m.at = target
			return
		}
		m.at = max(m.at, next.due)
		n := next.n
		m.stop(n)
		fire(n)
	}
}

func modelled(w world, d int64) *course {
	m := new(model)
	p := begin(w, m)
	m.advance(d, p.fire)
	return p
}

// A clockHost is a host on a Clock.
type clockHost struct {
	clock  *clock.Clock
	start  time.Time
	timers []*clock.Timer // by number
	course *course
}

// startFrozen begins w on a clock that stands at start, or at wall time if that is zero.
func startFrozen(w world, start time.Time) *clockHost {
	c := clock.New(clock.Options{State: clock.State{Mode: clock.Frozen, At: start}})
	h := &clockHost{clock: c, start: c.Now()}
	h.course = begin(w, h)
	return h
}

func (h *clockHost) now() int64 { return h.clock.Now().Sub(h.start).Milliseconds() }

func (h *clockHost) set(n int, due int64) {
	h.timers = append(h.timers, h.at(n, due))
}

func (h *clockHost) at(n int, due int64) *clock.Timer {
	return h.clock.At(h.start.Add(time.Duration(due)*time.Millisecond), func(s *clock.Step) {
		if s == nil || !h.course.act(n).Elsewhere {
			h.course.fire(n)
			return
		}
		s.Add()
		go func() {
			defer s.Done()
			h.course.fire(n)
		}()
	})
}

func (h *clockHost) stop(n int) bool { return h.timers[n].Stop() }

func (h *clockHost) advance(t tb, d int64) {
	t.Helper()
	advance(t, h.clock, time.Duration(d)*time.Millisecond)
}

// restart continues on a new clock from the State of the old one, and sets the pending timers again
// in their order.
func (h *clockHost) restart(t *rapid.T) {
	text, err := json.Marshal(h.clock.State())
	if err != nil {
		t.Fatal(err)
	}
	var state clock.State
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	var pending []int
	for n, timer := range h.timers {
		if timer.Stop() {
			pending = append(pending, n)
		}
	}
	h.clock.Close()
	h.clock = clock.New(clock.Options{State: state})
	for _, n := range pending {
		h.timers[n] = h.at(n, h.course.due[n])
	}
}

// sameCourse compares two courses, and checks what has to hold of every course.
func sameCourse(t *rapid.T, want, got *course) {
	t.Helper()
	if diff := cmp.Diff(want.trace, got.trace); diff != "" {
		t.Fatalf("what happened (-want +got):\n%s", diff)
	}
	var before event
	seen := map[int]bool{}
	for i, h := range got.trace {
		switch {
		case h.At < h.Due && !h.Stop:
			t.Fatalf("timer %d fired early: %+v", h.Timer, h)
		case i > 0 && h.At < before.At:
			t.Fatalf("time ran backwards: %+v after %+v", h, before)
		case !h.Stop && seen[h.Timer]:
			t.Fatalf("timer %d fired again: %+v", h.Timer, h)
		case h.Stop && h.Kept && seen[h.Timer]:
			t.Fatalf("timer %d was stopped after it had fired: %+v", h.Timer, h)
		}
		seen[h.Timer] = seen[h.Timer] || !h.Stop || h.Kept
		before = h
	}
}

func TestLawEachDueTimerFiresOnceInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, d := worlds().Draw(t, "world"), durations(0).Draw(t, "advance")
		got := startFrozen(w, epoch)
		defer got.clock.Close()
		got.advance(t, d)
		sameCourse(t, modelled(w, d), got.course)

		if now := got.now(); now != d {
			t.Fatalf("the clock stands at %d ms, want %d", now, d)
		}
		if due, ok := got.clock.Next(); ok && !due.After(got.clock.Now()) {
			t.Fatalf("a timer due at %v did not fire", due)
		}
	})
}

func TestLawAdvancingInPartsIsAdvancingAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, parts := worlds().Draw(t, "world"), rapid.SliceOfN(durations(0), 1, 8).Draw(t, "parts")
		inParts, atOnce := startFrozen(w, epoch), startFrozen(w, epoch)
		defer inParts.clock.Close()
		defer atOnce.clock.Close()
		var sum int64
		for _, d := range parts {
			inParts.advance(t, d)
			sum += d
		}
		atOnce.advance(t, sum)
		sameCourse(t, atOnce.course, inParts.course)
		if got, want := inParts.now(), atOnce.now(); got != want {
			t.Fatalf("in parts the clock stands at %d ms, at once at %d", got, want)
		}
	})
}

func TestLawAdvancingByZeroFiresJustTheOverdueTimers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := startFrozen(worlds().Draw(t, "world"), epoch)
		defer h.clock.Close()
		h.advance(t, durations(0).Draw(t, "advance"))
		for range rapid.IntRange(0, 5).Draw(t, "more timers") {
			h.course.set(h.now() + durations(-20).Draw(t, "due"))
		}

		now, before := h.now(), len(h.course.trace)
		h.advance(t, 0)
		if got := h.now(); got != now {
			t.Fatalf("the clock went from %d to %d ms", now, got)
		}
		for _, fired := range h.course.trace[before:] {
			if !fired.Stop && fired.Due > now {
				t.Fatalf("fired without being due: %+v", fired)
			}
		}
		for n, timer := range h.timers {
			if timer.Stop() && h.course.due[n] <= now {
				t.Fatalf("timer %d was due at %d ms and did not fire by %d", n, h.course.due[n], now)
			}
		}
	})
}

func TestLawARestartBetweenTwoStepsChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, d := worlds().Draw(t, "world"), durations(0).Draw(t, "advance")
		h := startFrozen(w, epoch)
		defer func() { h.clock.Close() }()
		for ended := false; !ended; {
			left := time.Duration(d-h.now()) * time.Millisecond
			steps := rapid.IntRange(1, 10).Draw(t, "steps before the restart")
			_, err := h.clock.Advance(t.Context(), left, clock.Limits{Firings: steps})
			var limit *clock.LimitError
			if err != nil && !errors.As(err, &limit) {
				t.Fatal(err)
			}
			ended = err == nil
			h.restart(t)
		}
		sameCourse(t, modelled(w, d), h.course)
		if now := h.now(); now != d {
			t.Fatalf("the clock stands at %d ms, want %d", now, d)
		}
	})
}

func TestLawARunningClockAndAnAdvanceDoTheSame(t *testing.T) {
	parts := rapid.Custom(func(t *rapid.T) part {
		return part{Millis: durations(0).Draw(t, "ms"), Advance: rapid.Bool().Draw(t, "advance")}
	})
	rapid.Check(t, func(rt *rapid.T) {
		w, parts := worlds().Draw(rt, "world"), rapid.SliceOfN(parts, 1, 6).Draw(rt, "parts")
		var sum int64
		for _, p := range parts {
			sum += p.Millis
		}
		var got *course
		synctest.Test(t, func(t *testing.T) { got = runParts(t, w, parts) })
		sameCourse(rt, modelled(w, sum), got)
	})
}

// A part of a course is time that passes by itself or in an advance.
type part struct {
	Millis  int64
	Advance bool
}

// runParts lets a clock run through parts, in a bubble.
func runParts(t *testing.T, w world, parts []part) *course {
	// The timers are set on a frozen clock, so that none fires before the last is set.
	h := startFrozen(w, time.Time{})
	defer h.clock.Close()
	if err := h.clock.Resume(); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	for _, p := range parts {
		if p.Advance {
			h.advance(t, p.Millis)
		} else {
			pass(time.Duration(p.Millis) * time.Millisecond)
		}
	}
	return h.course
}

func TestLawTimeNeverRunsBackwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWall()
		c := clock.New(clock.Options{Wall: w.Now})
		defer func() { c.Close() }()
		last := c.Now()
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				now := c.Now()
				if now.Before(last) {
					t.Fatalf("got %v after %v", now, last)
				}
				last = now
			},
			"the wall clock moves": func(t *rapid.T) {
				w.pass(time.Duration(rapid.Int64Range(-1e10, 1e10).Draw(t, "by")))
			},
			"freeze": func(t *rapid.T) {
				if err := c.Freeze(); err != nil {
					t.Fatal(err)
				}
			},
			"resume": func(t *rapid.T) {
				if err := c.Resume(); err != nil {
					t.Fatal(err)
				}
			},
			"advance": func(t *rapid.T) {
				d := time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "by"))
				before := c.Now()
				report, err := c.Advance(t.Context(), d, clock.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if got := report.To.Sub(report.From); got < d || report.From.Before(before) ||
					c.Now().Before(report.To) {
					t.Fatalf("advance by %v from %v reported %+v and left the clock at %v", d, before, report, c.Now())
				}
			},
			"restart": func(t *rapid.T) {
				state := c.State()
				c.Close()
				w.pass(time.Duration(rapid.Int64Range(-1e10, 1e10).Draw(t, "while down")))
				c = clock.New(clock.Options{Wall: w.Now, State: state})
			},
		})
	})
}
