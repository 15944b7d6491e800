package world

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// inject injects faults into Lab/name. They wait for its next event.
func (w *world) inject(name string, faults ...string) {
	w.t.Helper()
	for _, f := range faults {
		got, err := w.client().InjectFault(w.t.Context(), control.Fault{Object: lab(name), Fault: f})
		object := control.Object{Class: "Lab", Name: name, ID: labID(name)}
		if want := (control.Fault{Object: object, Fault: f}); err != nil || got != want {
			w.t.Fatalf("inject: got %+v, %v, want %+v", got, err, want)
		}
	}
}

// faultsWaiting lists the faults that have not struck, as "object fault".
func (w *world) faultsWaiting() []string {
	w.t.Helper()
	all, err := w.client().ListFaults(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return faultTexts(all)
}

func faultTexts(all control.Faults) (texts []string) {
	for _, f := range all.Faults {
		texts = append(texts, f.String()+" "+f.Fault.Fault)
	}
	return texts
}

// faultScript is alarmScript with objects that also count: "/add" stores how often it was called.
// So does each run of the alarm, unless alarm is set. Instances are noted as "new".
func faultScript(alarm func(*call) error) *script {
	add := func(c *call) error { return c.store("k", c.load("k")+"+") }
	if alarm == nil {
		alarm = add
	}
	s := alarmScript(alarm)
	s.handlers["construct"] = func(*call) (string, error) { s.note("new"); return "", nil }
	s.handlers["/add"] = func(c *call) (string, error) { err := add(c); return c.load("k"), err }
	s.handlers["/sync"] = func(c *call) (string, error) {
		return "", errors.Join(add(c), c.plain(wire.MethodSync), add(c))
	}
	s.handlers["/sleep"] = func(c *call) (string, error) {
		return "", errors.Join(add(c), c.sleep(time.Minute), add(c))
	}
	return s
}

// cause sends a request that must fail as in a crash.
func (w *world) cause(s *script, name, path string) {
	w.t.Helper()
	status, body := w.get(name, path)
	if status != http.StatusInternalServerError || !strings.Contains(body, "injected fault crash-") {
		w.t.Errorf("%s of %s: got %d %q, want a failure that says it was injected", path, name, status, body)
	}
}

func TestAnAlarmCanBeMadeToFail(t *testing.T) {
	s := faultScript(nil)
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.inject("a", control.FaultFailAlarm, control.FaultFailAlarm)
	fired := w.fires(time.Minute)
	wantList(t, "fired", outcomes(fired), []string{"Lab/a retry", "Lab/a retry", "Lab/a ok"})
	for i, f := range fired {
		if f.Retry != i {
			t.Errorf("run %d: got retry %d, want that the earlier failures count", i, f.Retry)
		}
	}
	if want := "injected fault fail-alarm: the alarm failed before its handler was called"; fired[0].Error != want {
		t.Errorf("got %q, want %q", fired[0].Error, want)
	}
	wantList(t, "waits", waits(fired), []string{"2s", "4s"})
	w.want("a", "/k", "+") // the handler was called once
	wantList(t, "waiting", w.faultsWaiting(), nil)
}

func TestAnAlarmFailsForGoodAfterSevenInjectedFailures(t *testing.T) {
	w := newWorld(t, faultScript(nil))
	w.want("a", "/set1s", "")
	w.inject("a", slices.Repeat([]string{control.FaultFailAlarm}, 8)...)
	fired := outcomes(w.fires(time.Hour))
	if len(fired) != 7 || fired[6] != "Lab/a failed" {
		t.Errorf("got %q, want seven runs, the last failed for good", fired)
	}
	w.want("a", "/get", "none")
	wantList(t, "waiting", w.faultsWaiting(), []string{"Lab/a fail-alarm"})
}

func TestAnAlarmCanBeDeliveredTwice(t *testing.T) {
	s := faultScript(nil)
	var runs []wire.Alarm
	add := s.handlers["alarm"]
	s.handlers["alarm"] = func(c *call) (string, error) { runs = append(runs, c.alarm); return add(c) }
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.want("b", "/set1s", "")
	w.inject("a", control.FaultFailAlarm, control.FaultDuplicateAlarm)
	wantList(t, "fired", w.moveOn(time.Minute), []string{"Lab/a retry", "Lab/b ok", "Lab/a ok", "Lab/a ok"})
	w.want("a", "/k", "++")
	w.want("a", "/get", "none")
	first, again := runs[1], runs[2]
	if again.Scheduled != first.Scheduled || first.RetryCount != 1 || again.RetryCount != 0 {
		t.Errorf("got %+v and then %+v, want the same alarm, with no failures counted as after a restart", first, again)
	}
	if w.object("Lab", "a").inst == nil || strings.Count(s.notes(), "new") > 4 {
		t.Errorf("got %s, want the instance kept", s.notes())
	}
	wantList(t, "then", w.moveOn(time.Hour), nil)
}

func TestARequestCanCrashBeforeItsCommit(t *testing.T) {
	s := faultScript(nil)
	w := newWorld(t, s)
	w.want("a", "/add", "+")
	w.inject("a", control.FaultCrashBeforeCommit)
	w.want("a", "/k", "+") // it writes nothing, so the fault waits
	w.want("b", "/add", "+")
	wantList(t, "waiting", w.faultsWaiting(), []string{"Lab/a crash-before-commit"})
	w.cause(s, "a", "/add")
	w.want("a", "/k", "+")
	w.want("a", "/add", "++")
	if got, want := s.notes(), "new new new"; got != want { // a, b, and a again
		t.Errorf("got instances %q, want %q", got, want)
	}
}

// A constructor that creates a table IF NOT EXISTS writes only once.
func TestACrashPassesOverCommitsThatChangeNothing(t *testing.T) {
	for _, fault := range []string{control.FaultCrashBeforeCommit, control.FaultCrashAfterCommit} {
		s := sqlScript()
		s.handlers["/none"] = func(c *call) (string, error) { return c.all("DELETE FROM t WHERE id = 7") }
		s.handlers["/undo"] = func(c *call) (string, error) {
			return "", unless(errNoLuck, c.transact(func() error { return errors.Join(c.store("k", "v"), errNoLuck) }))
		}
		w := newWorld(t, s)
		w.want("a", "/all", "")
		w.restart(s)
		w.inject("a", fault)
		w.want("a", "/all", "")
		w.want("a", "/none", "")
		w.want("a", "/undo", "")
		wantList(t, "waiting", w.faultsWaiting(), []string{"Lab/a " + fault})
		w.cause(s, "a", "/one")
		wantList(t, "waiting", w.faultsWaiting(), nil)
	}
}

func TestARequestCanCrashAfterItsCommit(t *testing.T) {
	s := faultScript(nil)
	w := newWorld(t, s)
	w.want("a", "/add", "+")
	w.inject("a", control.FaultCrashAfterCommit)
	w.cause(s, "a", "/add")
	w.want("a", "/k", "++")
	if got, want := s.notes(), "new new"; got != want {
		t.Errorf("got instances %q, want %q", got, want)
	}
	wantList(t, "waiting", w.faultsWaiting(), nil)
}

func TestTheCallerOfAnInjectedCrashGetsTheErrorOfACrash(t *testing.T) {
	for _, fault := range []string{control.FaultCrashBeforeCommit, control.FaultCrashAfterCommit} {
		s := faultScript(nil)
		var seen *wire.Error
		s.handlers["/call"] = func(c *call) (string, error) {
			_, err := c.fetch("b", "/add")
			errors.As(err, &seen)
			return "", nil
		}
		w := newWorld(t, s)
		w.inject("b", fault) // the object does not exist yet
		w.want("a", "/call", "")
		if seen == nil || seen.ObjectID != labID("b") ||
			!seen.Reset || !seen.Retryable || seen.Remote || seen.Overloaded {
			t.Errorf("%s: the caller got %+v, want Reset and Retryable of b", fault, seen)
		}
	}
}

func TestACrashStrikesTheFirstCommitOfAnEvent(t *testing.T) {
	for _, tt := range []struct{ fault, path, left string }{
		{control.FaultCrashBeforeCommit, "/sync", "+"},
		{control.FaultCrashAfterCommit, "/sync", "++"},
		{control.FaultCrashBeforeCommit, "/sleep", "+"},
		{control.FaultCrashAfterCommit, "/sleep", "++"},
		{control.FaultCrashAfterCommit, "/wipe", ""},
		{control.FaultCrashBeforeCommit, "/set1h", "+"},
	} {
		t.Run(tt.fault+tt.path, func(t *testing.T) {
			s := faultScript(nil)
			w := newWorld(t, s)
			w.want("a", "/add", "+")
			w.inject("a", tt.fault)
			w.cause(s, "a", tt.path)
			w.want("a", "/k", tt.left)
			w.want("a", "/get", "none")
			wantList(t, "waiting", w.faultsWaiting(), nil)
		})
	}
}

func TestAnAlarmThatCrashesBeforeItsCommitRunsAgainWithoutCounting(t *testing.T) {
	w := newWorld(t, faultScript(nil))
	w.want("a", "/set1s", "")
	w.inject("a", control.FaultCrashBeforeCommit)
	fired := w.fires(time.Minute)
	wantList(t, "fired", outcomes(fired), []string{"Lab/a retry", "Lab/a ok"})
	if fired[1].Retry != 0 {
		t.Errorf("got retry %d, want 0 as after a crash of the program", fired[1].Retry)
	}
	w.want("a", "/k", "+")
}

func TestAnAlarmThatCrashesAfterItsCommitIsDone(t *testing.T) {
	w := newWorld(t, faultScript(nil))
	w.want("a", "/set1s", "")
	w.inject("a", control.FaultCrashAfterCommit)
	fired := w.fires(time.Hour)
	wantList(t, "fired", outcomes(fired), []string{"Lab/a failed"})
	if !strings.HasPrefix(fired[0].Error, "injected fault crash-after-commit") {
		t.Errorf("got %q, want that it was injected", fired[0].Error)
	}
	w.want("a", "/k", "+")
	w.want("a", "/get", "none")
}

func TestFaultsOfOneObjectStrikeInTheirOrder(t *testing.T) {
	s := faultScript(nil)
	w := newWorld(t, s)
	w.inject("a",
		control.FaultCrashAfterCommit,
		control.FaultDuplicateAlarm,
		control.FaultCrashBeforeCommit,
		control.FaultFailAlarm,
	)
	w.cause(s, "a", "/set1s")
	w.cause(s, "a", "/add")
	wantList(t, "waiting", w.faultsWaiting(), []string{"Lab/a duplicate-alarm", "Lab/a fail-alarm"})
	w.inject("a", control.FaultCrashBeforeCommit)
	// The alarm fails, then loses its writes, then succeeds, and then runs once more.
	wantList(t, "fired", w.moveOn(time.Minute), []string{"Lab/a retry", "Lab/a retry", "Lab/a ok", "Lab/a ok"})
	w.want("a", "/k", "++")
	wantList(t, "waiting", w.faultsWaiting(), nil)
}

func TestAFaultForAnObjectThatIsRunningStrikesIt(t *testing.T) {
	s := faultScript(nil)
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.cause(s, "a", "/sleep") })
	w.awaitSleepers(1)
	w.inject("a", control.FaultCrashBeforeCommit)
	w.moveOn(time.Minute)
	wg.Wait()
	w.want("a", "/k", "+") // what it wrote before it slept
}

