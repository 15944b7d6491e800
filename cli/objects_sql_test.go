package cli_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

// sqlResult returns a result with these columns, separated by blanks, and these values in rows.
func sqlResult(columns string, values ...any) control.SQLResult {
	r := control.SQLResult{Columns: strings.Fields(columns), Rows: [][]control.SQLValue{}}
	for len(values) > 0 {
		var row []control.SQLValue
		for _, v := range values[:len(r.Columns)] {
			row = append(row, control.SQLValue{V: v})
		}
		r.Rows, values = append(r.Rows, row), values[len(r.Columns):]
	}
	return r
}

func TestObjectsSQLIsATableThatFitsTheTerminal(t *testing.T) {
	for name, test := range map[string]struct {
		result control.SQLResult
		want   string
	}{
		"all kinds": {sqlResult("id x v",
			int64(1), 1.0, "one",
			int64(-20), nil, []byte("hi"),
			nil, 0.5, nil), `
  id     x  v
   1   1.0  one
 -20  NULL  x'6869'
NULL   0.5  NULL
`},
		"long values share the room": {sqlResult("id a b",
			int64(7), strings.Repeat("ü", 100), strings.Repeat("b", 30)), `
id  a                  b
 7  üüüüüüüüüüüüüüüü…  bbbbbbbbbbbbbbbb…
`},
		"short ones leave it to others": {sqlResult("id a b", int64(7), "short", strings.Repeat("b", 100)), `
id  a      b
 7  short  bbbbbbbbbbbbbbbbbbbbbbbbbbbb…
`},
		"a large blob": {sqlResult("b", make([]byte, 1000)), `
b
x'` + strings.Repeat("0", 37) + `…
`},
		"columns that do not fit": {sqlResult("a b c d e f",
			"123456789", "123456789", "123456789", "123456789", "123456789", "1"), `
a         b         c         d         e         f
1234567…  1234567…  1234567…  1234567…  1234567…  1
`},
		"text with control characters": {sqlResult("a", "x\ny\x1b[31m"), `
a
x\ny\u001b[31m
`},
		"no rows": {sqlResult("a b"), `
a  b
(no rows)
`},
	} {
		t.Run(name, func(t *testing.T) {
			e := emulator{objects: test.result}
			c := e.start(t)
			c.terminal = true
			got := c.run(t.Context(), "objects", "sql", "Batcher/a", "SELECT")
			check(t, got, result{out: test.want[1:]})
		})
	}
}

func TestLinesOfCellsEscapeWhatATerminalObeysAsPostgreSQLDoes(t *testing.T) {
	e := emulator{objects: sqlResult("a\x1b", "\x1b[2J", "\u009b\u202eü", "\x7f")}
	c := e.start(t)
	check(t, c.run(t.Context(), "objects", "sql", "Batcher/a", "SELECT"), result{
		out: `a\x1b` + "\n" + `\x1b[2J` + "\n" + `\xc2\x9b\xe2\x80\xaeü` + "\n" + `\x7f` + "\n",
	})
}

func TestObjectsSQLIsLinesForPrograms(t *testing.T) {
	long := strings.Repeat("long ", 100)
	e := emulator{objects: sqlResult("id v", int64(1), "a\tb\\c\nd\re", 1.5, long, nil, "", []byte{0, 255}, "NULL")}
	c := e.start(t)
	check(t, c.run(t.Context(), "objects", "sql", "Batcher/a", "SELECT"), result{out: "id\tv\n" +
		`1	a\tb\\c\nd\re` + "\n1.5\t" + long + "\n\\N\t\nx'00ff'\tNULL\n"})
	got := c.run(t.Context(), "objects", "sql", "Batcher/a", "SELECT", "--json")
	if diff := cmp.Diff(e.objects, any(decode[control.SQLResult](t, got.out))); diff != "" {
		t.Errorf("with --json (-want +got):\n%s", diff)
	}
	e.objects = sqlResult("a b")
	check(t, c.run(t.Context(), "objects", "sql", "Batcher/a", "SELECT"), result{out: "a\tb\n"})
}

