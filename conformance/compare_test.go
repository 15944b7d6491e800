package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

func TestCompare(t *testing.T) {
	inner := func(facts ...any) []any { return []any{map[string]any{"facts": facts}} }
	threw := func(text string, facts ...any) any {
		return map[string]any{"facts": append([]any{}, facts...), "threw": text}
	}
	for _, test := range []struct {
		name           string
		program        []Op
		platform, ours []any
		want           string // part of the only mismatch, or empty for none
	}{
		{"both as expected", []Op{count().is(1)}, []any{1.0}, []any{1.0}, ""},
		{"both alike, but not as expected", []Op{count().is(1)}, []any{2.0}, []any{2.0}, "expected 1"},
		{"one not as expected", []Op{count().is(1)}, []any{1.0}, []any{2.0}, "ours     2"},
		{"nothing expected, both alike", []Op{count()}, []any{2.0}, []any{2.0}, ""},
		{"nothing expected, and not alike", []Op{count()}, []any{1.0}, []any{2.0}, "1 count"},
		{"different by choice", []Op{count().differs(1, 2)}, []any{1.0}, []any{2.0}, ""},
		{"different by choice, but alike", []Op{count().differs(1, 2)}, []any{1.0}, []any{1.0}, "expected 1, ours 2"},
		{"depends on who comes first", []Op{count().anyOrder()}, []any{1.0}, []any{2.0}, ""},
		{"within a call", []Op{call(get("a"), get("b").is(none))}, inner("none", "none"), inner("none", "one"),
			`1 call / 2 get "b"`},
		{"a call that fails as expected", []Op{call().fails("reset", "case: x")},
			[]any{plain(failed("reset", "case: x"))}, []any{plain(failed("reset", "case: x"))}, ""},
		{"both calls fail where facts are expected", []Op{call(get("a").is(none))}, []any{plain(refused)},
			[]any{plain(refused)}, "facts of its operations"},
		{"threw alike", []Op{transaction("t", count(), throw("x"), count())}, []any{threw("x", 1.0)},
			[]any{threw("x", 1.0)}, ""},
		{"threw alike after other facts", []Op{transaction("t", count(), throw("x"))}, []any{threw("x", 1.0)},
			[]any{threw("x", 2.0)}, `1 transaction "t" / 1 count`},
		{"threw at another place", []Op{transaction("t", count(), throw("x"), throw("x"))}, []any{threw("x", 1.0)},
			[]any{threw("x")}, "facts"},
		{"threw another error", []Op{transaction("t", throw("x"))}, []any{threw("x")}, []any{threw("y")},
			`1 transaction "t"`},
		{"one threw", []Op{transaction("t", count())}, []any{threw("x", 1.0)}, inner(1.0), `1 transaction "t"`},
		{"threw before what was expected", []Op{transaction("t", throw("x"), count().is(1))}, []any{threw("x")},
			[]any{threw("x")}, "facts of all"},
		{"rolled back alike", []Op{transaction("t", count(), rollback(), count())}, inner(1.0), inner(1.0), ""},
		{"rolled back after other facts", []Op{transaction("t", count(), rollback())}, inner(1.0), inner(2.0),
			`1 transaction "t" / 1 count`},
		{"one was rolled back", []Op{transaction("t", rollback(), count())}, inner(), inner(1.0), "facts"},
		{"rolled back before what was expected", []Op{transaction("t", rollback(), count().is(1))}, inner(), inner(),
			"facts of all"},
		{"a fact is missing", []Op{count(), count()}, []any{1.0, 2.0}, []any{1.0}, "1 facts"},
		{"a fact too many", []Op{count()}, []any{1.0}, []any{1.0, 2.0}, "2 facts"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got string
			mismatches := compare(test.program, test.platform, test.ours)
			for _, m := range mismatches {
				got += m.String()
			}
			if (got == "") != (test.want == "") || len(mismatches) > 1 || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A fake is a side that states only the name of each operation, or "odd" for one kind, or fails.
type fake struct {
	odd string
	err error
}

func (f fake) Do(_ context.Context, _ string, program []Op) ([]any, error) {
	var facts []any
	for _, o := range program {
		inner, err := f.Do(context.Background(), "", o.Do)
		if err != nil {
			return nil, err
		}
		switch {
		case o.Name == f.odd:
			facts = append(facts, "odd")
		case len(inner) > 0:
			facts = append(facts, map[string]any{"facts": inner})
		default:
			facts = append(facts, o.Name)
		}
	}
	return facts, f.err
}

func everyPace(side Side) (sides [paces]Side) {
	for p := range sides {
		sides[p] = side
	}
	return sides
}

func TestADifferingSequenceIsReportedShrunk(t *testing.T) {
	p := &pair{platform: fake{}, ours: everyPace(fake{odd: "put"})}
	for seed := range uint64(20) {
		g, parts := random(seed)
		sent, err := json.Marshal(g.program(parts))
		if err != nil {
			t.Fatal(err)
		}
		const put = `"op":"put"`
		want := min(strings.Count(string(sent), put), 1)
		report, err := p.tryRandom(t.Context(), seed)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(report, put); got != want {
			t.Errorf("seed %d: %d puts in the report, want %d:\n%s\nof %s", seed, got, want, report, sent)
		}
	}
}

func TestAnAgreeingSequenceIsNotReported(t *testing.T) {
	report, err := (&pair{platform: fake{}, ours: everyPace(fake{})}).tryRandom(t.Context(), 1)
	if report != "" || err != nil {
		t.Errorf("report %q, error %v; want none", report, err)
	}
}

func TestASideThatDoesNotAnswerIsADifference(t *testing.T) {
	p := &pair{platform: fake{}, ours: everyPace(fake{err: errors.New("gone")})}
	report, _, err := p.tryCase(t.Context(), one("name", count()))
	if !strings.Contains(report, "gone") || err != nil {
		t.Errorf("report %q, error %v; want one with gone", report, err)
	}
}

// A late is a side that is late with the first program that it gets.
type late struct{ late *atomic.Bool }

func (l late) Do(ctx context.Context, scope string, program []Op) ([]any, error) {
	if l.late.CompareAndSwap(false, true) {
		return fake{odd: program[0].Name}.Do(ctx, scope, program)
	}
	return fake{}.Do(ctx, scope, program)
}

func TestOnlyCasesAboutTimeAreTriedAgain(t *testing.T) {
	for _, test := range []struct {
		do    Op
		again bool
	}{{sleep(1), true}, {count(), false}} {
		p := &pair{platform: fake{}, ours: everyPace(late{new(atomic.Bool)})}
		report, again, err := p.tryCase(t.Context(), Case{"name", []Op{test.do}})
		if again != test.again || (report == "") != test.again || err != nil {
			t.Errorf("%s: report %q, again %t, error %v; want again %t", test.do, report, again, err, test.again)
		}
	}
}

func TestACrowdThatDiffersOnceIsTriedAgain(t *testing.T) {
	for _, test := range []struct {
		ours  Side
		agree bool
	}{{late{new(atomic.Bool)}, true}, {fake{odd: "parallel"}, false}} {
		var out strings.Builder
		p := &pair{platform: fake{}, ours: everyPace(test.ours)}
		none := regexp.MustCompile("^$")
		s, err := p.runAll(t.Context(), Options{Filter: none, Sequences: 1, Sort: "crowd", Out: &out})
		if err != nil || (s.Again == 1) != test.agree || (s.Different == 0) != test.agree {
			t.Errorf("summary %+v, error %v; want agreement when tried again: %t\n%s", s, err, test.agree, &out)
		}
	}
}

// An expected is a side that states the expected facts, but only in scopes that contain its text.
type expected string

func (e expected) Do(ctx context.Context, scope string, program []Op) ([]any, error) {
	facts, err := fake{}.Do(ctx, scope, program)
	for i, o := range program {
		if o.want != nil && strings.Contains(scope, string(e)) {
			facts[i] = plain(o.want.ours)
		}
	}
	return facts, err
}

func TestCasesAboutTimeThatDifferRunAgainWithFewOthers(t *testing.T) {
	var out strings.Builder
	p := &pair{platform: expected(""), ours: everyPace(expected("with few others"))}
	s, err := p.runAll(t.Context(), Options{Filter: regexp.MustCompile("^order: equal sleeps$"), Out: &out})
	if err != nil || s.Cases != 1 || s.Different != 0 || s.Again != 1 {
		t.Errorf("summary %+v, error %v; want one case that agrees when tried again\n%s", s, err, &out)
	}
}

func TestRunnerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&pair{platform: fake{}, ours: everyPace(fake{})}).runAll(ctx, Options{Sequences: 3, Out: t.Output()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestTheErrorSaysThatWorkerdCanNotBeFetched(t *testing.T) {
	if _, err := workerdPackage("plan9", "mips"); !errors.Is(err, ErrNoWorkerd) {
		t.Errorf("error %v, want %v", err, ErrNoWorkerd)
	}
	t.Setenv("PATH", "") // no npm is there
	cache := t.TempDir()
	if _, err := fetchWorkerd(t.Context(), cache); !errors.Is(err, ErrNoWorkerd) {
		t.Errorf("error %v, want %v", err, ErrNoWorkerd)
	}
	if left, err := os.ReadDir(cache); len(left) > 0 || err != nil {
		t.Errorf("%v is left in the cache (error %v)", left, err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var kept tail
	for range 100 {
		fmt.Fprint(&kept, strings.Repeat("x", 100))
	}
	fmt.Fprint(&kept, "end")
	if got := kept.String(); len(got) != tailSize || !strings.HasSuffix(got, "xend") {
		t.Errorf("%d bytes that end with %q, want %d with %q", len(got), got[len(got)-4:], tailSize, "xend")
	}
}
