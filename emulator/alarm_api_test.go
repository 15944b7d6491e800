package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/internal/scripted"
)

// fixed returns a request for an alarm at a time; in returns one for an alarm after a duration.
func fixed(at time.Time) control.SetAlarmRequest { return control.SetAlarmRequest{At: &at} }

func in(d string) control.SetAlarmRequest { return control.SetAlarmRequest{In: d} }

func TestAlarmsAreSetMovedAndDeletedWithoutWakingTheirObjects(t *testing.T) {
	s := labScript()
	w := newWorld(t, s)
	c, ctx := w.client(), t.Context()
	w.want("a", "/put", "")
	before := s.Notes()
	now := w.world.Clock().Now()

	set, err := c.SetAlarm(ctx, lab("a"), in("10s"))
	object := control.Object{Class: "Lab", Name: "a", ID: labID("a")}
	if err != nil || set.Object != object || !set.Now.Equal(now) || set.Due.Sub(now) != 10*time.Second {
		t.Errorf("set: got %+v, %v, want Lab/a in 10 s", set, err)
	}
	got, err := c.GetAlarm(ctx, control.Object{Class: "LAB", ID: labID("a")})
	if err != nil || got != set {
		t.Errorf("get by binding and id: got %+v, %v, want %+v", got, err, set)
	}
	set, err = c.SetAlarm(ctx, control.Object{Class: "LAB", Name: "new"}, fixed(now.Add(5*time.Second)))
	if err != nil || set.Due.Sub(now) != 5*time.Second {
		t.Errorf("set for an object that does not exist: got %+v, %v, want it in 5 s", set, err)
	}
	moved, err := c.SnoozeAlarm(ctx, lab("new"), control.SnoozeRequest{By: "1m"})
	if err != nil || moved.Due.Sub(now) != 65*time.Second {
		t.Errorf("snooze: got %+v, %v, want it in 1m5s", moved, err)
	}
	was, err := c.DeleteAlarm(ctx, lab("a"))
	if err != nil || was.Due.Sub(now) != 10*time.Second {
		t.Errorf("delete: got %+v, %v, want what it was", was, err)
	}
	_, err = c.DeleteAlarm(ctx, lab("a"))
	wantRefusal(t, err, 404, "Lab/a has no alarm")
	if got := s.Notes(); got != before {
		t.Errorf("got notes %q, want %q: no object is woken up", got, before)
	}

	w.restart(s) // everything is in the files
	wantList(t, "fired", w.moveOn(time.Hour), []string{"Lab/new ok"})
}

func TestAlarmsAreListedByClass(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	w.want("a", "/set10s", "")
	c, ctx := w.client(), t.Context()
	for class, want := range map[string]int{"": 1, "Lab": 1, "LAB": 1, "Mute": 0, "MUTE": 0} {
		list, err := c.ListAlarms(ctx, control.AlarmsRequest{Class: class})
		if err != nil || len(list.Alarms) != want || !list.Now.Equal(w.world.Clock().Now()) {
			t.Errorf("class %q: got %+v, %v, want %d", class, list, err, want)
		}
	}
	_, err := c.ListAlarms(ctx, control.AlarmsRequest{Class: "Lob"})
	wantRefusal(t, err, 404, `there is no class "Lob": the classes are Lab, Mute`)
}

