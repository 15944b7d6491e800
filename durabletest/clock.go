package durabletest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// A Clock is the clock that handlers see. It is frozen until the test moves it or lets it run. The
// methods that move it settle first, as Server.Settle does: so a handler on its way to its Sleep
// sleeps before the clock moves.
type Clock struct{ asker }

// Outcomes of a run.
const (
	OutcomeOK      = "ok"      // the handler returned without error
	OutcomeRetry   = "retry"   // it failed and runs again at RetryAt
	OutcomeFailed  = "failed"  // it failed and does not run again
	OutcomeDropped = "dropped" // there was no handler to run, or the alarm had been moved or deleted
)

// Fired is one run of an alarm or of a cron trigger. A cron trigger has Cron and no Identity.
type Fired struct {
	Kind string `json:"kind"` // "alarm" or "cron"
	Cron string `json:"cron,omitempty"`
	Identity
	At        time.Time  `json:"at"`        // on the clock
	Scheduled time.Time  `json:"scheduled"` // what the alarm was set for, or when the trigger was due
	Retry     int        `json:"retry"`     // 0 for the first run
	Outcome   string     `json:"outcome"`
	Error     string     `json:"error,omitempty"`
	RetryAt   *time.Time `json:"retryAt,omitempty"`
}

// String returns what ran and how it ended, such as "alarm Counter/home: retry: no answer".
func (f Fired) String() string {
	what := f.Kind + " " + f.Cron
	if f.Cron == "" {
		what = f.Kind + " " + f.Identity.String()
	}
	if f.Error != "" {
		return what + ": " + f.Outcome + ": " + f.Error
	}
	return what + ": " + f.Outcome
}

// clockTime is the emulator's answer to questions about the clock.
type clockTime struct {
	Now  time.Time `json:"now"`
	Next *Alarm    `json:"next,omitempty"`

	NextCron *struct {
		Due time.Time `json:"due"`
	} `json:"nextCron,omitempty"`
}

func (c Clock) time(what, method, path string, question any) clockTime {
	c.t.Helper()
	var now clockTime
	c.ask(what, method, path, question, &now)
	return now
}

// Now returns the time.
func (c Clock) Now() time.Time {
	c.t.Helper()
	return c.time("read the clock", http.MethodGet, "time", nil).Now
}

// Due returns when the next alarm or cron trigger is due, and whether there is one.
func (c Clock) Due() (due time.Time, ok bool) {
	c.t.Helper()
	now := c.time("read the clock", http.MethodGet, "time", nil)
	if now.Next != nil {
		due, ok = now.Next.Due, true
	}
	if cron := now.NextCron; cron != nil && (!ok || cron.Due.Before(due)) {
		due, ok = cron.Due, true
	}
	return due, ok
}

// Freeze stops the clock.
func (c Clock) Freeze() {
	c.t.Helper()
	c.time("freeze the clock", http.MethodPost, "time/freeze", nil)
}

// Resume lets the clock run from where it stands, in step with real time.
func (c Clock) Resume() {
	c.t.Helper()
	c.time("let the clock run", http.MethodPost, "time/resume", nil)
}

// Speed makes the clock run rate times as fast as real time whenever it runs.
func (c Clock) Speed(rate float64) {
	c.t.Helper()
	c.time("set the clock's speed", http.MethodPost, "time/speed", struct {
		Rate float64 `json:"rate"`
	}{rate})
}

// A move is how far to move the clock.
type move struct {
	Duration string     `json:"duration,omitempty"`
	To       *time.Time `json:"to,omitempty"`
	Next     bool       `json:"next,omitempty"`
	Jump     bool       `json:"jump,omitempty"`
	Settle   bool       `json:"settle,omitempty"`
}

// Advance moves the clock on by d and runs everything that comes due on the way, each at its own
// time. It waits until that and everything it has caused is done, and returns the runs.
func (c Clock) Advance(d time.Duration) []Fired {
	c.t.Helper()
	return c.move(fmt.Sprintf("advance by %s", d), move{Duration: d.String()})
}

// AdvanceTo is Advance up to a time.
func (c Clock) AdvanceTo(to time.Time) []Fired {
	c.t.Helper()
	return c.move("advance to "+to.Format(time.RFC3339Nano), move{To: &to})
}

// How long Next waits for something that is due. It counts ticks of real time, because ticks do not
// come while a debugger has stopped the test.
const (
	dueTick  = 5 * time.Millisecond
	dueTicks = 1000
)

// Next is Advance to whatever is due next: an alarm, a retry, a cron trigger or the end of a
// handler's Sleep. If nothing is due, Next waits up to 5 s of real time: another goroutine of the
// test may be about to send a request.
func (c Clock) Next() []Fired {
	c.t.Helper()
	tick := time.NewTicker(dueTick)
	defer tick.Stop()
	for n := 0; ; n++ {
		fired, err := c.emulator.move(move{Next: true})
		var none *refusal
		switch {
		case err == nil:
			return fired
		case n == dueTicks || !errors.As(err, &none) || none.status != http.StatusNotFound:
			c.t.Fatalf("durabletest: advance to what is due next: %v", c.emulator.explain(err))
		}
		<-tick.C
	}
}

// Jump sets the clock forward by d at once, as if the machine had slept. What fell due on the way
// runs late, after the jump.
func (c Clock) Jump(d time.Duration) []Fired {
	c.t.Helper()
	return c.move(fmt.Sprintf("jump by %s", d), move{Duration: d.String(), Jump: true})
}

// Set is Jump to a time. The clock can't go back.
func (c Clock) Set(to time.Time) []Fired {
	c.t.Helper()
	return c.move("set the clock to "+to.Format(time.RFC3339Nano), move{To: &to, Jump: true})
}

func (c Clock) move(what string, m move) []Fired {
	c.t.Helper()
	fired, err := c.emulator.move(m)
	if err != nil {
		c.t.Fatalf("durabletest: %s: %v", what, c.emulator.explain(err))
	}
	return fired
}

// move moves the clock. The emulator's answer has a line of JSON for each run and one for the end,
// among others, which move skips.
func (e *emulator) move(m move) ([]Fired, error) {
	m.Settle = true
	if err := e.traffic.awaitArrivals(); err != nil {
		return nil, err
	}
	response, err := e.request(context.Background(), http.MethodPost, "time/advance", m)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var fired []Fired
	for lines := json.NewDecoder(response.Body); ; {
		var line struct {
			Fired    *Fired `json:"fired"`
			Advanced *struct {
				To      time.Time `json:"to"`
				Stopped string    `json:"stopped"`
			} `json:"advanced"`
		}
		if err := lines.Decode(&line); err != nil {
			return nil, err
		}
		switch end := line.Advanced; {
		case line.Fired != nil:
			fired = append(fired, *line.Fired)
		case end != nil && end.Stopped != "":
			return nil, fmt.Errorf("the clock stopped at %s: %s", end.To.Format(time.RFC3339Nano), end.Stopped)
		case end != nil:
			return fired, nil
		}
	}
}
