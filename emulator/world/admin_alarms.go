package world

import (
	"context"
	"math"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// ListAlarms lists the pending alarms in the order in which they are due.
func (a Admin) ListAlarms(_ context.Context, q control.AlarmsRequest) (control.Alarms, error) {
	answer := control.Alarms{Now: a.w.clock.Now(), Alarms: []control.Alarm{}}
	class := ""
	if q.Class != "" {
		ns, err := a.w.NamespaceOf(q.Class)
		if err != nil {
			return answer, err
		}
		class = ns.class()
	}
	for _, pending := range a.w.PendingAlarms() {
		if class == "" || pending.Class == class {
			answer.Alarms = append(answer.Alarms, pending)
		}
	}
	return answer, nil
}

// GetAlarm returns the alarm of an object, or an error if it has none.
func (a Admin) GetAlarm(_ context.Context, which control.Object) (control.AlarmDetails, error) {
	p, err := a.pin(which)
	if err != nil {
		return control.AlarmDetails{}, err
	}
	defer p.release()
	return p.alarmDetails()
}

// alarmDetails returns the object's alarm, or an error if it has none.
func (p pinnedObject) alarmDetails() (control.AlarmDetails, error) {
	answer := control.AlarmDetails{Now: p.ns.w.clock.Now()}
	p.ns.mu.Lock()
	pending := p.ns.alarms[p.id]
	if pending != nil {
		answer.Alarm = pending.describeLocked()
	}
	p.ns.mu.Unlock()
	if pending == nil {
		return answer, noAlarm(p.String())
	}
	return answer, nil
}

func noAlarm(object string) error {
	return &control.Error{
		Code: control.CodeNoAlarm, Message: object + " has no alarm",
		Hint: "`devtool alarms list` shows those that are set",
	}
}

// lastAlarm is the latest time that an object's file can hold.
var lastAlarm = time.Unix(0, math.MaxInt64).UTC()

// SetAlarm sets the alarm of an object in place of any other, as its own SetAlarm does. It cancels
// a pending retry.
func (a Admin) SetAlarm(
	ctx context.Context, which control.Object, q control.SetAlarmRequest,
) (control.AlarmDetails, error) {
	at, err := a.alarmTime(q)
	if err != nil {
		return control.AlarmDetails{}, err
	}
	p, err := a.pin(which)
	if err != nil {
		return control.AlarmDetails{}, err
	}
	defer p.release()
	if !p.ns.takesAlarms() {
		return control.AlarmDetails{}, badRequest(
			"class %s has no Alarm method, so there is nothing that an alarm could call", p.ns.class())
	}
	if err := p.use(ctx, func(s *store.Object) error { return p.resetAlarm(s, at) }); err != nil {
		return control.AlarmDetails{}, err
	}
	return p.alarmDetails()
}

// alarmTime returns the time that q asks for.
func (a Admin) alarmTime(q control.SetAlarmRequest) (time.Time, error) {
	var at time.Time
	switch {
	case q.At != nil && q.In == "":
		at = *q.At
	case q.At == nil && q.In != "":
		d, err := parseLater(q.In)
		if err != nil {
			return at, err
		}
		at = a.w.clock.Now().Add(d)
	default:
		return at, badRequest("say either at what time or in how long the alarm is due")
	}
	return at, checkAlarm(at)
}

func parseLater(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, badDuration(s)
	}
	if d < 0 {
		return 0, badRequest("an alarm can't be moved back in time, so not by %s", s)
	}
	return d, nil
}

func checkAlarm(at time.Time) error {
	if at.After(lastAlarm) {
		return badRequest("%s is too late for an alarm: the last can be at %s",
			at.Format(time.RFC3339), lastAlarm.Format(time.RFC3339))
	}
	return nil
}

// takesAlarms reports whether the class has an Alarm method. Without a program it returns true.
func (ns *Namespace) takesAlarms() bool {
	p := ns.w.programs.Running()
	return p == nil || handlesAlarms(p, ns.class())
}

func handlesAlarms(p Program, class string) bool {
	c, ok := p.Class(class)
	return ok && c.Alarm
}

// resetAlarm sets the alarm in the object's turn. An alarm of the same time is replaced by a new
// one, too.
func (p pinnedObject) resetAlarm(s *store.Object, at time.Time) error {
	if err := p.setAlarm(s, at); err != nil || s.AlarmChanged() {
		return err
	}
	at, _, err := s.Alarm()
	if err != nil {
		return err
	}
	p.ns.mu.Lock()
	old := p.ns.alarms[p.id]
	p.ns.mu.Unlock()
	if old == nil {
		return nil
	}
	order := p.ns.w.alarmOrder.Add(1) // the last of its time from now on, also after a restart
	if err := p.ns.index.Set(p.id.String(), at, order, old.name, old.named); err != nil {
		return err
	}
	p.ns.schedule(old.identity(), at, true, order)
	return nil
}

