package cli_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/emulator/control"
)

// The second scene of the crash tests is a month of testdata/handlers/month. Its chores come due
// hours and days apart. Some fail first, some plan another chore, and cron triggers plan some. The
// clock moves in pieces of random length, and kills come between and during the runs. When the
// month is over, everything must have been done, and nothing early.

// The month has a leap day, and begins on a Friday.
var (
	monthBegins = time.Date(2036, 2, 1, 0, 0, 0, 0, time.UTC)
	monthEnds   = monthBegins.AddDate(0, 1, 0)
)

const (
	// mostLate bounds how late a chore is done. Its retries, after its own failures and after
	// kills, come within minutes.
	mostLate = 10 * time.Minute

	// aboutRuns estimates the runs in the month, with retries. leastDone is how many chores must be
	// done in it.
	aboutRuns = 500
	leastDone = 400
)

func TestKillsInAMonthLoseAndHurryNoAlarm(t *testing.T) {
	t.Parallel()
	m := &month{}
	kill(t, "month", m, append([]string{"--time", monthBegins.Format(time.RFC3339)}, quietly...)...)
	t.Logf("the last kill came on day %d; %d chores done, %d runs cut short by the program's end, "+
		"%d runs of cron triggers lost",
		m.lastKill, m.done, m.cut.Load(), m.lostCrons)
}

// A chore is a task of the month.
type chore struct {
	name     string
	every    time.Duration // 0 for once
	failures int           // before it is done, each time
	next     string        // the chore that it plans for an hour later

	planner string  // the chore that plans it, or empty
	cron    bool    // a cron trigger plans it
	due     []int64 // in ms since 1970; some lie beyond the month
}

// chores draws the chores of a month.
func chores(random *rand.Rand) []chore {
	list := []chore{
		{name: "six-hourly", every: 6 * time.Hour},
		{name: "six-hourly-with-trouble", every: 6 * time.Hour, failures: 1},
		{name: "daily", every: 24 * time.Hour, next: "after-daily"},
		{name: "daily-with-trouble", every: 24 * time.Hour, failures: 2, next: "after-trouble"},
		{name: "daily-with-much-trouble", every: 24 * time.Hour, failures: 4},
		{name: "weekly", every: 7 * 24 * time.Hour},
		{name: "weekly-with-trouble", every: 7 * 24 * time.Hour, failures: 3, next: "after-weekly"},
	}
	for n := range 20 {
		list = append(list, chore{name: fmt.Sprintf("once-%d", n), failures: random.IntN(2)})
	}
	for i := range list {
		c := &list[i]
		span := c.every
		if span == 0 {
			span = monthEnds.Sub(monthBegins)
		}
		first := monthBegins.Add(time.Second + below(span, random))
		c.due = []int64{first.UnixMilli()}
		if c.every > 0 {
			c.due = times(first, func(at time.Time) time.Time { return at.Add(c.every) })
		}
		if c.next != "" {
			list = append(list, chore{name: c.next, planner: c.name, due: later(c.due, time.Hour)})
		}
	}
	daily := times(monthBegins.Add(6*time.Hour), func(at time.Time) time.Time { return at.AddDate(0, 0, 1) })
	monday := times(monthBegins.AddDate(0, 0, 3), func(at time.Time) time.Time { return at.AddDate(0, 0, 7) })
	return append(list,
		chore{name: "0 6 * * *", cron: true, due: later(daily, 90*time.Minute)},
		chore{name: "0 0 * * MON", cron: true, due: later(monday, 90*time.Minute)})
}

// times returns the times from first on, in ms since 1970. The last one lies beyond the end of the
// scene.
func times(first time.Time, next func(time.Time) time.Time) (all []int64) {
	at := first
	for ; at.Before(monthEnds.AddDate(0, 0, 7)); at = next(at) {
		all = append(all, at.UnixMilli())
	}
	return append(all, at.UnixMilli())
}

func later(due []int64, d time.Duration) (all []int64) {
	for _, at := range due {
		all = append(all, at+d.Milliseconds())
	}
	return all
}

// A month is the scene.
type month struct {
	chores    []chore
	latest    atomic.Int64 // the last time that the clock has shown, in ms since 1970
	lostCrons int          // runs of cron triggers that planned no chore
	done      int
	cut       atomic.Int64 // runs that the program's end cut short, and that a living emulator reported
	lastKill  int          // the day of the month
}

// path returns the path on which the program plans and shows the chore.
func (c chore) path() string { return "/" + url.PathEscape(c.name) }

// plan plans all chores, except chores that another one or a cron trigger plans.
func (m *month) plan(k *killing, s *server) {
	k.t.Helper()
	k.args = quietly // later emulators must not set the clock
	m.chores = chores(k.random)
	for _, c := range m.chores {
		if c.planner != "" || c.cron {
			continue
		}
		text, err := json.Marshal(map[string]any{
			"Due":      c.due[0],
			"Every":    c.every.Milliseconds(),
			"Failures": c.failures,
			"Next":     c.next,
		})
		if err != nil {
			k.t.Fatal(err)
		}
		s.post(c.path(), string(text))
	}
}

