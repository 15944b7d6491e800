package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"devtool.internal/emulator/control"
)

func cronCommand() *command {
	return &command{
		name:    "cron",
		summary: "List the cron triggers, or run one now",
		about: "Cron triggers are the expressions of triggers.crons in the configuration. They run by\n" +
			"the emulator's clock, in UTC.",
		commands: []*command{cronListCommand(), cronTriggerCommand()},
		examples: []example{
			{"devtool cron list", ""},
			{`devtool cron trigger "*/5 * * * *"`, ""},
		},
	}
}

func cronListCommand() *command {
	var q question
	return &command{
		name:    "list",
		summary: "List the cron triggers and when they run next",
		flags:   q.flags(),
		examples: []example{
			{"devtool cron list", ""},
			{"devtool cron list --json", "for programs, with the next five times of each"},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			client, err := q.client(s)
			if err != nil {
				return err
			}
			crons, err := client.Crons(ctx)
			if err != nil {
				return err
			}
			return q.printer(s).print(crons, func(w io.Writer) { cronTable(w, crons) })
		},
	}
}

func cronTable(w io.Writer, crons control.Crons) {
	if len(crons.Crons) == 0 {
		fmt.Fprintln(w, "the configuration has no cron triggers")
		return
	}
	rows := [][]string{{"CRON", "NEXT", "IN", "THEN"}}
	for _, c := range crons.Crons {
		row := [...]string{c.Cron, "never", "", ""}
		if len(c.Next) > 0 {
			row[1], row[2] = formatTime(c.Next[0]), inText(c.Next[0].Sub(crons.Now))
		}
		if len(c.Next) > 1 {
			row[3] = formatTime(c.Next[1])
		}
		rows = append(rows, row[:])
	}
	table(w, rows...)
	if !crons.Handled {
		fmt.Fprintln(w, "\nthey do not run: the worker has no Scheduled handler")
	}
}

// cronText describes when a cron trigger runs next, relative to now.
func cronText(c control.Cron, now time.Time) string {
	if len(c.Next) == 0 {
		return c.Cron + " never"
	}
	return fmt.Sprintf("%s %s, at %s", c.Cron, inText(c.Next[0].Sub(now)), formatTime(c.Next[0]))
}

func cronTriggerCommand() *command {
	var q question
	var at string
	return &command{
		name:    "trigger",
		summary: "Run a cron trigger now, whenever it is due",
		about: "Without an argument, runs the trigger that is due first. The clock does not move, and the\n" +
			"trigger also runs at its own time. Exits with 1 if the handler did not succeed.",
		args: []argument{{name: "EXPR", usage: "expression of the configuration, in quotes", optional: true}},
		flags: append(q.flags(), flag{
			name: "time", value: "TIME", target: &at,
			usage: "scheduled time that the handler sees, such as 2026-12-24T18:00:00Z (default: now)",
		}),
		examples: []example{
			{"devtool cron trigger", "the one due first"},
			{`devtool cron trigger "0 0 1 * *" --time 2027-01-01`, "as if it were New Year"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			var which control.CronTriggerRequest
			if len(args) > 0 {
				which.Cron = args[0]
			}
			if at != "" {
				scheduled, err := parseTime(at)
				if err != nil {
					return err
				}
				which.Time = &scheduled
			}
			return cronTrigger(ctx, s, q, which)
		},
	}
}

func cronTrigger(ctx context.Context, s Streams, q question, which control.CronTriggerRequest) error {
	client, err := q.client(s)
	if err != nil {
		return err
	}
	run, err := client.TriggerCron(ctx, which)
	if err != nil {
		return err
	}
	err = q.printer(s).print(run, func(w io.Writer) { table(w, firedHeader, firedRow(run)) })
	switch {
	case err != nil || run.Outcome == control.OutcomeOK:
		return err
	case run.Outcome == control.OutcomeDropped:
		return failure("", "the cron trigger %s was not run: %s", run.Cron, run.Error)
	}
	return failure("", "the cron trigger %s failed: %s", run.Cron, run.Error)
}
