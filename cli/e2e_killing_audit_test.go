package cli_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// pages is the answer of a book. Times are in ms since 1970.
type pages struct {
	Places       map[string]map[string]int64
	Waiting, Ran map[string]int64
	Count, Early int
	Head, Tail   string
	Armed, Alarm int64
}

// audit returns what is wrong with a book. entries is what the record has of it, and indexed is the
// time of its alarm in the emulator's index, or 0.
func (p pages) audit(entries map[string]int64, indexed int64) (wrong []error) {
	report := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	made := p.Places["first"]
	for place, there := range p.Places {
		if !maps.Equal(there, made) {
			report("torn: the %s and the first place differ: %v and %v", place, there, made)
		}
	}
	for id, due := range entries {
		if got, ok := made[id]; due != unanswered && (!ok || got != due) {
			report("lost: entry %s was acknowledged, due at %d: got %d, %t", id, due, got, ok)
		}
	}
	for id, due := range made {
		if _, ok := entries[id]; !ok {
			report("entry %s was never sent", id)
		}
		_, waits := p.Waiting[id]
		at, ran := p.Ran[id]
		if waits == ran {
			report("torn: entry %s waits for its alarm: %t, and its alarm has run: %t", id, waits, ran)
		}
		if ran && at < due {
			report("early: entry %s, due at %d, had its alarm at %d", id, due, at)
		}
	}
	if p.Count != len(made) || len(p.Waiting)+len(p.Ran) != len(made) {
		report("torn: %d entries, but %d counted, %d waiting, %d whose alarm has run",
			len(made), p.Count, len(p.Waiting), len(p.Ran))
	}
	if p.Head != p.Tail || (p.Head == "") != (len(made) == 0) {
		report("torn: the entry began with %.8q and ended with %.8q", p.Head, p.Tail)
	}
	if p.Early != 0 {
		report("%d alarms came early", p.Early)
	}
	if p.Alarm != p.Armed || (p.Alarm == 0) != (len(p.Waiting) == 0) {
		report("torn: the alarm is at %d, should be at %d, and %d entries wait for it",
			p.Alarm, p.Armed, len(p.Waiting))
	}
	// An index that is too early does no harm: the alarm then finds that it was moved.
	if p.Alarm != 0 && (indexed == 0 || indexed > p.Alarm) {
		report("lost: the index has the alarm at %d, but it is set for %d", indexed, p.Alarm)
	}
	return wrong
}

// checkAudit compares the findings of an audit with a part of them, or with none if want is empty.
func checkAudit(t *testing.T, wrong []error, want string) {
	t.Helper()
	got := errors.Join(wrong...)
	if got == nil && want == "" {
		return
	}
	if got == nil || want == "" || !strings.Contains(got.Error(), want) {
		t.Errorf("got %v, want %q", got, want)
	}
}

func TestAnAuditSeesWhatIsWrongWithABook(t *testing.T) {
	t.Parallel()
	const now, due = 1000, 2000
	entries := map[string]int64{"a": now, "b": due, "c": unanswered}
	for _, test := range []struct {
		name    string
		change  func(*pages)
		indexed int64
		want    string // part of what is wrong, or empty for nothing
	}{
		{"nothing", func(*pages) {}, due, ""},
		{"indexed sooner", func(*pages) {}, now, ""},
		{"not indexed", func(*pages) {}, 0, "lost: the index has the alarm at 0"},
		{"indexed later", func(*pages) {}, due + 1, "lost: the index has the alarm at 2001"},
		{"entry lost", func(p *pages) {
			delete(p.Places["first"], "a")
			delete(p.Places["second"], "a")
			delete(p.Ran, "a")
			p.Count--
		}, due, "lost: entry a"},
		{"entry unknown", func(p *pages) {
			p.Places["first"]["x"], p.Places["second"]["x"], p.Ran["x"] = now, now, now
			p.Count++
		}, due, "entry x was never sent"},
		{"entry in one place", func(p *pages) { p.Places["second"]["c"] = now }, due, "torn: the second"},
		{"alarm early", func(p *pages) { p.Ran["a"] = now - 1 }, due, "early: entry a"},
		{"alarm hurried", func(p *pages) { p.Early = 1 }, due, "1 alarms came early"},
		{"alarm moved", func(p *pages) { p.Alarm = due - 1 }, due - 1, "torn: the alarm is at 1999"},
		{"alarm left", func(p *pages) {
			p.Waiting, p.Ran = nil, map[string]int64{"a": now, "b": due}
		}, due, "and 0 entries wait"},
		{"alarm forgotten", func(p *pages) {
			delete(p.Waiting, "b")
			p.Waiting["c"] = due
		}, due, "torn: entry b"},
		{"count", func(p *pages) { p.Count = 3 }, due, "3 counted"},
		{"tail", func(p *pages) { p.Tail = "a" }, due, "torn: the entry began"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := pages{
				Places:  map[string]map[string]int64{"first": {"a": now, "b": due}, "second": {"a": now, "b": due}},
				Waiting: map[string]int64{"b": due},
				Ran:     map[string]int64{"a": now},
				Count:   2,
				Head:    "b", Tail: "b",
				Armed: due, Alarm: due,
			}
			test.change(&p)
			checkAudit(t, p.audit(entries, test.indexed), test.want)
		})
	}
}
