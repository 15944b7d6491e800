package cron_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"devtool.internal/clock/cron"
)

// A modelField is a field of an expression, with a function that says whether a time matches it.
type modelField struct {
	text string
	any  bool // it is *
	has  func(time.Time) bool
}

func star() modelField {
	return modelField{"*", true, func(time.Time) bool { return true }}
}

// drawList draws a field without L, W and #. value returns a time's value of the field; names are
// the names of the values, if any.
func drawList(t *rapid.T, low, high int, names []string, value func(time.Time) int) modelField {
	if rapid.Bool().Draw(t, "star") {
		return star()
	}
	name := func(v int) string {
		if names != nil && rapid.Bool().Draw(t, "by name") {
			name := names[v-low]
			if rapid.Bool().Draw(t, "in capitals") {
				name = strings.ToUpper(name)
			}
			return name
		}
		return strconv.Itoa(v)
	}
	wanted := make(map[int]bool)
	var items []string
	for range rapid.IntRange(1, 3).Draw(t, "items") {
		start, end, step := low, high, 1
		text := "*"
		form := rapid.SampledFrom([]string{"value", "range", "steps from the beginning", "steps from a value",
			"steps in a range"}).Draw(t, "form")
		if form != "steps from the beginning" {
			start = rapid.IntRange(low, high).Draw(t, "start")
			text = name(start)
		}
		switch form {
		case "value":
			end = start
		case "range", "steps in a range":
			end = rapid.IntRange(low, high).Draw(t, "end")
			text += "-" + name(end)
		}
		if strings.HasPrefix(form, "steps") {
			step = rapid.IntRange(1, high-low).Draw(t, "step")
			text += "/" + strconv.Itoa(step)
		}
		items = append(items, text)
		for v, skip := start, 0; ; v, skip = v+1, skip-1 {
			if v > high {
				v = low
			}
			if skip == 0 {
				wanted[v] = true
				skip = step
			}
			if v == end {
				break
			}
		}
	}
	return modelField{strings.Join(items, ","), false, func(t time.Time) bool { return wanted[value(t)] }}
}

// lastOf returns the last day of the month that t is in.
func lastOf(t time.Time) time.Time { return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC) }

// nearest returns the weekday that is nearest to day in its month.
func nearest(day time.Time) time.Time {
	for distance := range 3 {
		for _, d := range []int{-distance, distance} {
			near := day.AddDate(0, 0, d)
			if wd := near.Weekday(); wd != time.Saturday && wd != time.Sunday && near.Month() == day.Month() {
				return near
			}
		}
	}
	panic("three days have no weekday")
}

func drawDayOfMonth(t *rapid.T) modelField {
	before := rapid.IntRange(1, 30).Draw(t, "before")
	day := rapid.IntRange(1, 31).Draw(t, "day")
	// is compares a time's day with one that not every month has.
	is := func(of func(time.Time) (time.Time, bool)) func(time.Time) bool {
		return func(t time.Time) bool {
			wanted, ok := of(t)
			return ok && t.Day() == wanted.Day()
		}
	}
	counted := func(t time.Time) (time.Time, bool) {
		wanted := lastOf(t).AddDate(0, 0, -before)
		return wanted, wanted.Month() == t.Month()
	}
	switch rapid.SampledFrom([]string{"list", "L", "LW", "L-", "L-W", "W"}).Draw(t, "kind of day") {
	case "L":
		return modelField{"L", false, func(t time.Time) bool { return t.Day() == lastOf(t).Day() }}
	case "LW":
		return modelField{"LW", false, func(t time.Time) bool { return t.Day() == nearest(lastOf(t)).Day() }}
	case "L-":
		return modelField{fmt.Sprintf("L-%d", before), false, is(counted)}
	case "L-W":
		return modelField{fmt.Sprintf("L-%dW", before), false, is(func(t time.Time) (time.Time, bool) {
			wanted, ok := counted(t)
			return nearest(wanted), ok
		})}
	case "W":
		return modelField{fmt.Sprintf("%dW", day), false, is(func(t time.Time) (time.Time, bool) {
			wanted := time.Date(t.Year(), t.Month(), day, 0, 0, 0, 0, time.UTC)
			return nearest(wanted), wanted.Month() == t.Month()
		})}
	}
	return drawList(t, 1, 31, nil, time.Time.Day)
}

