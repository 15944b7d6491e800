package world

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

func TestADuplicateComesAfterWhatIsDueAtThatTime(t *testing.T) {
	w := newWorld(t, faultScript(nil))
	for _, name := range []string{"a", "b", "c"} {
		w.want(name, "/set1s", "")
	}
	w.inject("a", control.FaultDuplicateAlarm)
	wantList(t, "fired", w.moveOn(time.Second), []string{"Lab/a ok", "Lab/b ok", "Lab/c ok", "Lab/a ok"})
}

// The duplicate is delivered whatever the first run does with the alarm. It sees the alarm that the
// first run has left, and what it leaves itself stands.
func TestADuplicateSeesAndChangesTheAlarmThatTheFirstRunLeft(t *testing.T) {
	keep := func(*call) error { return nil }
	remove := func(c *call) error { return c.plain(wire.MethodDeleteAlarm) }
	set := func(d time.Duration) func(*call) error { return func(c *call) error { return c.setAlarm(d) } }
	for _, tt := range []struct {
		name          string
		first, second func(*call) error
		sees, left    string
	}{
		{"neither touches it", keep, keep, "none", "none"},
		{"the first sets it", set(10 * time.Second), keep, "10s", "10s"},
		{"the first sets it to now", set(0), keep, "none", "none"}, // which runs before the duplicate
		{"the first deletes it", remove, keep, "none", "none"},
		{"the second sets it", keep, set(20 * time.Second), "none", "20s"},
		{"both set it", set(10 * time.Second), set(20 * time.Second), "10s", "20s"},
		{"both set it to the same time", set(10 * time.Second), set(10 * time.Second), "10s", "10s"},
		{"the second deletes it", set(10 * time.Second), remove, "10s", "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var runs []wire.Alarm
			var sees string
			s := alarmScript(nil)
			s.handlers["alarm"] = func(c *call) (string, error) {
				runs = append(runs, c.alarm)
				switch {
				case len(runs) == 1:
					return "", tt.first(c)
				case c.alarm.Scheduled != runs[0].Scheduled || len(runs) < 2+strings.Count(tt.name, "to now"):
					return "", nil // of the alarm that the first has set
				}
				sees = c.alarmIn()
				return "", tt.second(c)
			}
			w := newWorld(t, s)
			w.want("a", "/set1s", "")
			w.inject("a", control.FaultDuplicateAlarm)
			w.moveOn(time.Second)
			wantList(t, "waiting", w.faultsWaiting(), nil)
			last := runs[len(runs)-1]
			if last.Scheduled != runs[0].Scheduled || last.RetryCount != 0 {
				t.Errorf("the duplicate is %+v, want that of %+v", last, runs[0])
			}
			if sees != tt.sees {
				t.Errorf("the duplicate sees %s, want %s", sees, tt.sees)
			}
			w.want("a", "/get", tt.left)
			want := []string{"Lab/a ok"}
			if tt.left == "none" {
				want = nil
			}
			wantList(t, "then", w.moveOn(time.Hour), want)
		})
	}
}

func TestATriggeredAlarmIsDuplicatedByTheNextTriggerOrMove(t *testing.T) {
	for _, move := range []bool{false, true} {
		w := newWorld(t, faultScript(nil))
		w.want("a", "/set1h", "")
		w.inject("a", control.FaultDuplicateAlarm)
		trigger := control.TriggerRequest{Class: "Lab", Name: "a"}
		got, err := w.client().Trigger(t.Context(), trigger)
		if err != nil || got.Next == nil {
			t.Fatalf("got %+v, %v, want a run after which another one is due", got, err)
		}
		w.want("a", "/get", "none")
		if all := w.Faults(false).Faults; len(all) != 1 || !strings.HasPrefix(all[0].Why, "the alarm has run once") {
			t.Errorf("got %+v, want the fault until the second run is over", all)
		}
		if move {
			wantList(t, "fired", w.moveOn(0), []string{"Lab/a ok"})
		} else if got, err := w.client().Trigger(t.Context(), trigger); err != nil || got.Next != nil {
			t.Errorf("got %+v, %v, want the second run and nothing more", got, err)
		}
		w.want("a", "/k", "++")
		wantList(t, "waiting", w.faultsWaiting(), nil)
	}
}

func TestTwoDuplicatesAreTwoMoreRuns(t *testing.T) {
	w := newWorld(t, faultScript(nil))
	w.want("a", "/set1s", "")
	w.inject("a", control.FaultDuplicateAlarm, control.FaultDuplicateAlarm)
	wantList(t, "fired", w.moveOn(time.Second), []string{"Lab/a ok", "Lab/a ok", "Lab/a ok"})
	w.want("a", "/k", "+++")
}