func (m *month) begin(f *traffic, random *rand.Rand) { f.repeat(random, m.move) }

// mostMoments counts moves of the clock, and the runs in them.
func (m *month) mostMoments() int64 { return max(2, int64(2*aboutRuns/max(1, *killings))) }

// move moves the clock, and reports whether the emulator still lives.
func (m *month) move(f *traffic, random *rand.Rand) bool {
	left := monthEnds.Sub(time.UnixMilli(m.latest.Load()))
	piece := min(below(24*time.Hour, random), max(0, left))
	request := control.AdvanceRequest{Duration: piece.String()}
	// Near the end of the month, the next event may lie beyond it.
	if left > mostLate && random.IntN(3) == 0 {
		request = control.AdvanceRequest{Next: true}
	}
	f.moment()
	advanced, err := f.s.control().Advance(f.ctx, request, func(e control.AdvanceEvent) {
		if e.Fired == nil {
			return
		}
		f.moment()
		if e.Fired.Error != "" && !strings.Contains(e.Fired.Error, "not yet") {
			m.cut.Add(1)
		}
	})
	if err != nil {
		f.failed("advance", err)
		return false
	}
	for _, err := range m.saw(advanced) {
		f.t.Error(err)
	}
	return true
}

// saw records where an advance moved the clock, and returns what is wrong with its report.
func (m *month) saw(a control.Advanced) (wrong []error) {
	if from, latest := a.From.UnixMilli(), m.latest.Swap(a.To.UnixMilli()); from < latest {
		wrong = append(wrong, fmt.Errorf("the clock went back by %d ms", latest-from))
	}
	if a.Stopped != "" {
		wrong = append(wrong, fmt.Errorf("an advance ended early: %s", a.Stopped))
	}
	for _, run := range a.Fired {
		if run.At.Before(run.Scheduled) {
			wrong = append(wrong, fmt.Errorf("%s came early: %+v", run, run))
		}
	}
	return wrong
}

// A choreState is the answer of a chore. Times are in ms since 1970.
type choreState struct {
	Due, Alarm int64
	Done       map[string]int64
}

func (m *month) check(k *killing, s *server) {
	k.t.Helper()
	if m.chores == nil {
		m.plan(k, s)
	}
	pending := k.alarms()
	now := pending.Now.UnixMilli()
	if latest := m.latest.Swap(now); now < latest {
		k.t.Errorf("the clock went back by %d ms", latest-now)
	}
	indexed := make(map[string]int64)
	for _, alarm := range pending.Alarms {
		indexed[alarm.Name] = alarm.Scheduled.UnixMilli()
	}
	states := make(map[string]choreState)
	m.lostCrons, m.done = 0, 0
	for _, c := range m.chores {
		var state choreState
		if err := json.Unmarshal([]byte(s.get(c.path())), &state); err != nil {
			k.t.Fatal(err)
		}
		states[c.name] = state
		m.done += len(state.Done)
		planner := states[c.planner]
		for _, err := range c.audit(state, planner, indexed[c.name], now) {
			k.t.Errorf("%s: %v", c.name, err)
		}
		if c.cron {
			m.lostCrons += c.lost(state, now)
		}
	}
	if m.lostCrons > k.kills {
		k.t.Errorf("%d runs of cron triggers were lost in %d kills, want at most one a kill", m.lostCrons, k.kills)
	}
}

// lost counts the runs of cron triggers that planned nothing: a failed run is not retried.
func (c chore) lost(state choreState, now int64) (lost int) {
	for _, due := range c.due {
		if _, ok := state.Done[strconv.FormatInt(due, 10)]; !ok && due != state.Due && due < now {
			lost++
		}
	}
	return lost
}

