package clock

import (
	"context"
	"fmt"
	"time"
)

// Limits bound an advance, so that timers that keep setting each other, and work that hangs, end in
// an error. A zero field means the default.
type Limits struct {
	Firings  int           // timers fired in one advance; default 1,000,000
	Standing int           // timers both set and fired without time moving in between; default 1,000
	Step     time.Duration // real time for one step, from the return of the timer's function; default 30 s
	// Begin, unless it is nil, is called with the first step of the advance, before time moves and
	// any timer fires. Like the function of a timer, it must not block, and what holds the step is
	// waited for.
	Begin func(*Step)
	// Extend, unless it is nil, is called when a step has taken that long. If it returns true, the
	// step gets as much time again. It may take a moment to answer.
	Extend func() bool
}

// withDefaults replaces zero fields by their defaults.
func (l Limits) withDefaults() (Limits, error) {
	if l.Firings < 0 || l.Standing < 0 || l.Step < 0 {
		return l, fmt.Errorf("limits {Firings:%d Standing:%d Step:%v}: one is negative; use 0 for the default",
			l.Firings, l.Standing, l.Step)
	}
	if l.Firings == 0 {
		l.Firings = 1_000_000
	}
	if l.Standing == 0 {
		l.Standing = 1_000
	}
	if l.Step == 0 {
		l.Step = 30 * time.Second
	}
	return l, nil
}

// A Report says what an advance did, whether or not it reached its target.
type Report struct {
	From, To time.Time // To is where the clock stood at the end
	Firings  int       // includes that of a stuck step
}

// A LimitError says that an advance reached one of its Limits. The timer that would have fired next
// is still pending.
type LimitError struct {
	Limit string    // LimitFirings or LimitStanding
	Max   int       // the limit's value
	At    time.Time // where the clock stands
}

func (e *LimitError) Error() string {
	at := e.At.Format(time.RFC3339Nano)
	if e.Limit == LimitStanding {
		return fmt.Sprintf("%d timers were set and fired at %s without time moving (limit %s); "+
			"look for one that is set again for the same instant, or raise the limit", e.Max, at, e.Limit)
	}
	return fmt.Sprintf("%d timers fired, the last at %s (limit %s); advance from there, or raise the limit",
		e.Max, at, e.Limit)
}

// What a LimitError has in Limit.
const (
	LimitFirings  = "firings"
	LimitStanding = "standing"
)

// A StuckError says that the work of a step took longer than its real time. The advance no longer
// waits for it; the work may still end.
type StuckError struct {
	At    time.Time     // the step's time, where the clock stands
	After time.Duration // how much real time the step had
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("the step at %s was unfinished after %v of real time; "+
		"look for work that never ends, or raise the limit", e.At.Format(time.RFC3339Nano), e.After)
}

// Advance moves the clock by d, rounded up to a whole millisecond as a timer's due is, and fires
// each timer that falls due on the way.
//
// The target is fixed when the advance is accepted. Then each timer due by it, including those set
// meanwhile, is one step, in order. The clock is set to the timer's time, or stays if that has
// passed. Advance calls the timer's function, and waits until the Step it is given is finished. At
// last the clock is set to the target and goes back to its mode from there. The real time that the
// advance took does not count.
//
// The advance ends early when ctx is cancelled (after the current step, with ctx's error), when it
// reaches a limit (*LimitError), when a step is stuck (*StuckError), when a time can't be saved
// (*SaveError) or when the clock is closed (ErrClosed). The clock then stands at the time of the
// last step, timers that have not fired are still pending, and the Report is valid.
//
// A negative d, a target beyond the year 9999, an advance during another (ErrBusy) and one whose
// beginning can't be saved (*SaveError) are refused. Nothing has changed then, and the Report is
// zero.
func (c *Clock) Advance(ctx context.Context, d time.Duration, l Limits) (Report, error) {
	return c.move(ctx, fmt.Sprintf("advance clock by %v", d), by(d), l, false)
}

// AdvanceTo is Advance up to target, which must not lie before Now.
func (c *Clock) AdvanceTo(ctx context.Context, target time.Time, l Limits) (Report, error) {
	return c.move(ctx, movingTo(target), to(target), l, false)
}

// Jump sets the clock ahead by d and then fires each timer that is due by then, as Advance does.
// The clock stands at the target meanwhile, so the timers fire late, and timers that they set for
// later do not fire.
func (c *Clock) Jump(ctx context.Context, d time.Duration, l Limits) (Report, error) {
	return c.move(ctx, fmt.Sprintf("let clock jump by %v", d), by(d), l, true)
}

// JumpTo is Jump to target, which must not lie before Now.
func (c *Clock) JumpTo(ctx context.Context, target time.Time, l Limits) (Report, error) {
	return c.move(ctx, movingTo(target), to(target), l, true)
}

func by(d time.Duration) func(now int64) int64 {
	return func(now int64) int64 { return now + millisOf(d) }
}

func to(target time.Time) func(now int64) int64 {
	return func(int64) int64 { return millisUp(target) }
}

func movingTo(target time.Time) string {
	return "move clock to " + target.UTC().Format(time.RFC3339Nano)
}

