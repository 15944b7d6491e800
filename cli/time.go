package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"devtool/emulator/control"
)

func timeCommand() *command {
	return &command{
		name:    "time",
		summary: "Show and move the virtual clock",
		about: `Handlers, alarms and storage live by the emulator's clock, not by that of this
machine. Advancing it runs everything that comes due on the way, in order, each
at its own time.`,
		commands: []*command{
			timeModeCommand("now", "Show where the clock stands and what is due next", (*control.Client).Time),
			timeAdvanceCommand(),
			timeModeCommand("freeze", "Stop the clock where it stands", (*control.Client).Freeze),
			timeModeCommand("resume", "Let the clock run on from where it stands", (*control.Client).Resume),
		},
		examples: []example{
			{"devtool time now", ""},
			{"devtool time advance 10s", ""},
		},
	}
}

// timeModeCommand is a command that does ask and shows where the clock then
// stands.
func timeModeCommand(name, summary string, ask func(*control.Client, context.Context) (control.Time, error)) *command {
	var q question
	return &command{
		name:    name,
		summary: summary,
		flags:   q.flags(),
		run: func(ctx context.Context, s Streams, _ []string) error {
			client, err := q.client(s)
			if err != nil {
				return err
			}
			clock, err := ask(client, ctx)
			if err != nil {
				return err
			}
			return q.printer(s).print(clock, func(w io.Writer) {
				table(w,
					[]string{"now", formatTime(clock.Now)},
					[]string{"clock", clock.Mode + ", " + offsetText(clock.Offset)},
					[]string{"next", nextText(clock.Next, clock.Now)},
				)
			})
		},
	}
}

// offsetText says how virtual time compares with real time.
func offsetText(offset string) string {
	switch d, err := time.ParseDuration(offset); {
	case err != nil:
		return offset + " from real time"
	case d.Round(time.Millisecond) == 0:
		return "in step with real time"
	case d < 0:
		return formatDuration(-d) + " behind real time"
	default:
		return formatDuration(d) + " ahead of real time"
	}
}

// nextText says what is due next, seen from now.
func nextText(next *control.Alarm, now time.Time) string {
	if next == nil {
		return "no alarm is set"
	}
	return fmt.Sprintf("%s %s, at %s", next, dueIn(*next, now), formatTime(next.Due))
}

func timeAdvanceCommand() *command {
	var q question
	return &command{
		name:    "advance",
		summary: "Move the clock on and run what comes due on the way",
		about:   "Exits with 1 when an alarm failed for good, or when the clock had to stop before the end.",
		args:    []argument{{name: "DURATION", usage: "such as 10s, 1h30m, 2d or 1d12h; 0s runs just what is overdue"}},
		flags:   q.flags(),
		examples: []example{
			{"devtool time advance 10s", ""},
			{"devtool time advance 1d12h --json", "for programs"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			d, err := parseAdvance(args[0])
			if err != nil {
				return err
			}
			return timeAdvance(ctx, s, q, d)
		},
	}
}

func parseAdvance(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err != nil {
		return 0, misuse("write a number and a unit, like 10s, 1h30m or 2d", "%q is not a duration", s)
	}
	if d < 0 {
		return 0, misuse("give a duration that is not negative, like 10s", "the clock cannot go back, so not by %s", s)
	}
	return d, nil
}

func timeAdvance(ctx context.Context, s Streams, q question, d time.Duration) error {
	client, err := q.client(s)
	if err != nil {
		return err
	}
	advanced, err := client.Advance(ctx, d)
	if err != nil {
		return err
	}
	err = q.printer(s).print(advanced, func(w io.Writer) {
		if len(advanced.Fired) == 0 {
			fmt.Fprintln(w, "no alarm came due")
		} else {
			table(w, firedRows(advanced.Fired)...)
		}
		fmt.Fprintln(w)
		table(w,
			[]string{"now", fmt.Sprintf("%s, %s on", formatTime(advanced.To), formatDuration(advanced.To.Sub(advanced.From)))},
			[]string{"clock", advanced.Mode},
			[]string{"next", nextText(advanced.Next, advanced.To)},
		)
	})
	switch {
	case err != nil:
		return err
	case advanced.Stopped != "":
		return failure("`devtool time advance` goes on from there", "the clock stopped at %s: %s", formatTime(advanced.To), advanced.Stopped)
	case advanced.Failed():
		return failure("the log of `devtool dev` shows what they did", "alarms failed for good: %d of %d runs", failedRuns(advanced.Fired), len(advanced.Fired))
	}
	return nil
}

func failedRuns(fired []control.Fired) int {
	n := 0
	for _, f := range fired {
		if f.Outcome == control.OutcomeFailed {
			n++
		}
	}
	return n
}
