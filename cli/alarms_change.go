package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

func alarmsSetCommand() *command {
	var q objectsQuestion
	return &command{
		name:    "set",
		summary: "Set the alarm of an object, in place of any other",
		about: `Works as the object's own SetAlarm does: a time in the past means now. The object does
not wake. An object that does not exist is created. A pending retry is dropped.`,
		args: []argument{
			{name: "OBJECT", usage: objectUsage + "; several are possible", many: true},
			{name: "WHEN", usage: "time from the clock's now, such as 10s, or time such as 2026-12-24T18:00:00Z"},
		},
		flags: q.flags(),
		examples: []example{
			{"devtool alarms set Batcher/default 10s", ""},
			{"devtool alarms set Reminder/alice Reminder/bob 2026-12-24T18:00:00Z", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			args, last := args[:len(args)-1], args[len(args)-1]
			w, err := parseWhen(last)
			if err != nil {
				return err
			}
			request := control.SetAlarmRequest{At: w.at}
			if w.at == nil {
				request.In = w.in.String()
			}
			var named []control.Object
			for _, arg := range args {
				which, err := parseObject(arg)
				if err != nil {
					return err
				}
				named = append(named, which)
			}
			return q.on(s, func(from objects) error {
				return each(ctx, s, q.question, named,
					func(o control.Object) (control.AlarmDetails, error) { return from.SetAlarm(ctx, o, request) },
					func(a control.AlarmDetails) string {
						return fmt.Sprintf("set the alarm of %s for %s", a.Object, dueText(a))
					})
			})
		},
	}
}

// dueText describes when an alarm is due, as a time and relative to now.
func dueText(a control.AlarmDetails) string {
	return formatTime(a.Due) + ", " + dueIn(a.Alarm, a.Now)
}

// alarmArguments is the argument that names the objects of alarms, unless flags select them.
func alarmArguments() argument {
	return argument{name: "OBJECT", usage: objectUsage + "; several are possible", many: true, optional: true}
}

// change calls do for the object of each named or selected alarm, and prints text of each result.
func change(ctx context.Context, s Streams, q *objectsQuestion, some *selection, named []string,
	do func(alarms, control.Object) (control.AlarmDetails, error), text func(control.AlarmDetails) string,
) error {
	return q.on(s, func(from objects) error {
		list, err := some.find(ctx, from, named)
		if err != nil {
			return err
		}
		if len(list.selected) == 0 {
			return printNoAlarms(s, q.question, some, list)
		}
		return each(ctx, s, q.question, objectsOf(list.selected),
			func(o control.Object) (control.AlarmDetails, error) { return do(from, o) }, text)
	})
}

// printNoAlarms prints that the flags select no alarm. With --json it prints nothing.
func printNoAlarms(s Streams, q question, some *selection, list selected) error {
	if q.json {
		return nil
	}
	return q.printer(s).print(nil, func(w io.Writer) { fmt.Fprintln(w, printable.Line(some.noAlarmsText(list))) })
}

func alarmsDeleteCommand() *command {
	var q objectsQuestion
	var some selection
	return &command{
		name:    "delete",
		summary: "Delete alarms, so that they do not run",
		about:   "A failed alarm is not retried then. A running alarm finishes.",
		args:    []argument{alarmArguments()},
		flags:   append(some.flags(), q.flags()...),
		examples: []example{
			{"devtool alarms delete Batcher/default", ""},
			{"devtool alarms delete --class Batcher", ""},
			{"devtool alarms delete --due-before now", "the overdue ones"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			if err := some.needed("devtool alarms delete", args); err != nil {
				return err
			}
			return change(ctx, s, &q, &some, args,
				func(from alarms, o control.Object) (control.AlarmDetails, error) { return from.DeleteAlarm(ctx, o) },
				func(a control.AlarmDetails) string {
					return fmt.Sprintf("deleted the alarm of %s for %s", a.Object, dueText(a))
				})
		},
	}
}

func alarmsSnoozeCommand() *command {
	var q objectsQuestion
	var some selection
	return &command{
		name:    "snooze",
		summary: "Set alarms to a later time",
		about: `The duration counts from the time when an alarm is due or, if that is past, from the
clock's now. A failed alarm that waits for a retry counts as a new one. A running alarm
is an error, and goes on.`,
		args:  []argument{alarmArguments(), {name: "DURATION", usage: "how much later, such as 10s, 1h30m or 2d"}},
		flags: append(some.flags(), q.flags()...),
		examples: []example{
			{"devtool alarms snooze Batcher/default 10m", ""},
			{"devtool alarms snooze --due-before now 1h", "the overdue ones"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			args, last := args[:len(args)-1], args[len(args)-1]
			d, err := parseSnooze(last)
			if err != nil {
				return err
			}
			if err := some.needed("devtool alarms snooze", args); err != nil {
				return err
			}
			return change(ctx, s, &q, &some, args,
				func(from alarms, o control.Object) (control.AlarmDetails, error) {
					return from.SnoozeAlarm(ctx, o, control.SnoozeRequest{By: d.String()})
				},
				func(a control.AlarmDetails) string {
					return fmt.Sprintf("moved the alarm of %s to %s", a.Object, dueText(a))
				})
		},
	}
}

func parseSnooze(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err != nil {
		return 0, notADuration("write a number and a unit, like 10s, 1h30m or 2d, after the objects", s)
	}
	if d <= 0 {
		return 0, misuse("`devtool alarms set` can set any time",
			"an alarm can only be moved to a later time, so not by %s", s)
	}
	return d, nil
}
