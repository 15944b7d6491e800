package config_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/config"
)

func byName(vars []config.Var) map[string]string {
	all := make(map[string]string)
	for _, v := range vars {
		all[v.Name] = v.Value
	}
	return all
}

// This test and the next one expect what the packages dotenv and dotenv-expand returned.
func TestFilesOfVariablesAreReadAsDotenvReadsThem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want map[string]string
	}{
		{"A=1\nB=2", map[string]string{"A": "1", "B": "2"}},
		{"A = 1", map[string]string{"A": "1"}},
		{"  A=1  ", map[string]string{"A": "1"}},
		{"export A=1", map[string]string{"A": "1"}},
		{"export\tA = 1", map[string]string{"A": "1"}},
		{"A: 1", map[string]string{"A": "1"}},
		{"A:1", map[string]string{}},
		{"A : 1", map[string]string{}},
		{"A=", map[string]string{"A": ""}},
		{"A=\nB=2", map[string]string{"A": "", "B": "2"}},
		{"A", map[string]string{}},
		{"A='x y'", map[string]string{"A": "x y"}},
		{`A="x y"`, map[string]string{"A": "x y"}},
		{"A=`x 'y' \"z\"`", map[string]string{"A": `x 'y' "z"`}},
		{`A="a\nb"`, map[string]string{"A": "a\nb"}},
		{`A='a\nb'`, map[string]string{"A": `a\nb`}},
		{`A=a\nb`, map[string]string{"A": `a\nb`}},
		{"A=\"a\nb\"", map[string]string{"A": "a\nb"}},
		{"A='a\nb\n'  # c", map[string]string{"A": "a\nb\n"}},
		{`A="a\"b"`, map[string]string{"A": `a\"b`}},
		{`A="a\\"`, map[string]string{"A": `a\\`}},
		{`A="a\"`, map[string]string{"A": `a\`}},
		{"A=a # c", map[string]string{"A": "a"}},
		{"A=a#c", map[string]string{"A": "a"}},
		{"A=#c", map[string]string{"A": ""}},
		{"A='a # b' # c", map[string]string{"A": "a # b"}},
		{"A='a#b", map[string]string{"A": "'a"}},
		{`A="x" y`, map[string]string{"A": `"x" y`}},
		{"A='a' b'", map[string]string{"A": "a' b"}},
		{"# c\nA=1\n#B=2", map[string]string{"A": "1"}},
		{"A=1\r\nB='2\r\n3'\r\n", map[string]string{"A": "1", "B": "2\n3"}},
		{"A=1\rB=2", map[string]string{"A": "1", "B": "2"}},
		{"\ufeffA=1", map[string]string{"A": "1"}},
		{"A.b-c_9=1", map[string]string{"A.b-c_9": "1"}},
		{"\u00c4=1", map[string]string{}},
		{"A=\u00e4 \u6f22", map[string]string{"A": "\u00e4 \u6f22"}},
		{"export=5", map[string]string{"export": "5"}},
		{"export", map[string]string{}},
		{"export A", map[string]string{}},
		{"A=1\nA=2", map[string]string{"A": "2"}},
		{"A=\n\"x\"", map[string]string{"A": "x"}},
		{"A:\nB=1", map[string]string{"A": "B=1"}},
		{"A\n=1", map[string]string{"A": "1"}},
		{"A==1", map[string]string{"A": "=1"}},
		{"A=a=b", map[string]string{"A": "a=b"}},
		{"A='tis\nB='x'", map[string]string{"A": "'tis", "B": "x"}},
		{"A=\"1\nB=2\nC=\"3\"", map[string]string{"A": `"1`, "B": "2", "C": "3"}},
		{"A=  'x'  ", map[string]string{"A": "x"}},
		{"A=''", map[string]string{"A": ""}},
		{"A='", map[string]string{"A": "'"}},
		{`A="`, map[string]string{"A": `"`}},
		{"A=\u00a0x\u00a0", map[string]string{"A": "x"}},
		{"9=1", map[string]string{"9": "1"}},
		{`A='x'\`, map[string]string{"A": `'x'\`}},
		{`A=a\#b`, map[string]string{"A": `a\`}},
		{`A={"a": 1, "b": [2]}`, map[string]string{"A": `{"a": 1, "b": [2]}`}},
		{`A='{"a": "#"}'`, map[string]string{"A": `{"a": "#"}`}},
		{`A="a\r\nb\tc"`, map[string]string{"A": "a\r\nb\\tc"}},
		{"FOO BAR=1\nB=1", map[string]string{"B": "1"}},
		{"A=`a\nb`", map[string]string{"A": "a\nb"}},
		{"A=\"\\\"\n\"", map[string]string{"A": "\\\"\n"}},
		{"A='a\\'\n b'", map[string]string{"A": "a\\'\n b"}},
	} {
		vars, _, err := config.ParseVars(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
		}
		if diff := cmp.Diff(test.want, byName(vars)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestReferencesAreExpandedAsDotenvExpandDoes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text    string
		process map[string]string
		want    map[string]string // and what only the process has
	}{
		{"A=1\nB=$A", nil, map[string]string{"A": "1", "B": "1"}},
		{"A=1\nB=${A}2", nil, map[string]string{"A": "1", "B": "12"}},
		{"B=$A\nA=1", nil, map[string]string{"B": "", "A": "1"}},
		{"A='$B'\nB=1", nil, map[string]string{"A": "", "B": "1"}},
		{"B=1\nA='${B}'", nil, map[string]string{"B": "1", "A": "1"}},
		{"A=\\$B\nB=1", nil, map[string]string{"A": "$B", "B": "1"}},
		{"A=${NONE}", nil, map[string]string{"A": ""}},
		{"A=${NONE:-x}", nil, map[string]string{"A": "x"}},
		{"A=${NONE-x}", nil, map[string]string{"A": "x"}},
		{"E=\nA=${E:-x}", nil, map[string]string{"E": "", "A": "x"}},
		{"E=\nA=${E-x}", nil, map[string]string{"E": "", "A": "x"}},
		{"B=1\nA=${B:+x}", nil, map[string]string{"B": "1", "A": "x"}},
		{"B=1\nA=${B+x}", nil, map[string]string{"B": "1", "A": "x"}},
		{"A=${B:+x}", nil, map[string]string{"A": ""}},
		{"A=${NONE:-${ALSO:-x}}", nil, map[string]string{"A": "x"}},
		{"B=1\nA=${NONE:-$B}", nil, map[string]string{"B": "1", "A": "1"}},
		{"A=$A", nil, map[string]string{"A": ""}},
		{"A=${A}x", nil, map[string]string{"A": "x"}},
		{"A=pa$$word", nil, map[string]string{"A": "pa$"}},
		{"A=$1", nil, map[string]string{"A": "$1"}},
		{"A=$", nil, map[string]string{"A": "$"}},
		{"A=${", nil, map[string]string{"A": "${"}},
		{"A=${}", nil, map[string]string{"A": "${}"}},
		{"A=a$B-c\nB=1", nil, map[string]string{"A": "a-c", "B": "1"}},
		{"B=\\$C\nC=1\nA=$B", nil, map[string]string{"B": "$C", "C": "1", "A": "$C"}},
		{"C=1\nB=\\$C\nA=$B\nD=x$B", nil, map[string]string{"C": "1", "B": "$C", "A": "$C", "D": "x1"}},
		{"A=1", map[string]string{"A": "p"}, map[string]string{"A": "p"}},
		{"A=1\nB=$A", map[string]string{"A": "p"}, map[string]string{"A": "p", "B": "p"}},
		{"B=$P", map[string]string{"P": "p"}, map[string]string{"P": "p", "B": "p"}},
		{"B=$P", map[string]string{"P": "$Q", "Q": "q"}, map[string]string{"P": "$Q", "Q": "q", "B": "q"}},
		{"A=", map[string]string{"A": "p"}, map[string]string{"A": "p"}},
		{"A=1", map[string]string{"A": ""}, map[string]string{"A": "1"}},
		{"A=1\nB=$A", map[string]string{"A": ""}, map[string]string{"A": "1", "B": ""}},
		{"B=${P}", map[string]string{"P": "${P}"}, map[string]string{"P": "${P}", "B": ""}},
		{"A=${NONE:-a-b:-c}", nil, map[string]string{"A": "a-b:-c"}},
		{"A=${B:-x}y${B:-z}", nil, map[string]string{"A": "xyz"}},
		{"A=\u00e9\nB=$A\u6f22", nil, map[string]string{"A": "\u00e9", "B": "\u00e9\u6f22"}},
		{"A=1\nB=$A_X", nil, map[string]string{"A": "1", "B": ""}},
		{"A=1\nB=${ A }", nil, map[string]string{"A": "1", "B": ""}},
	} {
		vars, err := config.ExpandVars(test.text, test.process)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
		}
		got := byName(vars)
		for name, value := range test.process {
			if _, ok := got[name]; !ok {
				got[name] = value
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q beside %v (-want +got):\n%s", test.text, test.process, diff)
		}
	}
}

func TestLinesThatDotenvMisreadsCauseWarnings(t *testing.T) {
	t.Parallel()
	const (
		open  = "the quote is part of the value of A, because it is not closed"
		after = "the quotes are part of the value of A, because text follows the closing one"
		cut   = "the value of A ends where a # begins a comment"
		none  = "this line is ignored: it does not set a variable"
	)
	for text, want := range map[string]struct{ problem, source string }{
		"A=secret # comment\n\n  # another\nexport B='x' # y": {},
		"A='one\ntwo'\nB=\"#\"\n":                             {},
		"A='secret":                                           {"1:3 " + open, "A=…"},
		"X=1\n  A = \"secret\nY=1":                            {"2:7 " + open, "  A = …"},
		"A='secret' more":                                     {"1:3 " + after, "A=…"},
		"A=secret#more":                                       {"1:3 " + cut, "A=…"},
		"A=ä secret#more":                                     {"1:3 " + cut, "A=…"},
		"A:secret":                                            {"1:1 " + none, "…"},
		"X=1\r\n\tsecret text=1":                              {"2:2 " + none, "\t…"},
		"export A":                                            {"1:1 " + none, "…"},
		"A=1\nB=2\nexport A=secret": {
			"3:8 A is already set on line 1: only this last value counts", "export A…",
		},
	} {
		_, warnings, err := config.ParseVars(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		var source string
		if len(warnings) > 0 {
			source = warnings[0].Source
		}
		if got := strings.Join(shortened(warnings), "\n"); got != want.problem || source != want.source {
			t.Errorf("%q: got %q, line %q, want %q, line %q", text, got, source, want.problem, want.source)
		}
	}
}

func TestADiagnosticOfAFileOfVariablesShowsNoValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"A=1\nTOKEN='s3cret": `
▲ [WARNING] the quote is part of the value of TOKEN, because it is not closed [open-quote]

    file:2:7:
      2 │ TOKEN=…
        ╵       ^

`,
		"A=1\nTOKEN=s3cret\xff": `
✘ [ERROR] the text here is not UTF-8 [encoding]

    file:2:13:

  save it as UTF-8

`,
	} {
		_, found, err := config.ParseVars(text)
		if bad := (*config.Error)(nil); errors.As(err, &bad) {
			found = bad.Diagnostics
		}
		var b strings.Builder
		b.WriteByte('\n')
		config.Render(&b, found, false)
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	_, found, err := config.ParseVars(strings.Repeat("s3cret\n", 60))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		if strings.Contains(d.Source, "s3cret") {
			t.Errorf("%s: the line %q may show a value", d.Message, d.Source)
		}
	}
}

func TestAnyValueCanBeWrittenInQuotes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-z_][A-Za-z0-9_.-]{0,9}`).Draw(t, "name")
		value := strings.ReplaceAll(rapid.String().Draw(t, "value"), "'", "")
		value = strings.NewReplacer("\r", "", `\`, "").Replace(value)
		before := rapid.SampledFrom([]string{"", "# comment\n", "export ", "  ", "OTHER=1\n"}).Draw(t, "before")
		after := rapid.SampledFrom([]string{"", "\n", " # comment", "\nLAST='1'"}).Draw(t, "after")
		text := before + name + "='" + value + "'" + after
		vars, warnings, err := config.ParseVars(text)
		if err != nil || byName(vars)[name] != value || len(warnings) > 0 && name != "OTHER" && name != "LAST" {
			t.Fatalf("%q: got %q, %v, %v, want %q", text, byName(vars)[name], shortened(warnings), err, value)
		}
	})
}

func FuzzFilesOfVariables(f *testing.F) {
	for _, seed := range []string{
		"A=1\nexport B = 'x\ny' # z\r\n", "A:\t\"\\n\\\"\"", "A=`", "\ufeffA==", "x\xff", "\xff\xfe",
		"A\n=\n'b'c", "A=${A:-$B}$C\nB=\\$D", "A=1\nA=2#3", strings.Repeat("=\n", 60),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		vars, warnings, err := config.ParseVars(text)
		if err == nil && !utf8.ValidString(text) {
			t.Fatal("accepted text that is not UTF-8")
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, d := range warnings {
			if d.Position.Line < 1 || d.Position.Line > lines ||
				d.Position.Column < 1 || d.Position.Column > len(text)+1 ||
				d.Length < 0 || d.Length == 0 != (d.Source == "") {
				t.Fatalf("position %v, %d long, in %d lines", d.Position, d.Length, lines)
			}
			if shown, ok := strings.CutSuffix(d.Source, "…"); ok && !strings.Contains(text, shown) {
				t.Fatalf("line %q is not in the text", d.Source)
			}
		}
		seen := make(map[string]bool)
		for _, v := range vars {
			if v.Name == "" || seen[v.Name] {
				t.Fatalf("name %q is empty or there twice", v.Name)
			}
			seen[v.Name] = true
		}
		expanded, err := config.ExpandVars(text, map[string]string{"P": "p$Q", "Q": "$P"})
		if err == nil && len(expanded) != len(vars) {
			t.Fatalf("got %d variables after expansion, want %d", len(expanded), len(vars))
		}
	})
}
