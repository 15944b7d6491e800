package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
)

// offsetResolution is coarser than the clock, because the two clocks are not read in the same
// instant.
const offsetResolution = 10 * time.Millisecond

// Time returns the clock's time and mode, and what is due next.
func (w *World) Time() control.Time {
	now := w.clock.Now()
	t := control.Time{
		Now:    now,
		Mode:   string(w.clock.Mode()),
		Rate:   w.clock.Rate(),
		Offset: time.Until(now).Round(offsetResolution).String(),
		Next:   w.nextAlarm(),

		NextCron: w.crons.next(),
	}
	if err := w.clock.Unsaved(); err != nil {
		t.Unsaved = err.Error()
	}
	return t
}

// ResetTime sets the clock to real time. It refuses while alarms are pending, unless force is set:
// they would keep their times. Idle times and cron triggers start over.
func (w *World) ResetTime(force bool) error {
	if n := len(w.PendingAlarms()); n > 0 && !force {
		which := "1 alarm is pending, which would keep its time"
		if n > 1 {
			which = fmt.Sprintf("%d alarms are pending, which would keep their times", n)
		}
		return &control.Error{
			Code:    control.CodeAlarmsPending,
			Message: which + " while the clock goes back to real time",
			Hint:    "do it all the same with --force",
		}
	}
	if err := w.clock.Reset(); err != nil {
		return err
	}
	w.crons.restart()
	for _, ns := range w.currentNamespaces() {
		ns.restartIdling()
	}
	return nil
}

// An Advance is a move of the clock that is under way. It collects the runs of alarms and cron
// triggers meanwhile.
type Advance struct {
	stop context.CancelFunc

	mu      sync.Mutex
	ended   []ended         // runs that have ended in the current step
	fired   []control.Fired // runs that Take has not returned yet
	ran     int
	failed  int
	Waiting chan struct{} // holds a token when Take has runs to return
}

// An ended is a run that has ended. began is the number of the step in which it began.
type ended struct {
	began uint64
	fired control.Fired
}

// add adds a run that ends in step.
func (a *Advance) add(step *clock.Step, run ended) {
	a.mu.Lock()
	a.ended = append(a.ended, run)
	a.mu.Unlock()
	step.After(a.settle)
}

// settle reports the runs that have ended in a step. Runs that end in the same step end side by
// side, as when they wait for an object that is reset. The run that began first is reported first.
func (a *Advance) settle() {
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
	case a.Waiting <- struct{}{}:
	default:
	}
}

// Take returns the runs that have ended since the last call.
func (a *Advance) Take() []control.Fired {
	a.mu.Lock()
	defer a.mu.Unlock()
	fired := a.fired
	a.fired = nil
	return fired
}

// Count returns how many runs have ended, and how many of them have failed for good.
func (a *Advance) Count() (ran, failed int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ran, a.failed
}

