package cron_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/clock/cron"
)

const minutes = "2006-01-02 15:04"

func at(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(minutes, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func parse(t *testing.T, expr string) *cron.Schedule {
	t.Helper()
	s, err := cron.Parse(expr)
	if err != nil {
		t.Fatalf("parse %q: %v", expr, err)
	}
	return s
}

// following returns the next n times at which s is due.
func following(s *cron.Schedule, after time.Time, n int) []string {
	var times []string
	for range n {
		next, ok := s.Next(after)
		if !ok {
			return append(times, "never")
		}
		times = append(times, next.Format(minutes))
		after = next
	}
	return times
}

func TestNextFollowsTheExpression(t *testing.T) {
	for _, test := range []struct {
		expr, after string
		want        []string
	}{
		// The platform's own examples. 2026-10-01 is a Thursday.
		{"* * * * *", "2026-10-01 12:00", []string{"2026-10-01 12:01", "2026-10-01 12:02"}},
		{"*/30 * * * *", "2026-10-01 12:00", []string{"2026-10-01 12:30", "2026-10-01 13:00"}},
		{"45 * * * *", "2026-10-01 12:45", []string{"2026-10-01 13:45", "2026-10-01 14:45"}},
		{"0 17 * * sun", "2026-10-01 00:00", []string{"2026-10-04 17:00", "2026-10-11 17:00"}},
		{"0 17 * * 1", "2026-10-01 00:00", []string{"2026-10-04 17:00", "2026-10-11 17:00"}},
		{"10 7 * * mon-fri", "2026-10-01 12:00", []string{"2026-10-02 07:10", "2026-10-05 07:10", "2026-10-06 07:10"}},
		{"10 7 * * 2-6", "2026-10-01 12:00", []string{"2026-10-02 07:10", "2026-10-05 07:10", "2026-10-06 07:10"}},
		{"0 15 1 * *", "2026-10-01 15:00", []string{"2026-11-01 15:00", "2026-12-01 15:00", "2027-01-01 15:00"}},
		{"0 18 * * 6L", "2026-10-01 00:00", []string{"2026-10-30 18:00", "2026-11-27 18:00"}},
		{"0 18 * * friL", "2026-10-01 00:00", []string{"2026-10-30 18:00", "2026-11-27 18:00"}},
		{"59 23 LW * *", "2026-10-01 00:00",
			[]string{"2026-10-30 23:59", "2026-11-30 23:59", "2026-12-31 23:59", "2027-01-29 23:59"}},

		// Lists, steps, ranges that wrap around, leading zeros, several spaces.
		{"*/15,30-59/10 0 * * *", "2026-10-01 00:29", []string{
			"2026-10-01 00:30", "2026-10-01 00:40", "2026-10-01 00:45", "2026-10-01 00:50", "2026-10-02 00:00",
		}},
		{"0 20-4/2 * * *", "2026-10-01 19:00", []string{
			"2026-10-01 20:00", "2026-10-01 22:00", "2026-10-02 00:00",
			"2026-10-02 02:00", "2026-10-02 04:00", "2026-10-02 20:00",
		}},
		{"59-0 * * * *", "2026-10-01 12:00", []string{"2026-10-01 12:59", "2026-10-01 13:00", "2026-10-01 13:59"}},
		{"0 0 * * SAT-SUN", "2026-10-01 00:00", []string{"2026-10-03 00:00", "2026-10-04 00:00", "2026-10-10 00:00"}},
		{"0 0 1 NOV-jan *", "2026-10-01 00:00",
			[]string{"2026-11-01 00:00", "2026-12-01 00:00", "2027-01-01 00:00", "2027-11-01 00:00"}},
		{"50/5  07\t* * *", "2026-10-01 12:00", []string{"2026-10-02 07:50", "2026-10-02 07:55", "2026-10-03 07:50"}},
		{"0 0 * * */3", "2026-10-01 00:00", []string{"2026-10-03 00:00", "2026-10-04 00:00", "2026-10-07 00:00"}},

		// Days that not every month has.
		{"0 0 29 2 *", "2026-10-01 00:00", []string{"2028-02-29 00:00", "2032-02-29 00:00"}},
		{"0 0 29 2 *", "2096-03-01 00:00", []string{"2104-02-29 00:00"}},
		{"0 0 31 * *", "2026-10-31 00:00", []string{"2026-12-31 00:00", "2027-01-31 00:00", "2027-03-31 00:00"}},
		{"0 0 31 4,6 *", "2026-10-01 00:00", []string{"never"}},
		{"0 0 30W 2 *", "2026-10-01 00:00", []string{"never"}},
		{"* * L-30 2 *", "2026-10-01 00:00", []string{"never"}},
		{"0 0 31 2 mon", "2027-02-01 00:00", []string{"2027-02-08 00:00", "2027-02-15 00:00"}},
		{"0 0 * 2 mon#5", "2026-10-01 00:00", []string{"2044-02-29 00:00", "2072-02-29 00:00", "2112-02-29 00:00"}},

		// The last day and days counted from it.
		{"0 0 L * *", "2027-12-31 00:00",
			[]string{"2028-01-31 00:00", "2028-02-29 00:00", "2028-03-31 00:00", "2028-04-30 00:00"}},
		{"0 0 L-1 feb *", "2027-01-01 00:00", []string{"2027-02-27 00:00", "2028-02-28 00:00"}},
		{"0 0 L-30W * *", "2021-04-01 00:00", []string{"2021-05-03 00:00", "2021-07-01 00:00", "2021-08-02 00:00"}},
		{"0 0 L-1W may *", "2020-01-01 00:00", []string{"2020-05-29 00:00", "2021-05-31 00:00"}},
		{"0 0 * * L", "2026-10-01 00:00", []string{"2026-10-03 00:00", "2026-10-10 00:00"}},
		{"0 0 * * 7L", "2026-10-01 00:00", []string{"2026-10-31 00:00", "2026-11-28 00:00"}},
		{"0 0 * * sat#5", "2020-02-01 00:00",
			[]string{"2020-02-29 00:00", "2020-05-30 00:00", "2020-08-29 00:00", "2020-10-31 00:00"}},

		// The nearest weekday stays in the month: Saturday the 1st gives Monday the 3rd, Sunday the
		// 31st Friday the 29th.
		{"0 0 1W may *", "2020-01-01 00:00", []string{"2020-05-01 00:00", "2021-05-03 00:00", "2022-05-02 00:00"}},
		{"0 0 15W * *", "2026-07-31 00:00",
			[]string{"2026-08-14 00:00", "2026-09-15 00:00", "2026-10-15 00:00", "2026-11-16 00:00"}},
		{"0 0 31W * *", "2027-01-01 00:00", []string{"2027-01-29 00:00", "2027-03-31 00:00", "2027-05-31 00:00"}},
		{"0 0 31W * *", "2027-04-01 00:00", []string{"2027-05-31 00:00"}}, // April ends on a Friday, the 30th

		// Two restricted days: one is enough. A step counts as a restriction.
		{"0 0 13 * fri", "2026-11-01 00:00",
			[]string{"2026-11-06 00:00", "2026-11-13 00:00", "2026-11-20 00:00", "2026-11-27 00:00", "2026-12-04 00:00",
				"2026-12-11 00:00", "2026-12-13 00:00"}},
		{"0 3 L * FRI", "2026-10-29 00:00", []string{"2026-10-30 03:00", "2026-10-31 03:00", "2026-11-06 03:00"}},
		{"0 0 */20 * mon", "2026-10-06 00:00",
			[]string{"2026-10-12 00:00", "2026-10-19 00:00", "2026-10-21 00:00", "2026-10-26 00:00"}},
	} {
		got := following(parse(t, test.expr), at(t, test.after), len(test.want))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q after %s (-want +got):\n%s", test.expr, test.after, diff)
		}
	}
}

func TestNextIsAfterTheGivenTime(t *testing.T) {
	s := parse(t, "*/5 * * * *")
	due := at(t, "2026-10-01 12:05")
	for _, test := range []struct {
		after, want time.Time
	}{
		{due.Add(-time.Nanosecond), due},
		{due.Add(-time.Minute), due},
		{due, due.Add(5 * time.Minute)},
		{due.Add(time.Nanosecond), due.Add(5 * time.Minute)},
		{due.Add(59 * time.Second), due.Add(5 * time.Minute)},
		{due.Add(-time.Second).In(time.FixedZone("half past", 5*3600+1800)), due},
	} {
		got, ok := s.Next(test.after)
		if !ok || !got.Equal(test.want) || got.Location() != time.UTC {
			t.Errorf("after %s: got %s, %t, want %s in UTC", test.after, got, ok, test.want)
		}
	}
}

func TestNamesAreWrittenInAnyCase(t *testing.T) {
	after := at(t, "2026-10-01 00:00")
	months := strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")
	for i, name := range months {
		want := following(parse(t, fmt.Sprintf("0 0 1 %d *", i+1)), after, 1)
		for _, name := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			if got := following(parse(t, "0 0 1 "+name+" *"), after, 1); !slices.Equal(got, want) {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	}
	for i, name := range strings.Fields("Sun Mon Tue Wed Thu Fri Sat") {
		next, _ := parse(t, "0 0 * * "+name).Next(after)
		if next.Weekday() != time.Weekday(i) {
			t.Errorf("%s: got a %s", name, next.Weekday())
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, expr := range []string{"* * * * *", "59 23 LW * *", "0 0 29 2 *", "0 0 31 4 *"} {
		b.Run(expr, func(b *testing.B) {
			s, err := cron.Parse(expr)
			if err != nil {
				b.Fatal(err)
			}
			after := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				s.Next(after)
			}
		})
	}
}
