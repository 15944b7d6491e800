// Package clock is the virtual clock that everything in the emulator waits on.
//
// A Clock is in one of two modes. A running clock follows real time at a rate, normally 1, and its
// goroutine fires timers as they fall due. A frozen clock stands still, and nothing fires by
// itself.
//
// In either mode Advance moves the clock. It goes from timer to timer in the order (due, order in
// which they were set). At each timer's own time it waits until the timer's work, and all that this
// caused, is finished. So a run is reproducible. Step describes how work reports that it is
// finished.
//
// Jump is an advance that goes to its target first, as the clock of a laptop does that was closed
// for a while. Timers that fell due on the way fire at the target, late.
//
// Time has a resolution of one millisecond, as on the platform. Now cuts to it; a timer's due is
// rounded up to it, so that nothing fires early. Time never runs backwards, even if the real clock
// is set back or the program restarts from a saved State. Only Reset may set it back. lease.go
// says how that holds although a process can end at any moment.
//
// How it is built: timers lie in a heap (timer.go). The goroutine of a running clock (run.go) and
// an advance (advance.go) take them from it, never both at a time. Two locks keep them apart.
// firing is held while a timer is taken and its function called: its holder knows that no such
// function is running. mu guards the data and is never held while a timer's function runs. firing
// is locked before mu.
package clock

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

var (
	// ErrBusy is returned by operations that are impossible during an advance.
	ErrBusy = errors.New("an advance is under way; wait until it has ended")
	// ErrPast is returned by a move to a time that has passed.
	ErrPast = errors.New("time does not run backwards")
	// ErrClosed is returned by operations that are impossible after Close.
	ErrClosed = errors.New("the clock is closed")
)

// Options say how a clock starts. The zero value is a running clock that shows real time.
type Options struct {
	// Wall is the real clock; nil means time.Now. It must not call the clock. Readings with a
	// monotonic part are compared by that part, so setting the system's clock back leaves the
	// virtual clock alone.
	Wall func() time.Time
	// State is where an earlier clock stood. The zero State means running, at wall time.
	State State
	// Mode, unless it is empty, is the mode in which the clock starts, in place of that which State
	// keeps. Saved states keep that one until Freeze, Resume or Reset is called.
	Mode Mode
	// Save is called with each new State before the clock shows it: by New, for a change of mode or
	// rate, when an advance begins, for each of its steps and at its end. While the clock runs, it
	// is called about once a second, with a time ahead of the clock's (see lease.go). If it fails,
	// so does what called it, and nothing has changed. Calls never overlap and come in order. The
	// clock may be locked during a call, so Save must not call it. Nil means that states are not
	// saved.
	Save func(State) error
	// Seed, unless it is 0, shuffles timers that are due at the same instant. Each seed has its own
	// order, always the same. With 0 they fire in the order in which they were set.
	Seed uint64
}

// A Clock is one virtual clock. Its methods may be called from any goroutine. At says what a
// timer's own function may call.
type Clock struct {
	// Constant after New.
	wall    func() time.Time
	save    func(State) error
	seed    uint64
	wake    chan struct{} // holds a token when the goroutine has to check again
	closing chan struct{} // closed by Close

	// firing is held while a timer is taken from the heap and its function called. It is locked
	// before mu.
	firing sync.Mutex
	steps  uint64 // how many steps there were; guarded by firing

	mu sync.Mutex // guards what follows
	position
	advancing bool
	closed    bool
	unsaved   error // why the last save failed, or nil
	timers    timerHeap
	held      timerHeap // timers that only an advance fires; see AtHeld
	set       uint64    // how many timers were ever set
	numbered  uint64    // how many of them are not maintenance
}

// A position says where a clock is and how it moves.
type position struct {
	mode   Mode      // during an advance: the mode to go back to
	kept   Mode      // the mode in which a later clock starts
	rate   float64   // how much faster than real time it runs
	at     int64     // Unix ms: where the clock stands; while it runs, the latest time it has shown
	base   time.Time // while it runs: the virtual time when the wall clock read anchor
	anchor time.Time
	// leased says that a running clock may show no time after horizon, in Unix ms, which was saved.
	leased  bool
	horizon int64
}

