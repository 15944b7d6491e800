package world

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// alarmScript returns a program whose objects set and show their alarm by request. A run calls
// alarm, and is noted as "name@seconds" since the world began.
func alarmScript(alarm func(*call) error) *script {
	s := newScript(nil)
	var once sync.Once
	var begin time.Time
	since := func(c *call) float64 {
		now := c.now()
		once.Do(func() { begin = now })
		return now.Sub(begin).Seconds()
	}
	s.handlers = map[string]func(*call) (string, error){
		"/set1s":   func(c *call) (string, error) { since(c); return "", c.setAlarm(time.Second) },
		"/set10s":  func(c *call) (string, error) { since(c); return "", c.setAlarm(10 * time.Second) },
		"/set1h":   func(c *call) (string, error) { since(c); return "", c.setAlarm(time.Hour) },
		"/setpast": func(c *call) (string, error) { since(c); return "", c.setAlarm(-time.Hour) },
		"/get":     func(c *call) (string, error) { return c.alarmIn(), nil },
		"/delete":  func(c *call) (string, error) { return "", c.plain(wire.MethodDeleteAlarm) },
		"/wipe":    func(c *call) (string, error) { return "", c.plain(wire.MethodDeleteAll) },
		"/k":       func(c *call) (string, error) { return c.load("k"), nil },
		"alarm": func(c *call) (string, error) {
			s.note("%s@%g", c.object, since(c))
			if alarm == nil {
				return "", nil
			}
			return "", alarm(c)
		},
	}
	return s
}

func TestAnAlarmFiresOnceAtItsTime(t *testing.T) {
	s := alarmScript(nil)
	w := newWorld(t, s)
	w.want("a", "/get", "none")
	w.want("a", "/set10s", "")
	w.want("a", "/get", "10s")
	wantList(t, "too early", w.moveOn(9999*time.Millisecond), nil)
	w.want("a", "/get", "1ms")
	wantList(t, "in time", w.moveOn(time.Millisecond), []string{"Lab/a ok"})
	w.want("a", "/get", "none")
	wantList(t, "after", w.moveOn(time.Hour), nil)
	if got, want := s.notes(), "a@10"; got != want {
		t.Errorf("runs: got %q, want %q", got, want)
	}
}

func TestALaterSetAlarmReplacesTheEarlierOne(t *testing.T) {
	s := alarmScript(nil)
	w := newWorld(t, s)
	w.want("a", "/set10s", "")
	w.want("a", "/set1s", "")
	w.want("b", "/set1s", "")
	w.want("b", "/set10s", "")
	w.want("c", "/set1s", "")
	w.want("c", "/delete", "")
	w.want("c", "/get", "none")
	w.moveOn(time.Hour)
	if got, want := s.notes(), "a@1 b@10"; got != want {
		t.Errorf("runs: got %q, want %q", got, want)
	}
}

func TestAnAlarmInThePastMeansNow(t *testing.T) {
	s := alarmScript(nil)
	w := newWorld(t, s)
	w.want("a", "/setpast", "")
	w.want("a", "/get", "0s")
	wantList(t, "fired", w.moveOn(0), []string{"Lab/a ok"})
}

func TestAlarmsFireInOrderOfTimeAndTiesInOrderOfSetting(t *testing.T) {
	s := alarmScript(nil)
	w := newWorld(t, s)
	for _, name := range []string{"z", "m", "a"} {
		w.want(name, "/set10s", "")
	}
	w.want("early", "/set1s", "")
	w.restart(s)
	w.want("late", "/set10s", "")
	w.moveOn(time.Minute)
	if got, want := s.notes(), "early@1 z@10 m@10 a@10 late@10"; got != want {
		t.Errorf("runs: got %q, want %q", got, want)
	}
}

