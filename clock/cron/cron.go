// Package cron reads the expressions of cron triggers and says when they are due.
//
// An expression has five fields, separated by spaces or tabs: minute, hour, day of the month,
// month, day of the week. All times are UTC. A field is * for every value, or a list of values,
// ranges (1-5) and steps. A step is */15, 10-40/10, or 5/10, which goes on to the field's end. A
// range may wrap around: 22-2 is 22, 23, 0, 1, 2. Months and days of the week have names of three
// letters, in any case. The days of the week count from 1, Sunday, to 7, Saturday. Some forms stand
// alone in their field:
//
//	L      the last day of the month; as a day of the week, Saturday
//	L-3    the third day before the last of the month
//	15W    the weekday, Monday to Friday, that is nearest to the 15th and in the same month
//	LW     the last weekday of the month
//	L-3W   the weekday that is nearest to the third day before the last
//	6L     the last Friday of the month
//	6#3    the third Friday of the month
//
// When both the day of the month and the day of the week are restricted, a day that matches one of
// them is enough. Every field but a plain * is a restriction.
//
// Source: the platform's documentation of cron triggers, and, where that is silent, the platform's
// own parser, github.com/cloudflare/saffron. Two differences are deliberate. A * within a list is
// an error: the platform reads it as the field's first value, which nobody means. And W follows its
// definition where the platform's implementation does not: at ends of months, and where wrapped
// ranges begin one value early.
//
// Parse (parse.go) turns an expression into sets of values; this file searches them.
package cron

import (
	"math/bits"
	"time"
)

// A Schedule is a parsed expression.
type Schedule struct {
	minutes, hours, months set
	dayOfMonth             dayOfMonth
	dayOfWeek              dayOfWeek
}

// A set holds the values whose bits are set.
type set uint64

func (s set) has(v int) bool { return s&(1<<v) != 0 }

// from returns the first value of s that is not below v.
func (s set) from(v int) (first int, ok bool) {
	s &^= 1<<v - 1
	return bits.TrailingZeros64(uint64(s)), s != 0
}

// dayOfMonth is that field of an expression. Its zero value is *.
type dayOfMonth struct {
	days    set
	last    bool // counted from the month's last day: before is how many days
	before  int
	nearest bool // the weekday that is nearest to the day that the other fields select
}

// dayOfWeek is that field of an expression, from 1 for Sunday. Its zero value is *.
type dayOfWeek struct {
	days set
	last bool // only the last such day of the month
	nth  int  // only the nth such day of the month; 0 for all
}

// cycle is how many months pass until the calendar repeats itself, weekdays included.
const cycle = 400 * 12

// Next returns the first time after the given one at which s is due, a whole minute in UTC. It
// returns false if there never is one.
func (s *Schedule) Next(after time.Time) (next time.Time, ok bool) {
	start := after.UTC().Truncate(time.Minute).Add(time.Minute)
	year, month, day := start.Date()
	hour, minute := start.Hour(), start.Minute()
	for range cycle + 1 {
		if s.months.has(int(month)) {
			days := s.daysIn(year, month)
			for d, ok := days.from(day); ok; d, ok = days.from(d + 1) {
				if d != day {
					hour, minute = 0, 0
				}
				if h, m, ok := s.timeFrom(hour, minute); ok {
					return time.Date(year, month, d, h, m, 0, 0, time.UTC), true
				}
			}
		}
		if month++; month > time.December {
			year, month = year+1, time.January
		}
		day, hour, minute = 1, 0, 0
	}
	return time.Time{}, false
}

// timeFrom returns the first time of a day that is not before the given one.
func (s *Schedule) timeFrom(hour, minute int) (h, m int, ok bool) {
	if s.hours.has(hour) {
		if m, ok := s.minutes.from(minute); ok {
			return hour, m, true
		}
	}
	h, ok = s.hours.from(hour + 1)
	m, _ = s.minutes.from(0)
	return h, m, ok
}

// daysIn returns the days of a month that s selects, whether or not s selects the month.
func (s *Schedule) daysIn(year int, month time.Month) set {
	c := calendar{
		days:  time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day(),
		first: time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday(),
	}
	all := set(1)<<(c.days+1) - 2
	anyDay, anyWeekday := s.dayOfMonth == dayOfMonth{}, s.dayOfWeek == dayOfWeek{}
	switch {
	case anyDay && anyWeekday:
		return all
	case anyWeekday:
		return s.dayOfMonth.in(c) & all
	case anyDay:
		return s.dayOfWeek.in(c) & all
	default:
		return (s.dayOfMonth.in(c) | s.dayOfWeek.in(c)) & all
	}
}

// A calendar is one month.
type calendar struct {
	days  int // how many days it has
	first time.Weekday
}

func (c calendar) weekday(day int) time.Weekday { return (c.first + time.Weekday(day-1)) % 7 }

// nearest returns the weekday nearest to day that is in the month.
func (c calendar) nearest(day int) int {
	switch wd := c.weekday(day); {
	case wd == time.Saturday && day > 1:
		return day - 1
	case wd == time.Saturday:
		return day + 2
	case wd == time.Sunday && day < c.days:
		return day + 1
	case wd == time.Sunday:
		return day - 2
	}
	return day
}

func (f dayOfMonth) in(c calendar) set {
	days := f.days
	if f.last {
		days = 0
		if day := c.days - f.before; day >= 1 {
			days = 1 << day
		}
	}
	if !f.nearest {
		return days
	}
	day, ok := days.from(1)
	if !ok || day > c.days {
		return 0
	}
	return 1 << c.nearest(day)
}

func (f dayOfWeek) in(c calendar) set {
	var days set
	for day := 1; day <= c.days; day++ {
		switch {
		case !f.days.has(int(c.weekday(day)) + 1):
		case f.last && day+7 <= c.days:
		case f.nth > 0 && (day-1)/7+1 != f.nth:
		default:
			days |= 1 << day
		}
	}
	return days
}
