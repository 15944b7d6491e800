package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A receiver gets the requests of jobs.
type receiver struct {
	mu     sync.Mutex // guards what follows
	refuse int        // how many requests it still refuses
	bodies []string
	keys   []string // the idempotency keys
}

// handle answers one request.
func (rc *receiver) handle(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.bodies = append(rc.bodies, string(body))
	rc.keys = append(rc.keys, r.Header.Get("Idempotency-Key"))
	if rc.refuse > 0 {
		rc.refuse--
		return &http.Response{StatusCode: http.StatusBadGateway}, err
	}
	return &http.Response{StatusCode: http.StatusOK}, err
}

// got returns the bodies so far, and forgets them.
func (rc *receiver) got() string {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	bodies := strings.Join(rc.bodies, " ")
	rc.bodies = nil
	return bodies
}

// A client sends requests to one queue.
type client struct {
	t     *testing.T
	srv   *durabletest.Server
	queue string
}

// start starts a scheduler whose jobs reach rc.
func start(t *testing.T, rc *receiver) client {
	t.Helper()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	srv.Outbound(rc.handle)
	return client{t, srv, "mail"}
}

func (c client) do(method, path, body string) (int, string) {
	c.t.Helper()
	r, err := http.NewRequest(method, "/queues/"+c.queue+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer local")
	response := c.srv.Do(r)
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// want fails the test if a request is not answered with status. It decodes the answer into answer,
// unless that is nil.
func (c client) want(status int, method, path, body string, answer any) {
	c.t.Helper()
	got, text := c.do(method, path, body)
	if got != status {
		c.t.Fatalf("%s %s: got %d %s, want %d", method, path, got, text, status)
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), answer); err != nil {
		c.t.Fatal(err)
	}
}

// add adds jobs, each the members of a JSON object, and returns them.
func (c client) add(jobs ...string) []Job {
	c.t.Helper()
	for i, job := range jobs {
		jobs[i] = `{"url": "http://receiver", ` + job + `}`
	}
	var added []Job
	c.want(http.StatusCreated, "POST", "/jobs", "["+strings.Join(jobs, ",")+"]", &added)
	return added
}

func (c client) job(id int64) Job {
	c.t.Helper()
	var jobs []Job
	c.want(http.StatusOK, "GET", "/jobs", "", &jobs)
	i := slices.IndexFunc(jobs, func(job Job) bool { return job.ID == id })
	if i < 0 {
		c.t.Fatalf("got %+v, want job %d", jobs, id)
	}
	return jobs[i]
}

// in returns the member due of a job, at a time after now.
func (c client) in(d time.Duration) string {
	c.t.Helper()
	return fmt.Sprintf(`"due": %q`, c.srv.Clock.Now().Add(d).Format(time.RFC3339Nano))
}

func TestJobsRunAtTheirTimeUrgentOnesFirst(t *testing.T) {
	t.Parallel()
	rc := &receiver{}
	c := start(t, rc)
	c.add(
		`"body": "c", `+c.in(2*time.Hour), `"body": "a", `+c.in(time.Hour),
		`"body": "b", "urgent": true, `+c.in(time.Hour), `"body": "now"`,
	)
	c.srv.Clock.Advance(0)
	if got := rc.got(); got != "now" {
		t.Errorf("at once: got %q, want now", got)
	}
	c.srv.Clock.Advance(time.Hour - time.Millisecond)
	if got := rc.got(); got != "" {
		t.Errorf("before an hour: got %q, want nothing", got)
	}
	c.srv.Clock.Advance(time.Millisecond)
	if got := rc.got(); got != "b a" {
		t.Errorf("after an hour: got %q, want the urgent job and the other", got)
	}
	fired := c.srv.Clock.Next()
	if got := rc.got(); got != "c" || len(fired) != 1 {
		t.Errorf("next: got %q by %v, want c", got, fired)
	}
	if alarm, set := c.srv.Object("Queue", "mail").Alarm(); set {
		t.Errorf("got an alarm without a job: %v", alarm)
	}
}

func TestAFailedJobIsTriedAgainAfterGrowingPauses(t *testing.T) {
	t.Parallel()
	rc := &receiver{refuse: 100}
	c := start(t, rc)
	id := c.add(`"body": "x"`)[0].ID
	began := c.srv.Clock.Now()
	var pauses []time.Duration
	for _, fired := range c.srv.Clock.Advance(time.Hour) {
		pauses = append(pauses, fired.At.Sub(began))
	}
	want := []time.Duration{0, 1 * time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute}
	if !slices.Equal(pauses, want) {
		t.Errorf("got attempts after %v, want %v", pauses, want)
	}
	job := c.job(id)
	if job.State != failed || job.Attempts != maxAttempts || !strings.Contains(job.Error, "502") {
		t.Errorf("got %+v, want a failed job", job)
	}
	if job.Ended == nil || !job.Ended.Equal(began.Add(15*time.Minute)) {
		t.Errorf("got end %v, want that of the last attempt", job.Ended)
	}
	if keys := slices.Compact(rc.keys); len(keys) != 1 || keys[0] != "mail-1-0" {
		t.Errorf("got keys %v, want the same for each attempt", keys)
	}
}

// A job that runs every day does so at the same time of day, although one of its runs was late.
func TestADailyJobKeepsItsTime(t *testing.T) {
	t.Parallel()
	rc := &receiver{}
	c := start(t, rc)
	id := c.add(`"body": "x", "every": 86400, ` + c.in(time.Hour))[0].ID
	due := c.job(id).Due
	c.srv.Clock.Advance(10 * 24 * time.Hour)
	rc.mu.Lock()
	rc.refuse = 2
	rc.mu.Unlock()
	c.srv.Clock.Advance(20 * 24 * time.Hour)
	job := c.job(id)
	if job.Runs != 30 || job.Attempts != 0 || job.Error != "" {
		t.Errorf("got %+v, want 30 runs", job)
	}
	if want := due.AddDate(0, 0, 30); !job.Due.Equal(want) || !job.Next.Equal(want) {
		t.Errorf("got due %v, next %v, want %v", job.Due, job.Next, want)
	}
	c.srv.Clock.Jump(3*24*time.Hour + time.Minute) // the machine slept
	if job = c.job(id); job.Runs != 31 || !job.Due.Equal(due.AddDate(0, 0, 33)) {
		t.Errorf("got %+v, want one run for three missed days", job)
	}
}

func TestABatchIsAddedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	c := start(t, &receiver{})
	c.add(`"key": "k", ` + c.in(3*time.Hour))
	queue := c.srv.Object("Queue", "mail")
	before := queue.Snapshot()
	for _, test := range []struct {
		status int
		second string
	}{
		{http.StatusConflict, `"url": "http://receiver", "key": "k"`},
		{http.StatusBadRequest, `"url": ""`},
		{http.StatusBadRequest, `"url": "http://receiver", "every": -1`},
	} {
		first := `{"url": "http://receiver", ` + c.in(time.Hour) + `}`
		c.want(test.status, "POST", "/jobs", "["+first+", {"+test.second+"}]", nil)
		after := queue.Snapshot()
		if got, want := after.String(), before.String(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.second, got, want)
		}
		if !after.Alarm.Equal(*before.Alarm) {
			t.Errorf("%s: got alarm %v, want %v", test.second, after.Alarm, before.Alarm)
		}
	}
}