// move moves the clock to the time that target computes from the present one. what names the move
// in errors.
func (c *Clock) move(
	ctx context.Context, what string, target func(now int64) int64, l Limits, jump bool,
) (Report, error) {
	a, err := c.accept(target, l)
	if err != nil {
		return Report{}, fmt.Errorf("%s: %w", what, err)
	}
	defer a.end() // also when a timer's function panics
	if l.Begin != nil {
		err = a.begin(l.Begin)
	}
	if err == nil && jump {
		err = a.jump()
	}
	if err == nil {
		err = a.run(ctx)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return a.report(), err
}

// jump sets the clock to the target before the first step.
func (a *advance) jump() error {
	a.clock.mu.Lock()
	defer a.clock.mu.Unlock()
	return a.clock.reachLocked(a.target)
}

// reachLocked moves the clock to a time, in Unix ms, that may have passed. A time that can't be
// saved is not reached.
func (c *Clock) reachLocked(t int64) error {
	before := c.at
	if t <= before {
		return nil
	}
	c.at = t
	err := c.saveLocked()
	if err != nil {
		c.at = before
	}
	return err
}

// An advance is one accepted move of the clock.
type advance struct {
	clock        *Clock
	limits       Limits
	from, target int64 // Unix ms
	firings      int
	firstNew     uint64 // order of the first timer that was set after time last moved
	standing     int    // firings of such timers; timers that were set earlier for an instant do not count
}

// millisOf returns d in ms, rounded away from 0: up, as a timer's due is.
func millisOf(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	switch rest := d % time.Millisecond; {
	case rest > 0:
		ms++
	case rest < 0:
		ms--
	}
	return ms
}

// accept begins an advance to the time that target computes from the present one.
func (c *Clock) accept(target func(now int64) int64, l Limits) (*advance, error) {
	l, err := l.withDefaults()
	if err != nil {
		return nil, err
	}
	unlock, err := c.lockIdle()
	if err != nil {
		return nil, err
	}
	defer unlock()

	now := c.nowLocked()
	to := target(now)
	switch {
	case to < now:
		return nil, fmt.Errorf("%w; the clock stands at %s", ErrPast, fromMillis(now).Format(time.RFC3339Nano))
	case to > maxNow:
		return nil, fmt.Errorf("the clock ends at %s", fromMillis(maxNow).Format(time.RFC3339Nano))
	}
	// A state that can't be saved ends the move before anything fires.
	c.advancing = true
	if err := c.saveLocked(); err != nil {
		c.advancing = false
		return nil, err
	}
	c.releaseLocked()
	return &advance{clock: c, limits: l, from: now, target: to, firstNew: c.set}, nil
}

// run goes from step to step until the clock stands at the target or an error ends the advance.
func (a *advance) run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		unfinished, more, err := a.fire()
		if err != nil || !more {
			return err
		}
		if unfinished != nil {
			if err := a.await(unfinished); err != nil {
				return err
			}
		}
	}
}

// begin makes the first step, which is that of no timer.
func (a *advance) begin(f func(*Step)) error {
	unfinished, err := a.first(f)
	if unfinished == nil {
		return err
	}
	return a.await(unfinished)
}

// first begins the first step. Its result is as that of callLocked.
func (a *advance) first(f func(*Step)) (unfinished <-chan struct{}, err error) {
	a.clock.firing.Lock()
	defer a.clock.firing.Unlock()
	select {
	case <-a.clock.closing:
		return nil, ErrClosed
	default:
		return a.callLocked(f), nil
	}
}

// callLocked begins a step with f. It returns a channel that is closed when the step is finished,
// or nil if it already is. The caller holds firing.
func (a *advance) callLocked(f func(*Step)) <-chan struct{} {
	a.clock.steps++
	s := &Step{number: a.clock.steps}
	f(s)
	return s.returned()
}

// fire begins the next step. It returns a channel that is closed when the step is finished, or nil
// if it already is. more is false if no step was left.
func (a *advance) fire() (unfinished <-chan struct{}, more bool, err error) {
	a.clock.firing.Lock()
	defer a.clock.firing.Unlock()
	f, err := a.take()
	if f == nil {
		return nil, false, err
	}
	a.firings++
	return a.callLocked(f), true, nil
}

// take sets the clock to the time of the next step and takes that timer's function. If no step is
// left, it sets the clock to the target and returns nil. Both happen under one lock: any timer set
// meanwhile is either part of the advance or finds the clock at the target.
func (a *advance) take() (func(*Step), error) {
	c := a.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}

	t := c.timers.first()
	if t == nil || t.due > a.target {
		return nil, c.reachLocked(a.target)
	}
	if a.firings >= a.limits.Firings {
		return nil, &LimitError{Limit: LimitFirings, Max: a.limits.Firings, At: fromMillis(c.at)}
	}
	if t.due > c.at {
		if err := c.reachLocked(t.due); err != nil {
			return nil, err
		}
		a.firstNew, a.standing = c.set, 0
	}
	if t.order >= a.firstNew {
		if a.standing >= a.limits.Standing {
			return nil, &LimitError{Limit: LimitStanding, Max: a.limits.Standing, At: fromMillis(c.at)}
		}
		a.standing++
	}
	return t.takeLocked(), nil
}

// await waits until the current step is finished.
func (a *advance) await(finished <-chan struct{}) error {
	bound := time.NewTimer(a.limits.Step)
	defer bound.Stop()
	for {
		select {
		case <-finished:
			return nil
		case <-bound.C:
			if a.limits.Extend == nil || !a.limits.Extend() {
				return &StuckError{At: a.clock.Now(), After: a.limits.Step}
			}
			bound.Reset(a.limits.Step)
		case <-a.clock.closing:
			return ErrClosed
		}
	}
}

func (a *advance) report() Report {
	return Report{From: fromMillis(a.from), To: a.clock.Now(), Firings: a.firings}
}

// end puts the clock back into its former mode.
func (a *advance) end() {
	c := a.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advancing = false
	if c.mode == Running {
		c.anchorLocked()
		c.saveLocked() //nolint:errcheck // where the clock stands was saved; renew tries again
	}
}
