package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
)

// missing starts a world with alarms of a, b and c, and stops it. The clock passes those of b and
// a, in this order, while nothing runs.
func missing(t *testing.T, s *script) *world {
	w := newWorld(t, s)
	w.want("a", "/set10s", "")
	w.want("b", "/set1s", "")
	w.want("c", "/set1h", "")
	w.sleepFor(30 * time.Minute)
	return w
}

// sleepFor stops the world and changes its saved clock: it runs, and has moved on by d. Real time
// stands still from then on, so the time that has passed is exactly d.
func (w *world) sleepFor(d time.Duration) {
	w.t.Helper()
	stood := w.clock.Now()
	w.stop()
	at, now := stood.Add(d), time.Now()
	w.wall = func() time.Time { return now }
	w.saved = clock.State{Mode: clock.Running, Rate: 1, Offset: at.Sub(now), At: at}
}

// next sets how the world starts next time, and returns the log of that start.
func (w *world) next(live bool, missed Missed) *scripted.Buffer {
	b := &scripted.Buffer{}
	w.tune = func(o *setup) {
		o.Frozen, o.Missed = !live, missed
		o.Log = slog.New(slog.NewTextHandler(b, nil))
	}
	return b
}

// waitForEarlyAlarms makes an early alarm wait for the one before it, even on a machine that takes
// longer for that than a next one waits otherwise.
func (w *world) waitForEarlyAlarms() {
	tune := w.tune
	w.tune = func(o *setup) {
		tune(o)
		o.Waits.EarlyAlarm = deadline
	}
}

func wantLine(t *testing.T, log *scripted.Buffer, want string) {
	t.Helper()
	if !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, log)
	}
}

func runsOf(s *script) []string {
	var names []string
	for _, run := range strings.Fields(s.notes()) {
		name, _, _ := strings.Cut(run, "@")
		names = append(names, name)
	}
	return names
}

func TestMissedAlarmsFireAtStartInTheOrderInWhichTheyWereDue(t *testing.T) {
	s := alarmScript(nil)
	w := newWorld(t, s)
	var want []string
	for i := range 40 { // neither the order of due times nor the order of setting is that of the ids
		name := fmt.Sprint("o", i)
		w.want(name, "/set10s", "")
		want = append(want, name)
	}
	w.want("first", "/set1s", "")
	w.want("later", "/set1h", "")
	want = append([]string{"first"}, want...)
	w.sleepFor(30 * time.Minute)
	log := w.next(true, MissedFire)
	w.waitForEarlyAlarms()
	w.start(s)
	eventually(t, "all have run", func() bool { return len(runsOf(s)) == len(want) && len(w.PendingAlarms()) == 1 })
	wantList(t, "runs", runsOf(s), want)
	wantLine(t, log, "41 alarms are overdue, the first by 29m59s, the last by 29m50s: "+
		"they fire as soon as the program is up, the first one first")
}

func TestMissedAlarmsRunOneAfterTheOther(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	s := alarmScript(func(*call) error {
		mu.Lock()
		defer mu.Unlock()
		running++
		most = max(most, running)
		return nil
	})
	inner := s.handlers["alarm"]
	s.handlers["alarm"] = func(c *call) (string, error) {
		text, err := inner(c)
		c.load("k") // gives another run the chance to begin
		mu.Lock()
		running--
		mu.Unlock()
		return text, err
	}
	w := newWorld(t, s)
	for i := range 20 {
		w.want(fmt.Sprint(i), "/set1s", "")
	}
	w.sleepFor(time.Hour)
	w.next(true, MissedFire)
	w.waitForEarlyAlarms()
	w.start(s)
	eventually(t, "all have run", func() bool { return len(w.PendingAlarms()) == 0 })
	if most != 1 {
		t.Errorf("%d ran at once, want one at a time", most)
	}
}

func TestASlowMissedAlarmDelaysNoOther(t *testing.T) {
	s := alarmScript(nil)
	block := make(chan struct{})
	s.handlers["alarm"] = func(c *call) (string, error) {
		s.note("%s", c.object)
		if c.object == "slow" {
			<-block
		}
		return "", nil
	}
	w := newWorld(t, s)
	w.want("slow", "/set1s", "")
	w.want("quick", "/set10s", "")
	w.sleepFor(time.Hour)
	w.next(true, MissedFire)
	w.start(s)
	defer close(block)
	eventually(t, "the quick one has run", func() bool { return slices.Contains(strings.Fields(s.notes()), "quick") })
	eventually(t, "the slow one runs", func() bool { return slices.Contains(strings.Fields(s.notes()), "slow") })
}