func TestTheHandlerSeesNoAlarmUnlessItSetsOne(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["alarm"] = func(c *call) (string, error) {
		s.note("run:%s", c.alarmIn())
		if err := c.setAlarm(time.Minute); err != nil {
			return "", err
		}
		s.note("set:%s", c.alarmIn())
		if err := c.plain(wire.MethodDeleteAlarm); err != nil {
			return "", err
		}
		s.note("deleted:%s", c.alarmIn())
		return "", nil
	}
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	wantList(t, "fired", w.moveOn(time.Hour), []string{"Lab/a ok"})
	if got, want := s.notes(), "run:none set:1m0s deleted:none"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnAlarmThatSetsItselfFiresAgain(t *testing.T) {
	s := alarmScript(func(c *call) error { return c.setAlarm(time.Minute) })
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	if got := len(w.moveOn(time.Hour)); got != 60 {
		t.Errorf("got %d runs in an hour, want 60", got)
	}
	if a, ok := w.alarm("a"); !ok || a.Due.Sub(w.clock.Now()) != time.Second {
		t.Errorf("got next alarm %v, want one in a second", a)
	}
}

// Source: workerd#6866, where such an alarm is lost.
func TestAnAlarmThatSetsItselfForTheSameInstantFiresAgainThere(t *testing.T) {
	s := alarmScript(nil)
	runs := 0
	s.handlers["alarm"] = func(c *call) (string, error) {
		s.note("%s", c.object)
		if runs++; runs > 2 {
			return "", nil
		}
		return "", c.setAlarm(0)
	}
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	w.want("b", "/set1s", "")
	w.moveOn(time.Second)
	if got, want := s.notes(), "a b a b"; got != want {
		t.Errorf("got %q, want %q: again, after those already due", got, want)
	}
}

func TestAConstructorThatMovesTheAlarmCancelsItsRun(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["construct"] = func(c *call) (string, error) { return "", c.setAlarm(30 * time.Minute) }
	w := newWorld(t, s)
	w.want("a", "/set1h", "")
	w.restart(s)
	wantList(t, "fired", w.moveOn(time.Hour), []string{"Lab/a dropped"})
	if a, ok := w.alarm("a"); !ok || a.Due.Sub(w.clock.Now()) != 30*time.Minute {
		t.Errorf("got %v, want the alarm in 30 minutes", a)
	}
}

func TestAClassWithoutAlarmHandlerCannotSetOne(t *testing.T) {
	w := newWorld(t, alarmScript(nil))
	status, body := w.get("mute:a", "/set1s")
	if status != 500 || !strings.Contains(body, "class Mute has no Alarm method") {
		t.Errorf("got %d %q, want a 500 that names the class", status, body)
	}
	w.want("mute:a", "/get", "none") // reading needs no handler
	w.want("mute:a", "/delete", "")
}

func TestAnAlarmSetByAConstructorWithoutHandlerIsDropped(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["construct"] = func(c *call) (string, error) { return "", c.setAlarm(time.Second) }
	w := newWorld(t, s)
	w.want("mute:a", "/get", "1s")
	wantList(t, "fired", w.moveOn(time.Second), []string{"Mute/a dropped"})
	w.want("mute:a", "/get", "none")
}

func TestDeleteAllTakesTheAlarmWithItByDate(t *testing.T) {
	for date, want := range map[string]string{"2026-02-24": "none", "2026-02-23": "10s"} {
		w := newWorld(t, alarmScript(nil))
		w.stop()
		w.date = date
		w.start(alarmScript(nil))
		w.want("a", "/set10s", "")
		w.want("a", "/wipe", "")
		w.want("a", "/get", want)
	}
}

func TestAlarmsOutliveTheEmulator(t *testing.T) {
	s := alarmScript(nil)
	w := newWorld(t, s)
	w.want("a", "/set10s", "")
	before := w.clock.Now()
	w.restart(s)
	if got := w.clock.Now(); !got.Equal(before) {
		t.Errorf("the frozen clock went from %s to %s over a restart", before, got)
	}
	a, ok := w.alarm("a")
	if !ok || a.Name != "a" || a.Due.Sub(before) != 10*time.Second {
		t.Errorf("got %v, want the alarm of a in 10 s", a)
	}
	wantList(t, "fired", w.moveOn(time.Minute), []string{"Lab/a ok"})
}

func TestTheIndexIsRebuiltFromTheObjectsFiles(t *testing.T) {
	noDatabase := "this is not a database: " + strings.Repeat(".", 100) // longer than a header
	for _, damage := range []string{"", noDatabase} {
		s := alarmScript(nil)
		w := newWorld(t, s)
		w.want("a", "/set10s", "")
		w.want("b", "/set1s", "")
		w.want("c", "/k", "")
		w.stop()
		index := filepath.Join(w.dir, "state", "v3", "do", "w-Lab", "metadata.sqlite")
		if err := os.Remove(index); err != nil {
			t.Fatal(err)
		}
		if damage != "" {
			if err := os.WriteFile(index, []byte(damage), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w.start(s)
		wantList(t, "fired", w.moveOn(time.Minute), []string{"Lab/b ok", "Lab/a ok"})
	}
}

func TestACrashDuringAnAlarmRunsItAgain(t *testing.T) {
	next := alarmScript(nil)
	s := alarmScript(nil)
	w := newWorld(t, s)
	var crashed sync.WaitGroup
	s.handlers["alarm"] = func(c *call) (string, error) {
		if err := errors.Join(c.store("k", "lost"), c.setAlarm(time.Hour)); err != nil {
			return "", err
		}
		crashed.Go(func() { w.crash(next) })
		<-c.ctx.Done()
		return "", c.ctx.Err()
	}
	w.want("a", "/set1s", "")
	wantList(t, "first run", w.moveOn(time.Second), []string{"Lab/a retry"})
	crashed.Wait()
	w.want("a", "/k", "")
	wantList(t, "then", w.moveOn(time.Minute), []string{"Lab/a ok"})
	w.want("a", "/get", "none")
}

func TestTriggerRunsAnAlarmAtOnceWithItsRealTime(t *testing.T) {
	s := alarmScript(nil)
	var info wire.Alarm
	fail := true
	s.handlers["alarm"] = func(c *call) (string, error) {
		info = c.alarm
		if fail {
			return "", errors.New("no luck")
		}
		return "", nil
	}
	w := newWorld(t, s)
	client := w.client()
	now := w.clock.Now()
	w.want("a", "/set1h", "")

	got, err := client.Trigger(t.Context(), control.TriggerRequest{Class: "Lab", Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Outcome != control.OutcomeRetry || got.RetryAt == nil || got.Next == nil || got.Next.Retry != 1 {
		t.Errorf("got %+v, want a retry and the alarm that waits for it", got)
	}
	if want := now.Add(time.Hour).UnixMilli(); info.Scheduled != want || info.RetryCount != 0 {
		t.Errorf("the handler got %+v, want the alarm set for %d", info, want)
	}

	fail = false
	got, err = client.Trigger(t.Context(), control.TriggerRequest{Class: "LAB", ID: got.ID}) // by binding and id
	if err != nil {
		t.Fatal(err)
	}
	if got.Outcome != control.OutcomeOK || got.Retry != 1 || got.Next != nil {
		t.Errorf("got %+v, want a good run of retry 1 and no alarm after it", got)
	}
	if info.RetryCount != 1 {
		t.Errorf("the handler got retry %d, want 1", info.RetryCount)
	}
	if !w.clock.Now().Equal(now) {
		t.Error("the clock has moved")
	}
	wantList(t, "later", w.moveOn(2*time.Hour), nil)
}

func TestTriggerNamesWhatDoesNotExist(t *testing.T) {
	w := newWorld(t, alarmScript(nil))
	client := w.client()
	for want, q := range map[string]control.TriggerRequest{
		"no alarm is set":                      {},
		"Lab/a has no alarm":                   {Class: "Lab", Name: "a"},
		`there is no class "Nope"`:             {Class: "Nope", Name: "a"},
		"Invalid Durable Object ID":            {Class: "Lab", ID: "123"},
		"is not valid for this namespace":      {Class: "Lab", ID: strings.Repeat("ab", 32)},
		"the classes are Lab, Mute":            {Class: "lab", Name: "a"},
		"`devtool alarms list` shows those th": {Class: "Mute", Name: "a"},
	} {
		if _, err := client.Trigger(t.Context(), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want one with %q", q, err, want)
		}
	}
}

func TestTriggerDoesNotRunAnAlarmTwiceAtOnce(t *testing.T) {
	s := alarmScript(nil)
	running, release := make(chan struct{}), make(chan struct{})
	s.handlers["alarm"] = func(*call) (string, error) { close(running); <-release; return "", nil }
	w := newWorld(t, s)
	client := w.client()
	w.want("a", "/set1h", "")
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := client.Trigger(context.Background(), control.TriggerRequest{}); err != nil {
			t.Error(err)
		}
	})
	<-running
	_, err := client.Trigger(t.Context(), control.TriggerRequest{Class: "Lab", Name: "a"})
	if err == nil || !strings.Contains(err.Error(), "is running already") {
		t.Errorf("got error %v, want one that says that it is running", err)
	}
	list, err := client.ListAlarms(t.Context(), control.AlarmsRequest{})
	if err != nil || len(list.Alarms) != 1 || !list.Alarms[0].Running {
		t.Errorf("got %+v, %v, want the one alarm, running", list, err)
	}
	close(release)
	wg.Wait()
}

func TestTwoAdvancesEqualOne(t *testing.T) {
	run := func(steps ...time.Duration) string {
		s := alarmScript(nil)
		s.handlers["alarm"] = func(c *call) (string, error) {
			s.note("%s@%d", c.object, c.now().UnixMilli()-c.alarm.Scheduled)
			if err := c.sleep(700 * time.Millisecond); err != nil {
				return "", err
			}
			if c.object == "a" {
				if _, err := c.fetch("b", "/set1s"); err != nil {
					return "", err
				}
			}
			return "", c.setAlarm(1300 * time.Millisecond)
		}
		w := newWorld(t, s)
		w.want("a", "/set1s", "")
		w.want("b", "/set10s", "")
		for _, d := range steps {
			w.moveOn(d)
			w.restartIdle(s)
		}
		return s.notes()
	}
	one := run(30 * time.Second)
	if n := strings.Count(one, "@"); n < 20 {
		t.Fatalf("got %d runs, want a busy half minute: %s", n, one)
	}
	if two := run(9*time.Second, 21*time.Second); two != one {
		t.Errorf("in two steps:\n%s\nin one:\n%s", two, one)
	}
}

// restartIdle restarts the world unless a handler sleeps: the handler would not survive that.
func (w *world) restartIdle(s *script) {
	for _, ns := range w.namespaces {
		ns.mu.Lock()
		busy := false
		for _, o := range ns.objects {
			busy = busy || o.pending > 0
		}
		ns.mu.Unlock()
		if busy {
			return
		}
	}
	w.restart(s)
}

func TestAdvanceIsRefusedWhileAnotherIsUnderWay(t *testing.T) {
	s := alarmScript(nil)
	running, release := make(chan struct{}), make(chan struct{})
	s.handlers["alarm"] = func(*call) (string, error) { close(running); <-release; return "", nil }
	w := newWorld(t, s)
	client := w.client()
	w.want("a", "/set1s", "")
	var wg sync.WaitGroup
	wg.Go(func() { w.moveOn(time.Minute) })
	<-running
	_, err := client.Advance(t.Context(), control.AdvanceRequest{Duration: "1s"}, nil)
	if err == nil || !strings.Contains(err.Error(), "an advance is under way") {
		t.Errorf("advance: got error %v, want one that says that another is under way", err)
	}
	if _, err := client.Freeze(t.Context()); err == nil || !strings.Contains(err.Error(), "an advance is under way") {
		t.Errorf("freeze: got error %v, want one that says that an advance is under way", err)
	}
	w.want("b", "/get", "none") // requests are served meanwhile
	close(release)
	wg.Wait()
}

func TestFreezeAndResumeSayWhereTheClockStands(t *testing.T) {
	w := newWorld(t, alarmScript(nil))
	client := w.client()
	got, err := client.Resume(t.Context())
	if err != nil || got.Mode != control.Running {
		t.Errorf("resume: got %+v, %v, want a running clock", got, err)
	}
	got, err = client.Freeze(t.Context())
	if err != nil || got.Mode != control.Frozen || !got.Now.Equal(w.clock.Now()) {
		t.Errorf("freeze: got %+v, %v, want a frozen clock at %s", got, err, w.clock.Now())
	}
	w.want("a", "/set10s", "")
	got, err = client.Time(t.Context())
	if err != nil || got.Next == nil || got.Next.Due.Sub(got.Now) != 10*time.Second || got.Next.Name != "a" {
		t.Errorf("time: got %+v, %v, want the alarm of a next", got, err)
	}
}