func TestWhatWaitsInTheObjectFailsWithAnInjectedCrash(t *testing.T) {
	s := faultScript(nil)
	hold := make(chan struct{})
	s.handlers["/held"] = func(c *call) (string, error) { err := c.store("k", "lost"); <-hold; return "", err }
	w := newWorld(t, s)
	w.inject("a", control.FaultCrashBeforeCommit)
	var wg sync.WaitGroup
	wg.Go(func() { w.cause(s, "a", "/held") })
	eventually(t, "the first has the turn", func() bool {
		o := w.object("Lab", "a")
		return o != nil && o.pendingEvents() == 1
	})
	wg.Go(func() { w.cause(s, "a", "/add") })
	eventually(t, "the second waits", func() bool { return w.object("Lab", "a").pendingEvents() == 2 })
	close(hold)
	wg.Wait()
	w.want("a", "/k", "")
}

func TestFaultsDoNotStrikeTheAdministration(t *testing.T) {
	w := newWorld(t, faultScript(nil))
	w.inject("a", control.FaultCrashBeforeCommit, control.FaultFailAlarm)
	if _, err := w.client().PutEntry(t.Context(), lab("a"), "k", put("1")); err != nil {
		t.Error(err)
	}
	if _, err := w.client().SetAlarm(t.Context(), lab("a"), control.SetAlarmRequest{In: "1s"}); err != nil {
		t.Error(err)
	}
	wantList(t, "waiting", w.faultsWaiting(), []string{"Lab/a crash-before-commit", "Lab/a fail-alarm"})
}