func TestTheAlarmsAPIRefusesInvalidRequests(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	w.want("a", "/set10s", "")
	c, ctx := w.client(), t.Context()
	at := w.world.Clock().Now()
	set := func(o control.Object, q control.SetAlarmRequest) error { _, err := c.SetAlarm(ctx, o, q); return err }
	snooze := func(o control.Object, by string) error {
		_, err := c.SnoozeAlarm(ctx, o, control.SnoozeRequest{By: by})
		return err
	}
	get := func(o control.Object) error { _, err := c.GetAlarm(ctx, o); return err }
	for _, test := range []struct {
		err    error
		status int
		want   string
	}{
		{set(lab("a"), control.SetAlarmRequest{}), 400, "either at what time or in how long"},
		{set(lab("a"), control.SetAlarmRequest{At: &at, In: "1s"}), 400, "either at what time or in how long"},
		{set(lab("a"), in("soon")), 400, `"soon" is not a duration: write it as "90s" or "1h30m"`},
		{set(lab("a"), in("-1s")), 400, "an alarm can't be moved back in time, so not by -1s"},
		{
			set(lab("a"), fixed(at.AddDate(300, 0, 0))), 400,
			"is too late for an alarm: the last can be at 2262-04-11T23:47:16Z",
		},
		{set(control.Object{Class: "Mute", Name: "a"}, in("1s")), 400, "class Mute has no Alarm method"},
		{set(control.Object{Class: "Nope", Name: "a"}, in("1s")), 404, `there is no class "Nope"`},
		{
			set(control.Object{Class: "Lab", ID: strings.Repeat("ab", 32)}, in("1s")), 400,
			"is not valid for this namespace",
		},
		{snooze(lab("a"), "-1s"), 400, "an alarm can't be moved back in time"},
		{snooze(lab("a"), "2500000h"), 400, "is too late for an alarm"},
		{snooze(lab("b"), "1s"), 404, "Lab/b has no alarm: `devtool alarms list` shows those that are set"},
		{get(lab("b")), 404, "Lab/b has no alarm"},
	} {
		wantRefusal(t, test.err, test.status, test.want)
	}
	// The refused requests have neither changed nor created anything.
	if a, ok := w.alarm("a"); !ok || a.Due.Sub(at) != 10*time.Second || len(w.world.PendingAlarms()) != 1 {
		t.Errorf("pending after that: %+v", w.world.PendingAlarms())
	}
	objects, err := c.ListObjects(ctx)
	if err != nil || len(objects.Objects) != 1 {
		t.Errorf("objects after that: %+v, %v, want a alone", objects.Objects, err)
	}
}

// sleepFor stops the emulator and changes its saved clock: it runs, and has moved on by d.
func (w *testWorld) sleepFor(d time.Duration) {
	w.t.Helper()
	stood := w.world.Clock().Now()
	w.stop()
	at := stood.Add(d)
	b, err := json.Marshal(clock.State{Mode: clock.Running, Rate: 1, Offset: time.Until(at), At: at})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "state", "v3", "clock.json"), b, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func TestAnAlarmSetInThePastMeansNow(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	set, err := w.client().SetAlarm(t.Context(), lab("a"), fixed(w.world.Clock().Now().Add(-time.Hour)))
	if err != nil || !set.Due.Equal(w.world.Clock().Now()) {
		t.Errorf("got %+v, %v, want it now", set, err)
	}
	wantList(t, "fired", w.moveOn(0), []string{"Lab/a ok"})
}

func TestAnOverdueAlarmIsSnoozedFromNow(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	w.want("a", "/set1s", "")
	w.sleepFor(time.Hour)
	w.start(scripted.Alarms(nil))
	moved, err := w.client().SnoozeAlarm(t.Context(), lab("a"), control.SnoozeRequest{By: "10m"})
	if err != nil || moved.Due.Sub(moved.Now) != 10*time.Minute {
		t.Errorf("got %+v, %v, want it in 10 minutes", moved, err)
	}
}

// Setting, moving or deleting an alarm also resets its count of failures.
func TestAnAlarmThatWaitsForARetryCanBeSetAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(*client.Client, control.Alarm) error
		want string // in how long it is due, and which retry that is
	}{
		{"set", func(c *client.Client, _ control.Alarm) error {
			_, err := c.SetAlarm(context.Background(), lab("a"), in("5s"))
			return err
		}, "5s 0"},
		{"set to the time it had", func(c *client.Client, a control.Alarm) error {
			_, err := c.SetAlarm(context.Background(), lab("a"), fixed(a.Scheduled))
			return err
		}, "0s 0"},
		{"snoozed", func(c *client.Client, _ control.Alarm) error {
			_, err := c.SnoozeAlarm(context.Background(), lab("a"), control.SnoozeRequest{By: "1h"})
			return err
		}, "1h2s 0"},
		{"deleted", func(c *client.Client, _ control.Alarm) error {
			_, err := c.DeleteAlarm(context.Background(), lab("a"))
			return err
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			fail := true
			s := scripted.Alarms(func(*call) error {
				if fail {
					return errors.New("no luck")
				}
				return nil
			})
			w := newWorld(t, s)
			w.want("a", "/set1s", "")
			wantList(t, "first run", w.moveOn(time.Second), []string{"Lab/a retry"})
			a, _ := w.alarm("a")
			if a.Retry != 1 {
				t.Fatalf("waits for %+v, want retry 1", a)
			}
			if err := test.do(w.client(), a); err != nil {
				t.Fatal(err)
			}
			fail = false
			got := ""
			if a, ok := w.alarm("a"); ok { // the retry's jitter does not matter here
				got = a.Due.Sub(w.world.Clock().Now()).Truncate(time.Second).String() + " " + string(rune('0'+a.Retry))
				got = strings.Replace(got, "1h0m", "1h", 1)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			var runs []string
			if test.want != "" {
				runs = []string{"Lab/a ok"}
			}
			wantList(t, "later", w.moveOn(2*time.Hour), runs)
		})
	}
}