func TestADuplicateThatFailsIsRetriedBesideTheNextAlarm(t *testing.T) {
	runs := 0
	w := newWorld(t, faultScript(func(c *call) error {
		switch runs++; runs {
		case 1:
			return c.setAlarm(time.Minute)
		case 2:
			return errors.New("no luck")
		}
		return nil
	}))
	w.want("a", "/set1s", "")
	w.inject("a", control.FaultDuplicateAlarm)
	wantList(t, "fired", w.moveOn(time.Second), []string{"Lab/a ok", "Lab/a retry"})
	wantList(t, "the retry", w.moveOn(30*time.Second), []string{"Lab/a ok"})
	wantList(t, "the next alarm", w.moveOn(time.Hour), []string{"Lab/a ok"})
	wantList(t, "waiting", w.faultsWaiting(), nil)
}

func TestADuplicateThatFailsForGoodLeavesTheNextAlarm(t *testing.T) {
	runs := 0
	w := newWorld(t, faultScript(func(c *call) error {
		if runs++; runs == 1 {
			return c.setAlarm(time.Hour)
		}
		return cmp.Or(c.plain(wire.MethodSync), errors.New("no luck"))
	}))
	w.want("a", "/set1s", "")
	w.inject("a", control.FaultDuplicateAlarm)
	got := w.moveOn(30 * time.Minute)
	retries := slices.Repeat([]string{"Lab/a retry"}, RetryMax)
	want := slices.Concat([]string{"Lab/a ok"}, retries, []string{"Lab/a failed"})
	wantList(t, "fired", got, want)
	w.want("a", "/get", "30m1s")
	wantList(t, "waiting", w.faultsWaiting(), nil)
}

func TestTheDuplicateOfADeletedObjectIsDropped(t *testing.T) {
	for name, drop := range map[string]func(*world) error{
		"object": func(w *world) error { _, err := w.client().DeleteObject(t.Context(), lab("a"), true); return err },
		"fault":  func(w *world) error { _, err := w.client().DropFaults(t.Context()); return err },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, faultScript(nil))
			w.want("a", "/set1h", "")
			w.inject("a", control.FaultDuplicateAlarm)
			trigger := control.TriggerRequest{Class: "Lab", Name: "a"}
			if _, err := w.client().Trigger(t.Context(), trigger); err != nil {
				t.Fatal(err)
			}
			if err := drop(w); err != nil {
				t.Fatal(err)
			}
			wantList(t, "fired", w.moveOn(time.Hour), nil)
			wantList(t, "waiting", w.faultsWaiting(), nil)
		})
	}
}

func TestADuplicateEndsWithItsEmulator(t *testing.T) {
	s := faultScript(nil)
	w := newWorld(t, s)
	w.want("a", "/set1h", "")
	w.inject("a", control.FaultDuplicateAlarm)
	if _, err := w.client().Trigger(t.Context(), control.TriggerRequest{Class: "Lab", Name: "a"}); err != nil {
		t.Fatal(err)
	}
	w.restart(s)
	w.want("a", "/k", "+")
	wantList(t, "fired", w.moveOn(time.Hour), nil)
}

func TestAPendingFaultSaysWhyItHasNotStruck(t *testing.T) {
	w := newWorld(t, faultScript(func(c *call) error {
		if c.object == "fails" {
			return c.reset("enough")
		}
		return nil
	}))
	for _, tt := range []struct{ object, fault, path, want string }{
		{"a", control.FaultCrashBeforeCommit, "", "no event has reached the object since"},
		{"b", control.FaultCrashAfterCommit, "/k", "no event of the object has written anything since"},
		{"c", control.FaultFailAlarm, "", "the object has no alarm, and no event has reached it since"},
		{"d", control.FaultFailAlarm, "/k", "the object has no alarm"},
		{"e", control.FaultDuplicateAlarm, "/set1h", "its alarm is due at "},
	} {
		w.inject(tt.object, tt.fault)
		if tt.path != "" {
			w.get(tt.object, tt.path)
		}
		all := w.Faults(false).Faults
		if got := all[len(all)-1]; got.Name != tt.object || !strings.HasPrefix(got.Why, tt.want) {
			t.Errorf("%s of %s: got %+v, want %q", tt.fault, tt.object, got, tt.want)
		}
	}
	w.want("fails", "/set1s", "")
	w.inject("fails", control.FaultDuplicateAlarm)
	w.moveOn(30 * time.Minute)
	w.get("fails", "/delete")
	all := w.Faults(true).Faults
	if got, want := all[len(all)-1].Why, "no run of its alarm has succeeded since"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