// DeleteAlarm deletes the alarm of an object, and returns it as it was. It returns an error if
// there is none.
func (a Admin) DeleteAlarm(ctx context.Context, which control.Object) (control.AlarmDetails, error) {
	p, err := a.pin(which)
	if err != nil {
		return control.AlarmDetails{}, err
	}
	defer p.release()
	var was control.AlarmDetails
	err = p.existingAlarm(ctx, func(s *store.Object, pending control.AlarmDetails) error {
		was = pending
		if err := s.DeleteAlarm(); err != nil || s.AlarmChanged() {
			return err
		}
		// The object's file has no alarm: only the index has.
		if err := p.ns.index.Delete(p.id.String()); err != nil {
			return err
		}
		p.ns.unschedule(p.id)
		return nil
	})
	return was, err
}

// SnoozeAlarm sets the alarm of an object to a later time, counted from its due time or, if that is
// past, from now. The alarm becomes a new one: a pending retry is cancelled.
func (a Admin) SnoozeAlarm(
	ctx context.Context, which control.Object, q control.SnoozeRequest,
) (control.AlarmDetails, error) {
	by, err := parseLater(q.By)
	if err != nil {
		return control.AlarmDetails{}, err
	}
	p, err := a.pin(which)
	if err != nil {
		return control.AlarmDetails{}, err
	}
	defer p.release()
	err = p.existingAlarm(ctx, func(s *store.Object, pending control.AlarmDetails) error {
		if pending.Running {
			return &control.Error{
				Code: control.CodeRunning, Message: "the alarm of " + p.String() + " is running",
				Hint: "`devtool alarms set` sets the next one",
			}
		}
		from := pending.Due
		if from.Before(pending.Now) {
			from = pending.Now
		}
		at := from.Add(by)
		if err := checkAlarm(at); err != nil {
			return err
		}
		return p.resetAlarm(s, at)
	})
	if err != nil {
		return control.AlarmDetails{}, err
	}
	return p.alarmDetails()
}

// existingAlarm calls f in the object's turn with the object's alarm. If there is none it returns
// an error, and makes no object.
func (p pinnedObject) existingAlarm(ctx context.Context, f func(*store.Object, control.AlarmDetails) error) error {
	if _, err := p.alarmDetails(); err != nil {
		return err
	}
	return p.use(ctx, func(s *store.Object) error {
		pending, err := p.alarmDetails() // it may have changed meanwhile
		if err != nil {
			return err
		}
		return f(s, pending)
	})
}

// TriggerAlarm runs the alarm that q names now, and returns when it has run. If ready returns an
// error, it returns that instead. An empty q names the alarm that is due first.
func (w *World) TriggerAlarm(q control.TriggerRequest, ready func() error) (control.Triggered, error) {
	a, err := w.findAlarm(q)
	if err == nil {
		err = ready()
	}
	if err != nil {
		return control.Triggered{}, err
	}
	if !a.claim() {
		return control.Triggered{}, control.Errorf(control.CodeRunning,
			"the alarm of %s is running already", a.object())
	}
	answer := control.Triggered{Fired: a.runOnce(nil, nil, true, nil)}
	a.ns.mu.Lock()
	if next := a.ns.nextLocked(a.id); next != nil {
		described := next.describeLocked()
		answer.Next = &described
	}
	a.ns.mu.Unlock()
	return answer, nil
}

// findAlarm returns the alarm that q names, or an error if there is none.
func (w *World) findAlarm(q control.TriggerRequest) (*alarm, error) {
	if q == (control.TriggerRequest{}) {
		next := w.nextAlarm()
		if next == nil {
			return nil, &control.Error{Code: control.CodeNoAlarm, Message: "no alarm is set"}
		}
		q = control.TriggerRequest{Class: next.Class, ID: next.ID}
	}
	which := control.Object(q)
	object, err := w.resolve(which)
	if err != nil {
		return nil, err
	}
	ns := object.ns
	ns.mu.Lock()
	defer ns.mu.Unlock()
	a := ns.nextLocked(object.id)
	if a == nil {
		return nil, noAlarm(which.String())
	}
	return a, nil
}