func TestTheAlarmOfARunningHandlerIsNotSnoozed(t *testing.T) {
	s := scripted.Alarms(func(c *call) error { return c.Sleep(time.Minute) })
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.moveOn(10 * time.Second)
	c, ctx := w.client(), t.Context()
	_, err := c.SnoozeAlarm(ctx, lab("a"), control.SnoozeRequest{By: "1h"})
	wantRefusal(t, err, 409, "the alarm of Lab/a is running: `devtool alarms set` sets the next one")
	// Even at the time it already has, this is a new alarm.
	a, _ := w.alarm("a")
	set, err := c.SetAlarm(ctx, lab("a"), fixed(a.Scheduled))
	if err != nil || set.Running || !set.Due.Equal(w.world.Clock().Now()) {
		t.Errorf("set: got %+v, %v, want one that is due now", set, err)
	}
	wantList(t, "fired", w.moveOn(55*time.Second), []string{"Lab/a ok"})
	if a, ok := w.alarm("a"); !ok || !a.Running {
		t.Errorf("after the first run: got %+v, want the second, which runs", a)
	}
	w.moveOn(time.Hour)
}

func TestADeletedAlarmThatRunsIsNotTriedAgain(t *testing.T) {
	s := scripted.Alarms(func(c *call) error { return errors.Join(c.Sleep(time.Minute), errors.New("no luck")) })
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.moveOn(10 * time.Second)
	if was, err := w.client().DeleteAlarm(t.Context(), lab("a")); err != nil || !was.Running {
		t.Errorf("delete: got %+v, %v, want that it was running", was, err)
	}
	wantList(t, "fired", w.moveOn(time.Hour), []string{"Lab/a failed"})
}

func TestTheHandlerSeesTheAlarmThatWasSet(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	w.want("a", "/get", "none")
	if _, err := w.client().SetAlarm(t.Context(), lab("a"), in("10s")); err != nil {
		t.Fatal(err)
	}
	w.want("a", "/get", "10s")
}

func TestOfflineChangesAlarms(t *testing.T) {
	s := scripted.Alarms(nil)
	w := newWorld(t, s)
	w.want("a", "/set10s", "")
	w.want("b", "/set10s", "")
	stood := w.world.Clock().Now()
	o, ctx := w.offline(), t.Context()
	list, err := o.ListAlarms(ctx, control.AlarmsRequest{Class: "LAB"})
	if err != nil || len(list.Alarms) != 2 || !list.Now.Equal(stood) {
		t.Errorf("list: got %+v, %v, want two", list, err)
	}
	if _, err := o.SnoozeAlarm(ctx, lab("a"), control.SnoozeRequest{By: "1m"}); err != nil {
		t.Error(err)
	}
	if _, err := o.DeleteAlarm(ctx, lab("b")); err != nil {
		t.Error(err)
	}
	if set, err := o.SetAlarm(ctx, lab("c"), in("1s")); err != nil || set.Due.Sub(stood) != time.Second {
		t.Errorf("set: got %+v, %v, want it in a second", set, err)
	}
	_, err = o.GetAlarm(ctx, lab("b"))
	wantRefusal(t, err, 404, "Lab/b has no alarm")
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	w.start(s)
	w.moveOn(time.Hour)
	var runs []string
	for run := range strings.FieldsSeq(s.Notes()) {
		name, _, _ := strings.Cut(run, "@")
		runs = append(runs, name)
	}
	wantList(t, "runs", runs, []string{"c", "a"})
}

// An alarm that is set to the time it already has runs after the others of that time, and still
// does when the emulator starts again.
func TestAnAlarmSetToItsOwnTimeIsTheLastOfThatTimeAlsoAfterARestart(t *testing.T) {
	s := scripted.Alarms(nil)
	w := newWorld(t, s)
	w.want("a", "/set10s", "")
	w.want("b", "/set10s", "")
	if _, err := w.client().SetAlarm(t.Context(), lab("a"), control.SetAlarmRequest{In: "10s"}); err != nil {
		t.Fatal(err)
	}
	w.restart(s)
	wantList(t, "fired", w.moveOn(10*time.Second), []string{"Lab/b ok", "Lab/a ok"})
}
