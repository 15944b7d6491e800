package store

import (
	"fmt"
	"time"
)

// alarm is the time of an alarm, if one is set.
type alarm struct {
	at  time.Time
	set bool
}

// The first and the last alarm that fit into workerd's format: 64 bits of nanoseconds since 1970.
var (
	firstAlarm = time.UnixMilli(-9223372036854).UTC()
	lastAlarm  = time.UnixMilli(9223372036854).UTC()
)

// nanoseconds returns the stored form of an alarm's time, cut to milliseconds.
func nanoseconds(at time.Time) (int64, error) {
	at = at.UTC().Truncate(time.Millisecond)
	if at.Before(firstAlarm) || at.After(lastAlarm) {
		return 0, fmt.Errorf("%s is out of range: alarms can be from %s to %s",
			at.Format(time.RFC3339), firstAlarm.Format(time.DateOnly), lastAlarm.Format(time.DateOnly))
	}
	return at.UnixNano(), nil
}

// fromNanoseconds is the inverse of nanoseconds, for any stored value.
func fromNanoseconds(ns int64) time.Time { return time.UnixMilli(ns / int64(time.Millisecond)).UTC() }

// Alarm returns the alarm's time in UTC and whether one is set, as the open transaction sees it.
func (o *Object) Alarm() (at time.Time, set bool, err error) {
	if err := o.usable(); err != nil {
		return time.Time{}, false, fmt.Errorf("get alarm: %w", err)
	}
	return o.alarm.at, o.alarm.set, nil
}

// SetAlarm sets the alarm, cut to milliseconds. Setting the current time again writes nothing.
func (o *Object) SetAlarm(at time.Time) error {
	if err := o.setAlarm(at); err != nil {
		return fmt.Errorf("set alarm: %w", err)
	}
	return nil
}

func (o *Object) setAlarm(at time.Time) error {
	if err := o.usable(); err != nil {
		return err
	}
	ns, err := nanoseconds(at)
	if err != nil {
		return err
	}
	return o.writeAlarm(alarm{at: fromNanoseconds(ns), set: true}, integer(ns))
}

// DeleteAlarm clears the alarm. Without an alarm it writes nothing.
func (o *Object) DeleteAlarm() error {
	err := o.usable()
	if err == nil {
		err = o.writeAlarm(alarm{}, value{})
	}
	if err != nil {
		return fmt.Errorf("delete alarm: %w", err)
	}
	return nil
}

func (o *Object) writeAlarm(to alarm, stored value) error {
	if to == o.alarm {
		return nil
	}
	err := o.write(`INSERT INTO _cf_METADATA (key, value) VALUES (?1, ?2)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
		integer(alarmKey), stored)
	if err != nil {
		return err
	}
	o.alarm, o.alarmWritten = to, true
	return nil
}

// AlarmChanged reports whether the open transaction wrote the alarm, even if it wrote the old value
// back.
func (o *Object) AlarmChanged() bool { return o.alarmWritten }

// Committed returns the last committed alarm and whether one is set. It reads no file, and works
// after Close too.
func (o *Object) Committed() (at time.Time, set bool) { return o.committed.at, o.committed.set }
