package world

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/clock/cron"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// A crontab is the cron triggers of the worker, each with a timer on the clock. When one is due,
// its next time is set at once: as on the platform, a run does not wait for the run before. Runs
// that were due while no world ran are skipped.
type crontab struct {
	w *World

	// mu guards what follows. The functions of timers take it, so its holder must not wait for the
	// clock.
	mu       sync.Mutex
	triggers []*cronTrigger // in the order of the configuration
}

type cronTrigger struct {
	expr     string
	schedule *cron.Schedule

	// crontab.mu guards what follows.
	due   time.Time
	ever  bool // due is set: some schedules have no next time
	timer *clock.Timer
	set   int // counts timers, so that fire ignores an earlier one
	runs  int // that the clock has begun and that have not ended
	// skipping is set while runs are skipped because of mostRuns.
	skipping bool
}

// mostRuns is how many runs of a trigger there are at a time, at most, on a clock that runs faster
// than real time. At the highest rate, a trigger for each minute is due 16,667 times a second, and
// runs would pile up.
const mostRuns = 200

// configure replaces the expressions. An expression that was there before keeps its next time.
func (c *crontab) configure(exprs []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.triggers
	var triggers []*cronTrigger
	for _, expr := range exprs {
		if i := slices.IndexFunc(before, func(t *cronTrigger) bool { return t.expr == expr }); i >= 0 {
			triggers = append(triggers, before[i])
			continue
		}
		schedule, err := cron.Parse(expr)
		if err != nil {
			return fmt.Errorf("cron trigger %q: %w", expr, err)
		}
		t := &cronTrigger{expr: expr, schedule: schedule}
		t.due, t.ever = schedule.Next(c.w.clock.Now())
		triggers = append(triggers, t)
	}
	for _, t := range before {
		if !slices.Contains(triggers, t) {
			t.disarmLocked()
		}
	}
	c.triggers = triggers
	c.armLocked()
	return nil
}

// restart computes all next times again after the clock has gone back.
func (c *crontab) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.triggers {
		t.due, t.ever = t.schedule.Next(c.w.clock.Now())
	}
	c.armLocked()
}

// armLocked sets all timers again. So triggers of the same instant always fire in the order of the
// configuration, and before the alarms of that instant.
func (c *crontab) armLocked() {
	for _, t := range c.triggers {
		t.disarmLocked()
		if t.ever {
			set := t.set
			t.timer = c.w.clock.AtFirst(t.due, func(step *clock.Step) { c.fire(t, set, step) })
		}
	}
}

