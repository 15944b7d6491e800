package world

import (
	"errors"
	"fmt"
	"slices"
)

// A model computes in the simplest way what should happen in a universe whose handlers do not
// sleep. It cannot compute the jitter of retries: it takes that from the course with which it is
// compared.
type model struct {
	universe
	course
	jitter []int64 // when the retries come in that course

	now     int64
	timers  []*modelTimer
	objects []*modelObject
	sets    int
}

type modelTimer struct {
	due  int64
	cron bool // fires before alarms of the same time
	fire func()
}

// A modelTime is the time of an alarm, if one is set.
type modelTime struct {
	at  int64
	set bool
}

type modelObject struct {
	stored  modelTime   // as committed
	seen    modelTime   // as the turn sees it
	written bool        // the turn has written it
	alarm   *modelAlarm // the pending or running alarm
	running bool
	changed bool // while it runs, another was committed
	runs    int
}

type modelAlarm struct {
	at             int64
	timer          *modelTimer
	retries, shift int
}

// modelled returns the course of u. The retries come at the times in waits.
func modelled(u universe, waits []int64) course {
	m := &model{universe: u, jitter: waits}
	for range u.Alarms {
		m.objects = append(m.objects, &modelObject{})
	}
	if u.Every > 0 {
		m.armCron()
	}
	for _, move := range u.Course {
		m.make(move)
	}
	m.ended = m.now
	return m.course
}

func (m *model) at(due int64, fire func()) *modelTimer {
	t := &modelTimer{due: due, fire: fire}
	m.timers = append(m.timers, t)
	return t
}

func (m *model) stop(t *modelTimer) {
	m.timers = slices.DeleteFunc(m.timers, func(other *modelTimer) bool { return other == t })
}

// first returns the timer that fires next, or nil.
func (m *model) first() (first *modelTimer) {
	for _, t := range m.timers {
		if first == nil || t.due < first.due || t.due == first.due && t.cron && !first.cron {
			first = t
		}
	}
	return first
}

func (m *model) advance(target int64) {
	for {
		t := m.first()
		if t == nil || t.due > target {
			m.now = target
			return
		}
		m.now = max(m.now, t.due)
		m.stop(t)
		t.fire()
	}
}

func (m *model) armCron() {
	begin, every := epoch.UnixMilli(), m.Every*60_000
	due := ((begin+m.now)/every+1)*every - begin
	m.at(due, func() {
		m.armCron()
		m.note("cron for %d", due)
		outcome := "ok"
		if _, err := m.perform(-1, m.Cron); err != nil {
			outcome = "failed"
		}
		m.report("cron", due, 0, outcome)
	}).cron = true
}

func (m *model) note(format string, args ...any) {
	m.notes = append(m.notes, fmt.Sprintf("%d: %s", m.now, fmt.Sprintf(format, args...)))
}

func (m *model) report(what string, scheduled int64, retry int, outcome string) {
	m.fired = append(m.fired, fmt.Sprintf("%d: %s for %d retry %d %s", m.now, what, scheduled, retry, outcome))
}

func (m *model) make(v move) {
	o := m.objects[v.Object]
	switch v.What {
	case moveOn:
		m.advance(m.now + v.After)
	case moveNext:
		if t := m.first(); t != nil {
			m.advance(max(m.now, t.due))
		}
	case moveJump:
		m.now += v.After
		m.advance(m.now)
	case moveSet: // always a new alarm
		o.seen = modelTime{}
		m.write(o, modelTime{m.now + v.After, true})
		m.commit(v.Object)
	case moveRequest:
		m.note("request %t", m.call(v.Object, v.Do) == nil)
	case moveDelete:
		m.write(o, modelTime{})
		m.commit(v.Object)
	case moveTrigger:
		if o.alarm != nil {
			m.stop(o.alarm.timer)
			m.run(v.Object, o.alarm)
		}
	}
}