func TestDroppedFaultsDoNotStrike(t *testing.T) {
	w := newWorld(t, faultScript(nil))
	w.inject("a", control.FaultCrashBeforeCommit)
	w.inject("b", control.FaultFailAlarm)
	dropped, err := w.client().DropFaults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "dropped", faultTexts(dropped), []string{"Lab/a crash-before-commit", "Lab/b fail-alarm"})
	wantList(t, "waiting", w.faultsWaiting(), nil)
	w.want("a", "/add", "+")
}

func TestFaultsCanNameTheBindingAndTheID(t *testing.T) {
	s := faultScript(nil)
	w := newWorld(t, s)
	got, err := w.client().InjectFault(t.Context(), control.Fault{
		Object: control.Object{Class: "LAB", ID: labID("a")}, Fault: control.FaultCrashBeforeCommit,
	})
	if err != nil || got.Class != "Lab" || got.ID != labID("a") {
		t.Errorf("got %+v, %v, want the class and the id", got, err)
	}
	w.cause(s, "a", "/add")
}

func TestInvalidFaultsAreRefused(t *testing.T) {
	w := newWorld(t, faultScript(nil))
	for _, tt := range []struct {
		object control.Object
		fault  string
		status int
		text   string
	}{
		{
			lab("a"), "explode", 400, `there is no fault "explode": ` +
				`the faults are fail-alarm, duplicate-alarm, crash-before-commit, crash-after-commit`,
		},
		{lab("a"), "", 400, `there is no fault ""`},
		{
			control.Object{Class: "Lap", Name: "a"}, control.FaultFailAlarm,
			404, `there is no class "Lap": the classes are Lab, Mute`,
		},
		{control.Object{Class: "Lab"}, control.FaultFailAlarm, 400, "say which object"},
		{control.Object{Class: "Lab", ID: "abc"}, control.FaultFailAlarm, 400, "Lab/abc: "},
		{
			control.Object{Class: "Mute", Name: "a"}, control.FaultDuplicateAlarm,
			400, "class Mute has no Alarm method",
		},
	} {
		_, err := w.client().InjectFault(t.Context(), control.Fault{Object: tt.object, Fault: tt.fault})
		wantRefusal(t, err, tt.status, tt.text)
	}
	if _, err := w.client().InjectFault(t.Context(), control.Fault{
		Object: control.Object{Class: "Mute", Name: "a"}, Fault: control.FaultCrashBeforeCommit,
	}); err != nil {
		t.Errorf("a commit of a class without alarms: %v", err)
	}
}

