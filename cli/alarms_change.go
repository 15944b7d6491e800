package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"devtool.internal/emulator/control"
)

func alarmsSetCommand() *command {
	var q objectsQuestion
	return &command{
		name:    "set",
		summary: "Set the alarm of an object, in place of any other",
		about: `As the object's own SetAlarm does: a time that has passed means now. The object is not
woken up; one that does not exist yet is made. A retry that was to come is forgotten.`,
		args: []argument{
			{name: "OBJECT", usage: "CLASS/NAME or CLASS/ID; several are possible", many: true},
			{name: "WHEN", usage: "10s from the clock's now, or a time such as 2026-12-24T18:00:00Z or 2026-12-24"},
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
					func(a control.AlarmDetails) string { return "set the alarm of " + whenText(a) })
			})
		},
	}
}

// whenText is whose an alarm is and when it is due.
func whenText(a control.AlarmDetails) string {
	return fmt.Sprintf("%s for %s, %s", a.Object, formatTime(a.Due), dueIn(a.Alarm, a.Now))
}

// alarmArguments name the objects whose alarms a command is about, unless flags choose them.
func alarmArguments() argument {
	return argument{name: "OBJECT", usage: "CLASS/NAME or CLASS/ID; several are possible", many: true, optional: true}
}

// change does something with the alarms that are named or chosen.
func change(ctx context.Context, s Streams, q *objectsQuestion, some *selection, named []string,
	do func(alarms, control.Object) (control.AlarmDetails, error), text func(control.AlarmDetails) string,
) error {
	return q.on(s, func(from objects) error {
		list, err := some.find(ctx, from, named)
		if err != nil {
			return err
		}
		if len(list.selected) == 0 {
			return sayNothing(s, q.question, some, list)
		}
		return each(ctx, s, q.question, objectsOf(list.selected),
			func(o control.Object) (control.AlarmDetails, error) { return do(from, o) }, text)
	})
}

// sayNothing tells people that the flags choose nothing. Programs see that nothing came.
func sayNothing(s Streams, q question, some *selection, list selected) error {
	if q.json {
		return nil
	}
	return q.printer(s).print(nil, func(w io.Writer) { fmt.Fprintln(w, oneLine(some.nothing(list))) })
}

func alarmsDeleteCommand() *command {
	var q objectsQuestion
	var some selection
	return &command{
		name:    "delete",
		summary: "Delete alarms, so that they do not run",
		about:   "With them go the retries of one that has failed; one that is running comes to its end.",
		args:    []argument{alarmArguments()},
		flags:   append(some.flags(), q.flags()...),
		examples: []example{
			{"devtool alarms delete Batcher/default", ""},
			{"devtool alarms delete --class Batcher", ""},
			{"devtool alarms delete --due-before now", "those that are overdue"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			if err := some.needed("devtool alarms delete", args); err != nil {
				return err
			}
			return change(ctx, s, &q, &some, args,
				func(from alarms, o control.Object) (control.AlarmDetails, error) { return from.DeleteAlarm(ctx, o) },
				func(a control.AlarmDetails) string { return "deleted the alarm of " + whenText(a) })
		},
	}
}

func alarmsSnoozeCommand() *command {
	var q objectsQuestion
	var some selection
	return &command{
		name:    "snooze",
		summary: "Set alarms to a later time",
		about: `Counted from when an alarm is due or, if that is past, from the clock's now. One that
has failed and waits for a retry starts again; one that is running is left alone, and is
an error.`,
		args:  []argument{alarmArguments(), {name: "DURATION", usage: "how much later, such as 10s, 1h30m or 2d"}},
		flags: append(some.flags(), q.flags()...),
		examples: []example{
			{"devtool alarms snooze Batcher/default 10m", ""},
			{"devtool alarms snooze --due-before now 1h", "those that are overdue"},
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
				func(a control.AlarmDetails) string { return "moved the alarm of " + whenText(a) })
		},
	}
}

func parseSnooze(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err != nil {
		return 0, notADuration("write a number and a unit, like 10s, 1h30m or 2d, after the objects", s)
	}
	if d <= 0 {
		return 0, misuse("`devtool alarms set` sets it to any time",
			"an alarm can only be moved to a later time, so not by %s", s)
	}
	return d, nil
}