// call sends a request to object n.
func (m *model) call(n int, list []deed) error {
	m.note("%s called", objectName(n))
	_, err := m.perform(n, list)
	m.finish(n, err)
	return err
}

var errModel, errModelAbort, errModelDrop = errors.New("fail"), errors.New("abort"), errors.New("drop")

// perform does what a handler of object n does, or the worker if n is -1. The caller calls after
// when the handler has ended.
func (m *model) perform(n int, list []deed) (after func(), err error) {
	for _, d := range list {
		switch d.What {
		case doSet:
			m.set(n, d.After)
		case doLater:
			return func() { m.set(n, d.After); m.commit(n) }, nil
		case doDelete:
			m.write(m.objects[n], modelTime{})
		case doSync, doUndone: // a transaction is a waiting point
			m.commit(n)
		case doFail:
			return nil, errModel
		case doAbort:
			return nil, errModelAbort
		case doDrop:
			return nil, errModelDrop
		case doCall:
			if n >= 0 {
				m.commit(n)
			}
			if m.call(d.Object, d.Do) != nil {
				return nil, errModel
			}
			m.note("%s was called", objectName(d.Object))
		}
	}
	return nil, nil
}

func (m *model) set(n int, after int64) {
	if m.sets++; m.sets > mostAlarms {
		return
	}
	o := m.objects[n]
	to := modelTime{m.now + max(0, after), true}
	if o.running && !o.changed && !o.written { // while its alarm runs, the handler sees none
		o.seen = modelTime{}
	}
	m.write(o, to)
}

func (m *model) write(o *modelObject, to modelTime) {
	if o.seen != to {
		o.seen, o.written = to, true
	}
}

// finish ends a turn of object n.
func (m *model) finish(n int, err error) {
	if o := m.objects[n]; errors.Is(err, errModelAbort) || errors.Is(err, errModelDrop) {
		o.seen, o.written = o.stored, false
	}
	m.commit(n)
}

func (m *model) commit(n int) {
	o := m.objects[n]
	if !o.written {
		return
	}
	o.stored, o.written, o.changed = o.seen, false, true
	if o.alarm != nil {
		m.stop(o.alarm.timer)
		o.alarm = nil
	}
	if o.stored.set {
		o.alarm = &modelAlarm{at: o.stored.at}
		m.arm(n, o.stored.at)
	}
}

func (m *model) arm(n int, due int64) {
	a := m.objects[n].alarm
	a.timer = m.at(due, func() { m.run(n, a) })
}

// run runs alarm a of object n.
func (m *model) run(n int, a *modelAlarm) {
	o := m.objects[n]
	o.running, o.changed = true, false
	m.note("%s run %d for %d retry %d", objectName(n), o.runs, a.at, a.retries)
	program := m.Alarms[n][o.runs%len(m.Alarms[n])]
	o.runs++
	after, err := m.perform(n, program)
	if err == nil && !o.changed && !o.written {
		m.write(o, modelTime{})
	}
	o.running = false
	m.finish(n, err)
	retry := a.retries
	m.report(objectName(n), a.at, retry, m.outcome(n, a, err))
	if after != nil {
		after()
	}
}

// outcome returns the outcome of a run that ended with err.
func (m *model) outcome(n int, a *modelAlarm, err error) string {
	switch {
	case err == nil:
		return "ok"
	case m.objects[n].alarm != a: // set or deleted meanwhile
		return "failed"
	case errors.Is(err, errModelDrop), a.retries == 6:
		m.write(m.objects[n], modelTime{})
		m.commit(n)
		return "failed"
	}
	a.retries++
	m.arm(n, m.retryAt(2000<<a.shift))
	a.shift++
	return "retry"
}

// retryAt takes from the other course the time of a retry with this nominal wait.
func (m *model) retryAt(nominal int64) int64 {
	due := m.now + nominal
	if i := len(m.waits); i < len(m.jitter) && m.jitter[i] >= due && m.jitter[i] <= due+nominal/4 {
		due = m.jitter[i]
	}
	m.waits = append(m.waits, due)
	return due
}
