package emulator

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool/emulator/control"
)

// The laws of time, in random worlds of objects that set, delete and re-arm alarms, fail, abort, sleep and call each other. The
// clock's own laws are in package clock.

// same compares two courses to the byte, and checks besides what has to hold of each.
func same(t *rapid.T, want, got course) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(course{})); diff != "" {
		t.Fatalf("the course of the world (-want +got):\n%s", diff)
	}
	lawful(t, got)
}

// lawful checks that in a course time never runs backwards, nothing comes early, and nobody oversleeps.
func lawful(t *rapid.T, c course) {
	t.Helper()
	before := int64(0)
	for _, note := range c.notes {
		now, what := cutTime(t, note)
		if now < before {
			t.Fatalf("time ran backwards: %q after %d", note, before)
		}
		before = now
		if _, slept, ok := strings.Cut(what, " slept "); ok {
			d, from, _ := strings.Cut(slept, " from ")
			if now != number(t, d)+number(t, from) {
				t.Fatalf("woke at the wrong time: %q", note)
			}
		}
		early(t, note)
	}
	for _, fired := range c.fired {
		early(t, fired)
	}
}

// early objects to a line of something that came before it was due.
func early(t *rapid.T, line string) {
	t.Helper()
	now, what := cutTime(t, line)
	if strings.Contains(what, " called") || !strings.Contains(what, " for ") {
		return
	}
	_, due, _ := strings.Cut(what, " for ")
	due, _, _ = strings.Cut(due, " ")
	if now < number(t, due) {
		t.Fatalf("came early: %q", line)
	}
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

func TestLawAlarmsRunAsTheModelSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		u := universes(false).Draw(rt, "universe")
		got := played(t, u, 0)
		want := modelled(u, got.waits)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(course{})); diff != "" {
			rt.Fatalf("the course of the world (-want +got):\n%s", diff)
		}
	})
}

var _ = control.AdvanceRequest{}

func TestTmp(t *testing.T) {
	for _, list := range [][]deed{
		{{What: doSet, After: 0}, {What: doSet, After: 70000}, {What: doUndone, After: 10000}, {What: doAbort}},
		{{What: doSet, After: 70000}, {What: doUndone, After: 10000}, {What: doAbort}},
		{{What: doUndone, After: 10000}, {What: doAbort}},
		{{What: doSet, After: 70000}, {What: doAbort}},
		{{What: doSet, After: 0}, {What: doAbort}},
	} {
		for range 20 {
			u := universe{Alarms: [][][]deed{{{}}}, Course: []move{
				{What: moveRequest, Do: []deed{{What: doSet, After: 10000}}},
				{What: moveRequest, Do: list},
				{What: moveOn, After: 70000},
			}}
			got := played(t, u, 0)
			if diff := cmp.Diff(modelled(u, got.waits), got, cmp.AllowUnexported(course{})); diff != "" {
				t.Errorf("%v: %s", list, diff)
				break
			}
		}
	}
}