func TestObjectsSQLSaysWhatItLeavesOut(t *testing.T) {
	few := sqlResult("id", int64(1), int64(2))
	few.More = true
	e := emulator{objects: few}
	c := e.start(t)
	check(t, c.run(t.Context(), "objects", "sql", "Batcher/a", "SELECT", "--limit", "2"), result{
		out: "id\n1\n2\n", err: "only the first 2 rows are shown; more with --limit N\n",
	})
	check(t, c.run(t.Context(), "objects", "sql", "Batcher/a", "SELECT", "--limit", "9"), result{
		out: "id\n1\n2\n",
		err: "only the first 2 rows are shown because they are long; read on with LIMIT and OFFSET\n",
	})
}

func TestObjectsSQLWithoutRowsSaysWhatItWrote(t *testing.T) {
	for n, want := range map[int64]string{
		0: "done, 0 rows written\n",
		1: "done, 1 row written\n",
		3: "done, 3 rows written\n",
	} {
		e := emulator{objects: control.SQLResult{RowsWritten: n}}
		check(t, e.start(t).run(t.Context(), "objects", "sql", "Batcher/a", "UPDATE"), result{out: want})
	}
}

func TestObjectsSQLReadsItsQueryAndArguments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "q.sql")
	writeFile(t, file, "SELECT 'file'")
	for _, test := range []struct {
		args []string
		in   string
		want string // the body
	}{
		{[]string{"SELECT 1"}, "", `{"query":"SELECT 1","limit":1000}`},
		{[]string{"SELECT 1", "--limit=5"}, "", `{"query":"SELECT 1","limit":5}`},
		{[]string{"-"}, "SELECT 'in'\n", `{"query":"SELECT 'in'\n","limit":1000}`},
		{nil, "SELECT 'in'", `{"query":"SELECT 'in'","limit":1000}`},
		{[]string{"-", "5"}, "SELECT ?", `{"query":"SELECT ?","args":[5],"limit":1000}`},
		{[]string{"--file", file}, "ignored", `{"query":"SELECT 'file'","limit":1000}`},
		{[]string{"--file", file, "5", "-"}, "ignored", `{"query":"SELECT 'file'","args":[5,"-"],"limit":1000}`},
		{
			[]string{"?", "text", "", "5", "-5", "1.0", "null", "true"}, "",
			`{"query":"?","args":["text","",5,-5,1.0,null,1],"limit":1000}`,
		},
		{
			[]string{"?", `"5"`, "05", " 5", "[1]", `{"a":1}`}, "",
			`{"query":"?","args":["5","05"," 5","[1]","{\"a\":1}"],"limit":1000}`,
		},
		{
			[]string{"?", `{"type":"order","value":"x"}`}, "",
			`{"query":"?","args":["{\"type\":\"order\",\"value\":\"x\"}"],"limit":1000}`,
		},
		{
			[]string{"?", `{"type":"bytes","value":"aGk="}`}, "",
			`{"query":"?","args":[{"type":"bytes","value":"aGk="}],"limit":1000}`,
		},
		{[]string{"?", "--", "--limit"}, "", `{"query":"?","args":["--limit"],"limit":1000}`},
	} {
		e := emulator{objects: sqlResult("a")}
		c := e.start(t)
		c.in = test.in
		got := c.run(t.Context(), append([]string{"objects", "sql", "Batcher/a"}, test.args...)...)
		if got.code != 0 {
			t.Errorf("%q: got %+v", test.args, got)
		}
		if diff := cmp.Diff([]string{"POST objects/Batcher/a/sql " + test.want}, e.asked); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.args, diff)
		}
	}
}

