package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/door"
	"devtool.internal/emulator/internal/scripted"
)

// midnight is the time at which worlds with cron triggers start, a Thursday.
var midnight = time.Date(2030, 8, 1, 0, 0, 0, 0, time.UTC)

// cronWorld starts an emulator whose configuration has the given cron triggers.
func cronWorld(t *testing.T, s *script, crons ...string) *testWorld {
	t.Helper()
	w := newStoppedWorld(t, nil)
	w.withCrons(midnight, crons...)
	w.start(s)
	w.withCrons(time.Time{}, crons...) // a restart continues at the clock's time
	return w
}

// withCrons makes the next start one at the given time, unless that is zero, with cron triggers.
func (w *testWorld) withCrons(at time.Time, crons ...string) {
	w.tune = func(o *Options) {
		load := o.Load
		o.Load = func() (*config.Config, error) {
			c, err := load()
			if err == nil {
				c.Crons = crons
			}
			return c, err
		}
		o.Time = at
	}
}

// cronScript returns a program that notes each run of a cron trigger as "expression@time", and then
// calls scheduled unless that is nil.
func cronScript(scheduled func(*call) error) *script {
	s := scripted.New(nil)
	s.Handlers = handlers{
		"/set1m": func(c *call) (string, error) { return "", c.SetAlarm(time.Minute) },
		"alarm": func(c *call) (string, error) {
			s.Note("%s@%s", c.Object, c.Now().Format(clockTime))
			return "", nil
		},
		"scheduled": func(c *call) (string, error) {
			s.Note("%s@%s", c.Cron.Cron, c.Now().Format(clockTime))
			if due := time.UnixMilli(c.Cron.Time).UTC(); !due.Equal(c.Now()) {
				s.Note("(due %s)", due.Format(clockTime))
			}
			if scheduled == nil {
				return "", nil
			}
			return "", scheduled(c)
		},
	}
	return s
}

const clockTime = "15:04:05"

func wantNotes(t *testing.T, s *script, want ...string) {
	t.Helper()
	if diff := cmp.Diff(strings.Join(want, " "), s.Notes()); diff != "" {
		t.Errorf("what ran (-want +got):\n%s", diff)
	}
}

func TestCronTriggersRunWhenTheClockGetsThere(t *testing.T) {
	s := cronScript(nil)
	w := cronWorld(t, s, "*/5 * * * *", "7 0 * * *")
	wantList(t, "an advance that ends too early", w.moveOn(5*time.Minute-time.Millisecond), nil)
	wantList(t, "the rest", w.moveOn(5*time.Minute+time.Millisecond), []string{
		"cron */5 * * * * ok", "cron 7 0 * * * ok", "cron */5 * * * * ok",
	})
	wantNotes(t, s, "*/5 * * * *@00:05:00", "7 0 * * *@00:07:00", "*/5 * * * *@00:10:00")
}