// BeginAdvance checks q and prepares an advance. The caller must call move, which moves the clock
// and returns the report. The end of ctx stops the advance after its current step. If another
// advance is under way, the error has control.CodeClockBusy.
func (w *World) BeginAdvance(
	ctx context.Context, q control.AdvanceRequest,
) (a *Advance, move func() (*control.Advanced, error), err error) {
	limits, err := w.limitsOf(q)
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	moveClock, err := w.moveOf(ctx, q, limits)
	if err != nil {
		stop()
		return nil, nil, err
	}
	a = &Advance{stop: stop, Waiting: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.advance != nil {
		stop()
		return nil, nil, Refusal(clock.ErrBusy)
	}
	w.advance = a
	return a, func() (*control.Advanced, error) {
		defer stop()
		if q.Settle {
			if err := w.settleFirst(ctx); err != nil {
				w.endAdvance()
				return nil, err
			}
		}
		report, err := w.moveOn(moveClock)
		w.endAdvance()
		a.settle() // the runs that ended in a stuck step
		return w.advanced(a, report, err)
	}, nil
}

// limitsOf returns the limits of an advance.
func (w *World) limitsOf(q control.AdvanceRequest) (limits clock.Limits, err error) {
	limits = clock.Limits{Firings: q.MaxRuns, Standing: q.MaxStanding, Begin: w.adoptRunning}
	if q.MaxStep != "" {
		if limits.Step, err = time.ParseDuration(q.MaxStep); err != nil {
			return limits, badDuration(q.MaxStep)
		}
	}
	if limits.Firings < 0 || limits.Standing < 0 || limits.Step < 0 {
		return limits, badRequest("a limit is negative")
	}
	limits.Extend = func() bool {
		p := w.programs.Running()
		return p != nil && p.Spared(max(limits.Step, recovery))
	}
	return limits, nil
}

// A clockMove moves the clock.
type clockMove func() (clock.Report, error)

// moveOf returns the move that q asks for. A running clock goes on until it is called: a duration
// counts from then.
func (w *World) moveOf(ctx context.Context, q control.AdvanceRequest, limits clock.Limits) (clockMove, error) {
	by, to := w.clock.Advance, w.clock.AdvanceTo
	if q.Jump {
		by, to = w.clock.Jump, w.clock.JumpTo
	}
	switch {
	case q.Duration != "" && q.To == nil && !q.Next:
		d, err := time.ParseDuration(q.Duration)
		if err != nil {
			return nil, badDuration(q.Duration)
		}
		if d < 0 {
			return nil, badRequest("time can't go back")
		}
		return func() (clock.Report, error) { return by(ctx, d, limits) }, nil
	case q.To != nil && q.Duration == "" && !q.Next:
		return func() (clock.Report, error) { return to(ctx, *q.To, limits) }, nil
	case q.Next && q.To == nil && q.Duration == "":
		return func() (clock.Report, error) {
			due, ok := w.clock.Next()
			if !ok {
				return clock.Report{}, &control.Error{
					Code:    control.CodeNothingDue,
					Message: "nothing is due: no alarm is set, and no handler waits for the clock",
				}
			}
			return by(ctx, max(0, due.Sub(w.clock.Now())), limits)
		}, nil
	}
	return nil, badRequest("say by how much, to what time or whether to what is due next, and one of them only")
}

// moveOn calls move, and looks after what the world must do during an advance.
func (w *World) moveOn(move clockMove) (clock.Report, error) {
	w.advancing.Store(true)
	w.slowed(w.clock.Rate())
	w.awaitAftermath()
	ended := make(chan struct{})
	defer close(ended)
	w.Go(func() { w.releaseStalled(ended) })
	return move()
}

func (w *World) endAdvance() {
	w.mu.Lock()
	w.advance = nil
	w.mu.Unlock()
	w.advancing.Store(false)
	w.nameAllFrozen()
	w.stores.closeLingering()
}

// advanced returns the report of an advance that ended with err.
func (w *World) advanced(a *Advance, report clock.Report, err error) (*control.Advanced, error) {
	if refusal := (*control.Error)(nil); errors.As(err, &refusal) {
		return nil, refusal
	}
	if report.From.IsZero() {
		if refusal := unsaved(err); refusal != nil {
			return nil, refusal
		}
		refusal := &control.Error{Code: control.CodeBadRequest, Message: err.Error()}
		if errors.Is(err, clock.ErrPast) {
			refusal.Hint = "`devtool time reset` sets it back to real time; " +
				"a new state folder (--persist-to) starts over"
		}
		return nil, refusal
	}
	answer := &control.Advanced{
		From: report.From, To: report.To, Mode: string(w.clock.Mode()),
		Next: w.nextAlarm(), NextCron: w.crons.next(),
	}
	answer.Ran, answer.Failed = a.Count()
	if err != nil {
		answer.Stopped, answer.StoppedBy = err.Error(), StoppedBy(err)
		if running := w.runningNow(); running != "" {
			answer.Stopped += ": " + running
		}
	}
	return answer, nil
}

// StoppedBy returns the code of the reason err for which an advance ended early.
func StoppedBy(err error) control.StopCode {
	var limit *clock.LimitError
	var stuck *clock.StuckError
	switch {
	case errors.As(err, &limit) && limit.Limit == clock.LimitStanding:
		return control.StoppedByStanding
	case errors.As(err, &limit):
		return control.StoppedByRuns
	case errors.As(err, &stuck):
		return control.StoppedByStep
	case errors.Is(err, context.Canceled):
		return control.StoppedByRequest
	case unsaved(err) != nil:
		return control.StoppedBySave
	}
	return control.StoppedByError
}

// StopAdvance ends the advance under way after its current step. Without one the error has
// control.CodeNoAdvance.
func (w *World) StopAdvance() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.advance == nil {
		return &control.Error{Code: control.CodeNoAdvance, Message: "no advance is under way"}
	}
	w.advance.stop()
	return nil
}

func badDuration(s string) error {
	return &control.Error{
		Code: control.CodeBadRequest, Message: fmt.Sprintf("%q is not a duration", s),
		Hint: `write it as "90s" or "1h30m"`,
	}
}

// runningNow returns the names of the events that hold a step, for the report of a stuck step.
func (w *World) runningNow() string {
	if w.programs.Running() == nil {
		return w.programs.Missing()
	}
	var names []string
	for _, ev := range w.running.find(func(ev *Event) bool { return ev.currentStep() != nil }) {
		names = append(names, ev.Title())
	}
	if len(names) == 0 {
		return ""
	}
	sort.Strings(names)
	return "still running: " + strings.Join(names, ", ") + " (the log of `devtool dev` shows where)"
}

// Refusal converts clock.ErrBusy and a *clock.SaveError into a *control.Error, and returns other
// errors as they are.
func Refusal(err error) error {
	if errors.Is(err, clock.ErrBusy) {
		return &control.Error{Code: control.CodeClockBusy, Message: err.Error()}
	}
	if refusal := unsaved(err); refusal != nil {
		return refusal
	}
	return err
}

// unsaved returns the refusal of a change of the clock that could not be saved, or nil for another
// error.
func unsaved(err error) *control.Error {
	if saving := (*clock.SaveError)(nil); !errors.As(err, &saving) {
		return nil
	}
	return &control.Error{
		Code: control.CodeNotSaved, Message: err.Error(),
		Hint: "the clock has not changed; free space on the disk of the state folder, and try again",
	}
}
