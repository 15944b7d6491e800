package world

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// The schedule of retries, and what counts as a failure of the handler. Source: workerd's
// alarm-scheduler.c++, and observation of workerd.

// waits returns how long after the previous run each run began. It leaves out jitter, which may add
// a quarter. It returns a wait with more than that as it was.
func waits(fired []control.Fired) []string {
	var list []string
	for i := 1; i < len(fired); i++ {
		wait := fired[i].At.Sub(fired[i-1].At)
		nominal := retryStart
		for nominal*2 <= wait {
			nominal *= 2
		}
		if wait > nominal+nominal/retryJitter {
			list = append(list, wait.String())
			continue
		}
		list = append(list, nominal.String())
	}
	return list
}

// fires advances the clock by d, and returns the runs.
func (w *world) fires(d time.Duration) []control.Fired {
	w.t.Helper()
	advanced, err := w.advanceBy(w.t.Context(), d)
	if err != nil {
		w.t.Fatal(err)
	}
	return advanced.Fired
}

func TestAFailingAlarmIsTriedAgainSixTimes(t *testing.T) {
	s := alarmScript(nil)
	var runs []wire.Alarm
	s.handlers["alarm"] = func(c *call) (string, error) {
		runs = append(runs, c.alarm)
		return "", errors.Join(c.store("k", fmt.Sprint("run ", len(runs))), errNoLuck)
	}
	w := newWorld(t, s)
	w.want("a", "/set10s", "")
	w.moveOn(11 * time.Second)
	w.want("a", "/get", "-1s") // the time that was set, while it waits for its next try
	first := w.clock.Now().Add(-time.Second)
	fired := append([]control.Fired{{At: first}}, w.fires(24*time.Hour)...)
	wantList(t, "waits", waits(fired), []string{"2s", "4s", "8s", "16s", "32s", "1m4s"})
	if len(runs) != 7 {
		t.Fatalf("got %d runs, want 7", len(runs))
	}
	for i, run := range runs {
		if run.RetryCount != uint64(i) || run.Scheduled != runs[0].Scheduled {
			t.Errorf("run %d: got retry %d of the alarm for %d, want %d of %d",
				i, run.RetryCount, run.Scheduled, i, runs[0].Scheduled)
		}
	}
	if last := fired[len(fired)-1]; last.Outcome != control.OutcomeFailed || last.Retry != 6 {
		t.Errorf("last: got %+v, want retry 6 that has failed for good", last)
	}
	w.want("a", "/get", "none")
	w.want("a", "/k", "run 7") // what a failed run wrote stays
}

func TestTheJitterOfRetriesCanBeRepeated(t *testing.T) {
	run := func() (due []string) {
		w := newWorld(t, alarmScript(func(*call) error { return errNoLuck }))
		begin := w.clock.Now()
		w.want("a", "/set1s", "")
		w.namespaces["Lab"].mu.Lock()
		for _, a := range w.namespaces["Lab"].alarms {
			a.at = time.UnixMilli(1_000_000) // the same in both runs
		}
		w.namespaces["Lab"].mu.Unlock()
		for range 3 {
			w.moveOn(time.Second)
			a, _ := w.alarm("a")
			due = append(due, a.Due.Sub(begin).String())
		}
		return due
	}
	wantList(t, "second run", run(), run())
}

func TestTheWaitIsMeasuredFromTheEndOfTheRun(t *testing.T) {
	w := newWorld(t, alarmScript(func(c *call) error { return errors.Join(c.sleep(time.Minute), errNoLuck) }))
	w.want("a", "/set1s", "")
	fired := w.fires(time.Minute + time.Second)
	if len(fired) != 1 || fired[0].RetryAt == nil {
		t.Fatalf("got %+v, want one run that is tried again", fired)
	}
	if wait := fired[0].RetryAt.Sub(fired[0].At); wait < time.Minute+retryStart {
		t.Errorf("got a wait of %s from the beginning of a run that took a minute, want 2 s more", wait)
	}
}

