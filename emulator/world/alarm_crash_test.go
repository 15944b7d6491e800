package world

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// A change of an alarm is two writes, one to the object's file and one to the index. These tests
// stop after each write: they make the other one fail, and then start again on the same files. The
// order of the writes must keep the index from showing a later time than the object.

// A change moves the alarm from one time to another. Times count from the beginning of the test; 0
// means no alarm.
var alarmChanges = []struct {
	name     string
	from, to time.Duration
	early    bool // the index is written first
}{
	{"set", 0, time.Minute, true},
	{"moved to earlier", time.Hour, time.Minute, true},
	{"moved to later", time.Minute, time.Hour, false},
	{"deleted", time.Minute, 0, false},
}

// changing starts a world whose object a has an alarm at from, and changes it to to by request.
// Each run is noted as its time since the beginning.
func changing(t *testing.T, from, to time.Duration) (*world, *script) {
	set := func(c *call, d time.Duration) error {
		if d == 0 {
			return c.plain(wire.MethodDeleteAlarm)
		}
		return c.setAlarm(d)
	}
	var begin time.Time
	s := newScript(map[string]func(*call) (string, error){
		"/from": func(c *call) (string, error) { return "", set(c, from) },
		"/to":   func(c *call) (string, error) { return "", set(c, to) },
		"/spoil": func(c *call) (string, error) { // what can't be committed
			_, err := c.exec(`CREATE TABLE p (t PRIMARY KEY);
				CREATE TABLE c (t REFERENCES p(t) DEFERRABLE INITIALLY DEFERRED);
				INSERT INTO c VALUES (1)`)
			return "", errors.Join(err, set(c, to))
		},
	})
	s.handlers["alarm"] = func(c *call) (string, error) { s.note("%s", c.now().Sub(begin)); return "", nil }
	w := newWorld(t, s)
	begin = w.clock.Now()
	w.want("a", "/from", "")
	return w, s
}

// crashAndWatch starts again on the same files, and returns the alarm's run as time since the
// beginning, or 0 if the alarm does not run.
func (w *world) crashAndWatch(s *script) time.Duration {
	w.t.Helper()
	w.restart(s)
	w.moveOn(2 * time.Hour)
	if n := len(w.PendingAlarms()); n > 0 {
		w.t.Errorf("%d alarms are left after two hours", n)
	}
	if s.notes() == "" {
		return 0
	}
	at, err := time.ParseDuration(s.notes())
	if err != nil {
		w.t.Errorf("runs: %q, want one at most", s.notes())
	}
	return at
}

func TestACrashBeforeTheIndexIsWrittenLosesNoAlarm(t *testing.T) {
	for _, change := range alarmChanges {
		t.Run(change.name, func(t *testing.T) {
			w, s := changing(t, change.from, change.to)
			if err := w.namespaces["Lab"].index.Close(); err != nil {
				t.Fatal(err)
			}
			status, body := w.get("a", "/to")
			want := change.to
			if change.early { // then nothing is written without the index
				want = change.from
				if status == 200 {
					t.Errorf("the change was acknowledged with %q, although the index was not written", body)
				}
			} else if status != 200 {
				t.Errorf("the change failed with %q, although the object's file is right", body)
			}
			if got := w.crashAndWatch(s); got != want {
				t.Errorf("the alarm ran after %s, want %s", got, want)
			}
		})
	}
}

func TestACrashBeforeTheObjectIsCommittedLosesNoAlarm(t *testing.T) {
	for _, change := range alarmChanges {
		t.Run(change.name, func(t *testing.T) {
			w, s := changing(t, change.from, change.to)
			if status, body := w.get("a", "/spoil"); status != 500 || !strings.Contains(body, "constraint") {
				t.Fatalf("got %d %q, want a commit that fails", status, body)
			}
			pending, err := w.namespaces["Lab"].index.All()
			if err != nil {
				t.Fatal(err)
			}
			wantTime := change.from
			if change.early {
				wantTime = change.to
			}
			got := time.Duration(0)
			if len(pending) == 1 {
				got = pending[0].At.Sub(w.clock.Now())
			}
			if got != wantTime {
				t.Errorf("the index shows an alarm in %s, want %s", got, wantTime)
			}
			if got := w.crashAndWatch(s); got != change.from {
				t.Errorf("the alarm ran after %s, want %s", got, change.from)
			}
		})
	}
}