// New returns a clock that continues from o.State. Close it to stop its goroutine. Unsaved says
// whether its state could be saved.
func New(o Options) *Clock {
	c := &Clock{
		wall:    o.Wall,
		save:    o.Save,
		seed:    o.Seed,
		wake:    make(chan struct{}, 1),
		closing: make(chan struct{}),
	}
	if c.wall == nil {
		c.wall = time.Now
	}
	c.restore(o.State, o.Mode)
	c.mu.Lock()
	c.saveLocked() //nolint:errcheck // Unsaved has the error
	c.mu.Unlock()
	go c.run()
	return c
}

// Now returns the virtual time in UTC, cut to whole milliseconds. During an advance it is the time
// of the current step.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fromMillis(c.nowLocked())
}

// Mode returns the clock's mode; during an advance, the mode it will go back to.
func (c *Clock) Mode() Mode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mode
}

// Freeze stops the clock where it stands. When it returns, no timer's function is running, and none
// will be called until Resume or Advance. Freezing a frozen clock does nothing. The error is
// ErrBusy during an advance, ErrClosed, or a *SaveError: then the clock goes on as before.
func (c *Clock) Freeze() error {
	if err := c.setMode(Frozen); err != nil {
		return fmt.Errorf("freeze clock: %w", err)
	}
	return nil
}

// Resume lets the clock run on from where it stands. It does not make up for the real time that
// passed while the clock was frozen. Resuming a running clock does nothing. The error is ErrBusy
// during an advance, ErrClosed, or a *SaveError: then the clock stays frozen.
func (c *Clock) Resume() error {
	if err := c.setMode(Running); err != nil {
		return fmt.Errorf("resume clock: %w", err)
	}
	return nil
}

// MinRate and MaxRate bound the rates that SetRate accepts.
const (
	MinRate = 0.001
	MaxRate = 1_000_000
)

// Rate returns how much faster than real time the clock runs when it runs.
func (c *Clock) Rate() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rate
}

// SetRate makes a clock run at rate times real time, from where it stands. A frozen clock stays
// frozen and runs at that rate later. SetRate returns an error if rate is out of bounds, ErrBusy
// during an advance, ErrClosed, or a *SaveError: then the rate stays as it was.
func (c *Clock) SetRate(rate float64) error {
	if !(rate >= MinRate && rate <= MaxRate) { // NaN is neither
		return fmt.Errorf("set rate of clock to %v: it must be from %v to %v", rate, MinRate, MaxRate)
	}
	unlock, err := c.lockIdle()
	if err != nil {
		return fmt.Errorf("set rate of clock: %w", err)
	}
	defer unlock()
	if err := c.changeLocked(func() { c.rate = rate }); err != nil {
		return fmt.Errorf("set rate of clock: %w", err)
	}
	return nil
}

// Reset sets the clock to real time, running at a rate of 1. That may be a step back. Pending
// timers keep their due. The error is ErrBusy during an advance, ErrClosed, or a *SaveError: then
// nothing has changed.
func (c *Clock) Reset() error {
	unlock, err := c.lockIdle()
	if err != nil {
		return fmt.Errorf("reset clock: %w", err)
	}
	defer unlock()
	err = c.changeLocked(func() {
		c.mode, c.kept, c.rate = Running, Running, 1
		c.at = min(max(millis(c.wall()), minNow), maxNow)
	})
	if err != nil {
		return fmt.Errorf("reset clock: %w", err)
	}
	return nil
}

// Close stops the clock's goroutine and ends an advance that is under way with ErrClosed. Timers
// that have not fired by then never do: when Close returns, no timer's function is running. Closing
// again does nothing.
func (c *Clock) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.closing)
	}
	c.mu.Unlock()

	c.firing.Lock() // waits for the function that is being called
	defer c.firing.Unlock()
}

func (c *Clock) setMode(m Mode) error {
	unlock, err := c.lockIdle()
	if err != nil {
		return err
	}
	defer unlock()

	if m == c.mode && m == c.kept {
		return nil
	}
	return c.changeLocked(func() { c.mode, c.kept = m, m })
}