func drawDayOfWeek(t *rapid.T) modelField {
	names := strings.Fields("sun mon tue wed thu fri sat")
	day := rapid.IntRange(1, 7).Draw(t, "weekday")
	text := strconv.Itoa(day)
	if rapid.Bool().Draw(t, "weekday by name") {
		text = names[day-1]
	}
	is := func(t time.Time) bool { return int(t.Weekday()) == day-1 }
	switch rapid.SampledFrom([]string{"list", "L", "last", "nth"}).Draw(t, "kind of weekday") {
	case "L":
		return modelField{"L", false, func(t time.Time) bool { return t.Weekday() == time.Saturday }}
	case "last":
		return modelField{text + "L", false,
			func(t time.Time) bool { return is(t) && t.AddDate(0, 0, 7).Month() != t.Month() }}
	case "nth":
		nth := rapid.IntRange(1, 5).Draw(t, "nth")
		return modelField{fmt.Sprintf("%s#%d", text, nth), false, func(t time.Time) bool {
			return is(t) && t.AddDate(0, 0, -7*(nth-1)).Month() == t.Month() &&
				t.AddDate(0, 0, -7*nth).Month() != t.Month()
		}}
	}
	return drawList(t, 1, 7, names, func(t time.Time) int { return int(t.Weekday()) + 1 })
}

// TestNextAgreesWithCheckingEveryMinute compares Next with a search that only knows whether a
// minute is due. Of a day that is not due it checks one minute, so that it gets through the years.
func TestNextAgreesWithCheckingEveryMinute(t *testing.T) {
	const years = 9
	rapid.Check(t, func(t *rapid.T) {
		minute := drawList(t, 0, 59, nil, time.Time.Minute)
		hour := drawList(t, 0, 23, nil, time.Time.Hour)
		month := drawList(t, 1, 12, strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec"),
			func(t time.Time) int { return int(t.Month()) })
		dom, dow := drawDayOfMonth(t), drawDayOfWeek(t)
		dayIsDue := func(t time.Time) bool {
			switch {
			case dom.any || dow.any:
				return month.has(t) && dom.has(t) && dow.has(t)
			default:
				return month.has(t) && (dom.has(t) || dow.has(t))
			}
		}
		space := rapid.SampledFrom([]string{" ", "\t", "  "}).Draw(t, "space")
		expr := strings.Join([]string{minute.text, hour.text, dom.text, month.text, dow.text}, space)
		after := time.Unix(rapid.Int64Range(0, 8_000_000_000).Draw(t, "after"), 0).UTC()

		find := func() (time.Time, bool) {
			for now := after.Truncate(time.Minute).Add(time.Minute); now.Before(after.AddDate(years, 0, 0)); {
				switch {
				case !dayIsDue(now):
					now = now.Truncate(24*time.Hour).AddDate(0, 0, 1)
				case minute.has(now) && hour.has(now):
					return now, true
				default:
					now = now.Add(time.Minute)
				}
			}
			return time.Time{}, false
		}
		s, err := cron.Parse(expr)
		if err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		want, found := find()
		got, ok := s.Next(after)
		switch {
		case found && !(ok && got.Equal(want)):
			t.Fatalf("%q after %s: got %s, %t, want %s", expr, after, got, ok, want)
		case !found && ok && got.Before(after.AddDate(years, 0, 0)):
			t.Fatalf("%q after %s: got %s, want none within %d years", expr, after, got, years)
		case ok && !(dayIsDue(got) && hour.has(got) && minute.has(got)):
			t.Fatalf("%q after %s: got %s, which is not due", expr, after, got)
		}
	})
}
