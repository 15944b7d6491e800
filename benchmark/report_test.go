package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMedianIsTheMiddleFigure(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 100, 2}, 3},
	} {
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v: got %v, want %v", test.values, got, test.want)
		}
	}
}

func TestHalfOfTheFiguresAreOnEachSideOfTheMedian(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1e6), 1, 9).Draw(t, "values")
		m := median(values)
		below, above := 0, 0
		for _, v := range values {
			if v < m {
				below++
			}
			if v > m {
				above++
			}
		}
		if 2*below > len(values) || 2*above > len(values) {
			t.Errorf("median %v of %v has %d below and %d above it", m, values, below, above)
		}
	})
}

func TestRatioSaysHowManyTimesBetterWeAre(t *testing.T) {
	for _, test := range []struct {
		lower        bool
		ours, theirs float64
		want         float64
	}{
		{false, 300, 100, 3},
		{false, 100, 300, 1.0 / 3},
		{true, 10, 40, 4},
		{true, 40, 10, 0.25},
		{false, 100, 0, 0}, // without answers there is no ratio
	} {
		r := newRow(measure{name: "m", lower: test.lower}, []float64{test.ours}, []float64{test.theirs})
		if r.Ratio != test.want {
			t.Errorf("%v against %v, lower is better %t: got %v, want %v", test.ours, test.theirs, test.lower, r.Ratio,
				test.want)
		}
	}
}

func TestNumbersHaveThreeSignificantDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.084: "0.08", 5.8123: "5.81", 9.996: "10.0", 71.44: "71.4", 99.96: "100",
		155: "155", 999.6: "1,000", 7804.6: "7,805", 1234567: "1,234,567",
	} {
		if got := number(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

var example = report{
	Machine: "a machine", Version: "devtool 1", Rounds: 3,
	Tables: []table{
		{Peer: "workerd", Version: "workerd 2", Rows: []row{
			newRow(measure{name: "requests", unit: "requests/s"}, []float64{12000, 9000, 15000},
				[]float64{3000, 2000, 4000}),
			newRow(measure{name: "a put", unit: "µs", lower: true}, []float64{20, 20, 20}, []float64{10, 11, 9}),
		}},
		{Peer: "go build", Version: "go 3", Rows: []row{
			newRow(measure{name: "a save", unit: "ms", lower: true}, []float64{300, 300, 300},
				[]float64{300, 300, 300}),
		}},
	},
}

func TestTablesAreMarkdownInColumns(t *testing.T) {
	var got strings.Builder
	if err := example.writeTables(&got); err != nil {
		t.Fatal(err)
	}
	want := `a machine
devtool 1
median of 3; ratio: how many times better devtool is, below 1 it is behind

workerd 2

|          | unit       | devtool | workerd | ratio |
| -------- | ---------- | ------: | ------: | ----: |
| requests | requests/s |  12,000 |   3,000 |  4.00 |
| a put    | µs         |    20.0 |    10.0 |  0.50 |

go 3

|        | unit | devtool | go build | ratio |
| ------ | ---- | ------: | -------: | ----: |
| a save | ms   |     300 |      300 |  1.00 |
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestJSONHasTheFiguresOfEveryRound(t *testing.T) {
	var out strings.Builder
	if err := example.writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example, got); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{`"devtool_rounds"`, `"lower_is_better": true`, `"unit": "µs"`} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("no %s in\n%s", name, out.String())
		}
	}
}

func TestMachineIsDescribedAsFarAsTheSystemReportsIt(t *testing.T) {
	got := machineText("processor : 0\nmodel name\t: Fast One 3000\nmodel name\t: other\n",
		"MemTotal:       25165824 kB\n", "6.18.1\n")
	if want := "(Fast One 3000), 24 GB, kernel 6.18.1"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end with %q", got, want)
	}
	if got := machineText("", "", ""); !strings.HasSuffix(got, "processors") {
		t.Errorf("got %q, want nothing after the number of processors", got)
	}
}