func TestAnAlarmThatIsDueBeforeThereIsAProgramWaitsForIt(t *testing.T) {
	s := alarmScript(nil)
	w := newWorld(t, s)
	w.want("missed", "/set1s", "")
	w.want("meanwhile", "/set10s", "")
	w.sleepFor(9900 * time.Millisecond)
	w.wall = nil // real time passes
	w.next(true, MissedFire)
	w.waitForEarlyAlarms()
	w.startEngine()
	eventually(t, "the second has fallen due", func() bool {
		w.early.mu.Lock()
		defer w.early.mu.Unlock()
		return len(w.early.alarms) == 2
	})
	w.serve(s)
	eventually(t, "both have run", func() bool { return len(w.PendingAlarms()) == 0 })
	wantList(t, "runs", runsOf(s), []string{"missed", "meanwhile"})
}

func TestMissedAlarmsOfAFrozenClockWaitForIt(t *testing.T) {
	s := alarmScript(nil)
	w := missing(t, s)
	log := w.next(false, MissedFire)
	w.start(s)
	wantLine(t, log, "2 alarms are overdue, the first by 29m59s, the last by 29m50s: "+
		"the clock stands still, so they fire when that is moved")
	wantList(t, "before", runsOf(s), nil)
	wantList(t, "advance 0", w.moveOn(0), []string{"Lab/b ok", "Lab/a ok"})
}

func TestSkippedAlarmsAreGoneFromTheFiles(t *testing.T) {
	for _, live := range []bool{true, false} {
		s := alarmScript(nil)
		w := missing(t, s)
		log := w.next(live, MissedSkip)
		w.start(s)
		wantLine(t, log, "2 alarms are overdue, the first by 29m59s, the last by 29m50s: they are skipped")
		wantLine(t, log, "skipped the alarm of Lab/a for ")
		wantLine(t, log, "skipped the alarm of Lab/b for ")
		if pending := w.PendingAlarms(); len(pending) != 1 || pending[0].Name != "c" {
			t.Errorf("pending: %+v, want that of c alone", pending)
		}
		w.want("a", "/get", "none")

		w.next(false, MissedFire)
		w.restart(s)
		wantList(t, "later", w.moveOn(time.Hour), []string{"Lab/c ok"})
	}
}

func TestSkippingFollowsTheObjectsAndNotTheIndex(t *testing.T) {
	s := alarmScript(nil)
	w := missing(t, s)
	// The files are as after crashes between the two writes of a change: a was moved to later, b
	// was deleted, and d was never committed.
	w.start(s)
	past := w.clock.Now().Add(-time.Hour)
	w.want("a", "/set1h", "")
	w.want("b", "/delete", "")
	index := w.namespaces["Lab"].index
	for i, name := range []string{"a", "b", "d"} {
		must(index.Set(labID(name), past, int64(i), name, true))
	}
	w.stop()
	w.next(false, MissedSkip)
	w.start(s)
	wantPending(t, w, "c", "a")
	if _, err := os.Stat(filepath.Join(w.dir, "state", "v3", "do", "w-Lab", labID("d")+".sqlite")); err == nil {
		t.Error("a file was created for an object without one")
	}
	w.next(false, MissedFire)
	w.restart(s)
	wantList(t, "later", w.moveOn(2*time.Hour), []string{"Lab/c ok", "Lab/a ok"})
}

func wantPending(t *testing.T, w *world, names ...string) {
	t.Helper()
	var got []string
	for _, a := range w.PendingAlarms() {
		got = append(got, a.Name)
	}
	wantList(t, "pending", got, names)
}

func TestAnAlarmThatCannotBeSkippedIsHeld(t *testing.T) {
	s := alarmScript(nil)
	w := missing(t, s)
	file := filepath.Join(w.dir, "state", "v3", "do", "w-Lab", labID("a")+".sqlite")
	content, err := os.ReadFile(file)
	must(err)
	must(os.WriteFile(file, bytes.Repeat([]byte("garbage "), 1000), 0o600))
	log := w.next(true, MissedSkip)
	w.start(s)
	wantLine(t, log, "skip alarm of Lab/a: it stays, and is held")
	wantLine(t, log, "skipped the alarm of Lab/b for ")
	if held := w.Held(); len(held) != 1 || held[0].Name != "a" {
		t.Errorf("held: %+v, want a", held)
	}
	w.stop()
	must(os.WriteFile(file, content, 0o600))
	w.next(false, MissedFire)
	w.start(s)
	wantList(t, "with the file mended", w.moveOn(0), []string{"Lab/a ok"})
}