func (t *cronTrigger) disarmLocked() {
	t.set++
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

// fire is called by the clock.
func (c *crontab) fire(t *cronTrigger, set int, step *clock.Step) {
	due, begins := c.begin(t, set, step != nil)
	if !begins {
		return
	}
	var on *launch
	var place *Place
	if step == nil {
		on, place = c.w.launches.add(), c.w.cronStarts.join()
	}
	step.Add()
	c.w.Go(func() {
		defer c.ended(t)
		c.w.runCron(step, on, t.expr, due, due, place) //nolint:errcheck // the log and the report have the error
	})
}

// begin sets the next time of t, which is due, and counts the run that begins. It reports false if
// none does: the timer is an earlier one, or too many runs are under way.
func (c *crontab) begin(t *cronTrigger, set int, inAdvance bool) (due time.Time, begins bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.set != set {
		return time.Time{}, false
	}
	due = t.due
	after := due
	if now := c.w.clock.Now(); now.After(after) {
		after = now // after a jump of the clock it runs only once
	}
	t.due, t.ever = t.schedule.Next(after)
	c.armLocked()
	if !inAdvance && t.runs >= mostRuns && c.w.clock.Rate() > 1 {
		c.saySkippedLocked(t)
		return time.Time{}, false
	}
	t.runs++
	return due, true
}

// saySkippedLocked logs that runs of t are skipped, once until all of its runs have ended.
func (c *crontab) saySkippedLocked(t *cronTrigger) {
	if t.skipping {
		return
	}
	t.skipping = true
	c.w.Go(func() { // the clock does not wait for a reader of the log
		c.w.log.Warn(fmt.Sprintf("cron %s is due faster than its runs end: "+
			"it is skipped while %d are under way; a lower `devtool time speed` runs each", t.expr, mostRuns))
	})
}

// ended counts a run of t that the clock has begun and that has ended.
func (c *crontab) ended(t *cronTrigger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.runs--
	t.skipping = t.skipping && t.runs > 0
}

// cronsListed is how many next times of a trigger list returns.
const cronsListed = 5

// list returns the triggers with their next times.
func (c *crontab) list() []control.Cron {
	c.mu.Lock()
	defer c.mu.Unlock()
	crons := []control.Cron{}
	for _, t := range c.triggers {
		next := []time.Time{}
		for due, ok := t.due, t.ever; ok && len(next) < cronsListed; due, ok = t.schedule.Next(due) {
			next = append(next, due)
		}
		crons = append(crons, control.Cron{Cron: t.expr, Next: next})
	}
	return crons
}

// next returns the trigger that is due first, or nil if none ever is.
func (c *crontab) next() *control.NextCron {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.firstLocked()
	if first == nil {
		return nil
	}
	return &control.NextCron{Cron: first.expr, Due: first.due}
}

// firstLocked returns the trigger that is due first, or nil if none ever is.
func (c *crontab) firstLocked() (first *cronTrigger) {
	for _, t := range c.triggers {
		if t.ever && (first == nil || t.due.Before(first.due)) {
			first = t
		}
	}
	return first
}

// find returns the expression of the configuration that equals expr but for white space, or that of
// the trigger due first if expr is empty.
func (c *crontab) find(expr string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.triggers) == 0 {
		return "", &control.Error{
			Code: control.CodeNoCron, Message: "the configuration has no cron triggers",
			Hint: `add "triggers": { "crons": ["*/5 * * * *"] }`,
		}
	}
	if expr == "" {
		if first := c.firstLocked(); first != nil {
			return first.expr, nil
		}
		return c.triggers[0].expr, nil
	}
	var known []string
	for _, t := range c.triggers {
		if slices.Equal(strings.Fields(t.expr), strings.Fields(expr)) {
			return t.expr, nil
		}
		known = append(known, strconv.Quote(t.expr))
	}
	return "", &control.Error{
		Code:    control.CodeNoCron,
		Message: fmt.Sprintf("the configuration has no cron trigger %q", expr),
		Hint:    "it has " + strings.Join(known, ", "),
	}
}

// exprs returns the expressions in the order of the configuration.
func (c *crontab) exprs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var exprs []string
	for _, t := range c.triggers {
		exprs = append(exprs, t.expr)
	}
	return exprs
}

var errNoScheduled = errors.New("the worker has no Scheduled handler")

// RunCron delivers a cron trigger to the worker and returns when its handler has. scheduled is the
// time that the handler sees. The error is the handler's, or why it was not called.
func (w *World) RunCron(expr string, scheduled time.Time) (control.Fired, error) {
	return w.runCron(nil, nil, expr, scheduled, time.Time{}, nil)
}

// runCron is RunCron for a trigger that was due, or zero for a requested one. The run is part of
// step, on which the caller has taken a hold, or of none if step is nil. on is its launch, or nil.
// place is that of the trigger among those that a running clock fires, or nil.
func (w *World) runCron(
	step *clock.Step, on *launch, expr string, scheduled, due time.Time, place *Place,
) (control.Fired, error) {
	place.Wait()
	started := time.Now()
	run := Happening{Event: control.KindCron, About: expr, Scheduled: scheduled, Due: due}
	// Impatient: otherwise runs would pile up while the program keeps crashing.
	d := &Delivery{
		Kind: "cron " + expr, Context: w.ctx, Entry: Impatient, Step: step, Place: place, fromClock: true, launch: on,
	}
	d.Handle = func(ev *Event, inst *Instance) error {
		if !ev.prog.Scheduled() {
			return errNoScheduled
		}
		m := &wire.Scheduled{Event: ev.number, Cron: expr, Time: scheduled.UnixMilli()}
		return ev.prog.Ask(inst, wire.MethodScheduled, m, ev.start.Leave)
	}
	d.Ended = func(ev *Event, err error) {
		run.At, run.Err, run.Took = d.at, err, time.Since(started)
		switch {
		case errors.Is(err, ErrEnding):
			run.Outcome = control.OutcomeDropped
			return
		case err == errNoScheduled:
			run.Outcome, run.Detail = control.OutcomeDropped, true // the reason was logged at start
		case err != nil:
			run.Outcome = control.OutcomeFailed
		default:
			run.Outcome = control.OutcomeOK
		}
		ends := step
		if ev != nil {
			ends = ev.currentStep()
		}
		w.publishRun(step, ends, run)
	}
	err := w.Deliver(d)
	return run.Fired(), err
}