func TestWhichFailuresCountAgainstTheLimit(t *testing.T) {
	do := func(c *call, method wire.Method) error { return c.plain(method) }
	for _, tt := range []struct {
		name string
		fail func(*call) error
		want bool
	}{
		{"an error", func(*call) error { return errNoLuck }, true},
		{"an abort", func(c *call) error { return c.abort(false) }, true},
		{"a block that lasts too long", func(c *call) error {
			return errors.Join(do(c, wire.MethodBlock), c.sleep(time.Hour))
		}, true},
		{"a run that lasts too long", func(c *call) error { return c.sleep(time.Hour) }, true},
		{"a program that crashes", func(c *call) error {
			return &wire.Error{Message: "crashed", Reset: true, Retryable: true}
		}, false},
		{"writes that the database does not take", func(c *call) error {
			for _, q := range []string{
				"CREATE TABLE IF NOT EXISTS p (id INTEGER PRIMARY KEY)",
				"CREATE TABLE IF NOT EXISTS c (p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
				"INSERT INTO c VALUES (1)",
			} {
				if _, err := c.exec(q); err != nil {
					return err
				}
			}
			return nil
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			failed := false
			w := newWorld(t, alarmScript(func(c *call) error {
				if failed {
					return nil
				}
				failed = true
				return tt.fail(c)
			}))
			w.want("a", "/set1s", "")
			fired := w.fires(time.Hour)
			if len(fired) != 2 || fired[0].Outcome != control.OutcomeRetry {
				t.Fatalf("got %+v, want a run that is tried again", fired)
			}
			if got := fired[1].Retry == 1; got != tt.want {
				t.Errorf("after %q: got retry %d, want that it counts: %v", fired[0].Error, fired[1].Retry, tt.want)
			}
		})
	}
}

func TestAFailingDiskDoesNotCountAgainstTheLimit(t *testing.T) {
	var w *world
	w = newWorld(t, alarmScript(func(c *call) error {
		w.breakIndex()
		return c.setAlarm(time.Second)
	}))
	w.want("a", "/set1h", "")
	got, err := w.client().Trigger(t.Context(), control.TriggerRequest{Class: "Lab", Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Outcome != control.OutcomeRetry || got.Next == nil || got.Next.Retry != 0 {
		t.Errorf("got %+v, want a run that is tried again without counting", got)
	}
}

// unluckyScript returns a program whose alarm fails as plan says, one letter a run: "h" in the
// handler, which resets its object, "c" in the constructor. It succeeds after that.
func unluckyScript(plan string) *script {
	s := alarmScript(nil)
	run := 0
	next := func() byte {
		if run < len(plan) {
			return plan[run]
		}
		return 0
	}
	s.handlers["construct"] = func(c *call) (string, error) {
		if run > 0 && next() == 'c' { // the first is for the request that sets the alarm
			run++
			return "", errors.New("not yet")
		}
		return "", nil
	}
	s.handlers["alarm"] = func(c *call) (string, error) {
		unlucky := next() == 'h'
		run++
		s.note("%d", c.alarm.RetryCount)
		if unlucky {
			return "", c.abort(false)
		}
		return "", nil
	}
	return s
}

func TestTheScheduleOfMixedFailures(t *testing.T) {
	for _, tt := range []struct {
		name, plan string
		waits      string
		counts     string // as the handler sees them
		last       string
	}{
		{
			"a constructor that fails counts for nothing, and waits at most 1024 s",
			"h" + strings.Repeat("c", 12),
			"2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 8m32s 17m4s 17m4s 17m4s 17m4s", "0 1", "ok",
		},
		{
			"the handler's own failures begin with short waits again",
			"hccchh", "2s 4s 8s 16s 2s 4s", "0 1 2 3", "ok",
		},
		{
			"not in between",
			"hhchch", "2s 4s 8s 2s 4s 2s", "0 1 2 3 4", "ok",
		},
		{
			"when the retries are used up, any failure is the last",
			"hhhhhhc", "2s 4s 8s 16s 32s 1m4s", "0 1 2 3 4 5", "failed",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := unluckyScript(tt.plan)
			w := newWorld(t, s)
			w.want("a", "/set1s", "")
			fired := w.fires(24 * time.Hour)
			if got := strings.Join(waits(fired), " "); got != tt.waits {
				t.Errorf("waits:\ngot  %s\nwant %s", got, tt.waits)
			}
			if got := s.notes(); got != tt.counts {
				t.Errorf("retry counts: got %s, want %s", got, tt.counts)
			}
			if got := fired[len(fired)-1].Outcome; got != tt.last {
				t.Errorf("the last run: got %s, want %s", got, tt.last)
			}
			w.want("a", "/get", "none")
		})
	}
}

func TestAnAlarmThatFailsWhenTriggeredIsTriedAgainEvenBeforeItsTime(t *testing.T) {
	runs := 0
	w := newWorld(t, alarmScript(func(*call) error {
		if runs++; runs == 1 {
			return errNoLuck
		}
		return nil
	}))
	w.want("a", "/set1h", "")
	got, err := w.client().Trigger(t.Context(), control.TriggerRequest{Class: "Lab", Name: "a"})
	if err != nil || got.Outcome != control.OutcomeRetry || got.RetryAt == nil {
		t.Fatalf("got %+v, %v, want a run that is tried again", got, err)
	}
	wantList(t, "fired", w.moveOn(got.RetryAt.Sub(got.At)), []string{"Lab/a ok"})
	wantList(t, "fired after that", w.moveOn(2*time.Hour), nil)
}

func TestAConstructorThatFailsAtTheWakeUpIsTriedAgainWithoutEnd(t *testing.T) {
	s := alarmScript(nil)
	fail := false
	var retries uint64
	s.handlers["construct"] = func(c *call) (string, error) {
		if fail {
			return "", errors.New("not yet")
		}
		return "", nil
	}
	s.handlers["alarm"] = func(c *call) (string, error) { retries = c.alarm.RetryCount; return "", nil }
	w := newWorld(t, s)
	w.want("a", "/set1h", "")
	w.restart(s)
	fail = true
	fired := w.moveOn(5 * time.Hour)
	if len(fired) < 15 || fired[len(fired)-1] != "Lab/a retry" {
		t.Errorf("got %d runs, the last %q, want 15 and more that are all tried again", len(fired), fired[len(fired)-1])
	}
	fail = false
	wantList(t, "then", w.moveOn(time.Hour), []string{"Lab/a ok"})
	if retries != 0 {
		t.Errorf("got retry %d, want 0: such failures do not count", retries)
	}
}

func TestAnErrorKeepsTheInstanceAndAnAbortDoesNot(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(*call) error
		want string // the instances of the runs
	}{
		// From the fifth run on the object has been idle for too long.
		{"error", func(*call) error { return errNoLuck }, "1 1 1 1 2 3 4"},
		{"abort", func(c *call) error { return c.abort(false) }, "1 2 3 4 5 6 7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := alarmScript(nil)
			s.handlers["alarm"] = func(c *call) (string, error) { s.note("%d", c.instance); return "", tt.fail(c) }
			w := newWorld(t, s)
			w.want("a", "/set1s", "")
			w.moveOn(time.Hour)
			if got := s.notes(); got != tt.want {
				t.Errorf("got instances %s, want %s", got, tt.want)
			}
		})
	}
}