// audit returns what is wrong with a chore at the time now. planner is the state of its planner, if
// it has one. indexed is the time of its alarm in the emulator's index, or 0.
func (c chore) audit(state, planner choreState, indexed, now int64) (wrong []error) {
	report := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	late := mostLate.Milliseconds()
	for key, at := range state.Done {
		due, err := strconv.ParseInt(key, 10, 64)
		switch {
		case err != nil || !slices.Contains(c.due, due):
			report("done, though never due at %s", key)
		case at < due:
			report("early: due at %d, done at %d", due, at)
		case at > due+late:
			report("late: due at %d, done at %d", due, at)
		}
	}
	if state.Due != 0 && !slices.Contains(c.due, state.Due) {
		report("planned for %d, but never due then", state.Due)
	}
	if state.Alarm != state.Due {
		report("torn: planned for %d, and the alarm is at %d", state.Due, state.Alarm)
	}
	// An index that is too early does no harm: the alarm then finds that it was moved.
	if state.Alarm != 0 && (indexed == 0 || indexed > state.Alarm) {
		report("lost: the index has the alarm at %d, but it is set for %d", indexed, state.Alarm)
	}
	if state.Due != 0 && state.Due < now-late {
		report("lost: due at %d, and not done by %d", state.Due, now)
	}
	if c.cron {
		return wrong
	}
	n := len(state.Done)
	for _, due := range c.due[:min(n, len(c.due))] {
		if _, ok := state.Done[strconv.FormatInt(due, 10)]; !ok {
			report("lost: done %d times, but not the one due at %d", n, due)
		}
	}
	next := int64(0) // the time it must be planned for now, or 0 for none
	if n < len(c.due) {
		next = c.due[n]
	}
	switch planned := len(planner.Done) - n; {
	case c.planner == "" && state.Due != next:
		report("lost: done %d times, and then planned for %d, not %d", n, state.Due, next)
	case c.planner != "" && state.Due != 0 && state.Due != next:
		report("lost: done %d times, and then planned for %d, not %d", n, state.Due, next)
	case c.planner != "" && state.Due == 0 && planned > 0:
		report("lost: planned %d times, and done %d times", len(planner.Done), n)
	}
	return wrong
}

func (m *month) drain(k *killing, s *server) {
	k.t.Helper()
	for _, err := range m.saw(k.advance("2m")) {
		k.t.Error(err)
	}
	m.check(k, s)
}

// settle moves the clock to the month's end, and mostLate beyond it.
func (m *month) settle(k *killing, s *server) {
	k.t.Helper()
	now := k.time().Now
	m.lastKill = int(now.Sub(monthBegins).Hours()/24) + 1
	if left := monthEnds.Sub(now); left > 0 {
		moves := []control.Advanced{k.move("next"), k.advance((left / 2).String())}
		if left := monthEnds.Sub(k.time().Now); left > 0 {
			moves = append(moves, k.advance(left.String()))
		}
		for _, advanced := range moves {
			for _, err := range m.saw(advanced) {
				k.t.Error(err)
			}
		}
	}
	if advanced := k.advance(mostLate.String()); advanced.Failed > 0 {
		k.t.Errorf("runs that failed for good: %+v", advanced.Fired)
	}
	m.check(k, s)
	if m.done < leastDone {
		k.t.Errorf("%d chores done, want at least %d in a month", m.done, leastDone)
	}
}

func TestAnAuditSeesWhatIsWrongWithAChore(t *testing.T) {
	t.Parallel()
	hour, late := time.Hour.Milliseconds(), mostLate.Milliseconds()
	for _, test := range []struct {
		name    string
		planner string
		change  func(*choreState)
		indexed int64
		want    string // part of what is wrong, or empty for nothing
	}{
		{"nothing", "", func(*choreState) {}, 3 * hour, ""},
		{"indexed sooner", "", func(*choreState) {}, 2 * hour, ""},
		{"indexed later", "", func(*choreState) {}, 3*hour + 1, "lost: the index has the alarm"},
		{"not indexed", "", func(*choreState) {}, 0, "lost: the index has the alarm"},
		{"early", "", func(s *choreState) { s.Done[ms(hour)] = hour - 1 }, 3 * hour, "early"},
		{"late", "", func(s *choreState) { s.Done[ms(hour)] = hour + late + 1 }, 3 * hour, "late"},
		{"never due", "", func(s *choreState) { s.Done["5"] = 5 }, 3 * hour, "never due at 5"},
		{"alarm lost", "", func(s *choreState) { s.Alarm = 0 }, 3 * hour, "torn"},
		{"plan lost", "", func(s *choreState) { s.Alarm, s.Due = 0, 0 }, 0, "planned for 0, not"},
		{"run lost", "", func(s *choreState) { delete(s.Done, ms(hour)) }, 3 * hour, "not the one due at"},
		{"not done", "", func(s *choreState) {
			delete(s.Done, ms(2*hour))
			s.Alarm, s.Due = 2*hour, 2*hour
		}, 2 * hour, "not done by"},
		{"done by its planner", "other", func(s *choreState) { s.Alarm, s.Due = 0, 0 }, 0, ""},
		{"planned once more", "other", func(*choreState) {}, 3 * hour, ""},
		{"never planned", "other", func(s *choreState) {
			s.Alarm, s.Due = 0, 0
			delete(s.Done, ms(2*hour))
		}, 0, "planned 2 times, and done 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := chore{planner: test.planner, due: []int64{hour, 2 * hour, 3 * hour}}
			state := choreState{
				Due: 3 * hour, Alarm: 3 * hour,
				Done: map[string]int64{ms(hour): hour, ms(2 * hour): 2*hour + late},
			}
			planner := choreState{Done: maps.Clone(state.Done)}
			test.change(&state)
			checkAudit(t, c.audit(state, planner, test.indexed, 2*hour+late+1), test.want)
		})
	}
}

func ms(n int64) string { return strconv.FormatInt(n, 10) }
