package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

// TestRowsOfALongAdvanceAreAlignedAsTheyCome prints rows before the later ones are known. Those
// keep to the columns of the first ones.
func TestRowsOfALongAdvanceAreAlignedAsTheyCome(t *testing.T) {
	noon := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	var out strings.Builder
	p := &movePrinter{out: &out, terminal: &out}
	row := func(name string) control.AdvanceEvent {
		return control.AdvanceEvent{Fired: &control.Fired{
			Object:  control.Object{Class: "Batcher", Name: name},
			At:      noon,
			Outcome: control.OutcomeOK,
		}}
	}
	p.event(row("a"))
	if out.Len() > 0 {
		t.Errorf("the first row was written at once: %q", out.String())
	}
	p.event(control.AdvanceEvent{Progress: &control.Progress{Now: noon, Ran: 1}})
	p.event(row("b"))
	p.event(row("a long name"))
	p.end(control.Advanced{From: noon, To: noon, Mode: control.Frozen, Ran: 3})
	want := "TIME                      OBJECT     OUTCOME  DETAIL\n" +
		"2026-10-01T12:00:00.000Z  Batcher/a  ok\n" +
		"\r\x1b[K2026-10-01T12:00:00.000Z, 1 runs so far\r\x1b[K" +
		"2026-10-01T12:00:00.000Z  Batcher/b  ok\n" +
		"2026-10-01T12:00:00.000Z  Batcher/a long name  ok\n" +
		"\nnow    2026-10-01T12:00:00.000Z, 0s on\nclock  frozen\nnext   no alarm is set\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
