package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

func statusCommand() *command {
	var q question
	return &command{
		name:    "status",
		summary: "Show which emulator runs here, what it serves, and what is wrong with the last change",
		about: `If a change does not build, does not start or lacks a class, the version before goes on
serving, if there was one. This command shows the reason. A browser shows the same at
/cdn-cgi/local/status.`,
		flags: q.flags(),
		examples: []example{
			{"devtool status", ""},
			{"devtool status --json", "for programs"},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			client, err := q.client(s)
			if err != nil {
				return err
			}
			report, err := client.Report(ctx)
			if err != nil {
				return err
			}
			return q.printer(s).print(report, func(w io.Writer) { writeReport(w, s, report, time.Now()) })
		},
	}
}

// writeReport writes a table of the emulator's state and, at the end, what is wrong.
func writeReport(w io.Writer, s Streams, r control.Report, now time.Time) {
	clock, p := r.Clock, r.Program
	table(w,
		[]string{"worker", r.Worker},
		[]string{"url", r.URL},
		[]string{"process", fmt.Sprintf("%d, since %s", r.PID, control.Since(r.Started, now))},
		[]string{"state", s.short(r.State)},
		[]string{"clock", clockText(clock) + " at " + formatTime(clock.Now) + ", " + offsetText(clock.Offset)},
		[]string{"next", nextText(clock.Next, clock.NextCron, clock.Now)},
		[]string{"objects", fmt.Sprintf("%d, %d in memory", r.Objects, r.InMemory)},
		[]string{"alarms", fmt.Sprintf("%d pending", r.Alarms)},
		[]string{"program", programText(r, now)},
		[]string{"build", buildText(p.Build, now)},
	)
	if clock.Unsaved != "" {
		fmt.Fprintf(w, "\nThe clock is not saved: %s\n", unsavedText(clock))
	}
	if p.Crashes != "" {
		fmt.Fprintf(w, "\n%s\n", printable.Line(p.Crashes))
	}
	if f := p.Failure; f != nil {
		what := "The last change is not served"
		if p.Unserved() != nil {
			what = "Nothing is served"
		}
		fmt.Fprintf(w, "\n%s, since %s: %s\n", what, control.Since(f.At, now), printable.Line(f.Message))
		for line := range strings.Lines(f.Text) {
			fmt.Fprintln(w, printable.Line(strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    ")))
		}
	}
}

func programText(r control.Report, now time.Time) string {
	p := r.Program
	if p.Version == 0 {
		return p.State + ", no version has served yet"
	}
	text := fmt.Sprintf("%s, version %d since %s", p.State, p.Version, control.Since(p.Since, now))
	switch {
	case p.PID != 0:
		text += fmt.Sprintf(", process %d", p.PID)
	case r.Attached:
		text += ", attached"
	}
	return text
}

func buildText(b *control.Build, now time.Time) string {
	if b == nil {
		return "none"
	}
	return fmt.Sprintf("%d ms, at %s", b.DurationMS, control.Since(b.At, now))
}
