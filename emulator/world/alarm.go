package world

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// The retry schedule. Source: workerd's alarm-scheduler.h and worker-interface.h.
const (
	retryStart    = 2 * time.Second
	RetryMax      = 6 // RetryMax is how many counted failures are retried
	retryMaxShift = 9 // how often the wait doubles
	retryJitter   = 4 // the jitter is up to a quarter of the wait
)

// An alarm is a pending alarm of an object, as the clock needs it; the object's file is the truth.
// It is replaced when the alarm is set again. There may be many, so it has at most 128 bytes.
type alarm struct {
	// ns.mu guards these.
	due     time.Time // at, or the time of the next retry
	timer   *clock.Timer
	retries uint8 // counted failures
	shift   uint8 // the next wait is retryStart << shift
	counted bool  // the last failure was counted
	running bool
	missed  bool // it is due while the alarm before it runs, and runs after that
	held    bool // it was overdue at start, and waits for an advance

	// Constant.
	again bool // it is the second run that a fault injects (see duplicate.go)
	named bool
	name  string
	id    objectid.ID
	ns    *Namespace
	at    time.Time // the time that was set
	order int64     // alarms of the same time run in this order
}

// An alarmRun is an alarm whose handler is running. The object's storeMu guards it.
type alarmRun struct {
	changed bool // the file's alarm is not the one that runs: it was set or deleted meanwhile, and committed
	dropped bool // the handler wants no retry
}

// identity returns the identity of the alarm's object. An alarm has its fields one by one, to stay
// small.
func (a *alarm) identity() Identity { return Identity{id: a.id, Name: a.name, Named: a.named} }

// schedule replaces the pending alarm of an object after a commit. With set false it removes it.
func (ns *Namespace) schedule(who Identity, at time.Time, set bool, order int64) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if old := ns.alarms[who.id]; old != nil {
		if old.timer != nil {
			old.timer.Stop()
		}
		delete(ns.alarms, who.id)
	}
	if set {
		a := &alarm{ns: ns, id: who.id, name: who.Name, named: who.Named, at: at, order: order}
		ns.alarms[who.id] = a
		a.arm(at)
	}
}

// unschedule removes the pending alarm of an object.
func (ns *Namespace) unschedule(id objectid.ID) { ns.schedule(Identity{id: id}, time.Time{}, false, 0) }

// arm sets the alarm's timer. ns.mu is held.
func (a *alarm) arm(due time.Time) {
	a.due = due
	a.timer = a.ns.w.clock.At(due, a.fire)
}

// fire is called by the clock.
func (a *alarm) fire(step *clock.Step) {
	if step == nil && a.early() {
		return
	}
	if !a.claim() {
		return
	}
	w := a.ns.w
	var on *launch
	var place *Place
	if step == nil {
		on, place = w.launches.add(), w.alarmStarts.join(w.cronStarts.end())
	}
	step.Add()
	w.Go(func() { a.runOnce(step, on, false, place) })
}

// early reports whether no program has served yet. Then the alarm waits for RunEarly.
func (a *alarm) early() bool {
	a.ns.mu.Lock()
	defer a.ns.mu.Unlock()
	if !a.ns.w.early.add(a) {
		return false
	}
	a.timer = nil
	return true
}

// claim marks the alarm as running. It returns false if the alarm is running already, is no longer
// the object's, or must wait for the run of the one before it.
func (a *alarm) claim() bool {
	a.ns.mu.Lock()
	defer a.ns.mu.Unlock()
	if a.running || !a.isPendingLocked() {
		return false
	}
	if _, busy := a.ns.running[a.id]; busy {
		a.missed = true
		return false
	}
	a.ns.running[a.id] = nil
	a.running, a.held = true, false
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	return true
}

// entered notes the event of the run, which has entered a program.
func (a *alarm) entered(ev *Event) {
	a.ns.mu.Lock()
	defer a.ns.mu.Unlock()
	a.ns.running[a.id] = ev
}

// ended undoes claim after the run, and arms what is due after it.
func (a *alarm) ended() {
	a.ns.mu.Lock()
	defer a.ns.mu.Unlock()
	delete(a.ns.running, a.id)
	for _, next := range append(a.ns.w.faults.againOf(a.ns, a.id), a.ns.alarms[a.id]) {
		if next != nil && next.missed {
			next.missed = false
			next.arm(next.due)
		}
	}
}

// object returns the alarm's object.
func (a *alarm) object() control.Object {
	return control.Object{Class: a.ns.class(), Name: a.name, ID: a.id.String()}
}

