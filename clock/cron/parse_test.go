package cron_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"devtool.internal/clock/cron"
)

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, test := range []struct {
		expr  string
		field string
		wrong string // the part that is wrong, in brackets
		want  string // part of the message
	}{
		{"", "", "[]", "it is empty"},
		{"   ", "", "[   ]", "it is empty"},
		{"@daily", "", "@daily[]", "it has one field"},
		{"* * * *", "", "* * * *[]", "it has 4 fields"},
		{"0 * * * * *", "", "0 * * * * [*]", "it has 6 fields (at character 11); allowed: five fields: minute, hour,"},
		{" * * * * *", "", "[ ]* * * * *", "begins with a space"},
		{"* * * * *\t", "", "* * * * *[\t]", "ends with a space"},

		{"60 * * * *", "minute", "[60] * * * *",
			"minute: 60 is not from 0 to 59 (at character 1); allowed: 0-59 and * , - /"},
		{"* 24 * * *", "hour", "* [24] * * *", "24 is not from 0 to 23"},
		{"* * 0 * *", "day of the month", "* * [0] * *", "0 is not from 1 to 31"},
		{"* * 32W * *", "day of the month", "* * [32]W * *", "32 is not from 1 to 31"},
		{"* * * 13 *", "month", "* * * [13] *", "13 is not from 1 to 12"},
		{"* * * * 0", "day of the week", "* * * * [0]", "there is no day 0: Sunday is 1"},
		{"* * * * 8", "day of the week", "* * * * [8]", "8 is not from 1 to 7"},
		{"99999999999999999999 * * * *", "minute", "[99999999999999999999] * * * *", "is not from 0 to 59"},

		{"*/0 * * * *", "minute", "*/[0] * * * *", "a step must be from 1 to 59, not 0"},
		{"* */24 * * *", "hour", "* */[24] * * *", "a step must be from 1 to 23, not 24"},
		{"* * * * */0", "day of the week", "* * * * */[0]", "a step must be from 1 to 6, not 0"},
		{"*/ * * * *", "minute", "*/[] * * * *", "it ends too early"},
		{"1, * * * *", "minute", "1,[] * * * *", "it ends too early"},
		{"1,,2 * * * *", "minute", "1,[,]2 * * * *", "a value is missing before this comma"},
		{",1 * * * *", "minute", "[,]1 * * * *", "a value is missing before this comma"},
		{"1- * * * *", "minute", "1-[] * * * *", "it ends too early"},
		{"1-2-3 * * * *", "minute", "1-2[-3] * * * *", `"-3" is not allowed here`},
		{"-1 * * * *", "minute", "[-1] * * * *", `"-1" is not allowed here`},
		{"five * * * *", "minute", "[five] * * * *", `"five" is not allowed here`},
		{"5x,7 * * * *", "minute", "5[x],7 * * * *", `"x" is not allowed here`},
		{"é1 * * * *", "minute", "[é1] * * * *", `"é1" is not allowed here`},
		{"\xff * * * *", "minute", "[\xff] * * * *", `"\xff" is not allowed here`},

		{"1,* * * * *", "minute", "1,[*] * * * *", "a * must stand alone"},
		{"*,1 * * * *", "minute", "[*],1 * * * *", "a * must stand alone"},
		{"* * *-3 * *", "day of the month", "* * [*]-3 * *", "a * must stand alone"},
		{"0 0 ? * 2", "day of the month", "0 0 [?] * 2", `"?" is not supported; write *`},

		{"L * * * *", "minute", "[L] * * * *", `"L" is not allowed here`},
		{"* * 1,L * *", "day of the month", "* * 1,[L] * *", "L is not allowed here"},
		{"* * L,1 * *", "day of the month", "* * L[,]1 * *", "L, W and # must stand alone"},
		{"* * 1W,15W * *", "day of the month", "* * 1W[,]15W * *", "L, W and # must stand alone"},
		{"* * 1,15W * *", "day of the month", "* * 1,15[W] * *", "W is not allowed here"},
		{"* * 1-5W * *", "day of the month", "* * 1-5[W] * *", "W is not allowed here"},
		{"* * W * *", "day of the month", "* * [W] * *", "W is not allowed here"},
		{"* * L-0 * *", "day of the month", "* * L-[0] * *",
			"the number of days before the last must be from 1 to 30, not 0"},
		{"* * L-31 * *", "day of the month", "* * L-[31] * *", "from 1 to 30, not 31"},
		{"* * 5L * *", "day of the month", "* * 5[L] * *", "L is not allowed here"},
		{"* * l * *", "day of the month", "* * [l] * *", `"l" must be a capital letter`},
		{"* * 15w * *", "day of the month", "* * 15[w] * *", `"w" must be a capital letter`},
		{"* * * * 6#0", "day of the week", "* * * * 6#[0]", "the number after # must be from 1 to 5, not 0"},
		{"* * * * 6#6", "day of the week", "* * * * 6#[6]", "from 1 to 5, not 6"},
		{"* * * * MON#1,TUE", "day of the week", "* * * * MON#1[,]TUE", "L, W and # must stand alone"},
		{"* * * * MON,TUEL", "day of the week", "* * * * MON,TUE[L]", "L is not allowed here"},
		{"* * * * 2-6#1", "day of the week", "* * * * 2-6[#]1", "# is not allowed here"},
		{"* * * * friday", "day of the week", "* * * * fri[d]ay", "names have three letters"},
		{"* * * JANUARY *", "month", "* * * JAN[U]ARY *", "names have three letters"},
		{"* * JAN * *", "day of the month", "* * [JAN] * *", `"JAN" is not allowed here`},
		{"* * * MON *", "month", "* * * [MON] *", `"MON" is not allowed here`},
	} {
		_, err := cron.Parse(test.expr)
		var e *cron.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v, want an *Error", test.expr, err)
			continue
		}
		if e.Field != test.field || !strings.Contains(e.Error(), test.want) {
			t.Errorf("%q: got %q about field %q, want %q about %q", test.expr, e, e.Field, test.want, test.field)
		}
		end := e.Offset + e.Length
		if got := test.expr[:e.Offset] + "[" + test.expr[e.Offset:end] + "]" + test.expr[end:]; got != test.wrong {
			t.Errorf("%q: got place %s, want %s", test.expr, got, test.wrong)
		}
	}
}