func TestADryRunAddsNothing(t *testing.T) {
	t.Parallel()
	c := start(t, &receiver{})
	var jobs []Job
	c.want(http.StatusCreated, "POST", "/jobs?dry-run", `[{"url": "http://receiver"}]`, &jobs)
	if len(jobs) != 1 || jobs[0].ID != 1 || jobs[0].State != waiting {
		t.Errorf("got %+v, want the job that would have been added", jobs)
	}
	if _, set := c.srv.Object("Queue", "mail").Alarm(); set {
		t.Error("a dry run has left an alarm")
	}
	c.want(http.StatusOK, "GET", "/jobs", "", &jobs)
	if len(jobs) != 0 {
		t.Errorf("got jobs %+v, want none", jobs)
	}
}

func TestACanceledJobIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	rc := &receiver{refuse: 1}
	c := start(t, rc)
	c.srv.Outbound(func(r *http.Request) (*http.Response, error) {
		cancel, err := http.NewRequest("DELETE", "/queues/mail/jobs/1", nil) // while it runs
		if err != nil {
			return nil, err
		}
		cancel.Header.Set("Authorization", "Bearer local")
		response, err := c.srv.Client().Do(cancel)
		if err != nil || response.StatusCode != http.StatusNoContent {
			t.Errorf("cancel: got %v, %v, want 204", response, err)
		}
		return rc.handle(r)
	})
	c.add(`"body": "x"`)
	c.srv.Clock.Advance(time.Hour)
	if job := c.job(1); job.State != canceled || rc.got() != "x" {
		t.Errorf("got %+v, want it canceled after its first attempt", job)
	}
	c.want(http.StatusConflict, "DELETE", "/jobs/1", "", nil)
	c.add(c.in(time.Hour), c.in(2*time.Hour))
	c.want(http.StatusNoContent, "DELETE", "/jobs/2", "", nil)
	if due, _ := c.srv.Clock.Due(); !due.Equal(c.job(3).Due) {
		t.Errorf("the alarm is due at %v, want the time of the only job", due)
	}
	c.want(http.StatusNoContent, "DELETE", "/jobs/3", "", nil)
	if alarm, set := c.srv.Object("Queue", "mail").Alarm(); set {
		t.Errorf("got %v, want none without a job", alarm)
	}
	c.want(http.StatusNotFound, "DELETE", "/jobs/4", "", nil)
	c.want(http.StatusBadRequest, "DELETE", "/jobs/x", "", nil)
}

