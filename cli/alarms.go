package cli

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"devtool/emulator/control"
)

// maxRetries is how often the platform runs a failed alarm again.
const maxRetries = 6

func alarmsCommand() *command {
	return &command{
		name:     "alarms",
		summary:  "List the pending alarms, or run one now",
		commands: []*command{alarmsListCommand(), alarmsTriggerCommand()},
		examples: []example{
			{"devtool alarms list", ""},
			{"devtool alarms trigger Batcher/default", ""},
		},
	}
}

func alarmsListCommand() *command {
	var q question
	return &command{
		name:    "list",
		summary: "List the pending alarms, the one due first on top",
		flags:   q.flags(),
		examples: []example{
			{"devtool alarms list", ""},
			{"devtool alarms list --json", "for programs"},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			return alarmsList(ctx, s, q)
		},
	}
}

func alarmsList(ctx context.Context, s Streams, q question) error {
	client, err := q.client(s)
	if err != nil {
		return err
	}
	pending, err := client.Alarms(ctx)
	if err != nil {
		return err
	}
	return q.printer(s).print(pending, func(w io.Writer) {
		if len(pending.Alarms) == 0 {
			fmt.Fprintln(w, "no alarms are set")
			return
		}
		rows := [][]string{{"OBJECT", "DUE", "IN", "RETRY"}}
		for _, alarm := range pending.Alarms {
			retry := ""
			if alarm.Retry > 0 {
				retry = fmt.Sprintf("%d of %d", alarm.Retry, maxRetries)
			}
			rows = append(rows, []string{alarm.String(), formatTime(alarm.Due), dueIn(alarm, pending.Now), retry})
		}
		table(w, rows...)
	})
}

// dueIn is when an alarm runs, seen from now.
func dueIn(alarm control.Alarm, now time.Time) string {
	switch left := alarm.Due.Sub(now); {
	case alarm.Running:
		return "running"
	case left < 0:
		return "overdue " + formatDuration(-left)
	default:
		return "in " + formatDuration(left)
	}
}

func alarmsTriggerCommand() *command {
	var q question
	return &command{
		name:    "trigger",
		summary: "Run an alarm now, whenever it is due",
		about: "Without an argument it is the alarm that is due first. The clock stays where it is.\n" +
			"Exits with 1 when the alarm's handler did not succeed.",
		args:  []argument{{name: "OBJECT", usage: "CLASS/NAME or CLASS/ID", optional: true}},
		flags: q.flags(),
		examples: []example{
			{"devtool alarms trigger", "the one due first"},
			{"devtool alarms trigger Batcher/default", "that of an object"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			var which control.TriggerRequest
			if len(args) > 0 {
				var err error
				if which, err = parseObject(args[0]); err != nil {
					return err
				}
			}
			return alarmsTrigger(ctx, s, q, which)
		},
	}
}

// parseObject reads CLASS/NAME or CLASS/ID. A name may hold slashes; 64
// hexadecimal digits are an id.
func parseObject(s string) (control.TriggerRequest, error) {
	class, object, _ := strings.Cut(s, "/")
	if class == "" || object == "" {
		return control.TriggerRequest{}, misuse("write it like Batcher/default; `devtool alarms list` shows which there are",
			"%q is not an object: CLASS/NAME or CLASS/ID", s)
	}
	if id, err := hex.DecodeString(object); err == nil && len(id) == 32 {
		return control.TriggerRequest{Class: class, ID: strings.ToLower(object)}, nil
	}
	return control.TriggerRequest{Class: class, Name: object}, nil
}

func alarmsTrigger(ctx context.Context, s Streams, q question, which control.TriggerRequest) error {
	client, err := q.client(s)
	if err != nil {
		return err
	}
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

// firedHeader is the header of a table of runs, and firedRow a row.
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
		parts = append(parts, fmt.Sprintf("retry %d of %d in %s", f.Retry+1, maxRetries, formatDuration(f.RetryAt.Sub(f.At))))
	case f.Outcome == control.OutcomeFailed:
		parts = append(parts, "not run again")
	}
	return strings.Join(parts, "; ")
}
