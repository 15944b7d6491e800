package emulator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
)

// timeAPI serves the requests for the clock, but for those that move it.
func (e *Emulator) timeAPI(handle func(string, func(*http.Request) (any, error))) {
	handle("GET time", func(*http.Request) (any, error) { return e.Time(), nil })
	handle("POST time/freeze", func(*http.Request) (any, error) { return e.timeAfter(e.clock.Freeze()) })
	handle("POST time/resume", func(*http.Request) (any, error) { return e.timeAfter(e.clock.Resume()) })
	handle("POST time/stop", func(*http.Request) (any, error) { return e.timeAfter(e.stopAdvance()) })
	handle("POST time/speed", func(r *http.Request) (any, error) {
		var q control.SpeedRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		if !(q.Rate >= clock.MinRate && q.Rate <= clock.MaxRate) {
			return nil, badRequest("the clock can't run at %v times real time; give a number from %v to %v", q.Rate, clock.MinRate, clock.MaxRate)
		}
		return e.timeAfter(e.clock.SetRate(q.Rate))
	})
	handle("POST time/reset", func(r *http.Request) (any, error) {
		var q control.ResetRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		return e.timeAfter(e.resetTime(q.Force))
	})
}

// offsetResolution is coarser than the clock, for the two clocks are not read in the same
// instant.
const offsetResolution = 10 * time.Millisecond

// Time says where the clock stands.
func (e *Emulator) Time() control.Time {
	now := e.clock.Now()
	return control.Time{
		Now:    now,
		Mode:   string(e.clock.Mode()),
		Rate:   e.clock.Rate(),
		Offset: time.Until(now).Round(offsetResolution).String(),
		Next:   e.nextAlarm(),

		NextCron: e.crons.next(),
	}
}

// timeAfter is the time after a change of the clock's mode that ended with err.
func (e *Emulator) timeAfter(err error) (any, error) {
	if err != nil {
		return nil, busy(err)
	}
	return e.Time(), nil
}

// resetTime sets the clock to real time.
func (e *Emulator) resetTime(force bool) error {
	if n := len(e.pendingAlarms()); n > 0 && !force {
		which := "1 alarm is pending, which would keep its time"
		if n > 1 {
			which = fmt.Sprintf("%d alarms are pending, which would keep their times", n)
		}
		return &control.Error{
			Status:  http.StatusConflict,
			Message: which + " while the clock goes back to real time",
			Hint:    "do it all the same with --force",
		}
	}
	if err := e.clock.Reset(); err != nil {
		return err
	}
	e.crons.restart()
	for _, ns := range e.currentNamespaces() {
		ns.restartIdling()
	}
	return nil
}

// An advance is one that is under way: it collects what runs in it, for whoever has asked for
// it.
type advance struct {
	stop context.CancelFunc

	mu      sync.Mutex
	ended   []ended         // in the current step
	fired   []control.Fired // those that were not yet taken
	ran     int
	failed  int
	waiting chan struct{} // holds a token when there are some to take
}

// An ended is a run that has come to its end, and when it began: the number of that step.
type ended struct {
	began uint64
	fired control.Fired
}

// add is called for each run, when it ends in step.
func (a *advance) add(step *clock.Step, run ended) {
	a.mu.Lock()
	a.ended = append(a.ended, run)
	a.mu.Unlock()
	step.After(a.settle)
}

// settle takes the runs over that a step has ended. Those that end in the same one, as all do that wait for an object when
// it is reset, end side by side: what began first is told first.
func (a *advance) settle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ended) == 0 {
		return
	}
	slices.SortStableFunc(a.ended, func(x, y ended) int { return cmp.Compare(x.began, y.began) })
	for _, run := range a.ended {
		a.fired = append(a.fired, run.fired)
		a.ran++
		if run.fired.Outcome == control.OutcomeFailed {
			a.failed++
		}
	}
	a.ended = nil
	select {
	case a.waiting <- struct{}{}:
	default:
	}
}

// take returns what has run since it was last called.
func (a *advance) take() []control.Fired {
	a.mu.Lock()
	defer a.mu.Unlock()
	fired := a.fired
	a.fired = nil
	return fired
}

func (a *advance) count() (ran, failed int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ran, a.failed
}

// progressEvery is how often, in real time, an advance says how far it has got.
const progressEvery = 250 * time.Millisecond

// serveAdvance moves the clock, and tells what runs as it runs. It ends early when the
// client has gone.
func (e *Emulator) serveAdvance(w http.ResponseWriter, r *http.Request) {
	var q control.AdvanceRequest
	if err := decode(r, &q); err != nil {
		respond(w, nil, err)
		return
	}
	a, move, err := e.beginAdvance(r.Context(), q)
	if err != nil {
		respond(w, nil, err)
		return
	}
	type result struct {
		*control.Advanced
		error
	}
	done := make(chan result, 1)
	go func() {
		advanced, err := move()
		done <- result{advanced, err}
	}()

	lines := json.NewEncoder(w)
	began := false
	send := func(event control.AdvanceEvent) {
		if !began {
			w.Header().Set("Content-Type", control.LinesType)
			began = true
		}
		lines.Encode(event) //nolint:errcheck // a client that has gone ends the advance by its context
	}
	sendFired := func() {
		for _, f := range a.take() {
			send(control.AdvanceEvent{Fired: &f})
		}
	}
	flush := func() { http.NewResponseController(w).Flush() } //nolint:errcheck // as above
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-a.waiting:
			sendFired()
		case <-tick.C:
			ran, _ := a.count()
			send(control.AdvanceEvent{Progress: &control.Progress{Now: e.clock.Now(), Ran: ran}})
		case r := <-done:
			if r.error != nil && !began {
				respond(w, nil, r.error)
				return
			}
			sendFired()
			if r.error != nil { // the clock has refused to move, late
				r.Advanced = &control.Advanced{From: e.clock.Now(), To: e.clock.Now(), Mode: string(e.clock.Mode()), Stopped: r.Error()}
			}
			send(control.AdvanceEvent{Advanced: r.Advanced})
			return
		}
		flush()
	}
}

