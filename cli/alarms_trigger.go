package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

func alarmsTriggerCommand() *command {
	var q question
	var some selection
	return &command{
		name:    "trigger",
		summary: "Run alarms now, whenever they are due",
		about: `Without arguments and flags, runs the alarm that is due first. Several alarms run one
after the other, in the order in which they are due. The clock does not move. Needs a
running emulator, because the alarm's handler is in the program.
Exits with 1 if a handler did not succeed.`,
		args:  []argument{alarmArguments()},
		flags: append(some.flags(), q.flags()...),
		examples: []example{
			{"devtool alarms trigger", "the one due first"},
			{"devtool alarms trigger Batcher/default", "the one of an object"},
			{"devtool alarms trigger --due-before 1h", "all within the next hour"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			if err := some.check(args); err != nil {
				return err
			}
			client, err := q.client(s)
			if err != nil {
				return explainTrigger(err)
			}
			if len(args) == 0 && !some.byFlags() {
				return triggerOne(ctx, s, q, client, control.TriggerRequest{})
			}
			if len(args) == 1 {
				which, err := parseObject(args[0])
				if err != nil {
					return err
				}
				err = triggerOne(ctx, s, q, client, control.TriggerRequest(which))
				return explainNoAlarm(ctx, client, args[0], err)
			}
			list, err := some.find(ctx, client, args)
			switch {
			case err != nil:
				return err
			case len(list.selected) == 0:
				return printNoAlarms(s, q, &some, list)
			}
			return triggerSeveral(ctx, s, q, client, list.selected)
		},
	}
}

// explainTrigger adds a hint to the error that no emulator runs: why this command needs one, unlike
// the other commands for alarms.
func explainTrigger(err error) error {
	var refused *control.Error
	if !errors.As(err, &refused) || refused.Code != control.CodeNoEmulator {
		return err
	}
	explained := *refused
	explained.Hint = "an alarm's handler is in the program: start it with `devtool dev`"
	return &explained
}

// triggerOne runs one alarm, and shows the run and the object's next alarm.
func triggerOne(ctx context.Context, s Streams, q question, client *client.Client, which control.TriggerRequest) error {
	run, err := client.Trigger(ctx, which)
	if err != nil {
		return err
	}
	err = q.printer(s).print(run, func(w io.Writer) {
		table(w, firedHeader, firedRow(run.Fired))
		if run.Next == nil {
			fmt.Fprintln(w, "the object has no alarm now")
		} else {
			fmt.Fprintf(w, "its next alarm is due %s\n", dueIn(*run.Next, run.At))
		}
	})
	if err != nil || run.Outcome == control.OutcomeOK {
		return err
	}
	if run.Outcome == control.OutcomeDropped {
		return failure("", "the alarm of %s was not run", run.Object)
	}
	return failure("", "the alarm of %s failed: %s", run.Object, run.Error)
}

// triggerSeveral runs one alarm after the other, even if one fails. It always shows the runs, also
// after an error or an interrupt.
func triggerSeveral(ctx context.Context, s Streams, q question, client *client.Client, list []control.Alarm) error {
	rows := [][]string{firedHeader}
	failed := 0
	for _, alarm := range list {
		run, err := client.Trigger(ctx, control.TriggerRequest{Class: alarm.Class, ID: alarm.ID})
		if ctx.Err() != nil {
			break
		}
		if err != nil { // the alarm was deleted meanwhile, or is running
			failed++
			report(s, err, q.json)
			continue
		}
		if run.Outcome != control.OutcomeOK {
			failed++
		}
		rows = append(rows, firedRow(run.Fired))
		if q.json {
			if err := q.printer(s).print(run, nil); err != nil {
				return err
			}
		}
	}
	if !q.json && len(rows) > 1 {
		if err := q.printer(s).print(nil, func(w io.Writer) { table(w, rows...) }); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed > 0 {
		return failure("", "%d of %d alarms did not succeed", failed, len(list))
	}
	return nil
}

// firedHeader is the header of a table of runs, whose rows firedRow returns.
var firedHeader = []string{"TIME", "OBJECT", "OUTCOME", "DETAIL"}

func firedRow(f control.Fired) []string {
	return []string{formatTime(f.At), f.String(), f.Outcome, firedDetail(f)}
}

func firedDetail(f control.Fired) string {
	var parts []string
	if f.Error != "" {
		parts = append(parts, f.Error)
	}
	switch {
	case f.Outcome == control.OutcomeOK && f.Retry > 0:
		parts = append(parts, fmt.Sprintf("retry %d of %d", f.Retry, maxRetries))
	case f.RetryAt != nil:
		parts = append(parts, fmt.Sprintf("retry %d of %d in %s",
			f.Retry+1, maxRetries, formatDuration(f.RetryAt.Sub(f.At))))
	case f.Outcome == control.OutcomeFailed:
		parts = append(parts, "not run again")
	}
	return strings.Join(parts, "; ")
}