// The receiver has the request already when the queue crashes. It gets it again, with the same key.
func TestAJobThatCrashedRunsAgain(t *testing.T) {
	t.Parallel()
	rc := &receiver{}
	c := start(t, rc)
	id := c.add(`"body": "x", ` + c.in(time.Hour))[0].ID
	c.srv.Object("Queue", "mail").CrashBeforeCommit() // of the run: the constructor's SQL changes nothing
	c.srv.Clock.Advance(2 * time.Hour)
	if got := rc.got(); got != "x x" || rc.keys[0] != rc.keys[1] {
		t.Errorf("got %q with keys %v, want the same request twice", got, rc.keys)
	}
	if job := c.job(id); job.State != done || job.Runs != 1 {
		t.Errorf("got %+v, want it done once", job)
	}
}

func TestAnAlarmThatComesTwiceRunsAJobOnce(t *testing.T) {
	t.Parallel()
	rc := &receiver{}
	c := start(t, rc)
	id := c.add(`"body": "x", "every": 3600, ` + c.in(time.Hour))[0].ID
	c.srv.Object("Queue", "mail").DuplicateNextAlarm()
	if fired := c.srv.Clock.Advance(time.Hour); len(fired) != 2 {
		t.Errorf("got %v, want the run and its duplicate", fired)
	}
	if job := c.job(id); job.Runs != 1 || rc.got() != "x" {
		t.Errorf("got %+v, want one run", job)
	}
	c.srv.Clock.Advance(time.Hour)
	if got := rc.got(); got != "x" {
		t.Errorf("an hour later: got %q, want the next run", got)
	}
}

func TestAReceiverThatDoesNotAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	c := start(t, &receiver{})
	c.srv.Outbound(func(r *http.Request) (*http.Response, error) {
		return nil, durable.Sleep(r.Context(), time.Hour)
	})
	id := c.add(`"body": "x"`)[0].ID
	began := c.srv.Clock.Now()
	c.srv.Clock.Advance(answerWithin)
	job := c.job(id)
	if want := began.Add(answerWithin + firstPause); job.Attempts != 1 || !job.Next.Equal(want) {
		t.Errorf("got %+v, want one attempt and the next at %v", job, want)
	}
}

func TestManyJobsShareRunsOfTheAlarm(t *testing.T) {
	t.Parallel()
	rc := &receiver{}
	c := start(t, rc)
	var jobs []string
	for i := range 2*atOnce + 1 {
		jobs = append(jobs, fmt.Sprintf(`"body": "%d", %s`, i, c.in(time.Hour)))
	}
	c.add(jobs...)
	if fired := c.srv.Clock.Advance(time.Hour); len(fired) != 3 {
		t.Errorf("got %v, want three runs", fired)
	}
	if got := len(strings.Fields(rc.got())); got != len(jobs) {
		t.Errorf("got %d requests, want %d", got, len(jobs))
	}
}

func TestOldJobsAreRemovedAtNight(t *testing.T) {
	t.Parallel()
	c := start(t, &receiver{})
	c.add(`"body": "old"`, `"body": "waits", `+c.in(90*24*time.Hour))
	c.srv.Clock.Advance(keepFor - 24*time.Hour)
	c.add(`"body": "new", ` + c.in(-30*24*time.Hour)) // it was due long ago, and ends now
	c.srv.Clock.Advance(25 * time.Hour)
	if fired := c.srv.Cron.Trigger("0 3 * * *"); fired.Outcome != durabletest.OutcomeOK {
		t.Fatal(fired)
	}
	var jobs []Job
	c.want(http.StatusOK, "GET", "/jobs", "", &jobs)
	if len(jobs) != 2 || jobs[0].Body != "new" || jobs[1].Body != "waits" {
		t.Errorf("got %+v, want the new job and the one that waits", jobs)
	}
	c.srv.Clock.Advance(keepFor)
	c.want(http.StatusOK, "GET", "/jobs", "", &jobs)
	if len(jobs) != 1 || jobs[0].Body != "waits" {
		t.Errorf("after another week: got %+v, want the job that waits", jobs)
	}
}

func TestStrangersAndUnknownQueuesAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t, &receiver{})
	if status, _ := c.srv.Fetch("GET", "/queues/mail/jobs", ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: got %d, want 401", status)
	}
	c.queue = "other"
	c.want(http.StatusNotFound, "GET", "/jobs", "", nil)
	if objects := c.srv.Objects.List(); len(objects) != 0 {
		t.Errorf("got objects %v, want none", objects)
	}
}