func TestARunOfAnAlarmMayTakeFifteenMinutes(t *testing.T) {
	s := alarmScript(nil)
	lasts := []time.Duration{time.Hour, 15*time.Minute - time.Millisecond}
	s.handlers["alarm"] = func(c *call) (string, error) {
		s.note("run %d of instance %d", c.alarm.RetryCount, c.instance)
		return "", c.sleep(lasts[c.alarm.RetryCount])
	}
	s.handlers["/slow"] = func(c *call) (string, error) { return "", c.sleep(time.Hour) }
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.moveOn(time.Second)
	var wg sync.WaitGroup
	wg.Go(func() { // what else is under way in the object fails with it
		status, body := w.get("a", "/slow")
		if status != 500 || !strings.Contains(body, errAlarmLimit.Message) {
			t.Errorf("another event: got %d %q, want a failure with %q", status, body, errAlarmLimit.Message)
		}
	})
	w.awaitSleepers(2)
	fired := w.fires(15*time.Minute - time.Millisecond)
	if len(fired) != 0 {
		t.Fatalf("before the time is up: got %+v, want nothing", fired)
	}
	fired = w.fires(time.Hour)
	wg.Wait()
	if len(fired) != 2 {
		t.Fatalf("got %+v, want two runs", fired)
	}
	if f := fired[0]; f.Error != errAlarmLimit.Message || f.Outcome != control.OutcomeRetry {
		t.Errorf("first run: got %s with %q, want a retry with %q", f.Outcome, f.Error, errAlarmLimit.Message)
	}
	if wait := fired[1].At.Sub(fired[0].At); wait < 15*time.Minute+retryStart || wait > 15*time.Minute+retryStart*5/4 {
		t.Errorf("second run: %s after the first began, want 15 m and the wait of a first retry", wait)
	}
	if f := fired[1]; f.Outcome != control.OutcomeOK || f.Retry != 1 {
		t.Errorf("second run: got %+v, want retry 1, which is good", f)
	}
	if got, want := s.notes(), "run 0 of instance 1 run 1 of instance 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// pendingEvents counts the events of the object that wait or run.
func (o *object) pendingEvents() int {
	o.ns.mu.Lock()
	defer o.ns.mu.Unlock()
	return o.pending
}