// beginAdvance prepares a move of the clock, which move then makes.
func (e *Emulator) beginAdvance(ctx context.Context, q control.AdvanceRequest) (a *advance, move func() (*control.Advanced, error), err error) {
	limits := clock.Limits{Firings: q.MaxRuns, Standing: q.MaxStanding}
	if q.MaxStep != "" {
		if limits.Step, err = time.ParseDuration(q.MaxStep); err != nil {
			return nil, nil, badDuration(q.MaxStep)
		}
	}
	limits.Extend = func() bool {
		p := e.programs.Running()
		return p != nil && p.Spared(max(limits.Step, recovery))
	}
	if limits.Firings < 0 || limits.Standing < 0 || limits.Step < 0 {
		return nil, nil, badRequest("a limit is negative")
	}
	// A clock that runs goes on meanwhile: by how much it is to move counts from when it is moved.
	by := func(d time.Duration) (clock.Report, error) {
		if q.Jump {
			return e.clock.Jump(ctx, d, limits)
		}
		return e.clock.Advance(ctx, d, limits)
	}
	var moveClock func() (clock.Report, error)
	switch {
	case q.Duration != "" && q.To == nil && !q.Next:
		d, err := time.ParseDuration(q.Duration)
		if err != nil {
			return nil, nil, badDuration(q.Duration)
		}
		if d < 0 {
			return nil, nil, badRequest("time can't go back")
		}
		moveClock = func() (clock.Report, error) { return by(d) }
	case q.To != nil && q.Duration == "" && !q.Next:
		moveClock = func() (clock.Report, error) {
			if q.Jump {
				return e.clock.JumpTo(ctx, *q.To, limits)
			}
			return e.clock.AdvanceTo(ctx, *q.To, limits)
		}
	case q.Next && q.To == nil && q.Duration == "":
		moveClock = func() (clock.Report, error) {
			due, ok := e.clock.Next()
			if !ok {
				return clock.Report{}, &control.Error{Status: http.StatusNotFound, Message: "nothing is due: no alarm is set, and no handler waits for the clock"}
			}
			return by(max(0, due.Sub(e.clock.Now())))
		}
	default:
		return nil, nil, badRequest("say by how much, to what time or whether to what is due next, and one of them only")
	}

	ctx, stop := context.WithCancel(ctx)
	a = &advance{stop: stop, waiting: make(chan struct{}, 1)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.advance != nil {
		stop()
		return nil, nil, busy(clock.ErrBusy)
	}
	e.advance = a
	return a, func() (*control.Advanced, error) {
		defer stop()
		e.advancing.Store(true)
		report, err := moveClock()
		e.endAdvance()
		a.settle() // what ended in a step that is stuck
		return e.advanced(a, report, err)
	}, nil
}

func (e *Emulator) endAdvance() {
	e.mu.Lock()
	e.advance = nil
	e.mu.Unlock()
	e.advancing.Store(false)
	e.stores.closeLingering()
}

// advanced describes a move of the clock that ended with err.
func (e *Emulator) advanced(a *advance, report clock.Report, err error) (*control.Advanced, error) {
	if refusal := (*control.Error)(nil); errors.As(err, &refusal) {
		return nil, refusal
	}
	if report.From.IsZero() {
		refusal := &control.Error{Status: http.StatusBadRequest, Message: err.Error()}
		if errors.Is(err, clock.ErrPast) {
			refusal.Hint = "`devtool time reset` sets it back to real time, and a fresh state (--persist-to) begins anew"
		}
		return nil, refusal
	}
	answer := &control.Advanced{From: report.From, To: report.To, Mode: string(e.clock.Mode()), Next: e.nextAlarm(), NextCron: e.crons.next()}
	answer.Ran, answer.Failed = a.count()
	if err != nil {
		answer.Stopped = err.Error()
		if running := e.runningNow(); running != "" {
			answer.Stopped += ": " + running
		}
	}
	return answer, nil
}

// stopAdvance ends the advance under way after its current step.
func (e *Emulator) stopAdvance() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.advance == nil {
		return &control.Error{Status: http.StatusConflict, Message: "no advance is under way"}
	}
	e.advance.stop()
	return nil
}

func badDuration(s string) error {
	return &control.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("%q is not a duration", s), Hint: `write it as "90s" or "1h30m"`}
}

// report adds a run, which has begun in one step and ends in another or the same, to the report of the advance.
func (e *Emulator) report(began, step *clock.Step, f control.Fired) {
	e.mu.Lock()
	a := e.advance
	e.mu.Unlock()
	if step != nil && a != nil {
		a.add(step, ended{began.Number(), f})
	}
}

// runningNow names the events of objects that are running, for the report of a stuck step.
func (e *Emulator) runningNow() string {
	p := e.programs.Running()
	if p == nil {
		return e.waitsForProgram()
	}
	var names []string
	for _, ev := range e.running.in(p) {
		if ev.currentStep() != nil {
			names = append(names, ev.String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	sort.Strings(names)
	return "still running: " + strings.Join(names, ", ") + " (the log of `devtool dev` shows where)"
}