// changeLocked changes the clock's position. It undoes the change if that cannot be saved.
func (c *Clock) changeLocked(change func()) error {
	c.nowLocked() // a clock that ran stops here, not at the last time it showed
	before := c.position
	change()
	if c.mode == Running {
		c.anchorLocked()
	}
	err := c.saveLocked()
	if err != nil {
		c.position = before
	}
	return err
}

// lockIdle takes both locks for a change that must not meet a firing timer, an advance or a closed
// clock. The error says which of them is in the way.
func (c *Clock) lockIdle() (unlock func(), err error) {
	// The check comes before the wait for firing, too. A timer's function that calls this, against
	// the rules, then gets an error instead of waiting for itself.
	c.mu.Lock()
	err = c.idleLocked()
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}

	c.firing.Lock()
	c.mu.Lock()
	if err := c.idleLocked(); err != nil {
		c.mu.Unlock()
		c.firing.Unlock()
		return nil, err
	}
	return func() {
		c.mu.Unlock()
		c.firing.Unlock()
	}, nil
}

func (c *Clock) idleLocked() error {
	switch {
	case c.closed:
		return ErrClosed
	case c.advancing:
		return ErrBusy
	}
	return nil
}

// nowLocked returns the virtual time in Unix ms and remembers it as the floor of later readings.
func (c *Clock) nowLocked() int64 {
	if c.mode == Running && !c.advancing {
		c.readLocked()
	}
	return c.at
}

// readLocked sets at to the time of a running clock, and returns to the nanosecond where real time
// has brought it. That differs from at while the clock stands: at maxNow, at the end of its lease,
// or until real time catches up with where a restart let it begin.
//
// The wall clock may have been set back, during this run or before it. The clock then goes on from
// the latest time that it showed. If it stood until the wall clock caught up, every timer would
// wait for as long.
func (c *Clock) readLocked() time.Time {
	w := c.wall()
	monotonic, wall := w.Sub(c.anchor), w.Round(0).Sub(c.anchor.Round(0))
	v := c.base.Add(c.virtual(elapsed(monotonic, wall)))
	if monotonic-wall > leapThreshold { // so that a saved offset is from the wall clock's new time
		c.base, c.anchor = v, w
	}
	if floor := fromMillis(c.at); v.Before(floor) {
		if c.rate != 1 || floor.Sub(v) > lease {
			c.base, c.anchor = floor, w
			return floor
		}
		return v
	}
	end := int64(maxNow)
	if c.leased {
		end = min(end, c.horizon)
	}
	c.at = min(v.UnixMilli(), end)
	return v
}

// virtual returns how much virtual time passes in real time d. It does not overflow: at the highest
// rate, a time that a Duration can't hold lies beyond maxNow.
func (c *Clock) virtual(d time.Duration) time.Duration {
	if c.rate == 1 {
		return d
	}
	return time.Duration(min(float64(d)*c.rate, math.MaxInt64/2))
}

// real returns how much real time it takes until d of virtual time has passed, rounded up.
func (c *Clock) real(d time.Duration) time.Duration {
	if c.rate == 1 {
		return d
	}
	return time.Duration(min(math.Ceil(float64(d)/c.rate), math.MaxInt64/2))
}

// anchorLocked makes the clock run on from c.at, beginning now.
func (c *Clock) anchorLocked() {
	c.base, c.anchor = fromMillis(c.at), c.wall()
	c.leased = c.needsLeaseLocked()
	c.wakeUp()
}

// wakeUp makes the goroutine check again what it waits for.
func (c *Clock) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// leapThreshold is the difference between monotonic and wall time above which the wall clock counts
// as set. Smaller differences come from reading the two one after the other.
const leapThreshold = time.Second

// elapsed returns how much real time has passed between two readings, given the differences that
// the monotonic and the wall clock show. It returns monotonic, unless the wall clock leapt forward.
// On most systems the monotonic clock stands while a laptop sleeps, and that time has passed all
// the same.
func elapsed(monotonic, wall time.Duration) time.Duration {
	if wall-monotonic > leapThreshold {
		return wall
	}
	return monotonic
}