// runOnce runs the alarm, which the caller has claimed, as part of step, on which the caller has
// taken a hold for it. on is its launch, or nil. A triggered alarm runs before its time, too. place
// is that of the alarm among those that a running clock fires, or nil.
func (a *alarm) runOnce(step *clock.Step, on *launch, triggered bool, place *Place) control.Fired {
	place.Wait()
	w, started := a.ns.w, time.Now()
	run := Happening{
		Event: control.KindAlarm, Which: a.object(), Object: a.object().String(),
		Scheduled: a.at, Retry: int(a.retries),
	}
	var result alarmResult
	d := &Delivery{
		Kind: "alarm", Context: w.ctx, Entry: Patient, Step: step, Object: &Address{a.ns, a.identity()},
		Place: place, fromClock: true, launch: on,
	}
	d.Began = a.entered
	d.Handle = func(ev *Event, inst *Instance) (err error) {
		result, err = a.handle(ev, inst, triggered)
		return err
	}
	d.Ended = func(ev *Event, err error) {
		run.At, run.Due, run.Took = d.at, a.dueTime(triggered), time.Since(started)
		if ev == nil { // the world ends; the alarm stays in its file
			run.Outcome, run.Err = control.OutcomeDropped, err
			return
		}
		defer a.ended()
		run.Err = a.conclude(ev, &run, result, err)
		w.publishRun(step, ev.currentStep(), run)
	}
	w.Deliver(d) //nolint:errcheck // run has the error
	return run.Fired()
}

// conclude decides what follows a run that ended with err and result, and notes it in run. It
// returns the error of the run or of conclude itself.
func (a *alarm) conclude(ev *Event, run *Happening, result alarmResult, err error) error {
	o := ev.obj
	if a.again {
		defer func() {
			if run.Outcome != control.OutcomeRetry {
				a.ns.w.faults.endAgain(a)
			}
		}()
	}
	if err == nil {
		ev.placeAtEnd().Leave() // what follows may wait for a turn
	}
	switch {
	case err == nil && result.dropped != "":
		run.Outcome, run.Why = control.OutcomeDropped, result.dropped
		return a.resync(o, run)
	case err == nil:
		run.Outcome = control.OutcomeOK
		a.duplicate(o)
	default:
		run.Why = err.Error()
		run.Outcome = a.retry(ev, err, result, run)
	}
	return err
}

// dueTime returns when the alarm was due, or zero for a triggered run.
func (a *alarm) dueTime(triggered bool) time.Time {
	if triggered {
		return time.Time{}
	}
	a.ns.mu.Lock()
	defer a.ns.mu.Unlock()
	return a.due
}

// An alarmResult is the outcome of a run, besides its error.
type alarmResult struct {
	dropped string // why the handler was not called, or empty
	called  bool   // the handler was called
	noRetry bool   // the handler wants no retry
}

// handle calls the handler, if the alarm is still due, and deletes the alarm after it.
func (a *alarm) handle(ev *Event, inst *Instance, triggered bool) (alarmResult, error) {
	o, w := ev.obj, a.ns.w
	at, set := a.at, true
	var err error
	if !a.again {
		err = o.use(ev, func(s *store.Object) (err error) {
			at, set, err = s.Alarm()
			return err
		})
	}
	switch {
	case err != nil:
		return alarmResult{}, err
	case !set:
		return alarmResult{dropped: "the alarm was deleted"}, nil
	// The time of an unchanged alarm does not matter: retries of a triggered run may be early, too.
	case !triggered && at.After(w.clock.Now()) && !at.Equal(a.at):
		return alarmResult{dropped: "the alarm was moved to " + at.Format(time.RFC3339Nano)}, nil
	case !handlesAlarms(ev.prog, a.ns.class()):
		err := o.use(ev, func(s *store.Object) error { return s.DeleteAlarm() })
		return alarmResult{dropped: "class " + a.ns.class() + " has no Alarm method"}, err
	}
	if err := o.alarmFault(); err != nil {
		return alarmResult{}, err
	}
	run := &alarmRun{changed: a.again}
	o.setRun(run)
	defer o.setRun(nil)
	m := &wire.Alarm{Event: ev.number, Instance: inst.number, Scheduled: at.UnixMilli(), RetryCount: uint64(a.retries)}
	limit := o.limit(ev, alarmLimit, errAlarmLimit)
	err = ev.prog.Ask(inst, wire.MethodAlarm, m, ev.start.Leave)
	limit.stop()
	result := alarmResult{called: true}
	if err == nil {
		err = o.use(ev, func(s *store.Object) error {
			if run.changed || s.AlarmChanged() {
				return nil
			}
			return s.DeleteAlarm()
		})
	}
	if err != nil { // perhaps a reset during the commit after the handler returned
		o.storeMu.Lock()
		result.noRetry = run.dropped
		o.storeMu.Unlock()
	}
	return result, err
}

// setAlarm sets the object's alarm in its store. A past time means now. storeMu is held.
func (o *object) setAlarm(st *store.Object, at time.Time) error {
	if now := o.ns.w.clock.Now(); at.Before(now) {
		at = now
	}
	// An alarm of the same time as the running one is a new alarm nevertheless.
	if o.run != nil && !o.run.changed && !st.AlarmChanged() {
		running, _, err := st.Alarm()
		if err == nil && running.Equal(at) {
			err = st.DeleteAlarm()
		}
		if err != nil {
			return err
		}
	}
	return st.SetAlarm(at)
}