func TestTheNumberOfFaultsIsBounded(t *testing.T) {
	w := newWorld(t, faultScript(nil))
	f := control.Fault{Object: lab("a"), Fault: control.FaultFailAlarm}
	for range maxFaults {
		if _, err := w.InjectFault(f); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.InjectFault(f)
	wantRefusal(t, err, 409, "10000 faults wait already")
}

// Faults are part of the clock's steps: an advance in pieces and a second run give the same runs.
func TestFaultsAreRepeatableAndIndependentOfSteps(t *testing.T) {
	run := func(pieces ...time.Duration) string {
		s := faultScript(nil)
		begin := time.UnixMilli(1_800_000_000_000)
		w := &world{t: t, dir: t.TempDir(), date: "2026-10-01", tune: func(o *setup) { o.Time = begin }}
		w.start(s)
		t.Cleanup(w.stop)
		for i, fault := range slices.Repeat(control.KnownFaults, 2) {
			name := fmt.Sprint(i)
			w.want(name, "/set1s", "")
			w.inject(name, fault, control.KnownFaults[i/2])
		}
		var log []string
		for _, d := range pieces {
			for _, f := range w.fires(d) {
				log = append(log, fmt.Sprint(f.Object, f.At.Sub(begin), f.Retry, f.Outcome))
			}
		}
		return strings.Join(log, "\n")
	}
	whole := run(time.Minute)
	if strings.Count(whole, "ok") == 0 || strings.Count(whole, "retry") == 0 || strings.Count(whole, "failed") == 0 {
		t.Fatalf("got %s, want all outcomes", whole)
	}
	if again := run(time.Minute); again != whole {
		t.Errorf("a second run fired\n%s\nwant\n%s", again, whole)
	}
	if parts := run(time.Second, 0, 1500*time.Millisecond, time.Minute-2500*time.Millisecond); parts != whole {
		t.Errorf("in pieces fired\n%s\nwant\n%s", parts, whole)
	}
}

// When an advance returns, everything that it caused is over, including what a fault has ended.
func TestAnAdvanceWaitsForTheCallersOfWhatAFaultHasEnded(t *testing.T) {
	s := faultScript(func(c *call) error {
		_, err := c.fetch("b", "/add")
		if err == nil {
			return errors.New("the call did not fail")
		}
		return c.store("k", "told")
	})
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.inject("b", control.FaultCrashAfterCommit)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	report, err := w.advanceBy(ctx, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "fired", outcomes(report.Fired), []string{"Lab/a ok"})
	w.want("a", "/k", "told")
	w.want("b", "/k", "+")
}
