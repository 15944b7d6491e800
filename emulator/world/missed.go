package world

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// Missed says what happens to alarms that are overdue at start, by the clock: they fell due while
// nothing ran.
type Missed string

const (
	MissedFire Missed = "fire" // MissedFire fires them at once, in their order; so does the zero value
	MissedSkip Missed = "skip" // MissedSkip deletes them, as if they had never been set
	MissedHold Missed = "hold" // MissedHold makes them wait until an advance, or until they are changed
)

// armLoaded sets the timers of alarms from the indexes, which are in the order in which they fire.
// It applies the policy to overdue ones.
func (w *World) armLoaded(alarms []*alarm) {
	now, runs := w.clock.Now(), w.clock.Mode() == clock.Running
	var missed []*alarm
	for _, a := range alarms {
		overdue := a.at.Before(now)
		if overdue {
			missed = append(missed, a)
		}
		a.ns.mu.Lock()
		a.ns.alarms[a.id] = a
		switch {
		case overdue && w.missed == MissedSkip: // no timer: if it can't be skipped, it must not fire
			a.held = true
		case overdue && w.missed == MissedHold:
			a.held = true
			a.timer = w.clock.AtHeld(a.due, a.fire)
		case overdue && runs && w.early.add(a):
		default:
			a.arm(a.due)
		}
		a.ns.mu.Unlock()
	}
	if len(missed) == 0 {
		return
	}
	w.log.Info(w.missedSummary(missed, now))
	if w.missed == MissedSkip {
		w.skip(missed)
	}
}

// missedSummary returns the log line that says how many alarms are overdue, by how much, and what
// happens to them. There is at least one.
func (w *World) missedSummary(missed []*alarm, now time.Time) string {
	longest, shortest := late(now.Sub(missed[0].at)), late(now.Sub(missed[len(missed)-1].at))
	one := len(missed) == 1
	line := "1 alarm is overdue, by " + longest
	switch {
	case one:
	case longest == shortest:
		line = fmt.Sprintf("%d alarms are overdue, by %s", len(missed), longest)
	default:
		line = fmt.Sprintf("%d alarms are overdue, the first by %s, the last by %s", len(missed), longest, shortest)
	}
	switch {
	case w.missed == MissedSkip && one:
		return line + ": it is skipped"
	case w.missed == MissedSkip:
		return line + ": they are skipped"
	case w.clock.Mode() == clock.Frozen && one:
		return line + ": the clock stands still, so it fires when that is moved (`devtool time advance 0s`)"
	case w.clock.Mode() == clock.Frozen:
		return line + ": the clock stands still, so they fire when that is moved (`devtool time advance 0s`)"
	case w.missed == MissedHold && one:
		return line + ": it is held until you move the clock"
	case w.missed == MissedHold:
		return line + ": they are held until you move the clock"
	case one:
		return line + ": it fires as soon as the program is up"
	}
	return line + ": they fire as soon as the program is up, the first one first"
}

