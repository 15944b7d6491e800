package cli

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"devtool.internal/emulator/plugin"
)

func TestATableHasOneLineForEachRow(t *testing.T) {
	cell := rapid.StringMatching(`[ -~\x00-\x1f\x{80}-\x{9f}é日]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, 3, 3), 1, 5).Draw(t, "rows")
		var out strings.Builder
		table(&out, rows...)
		if got := strings.Count(out.String(), "\n"); got != len(rows) {
			t.Errorf("got %d lines for %d rows: %q", got, len(rows), out.String())
		}
		for _, r := range strings.ReplaceAll(out.String(), "\n", "") {
			if unicode.IsControl(r) {
				t.Errorf("got control character %q in %q", r, out.String())
			}
		}
	})
}

func TestPrintReportsAnErrorOfItsStream(t *testing.T) {
	want := errors.New("no space left")
	err := printer{out: brokenWriter{want}}.print(nil, func(w io.Writer) { _, _ = io.WriteString(w, "x") })
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if err := (printer{json: true}).print(func() {}, nil); err == nil {
		t.Error("got no error for what JSON cannot carry")
	}
}

func TestTheProgressOfABuildFitsALine(t *testing.T) {
	for _, test := range []struct {
		done plugin.Progress
		want string
	}{
		{plugin.Progress{Elapsed: 2 * time.Second}, "building… 2 s"},
		{plugin.Progress{Elapsed: 4500 * time.Millisecond, Downloaded: 1}, "building… 4 s, 1 module fetched"},
		{
			plugin.Progress{Elapsed: 20 * time.Second, Compiled: 1},
			"building… 20 s, 1 package compiled (the first build compiles Go's own, too)",
		},
		{
			plugin.Progress{Elapsed: 120 * time.Second, Compiled: 290},
			"building… 120 s, 290 packages compiled (the first build compiles Go's own, too)",
		},
	} {
		got := progressText(test.done)
		if got != test.want || utf8.RuneCountInString(got) >= 80 {
			t.Errorf("got %q, want %q, in less than 80 columns", got, test.want)
		}
	}
}