func TestHeldAlarmsWaitUntilTheClockIsMoved(t *testing.T) {
	s := alarmScript(nil)
	w := missing(t, s)
	log := w.next(true, MissedHold)
	w.start(s)
	wantLine(t, log, "2 alarms are overdue, the first by 29m59s, the last by 29m50s: "+
		"they are held until you move the clock")
	w.want("now", "/setpast", "") // an alarm that was not missed fires as usual
	eventually(t, "it has run", func() bool { return len(runsOf(s)) == 1 && len(w.PendingAlarms()) == 3 })
	wantPending(t, w, "b", "a", "c")
	if held := w.Held(); len(held) != 2 || !held[0].Held || held[0].Name != "b" || held[1].Name != "a" {
		t.Errorf("held: %+v, want b and a", held)
	}
	wantList(t, "advance 0", w.moveOn(0), []string{"Lab/b ok", "Lab/a ok"})
	if held := w.Held(); held != nil {
		t.Errorf("held after that: %+v", held)
	}
}

func TestHeldAlarmsCanBeTriggeredSnoozedAndDeleted(t *testing.T) {
	s := alarmScript(func(*call) error { return errors.New("no luck") })
	w := missing(t, s)
	w.missAnother(s, "d")
	w.next(true, MissedHold)
	w.start(s)
	c, ctx := w.client(), context.Background()
	run, err := c.Trigger(ctx, control.TriggerRequest{Class: "Lab", Name: "a"})
	if err != nil || run.Outcome != control.OutcomeRetry || run.Next == nil || run.Next.Held {
		t.Errorf("trigger: got %+v, %v, want a run whose retry is not held", run, err)
	}
	moved, err := c.SnoozeAlarm(ctx, lab("b"), control.SnoozeRequest{By: "1h"})
	if in := moved.Due.Sub(moved.Now); err != nil || moved.Held || in > time.Hour || in < 59*time.Minute {
		t.Errorf("snooze: got %+v, %v, want it in an hour and not held", moved, err)
	}
	if was, err := c.DeleteAlarm(ctx, lab("d")); err != nil || !was.Held {
		t.Errorf("delete: got %+v, %v, want that it was held", was, err)
	}
	if held := w.Held(); held != nil {
		t.Errorf("held after that: %+v", held)
	}
}

// missAnother sets an alarm that is overdue when the stopped world starts again.
func (w *world) missAnother(s *script, name string) {
	w.t.Helper()
	w.start(s)
	w.want(name, "/set1s", "")
	w.sleepFor(time.Minute)
}

func TestHeldAlarmsFireAfterAnotherStart(t *testing.T) {
	s := alarmScript(nil)
	w := missing(t, s)
	w.next(false, MissedHold)
	w.start(s)
	w.restart(s)
	if n := len(w.Held()); n != 2 {
		t.Errorf("%d alarms are held after a restart, want 2", n)
	}
	w.next(false, MissedFire)
	w.restart(s)
	wantList(t, "fired", w.moveOn(0), []string{"Lab/b ok", "Lab/a ok"})
}

func TestWithoutMissedAlarmsThereIsNoLogLine(t *testing.T) {
	s := alarmScript(nil)
	w := newWorld(t, s)
	w.want("now", "/setpast", "") // due at the time at which the clock stands
	log := w.next(false, MissedFire)
	w.restart(s)
	if strings.Contains(log.String(), "overdue") {
		t.Errorf("got log\n%s", log)
	}
}

func TestLateness(t *testing.T) {
	for d, want := range map[time.Duration]string{
		3 * time.Millisecond:                   "3ms",
		1234 * time.Millisecond:                "1.2s",
		10 * time.Second:                       "10s",
		5 * time.Minute:                        "5m",
		2*time.Hour + 5*time.Minute:            "2h5m",
		2 * time.Hour:                          "2h",
		time.Hour + 10*time.Second:             "1h0m10s",
		49 * time.Hour:                         "2 days",
		365 * 24 * time.Hour:                   "365 days",
		24*time.Hour + 1500*time.Millisecond/2: "24h0m1s",
	} {
		if got := late(d); got != want {
			t.Errorf("late(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestStartReadsTheIndexAndNotTheObjects(t *testing.T) {
	s := alarmScript(nil)
	w := newWorld(t, s)
	w.want("a", "/set10s", "")
	w.stop()
	dir := filepath.Join(w.dir, "state", "v3", "do", "w-Lab")
	garbage := []byte(strings.Repeat("garbage ", 100))
	for i := range 1000 {
		id := objectid.FromName("w-Lab", "", fmt.Sprint("garbage", i))
		must(os.WriteFile(filepath.Join(dir, id.String()+".sqlite"), garbage, 0o600))
	}
	file := filepath.Join(dir, labID("a")+".sqlite")
	content, err := os.ReadFile(file)
	must(err)
	must(os.WriteFile(file, garbage, 0o600))
	log := w.next(false, MissedFire)
	w.start(s)
	wantPending(t, w, "a")
	if strings.Contains(log.String(), "rebuil") {
		t.Errorf("the index was rebuilt:\n%s", log)
	}
	w.stop()
	must(os.WriteFile(file, content, 0o600))
	w.start(s)
	wantList(t, "fired", w.moveOn(time.Minute), []string{"Lab/a ok"})
}
