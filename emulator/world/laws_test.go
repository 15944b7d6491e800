package world

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/emulator/control"
)

// The laws of time, in random worlds. Their objects set, delete and re-arm alarms, fail, abort,
// sleep and call each other. The clock's own laws are in package clock.

// same checks that two courses are identical, and that they are lawful.
func same(t *rapid.T, u universe, want, got course) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(course{})); diff != "" {
		t.Fatalf("the course of the world (-want +got):\n%s", diff)
	}
	lawful(t, u, got)
}

// lawful checks that time in a course never goes back, nothing comes early, and no sleep lasts too
// long.
func lawful(t *rapid.T, u universe, c course) {
	t.Helper()
	before := int64(0)
	for _, note := range c.notes {
		now, what := cutTime(t, note)
		if now < before {
			t.Fatalf("time went back: %q after %d", note, before)
		}
		before = now
		if _, slept, ok := strings.Cut(what, " slept "); ok {
			d, from, _ := strings.Cut(slept, " from ")
			late := now - number(t, d) - number(t, from)
			if late < 0 || late > 0 && !has(u, moveJump, "") {
				t.Fatalf("woke at the wrong time: %q", note)
			}
		}
		early(t, u, note)
	}
	for _, fired := range c.fired {
		early(t, u, fired)
	}
}

// early fails the test if line is about something that ran before it was due. A trigger may do
// that.
func early(t *rapid.T, u universe, line string) {
	t.Helper()
	now, what := cutTime(t, line)
	who, due, ok := strings.Cut(what, " for ")
	who, _, _ = strings.Cut(who, " run ")
	due, _, _ = strings.Cut(due, " ")
	if ok && !has(u, moveTrigger, who) && now < number(t, due) {
		t.Fatalf("came early: %q", line)
	}
}

// has reports whether the course of u has a move of this kind that concerns the object called name,
// or any object if name is empty.
func has(u universe, what, name string) bool {
	return slices.ContainsFunc(u.Course, func(m move) bool {
		return m.What == what && (name == "" || objectName(m.Object) == name)
	})
}

func cutTime(t *rapid.T, line string) (ms int64, rest string) {
	t.Helper()
	at, rest, _ := strings.Cut(line, ": ")
	return number(t, at), rest
}

func number(t *rapid.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sameAsModel is same with the course that the model computes.
func sameAsModel(t *rapid.T, u universe, got course) {
	t.Helper()
	same(t, u, modelled(u, got.waits), got)
}

func TestLawAlarmsRunAsTheModelSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		u := universes(false).Draw(rt, "universe")
		sameAsModel(rt, u, played(t, u, 0))
	})
}

func TestLawARestartBetweenTwoStepsChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		u := universes(false).Draw(rt, "universe")
		p := beginPlaying(t, u, 0)
		defer p.stop()
		for _, m := range u.Course {
			if m.What != moveOn {
				p.make(m)
				continue
			}
			target := p.clock.Now().Add(time.Duration(m.After) * time.Millisecond)
			for ended := false; !ended; {
				steps := rapid.IntRange(1, 8).Draw(rt, "steps before the restart")
				advanced := p.advance(control.AdvanceRequest{To: &target, MaxRuns: steps})
				if ended = advanced.Stopped == ""; !ended && advanced.StoppedBy != control.StoppedByRuns {
					rt.Fatalf("the advance stopped: %s", advanced.Stopped)
				}
				if !p.retrying() {
					p.restart(p.script)
				}
			}
		}
		sameAsModel(rt, u, p.end())
	})
}

// retrying reports whether an alarm waits for its retry. A restart forgets that, as on the
// platform: the alarm would start again without counted failures.
func (p *playing) retrying() bool {
	return slices.ContainsFunc(p.PendingAlarms(), func(a control.Alarm) bool { return !a.Due.Equal(a.Scheduled) })
}

func TestLawAdvancingByNothingRunsJustWhatIsOverdue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		u := universes(false).Draw(rt, "universe")
		p := beginPlaying(t, u, 0)
		defer p.stop()
		for _, m := range u.Course {
			p.make(m)
		}
		now := p.clock.Now()
		due := 0
		for _, a := range p.PendingAlarms() {
			if !a.Due.After(now) {
				due++
			}
		}
		nothing := move{What: moveOn}
		u.Course = append(u.Course, nothing)
		before := len(p.reports)
		p.make(nothing)
		if ran := len(p.reports) - before; (ran > 0) != (due > 0) {
			rt.Fatalf("%d alarms were due, and %d ran", due, ran)
		}
		if next, ok := p.clock.Next(); !p.clock.Now().Equal(now) || ok && !next.After(now) {
			rt.Fatalf("the clock went from %s to %s, where something is due at %s", now, p.clock.Now(), next)
		}
		sameAsModel(rt, u, p.end())
	})
}

// anyUniverse draws a seed, and a universe whose handlers may sleep.
func anyUniverse(t *rapid.T) (universe, uint64) {
	sleeps := rapid.Bool().Draw(t, "sleeps")
	return universes(sleeps).Draw(t, "universe"), rapid.Uint64Range(0, 3).Draw(t, "seed")
}

func TestLawAdvancingInPartsIsAdvancingAtOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		u, seed := anyUniverse(rt)
		p := beginPlaying(t, u, seed)
		defer p.stop()
		for _, m := range u.Course {
			if m.What == moveOn {
				part := rapid.Int64Range(0, m.After).Draw(rt, "part")
				p.make(move{What: moveOn, After: part})
				m.After -= part
			}
			p.make(m)
		}
		same(rt, u, played(t, u, seed), p.end())
	})
}

func TestLawTheSameSeedGivesTheSameCourse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		u, seed := anyUniverse(rt)
		same(rt, u, played(t, u, seed), played(t, u, seed))
	})
}