func TestTheReportListsCronTriggers(t *testing.T) {
	w := cronWorld(t, cronScript(nil), "0 1 * * *")
	report, err := w.advanceBy(t.Context(), 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	due := midnight.Add(time.Hour)
	want := []control.Fired{{
		Kind:      control.KindCron,
		Cron:      "0 1 * * *",
		At:        due,
		Scheduled: due,
		Outcome:   control.OutcomeOK,
	}}
	if diff := cmp.Diff(want, report.Fired); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTriggersOfTheSameInstantRunInTheOrderOfTheConfiguration(t *testing.T) {
	s := cronScript(nil)
	w := cronWorld(t, s, "30 * * * *", "*/15 * * * *", "0,30 * * * *")
	w.moveOn(20 * time.Minute)
	w.restart(s)
	w.moveOn(20 * time.Minute)
	wantNotes(t, s, "*/15 * * * *@00:15:00",
		"30 * * * *@00:30:00", "*/15 * * * *@00:30:00", "0,30 * * * *@00:30:00")
}

func TestATriggerRunsBeforeTheAlarmsOfItsInstantAlsoAfterARestart(t *testing.T) {
	s := cronScript(nil)
	w := cronWorld(t, s, "* * * * *")
	w.want("a", "/set1m", "")
	w.restart(s)
	w.moveOn(time.Minute)
	w.want("b", "/set1m", "")
	w.moveOn(time.Minute)
	wantNotes(t, s, "* * * * *@00:01:00", "a@00:01:00", "* * * * *@00:02:00", "b@00:02:00")
}

func TestOneLongAdvanceDoesWhatManyShortOnesDo(t *testing.T) {
	run := func(steps ...time.Duration) string {
		s := cronScript(func(c *call) error { return c.Sleep(90 * time.Second) })
		w := cronWorld(t, s, "* * * * *", "*/7 * * * *", "11 0 1 8 *")
		for _, d := range steps {
			w.moveOn(d)
		}
		return s.Notes()
	}
	want := run(20 * time.Minute)
	rest := 12*time.Minute + time.Second - time.Millisecond
	if got := run(0, 7*time.Minute, time.Millisecond, 59*time.Second, 0, rest); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestARunDoesNotWaitForThePreviousRun(t *testing.T) {
	var s *script
	s = cronScript(func(c *call) error {
		begun := c.Now().Format(clockTime)
		if err := c.Sleep(90 * time.Second); err != nil {
			return err // the test is over
		}
		s.Note("%s..%s", begun, c.Now().Format(clockTime))
		return nil
	})
	w := cronWorld(t, s, "* * * * *")
	wantList(t, "runs that have ended", w.moveOn(3*time.Minute), []string{"cron * * * * * ok"})
	wantNotes(t, s, "* * * * *@00:01:00", "* * * * *@00:02:00", "00:01:00..00:02:30", "* * * * *@00:03:00")
}

func TestWhatARunCausesIsPartOfItsStep(t *testing.T) {
	s := cronScript(func(c *call) error { _, err := c.Fetch("a", "/set1m"); return err })
	w := cronWorld(t, s, "10 0 * * *")
	wantList(t, "runs", w.moveOn(time.Hour), []string{"cron 10 0 * * * ok", "Lab/a ok"})
	wantNotes(t, s, "10 0 * * *@00:10:00", "a@00:11:00")
}

func TestAFailedRunIsReportedAndNotTriedAgain(t *testing.T) {
	s := cronScript(func(*call) error { return errors.New("no luck") })
	w := cronWorld(t, s, "0 * * * *")
	report, err := w.advanceBy(t.Context(), 90*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	f := report.Fired
	if len(f) != 1 || report.Failed != 1 ||
		f[0].Outcome != control.OutcomeFailed || f[0].Error != "no luck" || f[0].RetryAt != nil {
		t.Errorf("got %+v, want one failure", report)
	}
}

func TestACrashDuringARunFailsIt(t *testing.T) {
	begun := make(chan struct{})
	s := cronScript(func(c *call) error {
		close(begun)
		<-c.Context.Done()
		return errors.New("the emulator has lost the connection")
	})
	after := cronScript(nil)
	w := cronWorld(t, s, "0 1 * * *")
	done := make(chan []string)
	go func() { done <- w.moveOn(2 * time.Hour) }()
	<-begun
	w.crash(after)
	wantList(t, "runs", <-done, []string{"cron 0 1 * * * failed"})
	wantNotes(t, after)
}

func TestARunFailsWhileTheProgramKeepsCrashing(t *testing.T) {
	s := cronScript(nil)
	w := cronWorld(t, s, "0 * * * *")
	w.crashForGood()
	wantList(t, "runs", w.moveOn(2*time.Hour), []string{"cron 0 * * * * failed", "cron 0 * * * * failed"})
	w.swapIn(s)
	w.moveOn(time.Hour)
	wantNotes(t, s, "0 * * * *@03:00:00")
}

func TestMissedCronTriggersDoNotRunLater(t *testing.T) {
	s := cronScript(nil)
	w := cronWorld(t, s, "0 * * * *")
	w.stop()
	w.withCrons(midnight.Add(150*time.Minute), "0 * * * *")
	w.start(s)
	wantList(t, "overdue", w.moveOn(0), nil)
	w.moveOn(time.Hour)
	wantNotes(t, s, "0 * * * *@03:00:00")
}

func TestAClockThatJumpsRunsATriggerOnceAndLate(t *testing.T) {
	s := cronScript(nil)
	w := cronWorld(t, s, "0 * * * *")
	_, move, err := w.world.BeginAdvance(t.Context(), control.AdvanceRequest{Duration: "3h30m", Jump: true})
	if err == nil {
		_, err = move()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.moveOn(30 * time.Minute)
	wantNotes(t, s, "0 * * * *@03:30:00", "(due 01:00:00)", "0 * * * *@04:00:00")
}

func TestAClockThatGoesBackSetsTheTriggersAgain(t *testing.T) {
	w := cronWorld(t, cronScript(nil), "0 * * * *")
	if err := w.world.ResetTime(false); err != nil {
		t.Fatal(err)
	}
	next := w.Crons().Crons[0].Next[0]
	if left := next.Sub(w.world.Clock().Now()); left > time.Hour || left <= 0 {
		t.Errorf("an hourly trigger is due in %s", left)
	}
}

func TestANewConfigurationSetsItsTriggers(t *testing.T) {
	s := cronScript(nil)
	w := cronWorld(t, s, "10 * * * *", "20 * * * *")
	c, _, err := config.Load(filepath.Join(w.dir, "wrangler.jsonc"), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.moveOn(15 * time.Minute)
	for _, crons := range [][]string{{"30 * * * *", "10 * * * *"}, nil} {
		c.Crons = crons
		if _, err := w.configure(c); err != nil {
			t.Fatal(err)
		}
		w.moveOn(time.Hour)
	}
	wantNotes(t, s, "10 * * * *@00:10:00", "30 * * * *@00:30:00", "10 * * * *@01:10:00")
}

func TestAWorkerWithoutAHandlerCausesOneWarning(t *testing.T) {
	var log scripted.Buffer
	w := newStoppedWorld(t, nil)
	w.withCrons(midnight, "* * * * *", "0 0 1 1 *")
	crons := w.tune
	w.tune = func(o *Options) {
		crons(o)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	}
	w.start(scripted.New(nil))
	wantList(t, "runs", w.moveOn(2*time.Minute), []string{"cron * * * * * dropped", "cron * * * * * dropped"})
	const warning = "has 2, and the worker has no Scheduled handler"
	if got := log.String(); strings.Count(got, "cron") != 1 || !strings.Contains(got, warning) {
		t.Errorf("got log\n%s", got)
	}
}

// ask sends a request to the front door.
func (w *testWorld) ask(method, path, body string) (status int, answer string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

func TestThePlatformsEndpointsRunTheHandler(t *testing.T) {
	s := cronScript(func(c *call) error {
		if c.Cron.Cron == "fail" {
			return errors.New("no luck")
		}
		return nil
	})
	w := newStoppedWorld(t, nil)
	w.withCrons(midnight, "0 12 * * *")
	crons := w.tune
	w.tune = func(o *Options) { crons(o); o.TestScheduled = true }
	w.start(s)
	for _, test := range []struct {
		path   string
		status int
		answer string // part of it
		note   string
	}{
		{"/cdn-cgi/local/scheduled?cron=0+12+*+*+*", 200, "ok", "0 12 * * *@00:00:00"},
		{"/cdn-cgi/handler/scheduled?cron=other", 200, "ok", "other@00:00:00"},
		{"/cdn-cgi/mf/scheduled", 200, "ok", "@00:00:00"},
		{"/cdn-cgi/local/scheduled?cron=x&time=0", 200, "ok", "x@00:00:00 (due 00:00:00)"},
		{"/cdn-cgi/local/scheduled?cron=x&time=soon", 400, `time=\"soon\" is not a time`, ""},
		{"/cdn-cgi/local/scheduled?cron=x&format=json", 200, `{"noRetry":false,"outcome":"ok"}`, "x@00:00:00"},
		{"/cdn-cgi/local/scheduled?cron=fail", 500, "exception", "fail@00:00:00"},
		{
			"/cdn-cgi/local/scheduled?cron=fail&format=json", 500,
			`{"noRetry":false,"outcome":"exception"}`, "fail@00:00:00",
		},
		{"/__scheduled?cron=*+*+*+*+*", 200, "Ran scheduled event", "* * * * *@00:00:00"},
		{"/__scheduled?cron=fail", 500, "no luck", "fail@00:00:00"},
	} {
		s.DropNotes()
		status, answer := w.ask(http.MethodGet, test.path, "")
		if status != test.status || !strings.Contains(answer, test.answer) {
			t.Errorf("%s: got %d %s, want %d %s", test.path, status, answer, test.status, test.answer)
		}
		if got := s.Notes(); got != test.note {
			t.Errorf("%s: ran %q, want %q", test.path, got, test.note)
		}
	}
}

func TestTheTestPathBelongsToTheWorkerByDefault(t *testing.T) {
	s := cronScript(nil)
	s.Handlers["worker"] = func(*call) (string, error) { return "the worker's", nil }
	w := cronWorld(t, s, "* * * * *")
	if status, answer := w.ask(http.MethodGet, door.ScheduledPath, ""); status != 200 || answer != "the worker's" {
		t.Errorf("got %d %s, want the worker's answer", status, answer)
	}
	wantNotes(t, s)
}

func TestCronTriggersAreListedAndTriggered(t *testing.T) {
	s := cronScript(nil)
	w := cronWorld(t, s, "0 0 31 4 *", "*/30 * * * *", "0 0 29 2 *")
	_, answer := w.ask(http.MethodGet, control.Prefix+"cron", "")
	var crons control.Crons
	if err := json.Unmarshal([]byte(answer), &crons); err != nil {
		t.Fatal(err)
	}
	var next []time.Time
	const cronsListed = 5 // times of each trigger
	for i := range cronsListed {
		next = append(next, midnight.Add(time.Duration(i+1)*30*time.Minute))
	}
	want := control.Crons{Now: midnight, Handled: true, Crons: []control.Cron{
		{Cron: "0 0 31 4 *", Next: []time.Time{}}, {Cron: "*/30 * * * *", Next: next}, {Cron: "0 0 29 2 *"},
	}}
	for year := 2032; len(want.Crons[2].Next) < cronsListed; year += 4 {
		want.Crons[2].Next = append(want.Crons[2].Next, time.Date(year, 2, 29, 0, 0, 0, 0, time.UTC))
	}
	if diff := cmp.Diff(want, crons); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}

	for _, test := range []struct {
		question string
		status   int
		answer   string // part of it
		note     string
	}{
		{`{}`, 200, `"cron":"*/30 * * * *"`, "*/30 * * * *@00:00:00"},
		{`{"cron":"0  0 31 4\t*"}`, 200, `"outcome":"ok"`, "0 0 31 4 *@00:00:00"},
		{
			`{"cron":"0 0 29 2 *","time":"2032-02-29T01:02:03+01:00"}`, 200,
			`"scheduled":"2032-02-29T00:02:03Z"`, "0 0 29 2 *@00:00:00 (due 00:02:03)",
		},
		{`{"cron":"* * * * *"}`, 404, `no cron trigger \"* * * * *\"`, ""},
		{`{"when":"now"}`, 400, "unknown field", ""},
	} {
		s.DropNotes()
		status, answer := w.ask(http.MethodPost, control.Prefix+"cron/trigger", test.question)
		if status != test.status || !strings.Contains(answer, test.answer) {
			t.Errorf("%s: got %d %s, want %d %s", test.question, status, answer, test.status, test.answer)
		}
		if got := s.Notes(); got != test.note {
			t.Errorf("%s: ran %q, want %q", test.question, got, test.note)
		}
	}
	if got := w.moveOn(30 * time.Minute); !slices.Equal(got, []string{"cron */30 * * * * ok"}) {
		t.Errorf("after triggered runs: got %q, want only the one that was due", got)
	}
}

func TestWithoutCronTriggersThereIsNoneToRun(t *testing.T) {
	w := cronWorld(t, cronScript(nil))
	if _, answer := w.ask(http.MethodGet, control.Prefix+"cron", ""); !strings.Contains(answer, `"crons":`) {
		t.Errorf("list: got %s", answer)
	}
	status, answer := w.ask(http.MethodPost, control.Prefix+"cron/trigger", "{}")
	if status != 404 || !strings.Contains(answer, "the configuration has no cron triggers") {
		t.Errorf("trigger: got %d %s", status, answer)
	}
}
