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

// A crontab is the cron triggers of the worker, each with a timer on the clock. When one is due, the
// next time is set at once: a run does not wait for the one before, as on the platform. What
// was due while the emulator was down is not made up for.
type crontab struct {
	w *World

	// mu guards what follows. The functions of timers take it, so nobody who has it may wait
	// for the clock.
	mu       sync.Mutex
	triggers []*cronTrigger // in the order of the configuration
}

type cronTrigger struct {
	expr     string
	schedule *cron.Schedule

	// crontab.mu guards what follows.
	due   time.Time
	ever  bool // there is such a time
	timer *clock.Timer
	set   int // how often a timer was set: what an earlier one still does is of no account
}

// configure takes over the expressions of the configuration. Those that it had before keep
// their time.
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

// restart forgets what was due: the clock has gone back.
func (c *crontab) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.triggers {
		t.due, t.ever = t.schedule.Next(c.w.clock.Now())
	}
	c.armLocked()
}

// armLocked sets all timers again, so that those of the same instant fire in the order of the
// configuration, whichever fired last. They do so before the alarms of that instant.
func (c *crontab) armLocked() {
	for _, t := range c.triggers {
		t.disarmLocked()
		if t.ever {
			set := t.set
			t.timer = c.w.clock.AtAhead(t.due, func(step *clock.Step) { c.fire(t, set, step) })
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
	c.mu.Lock()
	if t.set != set {
		c.mu.Unlock()
		return
	}
	due, after := t.due, t.due
	if now := c.w.clock.Now(); now.After(after) {
		after = now // a clock that has leapt runs it once
	}
	t.due, t.ever = t.schedule.Next(after)
	c.armLocked()
	c.mu.Unlock()
	step.Add()
	c.w.Go(func() { c.w.RunCron(step, t.expr, due, due) }) //nolint:errcheck // the log and the report have it
}

// cronsListed is how many of the next times of a trigger are shown.
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

// next returns when the trigger that is due first runs, or nil if none ever does.
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

// find returns the expression of the configuration that is meant by expr, or of the trigger that
// is due first if that is empty.
func (c *crontab) find(expr string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.triggers) == 0 {
		return "", &control.Error{Code: control.CodeNoCron, Message: "the configuration has no cron triggers", Hint: `add "triggers": { "crons": ["*/5 * * * *"] }`}
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

// exprs returns the expressions.
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

// RunCron has the worker handle a cron trigger that is said to be of the time scheduled, as part of
// step, on which the caller has taken a hold. due is when it was to run, or zero for a run that
// somebody has asked for. The error is why it did not go well.
func (w *World) RunCron(step *clock.Step, expr string, scheduled, due time.Time) (control.Fired, error) {
	started := time.Now()
	run := Happening{Event: control.KindCron, About: expr, Scheduled: scheduled, Due: due}
	// Not patient, or runs would heap up while the program keeps crashing.
	d := &Delivery{Kind: "cron " + expr, Context: w.ctx, Entry: Impatient, Step: step}
	d.Handle = func(ev *Event, inst *Instance) error {
		if !ev.prog.Scheduled() {
			return errNoScheduled
		}
		m := &wire.Scheduled{Event: ev.number, Cron: expr, Time: scheduled.UnixMilli()}
		return ev.prog.Ask(inst, wire.MethodScheduled, m)
	}
	d.Ended = func(ev *Event, err error) {
		run.At, run.Err, run.Took = d.at, err, time.Since(started)
		switch {
		case errors.Is(err, ErrEnding):
			run.Outcome = control.OutcomeDropped
			return
		case err == errNoScheduled:
			run.Outcome, run.Detail = control.OutcomeDropped, true // the start has said why
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