func TestADeletedObjectLeavesNoAlarmWhereverTheCrashIs(t *testing.T) {
	w, s := changing(t, time.Minute, 0)
	if err := w.namespaces["Lab"].index.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client().DeleteObject(t.Context(), lab("a"), true); err == nil {
		t.Error("the deletion was acknowledged, although the index was not written")
	}
	w.restart(s)
	wantList(t, "fired", w.moveOn(time.Hour), []string{"Lab/a dropped"})
	w.restart(s)
	wantList(t, "fired after that", w.moveOn(time.Hour), nil)
}

// If a run cannot read the alarm from the object's file, the alarm is tried again.
func TestAnAlarmThatCannotBeLookedUpIsTriedAgain(t *testing.T) {
	w, s := changing(t, time.Hour, 0)
	// The index has an earlier time than the object, as after a crash.
	ns := w.namespaces["Lab"]
	if err := ns.index.Set(labID("a"), w.clock.Now().Add(time.Second), 1, "a", true); err != nil {
		t.Fatal(err)
	}
	w.restart(s)
	ns = w.namespaces["Lab"]
	if err := ns.index.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := w.advanceBy(t.Context(), time.Second)
	if err != nil || len(report.Fired) != 1 {
		t.Fatalf("got %+v, %v, want one run", report, err)
	}
	got := report.Fired[0]
	if got.Outcome != control.OutcomeRetry || got.RetryAt == nil || !strings.Contains(got.Error, "look up alarm: ") {
		t.Errorf("got %+v, want one that is tried again because it could not be looked up", got)
	}
	if a, ok := w.alarm("a"); !ok || a.Running || a.Retry != 0 {
		t.Errorf("got %+v, want one that waits, and a failure that does not count", a)
	}
	w.moveOn(time.Minute)
	w.restart(s) // the index can be written again
	w.moveOn(2 * time.Hour)
	if got, want := len(runsOf(s)), 1; got != want {
		t.Errorf("%d runs, want %d", got, want)
	}
}

// An alarm that another event replaces while it waits for its turn was never called. It has not
// failed when the program crashes.
func TestAnAlarmThatWasReplacedBeforeItsTurnIsDroppedAndNotFailed(t *testing.T) {
	for name, test := range map[string]struct {
		replace func(*call) error
		want    string
	}{
		"set again": {
			func(c *call) error { return c.setAlarm(time.Hour) },
			"the alarm was set again to ",
		},
		"deleted": {
			func(c *call) error { return c.plain(wire.MethodDeleteAlarm) },
			"the alarm was deleted before its handler was called: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := alarmScript(nil)
			begun, queued := make(chan struct{}), make(chan struct{})
			replaced, die := make(chan struct{}), make(chan struct{})
			s.handlers["/busy"] = func(c *call) (string, error) {
				close(begun)
				<-queued
				must(test.replace(c))
				must(c.plain(wire.MethodBlock)) // commits, and keeps the turn
				close(replaced)
				<-die
				return "", nil
			}
			w := newWorld(t, s)
			w.want("a", "/set1s", "")
			var others sync.WaitGroup
			defer others.Wait()
			defer close(die)
			others.Go(func() { w.getContext(context.Background(), "a", "/busy") }) //nolint:errcheck // its program dies
			<-begun
			var fired []control.Fired
			advanced := make(chan struct{})
			others.Go(func() {
				defer close(advanced)
				report, err := w.advanceBy(context.Background(), time.Second)
				if err != nil {
					t.Error(err)
					return
				}
				fired = report.Fired
			})
			o := w.object("Lab", "a")
			eventually(t, "the alarm waits for its turn", func() bool {
				o.mu.Lock()
				defer o.mu.Unlock()
				return len(o.queue) == 1
			})
			close(queued)
			<-replaced
			w.crash(alarmScript(nil))
			<-advanced
			if len(fired) != 1 || fired[0].Outcome != control.OutcomeDropped ||
				!strings.Contains(fired[0].Error, test.want) {
				t.Errorf("got %+v, want one run that was dropped because %s", fired, test.want)
			}
		})
	}
}