// late returns d in the precision that people need.
func late(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(time.Second / 10).String()
	case d < 48*time.Hour:
		text := d.Round(time.Second).String()
		if rest, ok := strings.CutSuffix(text, "m0s"); ok {
			text = rest + "m"
		}
		if rest, ok := strings.CutSuffix(text, "h0m"); ok {
			text = rest + "h"
		}
		return text
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// maxSkippedNamed is how many skipped alarms the log names.
const maxSkippedNamed = 20

// skip deletes alarms from their objects' files. An alarm that can't be deleted stays, and is held.
func (w *World) skip(missed []*alarm) {
	skipped := 0
	for _, a := range missed {
		done, err := a.skip()
		switch {
		case err != nil:
			w.log.Error("skip alarm of "+a.object().String()+": it stays, and is held", "err", err)
		case done:
			if skipped++; skipped <= maxSkippedNamed {
				w.log.Info("skipped the alarm of " + a.object().String() + " for " + a.at.Format(time.RFC3339Nano))
			}
		}
	}
	if more := skipped - maxSkippedNamed; more > 0 {
		w.log.Info(fmt.Sprintf("skipped %d alarms more", more))
	}
}

// skip deletes the alarm if the object's file has one that is overdue, and reports whether it had:
// the index may show an alarm that has been moved.
func (a *alarm) skip() (skipped bool, err error) {
	p := a.ns.pinForAdmin(a.identity())
	defer p.release()
	if found, err := p.hasFile(); err != nil {
		return false, err
	} else if !found { // opening the file would create it
		return false, a.follow(time.Time{}, false)
	}
	now := a.ns.w.clock.Now()
	err = p.administer(context.Background(), func(s *store.Object) error {
		at, set, err := s.Alarm()
		if err != nil {
			return err
		}
		if skipped = set && at.Before(now); skipped {
			return s.DeleteAlarm()
		}
		return a.follow(at, set)
	})
	if err != nil {
		return false, err
	}
	// There may be thousands of files: none stays open.
	return skipped, p.withTurn(context.Background(), p.closeStore)
}

// Held returns the alarms that are held since the start, in the order of their due times.
func (w *World) Held() []control.Alarm {
	var held []control.Alarm
	for _, a := range w.PendingAlarms() {
		if a.Held {
			held = append(held, a)
		}
	}
	return held
}

// earlyAlarms are alarms that a running clock makes due before there is a program: they are overdue
// at start, or fall due while the program is built. They have no timer. If they waited as
// deliveries, all would enter the first program at once, in any order.
type earlyAlarms struct {
	mu     sync.Mutex
	closed bool     // the first program serves
	alarms []*alarm // in the order in which they fell due
}

// add adds a, and reports true, unless a program has served already.
func (q *earlyAlarms) add(a *alarm) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.alarms = append(q.alarms, a)
	}
	return !q.closed
}

func (q *earlyAlarms) close() []*alarm {
	q.mu.Lock()
	defer q.mu.Unlock()
	alarms := q.alarms
	q.closed, q.alarms = true, nil
	return alarms
}

// waits reports whether the early alarm has neither run nor been armed since it was added.
func (a *alarm) waits() bool {
	a.ns.mu.Lock()
	defer a.ns.mu.Unlock()
	return a.timer == nil
}

// RunEarly runs the early alarms, one after the other, in the background. It is called when the
// first program serves. A slow alarm delays the next one by Waits.EarlyAlarm at most.
func (w *World) RunEarly() {
	alarms := w.early.close()
	if len(alarms) == 0 {
		return
	}
	runs := make([]*launch, len(alarms)) // an advance that begins meanwhile waits for all of them
	for i := range runs {
		runs[i] = w.launches.add()
	}
	w.Go(func() {
		for i, a := range alarms {
			if w.ctx.Err() != nil || !a.waits() || !a.claim() {
				w.launches.land(runs[i]).Done() // once the world ends, it stays in its file
				continue
			}
			done := make(chan struct{})
			w.Go(func() {
				defer close(done)
				a.runOnce(nil, runs[i], false, nil)
			})
			timer := time.NewTimer(w.waits.EarlyAlarm)
			select {
			case <-done:
			case <-timer.C:
			}
			timer.Stop()
		}
	})
}

// PendingAlarms returns the pending alarms in the order in which they fire.
func (w *World) PendingAlarms() []control.Alarm {
	type entry struct {
		order int64
		control.Alarm
	}
	var all []entry
	for _, ns := range w.currentNamespaces() {
		ns.mu.Lock()
		for _, a := range ns.alarms {
			all = append(all, entry{order: a.order, Alarm: a.describeLocked()})
		}
		ns.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b entry) int { return compareDue(a.Due, a.order, b.Due, b.order) })
	alarms := make([]control.Alarm, len(all))
	for i, a := range all {
		alarms[i] = a.Alarm
	}
	return alarms
}

func (a *alarm) describeLocked() control.Alarm {
	return control.Alarm{
		Object: a.object(), Scheduled: a.at, Due: a.due,
		Retry: int(a.retries), Running: a.running, Held: a.held,
	}
}

// nextAlarm returns the alarm that is due first and does not run, or nil.
func (w *World) nextAlarm() *control.Alarm {
	for _, a := range w.PendingAlarms() {
		if !a.Running {
			return &a
		}
	}
	return nil
}