// FuzzParse holds these invariants. Nothing makes Parse or Next panic. An error points into the
// expression. Next returns a whole minute after the given time, and the same one for every time
// shortly before it.
func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"* * * * *", "*/30 * * * *", "45 * * * *", "0 17 * * sun", "10 7 * * 2-6", "0 15 1 * *", "0 18 * * friL",
		"59 23 LW * *", "0 0 L-3W FEB *", "0 0 31 FEB *", "22-2/3 5/10 15W 1,DEC 6#3", "1,* ? \xff", "", " ",
	} {
		f.Add(expr, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, expr string, seconds int64) {
		s, err := cron.Parse(expr)
		if err != nil {
			var e *cron.Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Length < 0 || e.Offset+e.Length > len(expr) ||
				e.Problem == "" || e.Allowed == "" {
				t.Errorf("%q: got error %#v", expr, err)
			}
			return
		}
		after := time.Unix(seconds%(1<<36), 0)
		next, ok := s.Next(after)
		if !ok {
			return
		}
		if !next.After(after) || next.Second() != 0 || next.Nanosecond() != 0 || next.Location() != time.UTC {
			t.Errorf("%q after %s: got %s", expr, after, next)
		}
		if again, ok := s.Next(next.Add(-time.Nanosecond)); !ok || !again.Equal(next) {
			t.Errorf("%q just before %s: got %s, %t", expr, next, again, ok)
		}
	})
}