func TestObjectsSQLRefusesWhatMakesNoSense(t *testing.T) {
	var e emulator
	c := e.start(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"Batcher", "SELECT 1"}, "devtool: \"Batcher\" is not an object: CLASS/NAME or CLASS/ID\n"},
		{[]string{"Batcher/a", "SELECT 1", "--limit", "0"}, "devtool: --limit is 0: it must be positive\n"},
		{[]string{"Batcher/a", "--file", "nowhere.sql"}, "nowhere.sql"},
		{
			[]string{"Batcher/a", "?", "1", "9223372036854775808"},
			"devtool: argument 2: 9223372036854775808 is too large for an integer of SQL: pass it as text\n",
		},
		{
			[]string{"Batcher/a", "?", `{"type":"bytes","value":"?"}`},
			"devtool: argument 1: the value of type bytes is not a string in base64\n",
		},
	} {
		got := c.run(t.Context(), append([]string{"objects", "sql"}, test.args...)...)
		if got.code != 2 || !strings.Contains(got.err, test.want) {
			t.Errorf("%q: got %+v, want %q", test.args, got, test.want)
		}
	}
	c.terminal, c.env = true, map[string]string{"NO_COLOR": "1"}
	check(t, c.run(t.Context(), "objects", "sql", "Batcher/a"), result{
		code: 2,
		err: "devtool: there is no SQL to run\n" +
			"  Write it in quotes, name a file with --file, or type it after -\n",
	})
	c.in = strings.Repeat(" ", 1<<20+1)
	tooLong := c.run(t.Context(), "objects", "sql", "Batcher/a", "-")
	if tooLong.code != 2 || !strings.Contains(tooLong.err, "the SQL is longer than 1 MB") {
		t.Errorf("very long SQL: got %+v", tooLong)
	}
	if e.asked != nil {
		t.Errorf("the emulator was asked %q, want nothing", e.asked)
	}
}

func TestObjectsSQLPointsAtTheError(t *testing.T) {
	long := strings.Repeat("a", 100) + "!" + strings.Repeat("b", 100)
	cut := strings.Repeat("a", 60) + "!" + strings.Repeat("b", 59)
	for _, test := range []struct {
		query string
		at    int
		want  string
	}{
		{"SELECT * FORM t", 9, "  SELECT * FORM t\n           ^\n"},
		{"SELECT 1;\nSELECT\t'ü', nope\nFROM t", 23, "  SELECT 'ü', nope\n              ^\n"},
		{"x", 1, "  x\n   ^\n"},
		{"", 0, "  \n  ^\n"},
		{"x", 99, ""},
		{long, 100, "  …" + cut + "…\n   " + strings.Repeat(" ", 60) + "^\n"},
	} {
		e := emulator{err: &control.Error{Code: control.CodeBadRequest, Message: "it is wrong", Offset: &test.at}}
		c := e.start(t)
		check(t, c.run(t.Context(), "objects", "sql", "Batcher/a", "--", test.query), result{
			code: 1, err: test.want + "devtool: it is wrong\n",
		})
		check(t, c.run(t.Context(), "objects", "sql", "Batcher/a", "--json", "--", test.query), result{
			code: 1, err: `{"error":"it is wrong","code":"bad_request"}` + "\n",
		})
	}
}

func TestObjectsAbort(t *testing.T) {
	for line, want := range map[string]string{
		"Batcher/a":                            `{}`,
		"Batcher/a --reason why --drop-alarm":  `{"reason":"why","dropAlarm":true}`,
		"Batcher/a --drop-alarm=false --json ": `{}`,
	} {
		e := emulator{objects: object("Batcher", "a")}
		got := e.start(t).run(t.Context(), append([]string{"objects", "abort"}, strings.Fields(line)...)...)
		if got.code != 0 || (!strings.Contains(line, "--json") && got.out != "aborted Batcher/a\n") {
			t.Errorf("%s: got %+v", line, got)
		}
		if diff := cmp.Diff([]string{"POST objects/Batcher/a/abort " + want}, e.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
	e := emulator{err: &control.Error{
		Code:    control.CodeNotInMemory,
		Message: "Batcher/a is not in memory",
		Hint:    "there is nothing to abort",
	}}
	check(t, e.start(t).run(t.Context(), "objects", "abort", "Batcher/a"), result{
		code: 1, err: "devtool: Batcher/a is not in memory\n  There is nothing to abort\n",
	})
}

func TestObjectsSQLCanBeInterrupted(t *testing.T) {
	var e emulator
	c := e.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check(t, c.run(ctx, "objects", "sql", "Batcher/a", "SELECT 1"), result{code: 1, err: "devtool: interrupted\n"})
}