func (o *object) setRun(run *alarmRun) {
	o.storeMu.Lock()
	o.run = run
	o.storeMu.Unlock()
}

// resync updates the index and the clock when a run found another alarm in the object's file. If it
// can't read the file, the run is retried.
func (a *alarm) resync(o *object, run *Happening) error {
	err := o.administer(context.Background(), func(s *store.Object) error {
		at, set, err := s.Alarm()
		if err != nil {
			return err
		}
		a.ns.mu.Lock()
		stale := a.ns.alarms[a.id] == a
		a.ns.mu.Unlock()
		if !stale {
			return nil
		}
		return a.follow(at, set)
	})
	if err == nil {
		return nil
	}
	err = fmt.Errorf("look up alarm: %w", err)
	run.Why = err.Error()
	a.ns.mu.Lock()
	defer a.ns.mu.Unlock()
	a.running = false
	if a.ns.alarms[a.id] == a {
		run.Outcome = a.tryAgainLocked(run)
	}
	return err
}

// follow makes the index and the clock agree with the alarm in the object's file.
func (a *alarm) follow(at time.Time, set bool) (err error) {
	if set {
		err = a.ns.index.Set(a.id.String(), at, a.order, a.name, a.named)
	} else {
		err = a.ns.index.Delete(a.id.String())
	}
	if err == nil {
		a.ns.schedule(a.identity(), at, set, a.order)
	}
	return err
}

// retry decides what follows a failed run, and returns the outcome.
func (a *alarm) retry(ev *Event, cause error, result alarmResult, run *Happening) string {
	a.ns.mu.Lock()
	a.running = false
	if next := a.ns.alarms[a.id]; next != a && !a.again { // set or deleted meanwhile, which replaces a retry
		a.ns.mu.Unlock()
		if result.called {
			return control.OutcomeFailed
		}
		what := "deleted"
		if next != nil {
			what = "set again to " + next.at.Format(time.RFC3339Nano)
		}
		run.Why = "the alarm was " + what + " before its handler was called: " + cause.Error()
		return control.OutcomeDropped
	}
	if a.retries < RetryMax && !result.noRetry {
		counts := countsAgainstLimit(cause)
		if counts {
			a.retries++
			if !a.counted { // the failure before was not the handler's
				a.shift = 0
			}
		}
		a.counted = counts
		defer a.ns.mu.Unlock()
		return a.tryAgainLocked(run)
	}
	a.ns.mu.Unlock()
	if a.again { // the file's alarm is another one
		return control.OutcomeFailed
	}
	ev.placeAtEnd().Leave() // it may wait for the turn
	err := ev.obj.administer(context.Background(), func(s *store.Object) error {
		if at, set, err := s.Alarm(); err != nil || !set || !at.Equal(a.at) {
			return err
		}
		return s.DeleteAlarm()
	})
	if err != nil {
		a.ns.w.log.Error("drop alarm of "+ev.obj.String(), "err", err)
	}
	return control.OutcomeFailed
}

// tryAgainLocked sets the timer of the next retry.
func (a *alarm) tryAgainLocked(run *Happening) (outcome string) {
	due := run.At
	if now := a.ns.w.clock.Now(); now.After(due) {
		due = now
	}
	due = due.Add(a.wait())
	a.shift = min(a.shift+1, retryMaxShift)
	a.arm(due)
	run.RetryAt = due
	return control.OutcomeRetry
}

// wait returns how long the alarm waits for its next retry. The jitter depends only on the alarm
// and the seed, so a run can be repeated.
func (a *alarm) wait() time.Duration {
	nominal := retryStart << a.shift
	h := fnv.New64a()
	h.Write(a.id[:])
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(a.at.UnixMilli()))
	binary.BigEndian.PutUint64(b[8:], uint64(a.retries)<<32|uint64(a.shift))
	h.Write(b[:])
	if seed := a.ns.w.seed; seed != 0 {
		h.Write(binary.BigEndian.AppendUint64(nil, seed))
	}
	most := uint64(nominal/time.Millisecond) / retryJitter
	return nominal + time.Duration(h.Sum64()%(most+1))*time.Millisecond
}

// countsAgainstLimit reports whether the failure was the handler's own: it returned an error,
// exceeded a limit, or violated a constraint of the database. A failed constructor, a crashed
// program and a failing disk are retried without end, unless the handler's own failures have used
// up all retries. Source: workerd's global-scope.c++.
func countsAgainstLimit(err error) bool {
	if c := (*constructError)(nil); errors.As(err, &c) {
		return false
	}
	if e := (*store.SQLError)(nil); errors.As(err, &e) && e.Code == "SQLITE_CONSTRAINT" { // of the commit
		return true
	}
	e := (*wire.Error)(nil)
	return errors.As(err, &e) && (e.Remote || e.Overloaded)
}
