package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/internal/printable"
)

func timeCommand() *command {
	return &command{
		name:    "time",
		summary: "Show and move the virtual clock",
		about: `Handlers, alarms and storage live by the emulator's clock, not by that of this
machine. Advancing it runs everything that comes due on the way, in order, each
at its own time.`,
		commands: []*command{
			timeModeCommand("now", "Show where the clock stands and what is due next", (*client.Client).Time),
			timeAdvanceCommand(),
			timeNextCommand(),
			timeJumpCommand(),
			timeSetCommand(),
			timeWaitingCommand(),
			timeSettleCommand(),
			timeModeCommand("freeze", "Stop the clock where it stands", (*client.Client).Freeze),
			timeModeCommand("resume", "Let the clock run on from where it stands", (*client.Client).Resume),
			timeSpeedCommand(),
			timeResetCommand(),
		},
		examples: []example{
			{"devtool time now", ""},
			{"devtool time advance 10s", ""},
		},
	}
}

// timeModeCommand returns a command that calls ask and shows the clock that ask returns.
func timeModeCommand(name, summary string, ask func(*client.Client, context.Context) (control.Time, error)) *command {
	var q question
	return &command{
		name:    name,
		summary: summary,
		flags:   q.flags(),
		run: func(ctx context.Context, s Streams, _ []string) error {
			return q.showTime(s, func(c *client.Client) (control.Time, error) { return ask(c, ctx) })
		},
	}
}

// showTime calls ask and shows the clock that ask returns.
func (q *question) showTime(s Streams, ask func(*client.Client) (control.Time, error)) error {
	client, err := q.client(s)
	if err != nil {
		return err
	}
	clock, err := ask(client)
	if err != nil {
		return err
	}
	return q.printer(s).print(clock, func(w io.Writer) {
		rows := [][]string{
			{"now", formatTime(clock.Now)},
			{"clock", clockText(clock) + ", " + offsetText(clock.Offset)},
			{"next", nextText(clock.Next, clock.NextCron, clock.Now)},
		}
		if clock.Unsaved != "" {
			rows = append(rows, []string{"not saved", unsavedText(clock)})
		}
		table(w, rows...)
	})
}

// clockText describes how the clock goes: its mode, and its rate unless that is the usual one.
func clockText(clock control.Time) string {
	rate := strconv.FormatFloat(clock.Rate, 'f', -1, 64) + " times real time"
	switch {
	case clock.Rate == 1 || clock.Rate == 0:
		return clock.Mode
	case clock.Mode == control.Frozen:
		return clock.Mode + " (later " + rate + ")"
	}
	return clock.Mode + " at " + rate
}

// unsavedText says why the clock can't be saved, and what that means.
func unsavedText(clock control.Time) string {
	effect := "until it can be saved, the clock can't be moved"
	if clock.Mode == control.Running && clock.Rate != 1 {
		effect += ", and stands still"
	}
	return printable.Line(clock.Unsaved) + "; " + effect
}

// offsetText describes the difference between virtual and real time.
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

// nextText describes what is due next, relative to now.
func nextText(alarm *control.Alarm, cron *control.NextCron, now time.Time) string {
	switch {
	case cron != nil && (alarm == nil || cron.Due.Before(alarm.Due)):
		return fmt.Sprintf("cron %s in %s, at %s",
			cron.Cron, formatDuration(max(cron.Due.Sub(now), 0)), formatTime(cron.Due))
	case alarm != nil:
		return fmt.Sprintf("%s %s, at %s", alarm, dueIn(*alarm, now), formatTime(alarm.Due))
	}
	return "no alarm is set"
}

func timeSpeedCommand() *command {
	var q question
	return &command{
		name:    "speed",
		summary: "Let the clock run faster or slower than real time",
		about:   "A frozen clock stays frozen, and later runs at this rate. 1 is real time.",
		args:    []argument{{name: "RATE", usage: "how many times real time, such as 60 or 0.5"}},
		flags:   q.flags(),
		examples: []example{
			{"devtool time speed 60", "a minute each second"},
			{"devtool time speed 1", "as usual"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			rate, err := strconv.ParseFloat(args[0], 64)
			if err != nil || math.IsNaN(rate) || math.IsInf(rate, 0) {
				return misuse("write a number, like 60 or 0.5", "%q is not a rate", args[0])
			}
			return q.showTime(s, func(c *client.Client) (control.Time, error) { return c.Speed(ctx, rate) })
		},
	}
}

func timeResetCommand() *command {
	var q question
	var reset control.ResetRequest
	return &command{
		name:    "reset",
		summary: "Set the clock back to real time",
		about: `The clock then runs at real time, even if that is earlier. No other command can set it
back. Alarms keep the times that they were set for, so pending alarms need --force.`,
		flags: append(q.flags(), flag{name: "force", usage: "reset even if alarms are pending", target: &reset.Force}),
		examples: []example{
			{"devtool time reset", ""},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			return q.showTime(s, func(c *client.Client) (control.Time, error) { return c.ResetTime(ctx, reset) })
		},
	}
}
