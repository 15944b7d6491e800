package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

// maxRetries is how often the platform retries a failed alarm.
const maxRetries = 6

// alarms is the part of objects that the commands for alarms use.
type alarms interface {
	ListAlarms(context.Context, control.AlarmsRequest) (control.Alarms, error)
	GetAlarm(context.Context, control.Object) (control.AlarmDetails, error)
	SetAlarm(context.Context, control.Object, control.SetAlarmRequest) (control.AlarmDetails, error)
	DeleteAlarm(context.Context, control.Object) (control.AlarmDetails, error)
	SnoozeAlarm(context.Context, control.Object, control.SnoozeRequest) (control.AlarmDetails, error)
}

func alarmsCommand() *command {
	return &command{
		name:    "alarms",
		summary: "List the pending alarms, and run, set, move or delete them",
		about: `Only trigger wakes an object, and needs a running emulator. The others work on the
files if no emulator runs.`,
		commands: []*command{
			alarmsListCommand(),
			alarmsGetCommand(),
			alarmsSetCommand(),
			alarmsDeleteCommand(),
			alarmsTriggerCommand(),
			alarmsSnoozeCommand(),
		},
		examples: []example{
			{"devtool alarms list", ""},
			{"devtool alarms trigger Batcher/default", ""},
			{"devtool alarms set Batcher/default 10s", ""},
			{"devtool alarms delete --all", ""},
		},
	}
}

func alarmsListCommand() *command {
	var q objectsQuestion
	var some selection
	return &command{
		name:    "list",
		summary: "List the pending alarms, the one due first on top",
		flags:   append(some.filters(), q.flags()...),
		examples: []example{
			{"devtool alarms list", ""},
			{"devtool alarms list --class Batcher --due-before 1h", "within the next hour"},
			{"devtool alarms list --json", "for programs"},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			if err := some.check(nil); err != nil {
				return err
			}
			return q.on(s, func(from objects) error {
				pending, err := some.list(ctx, from)
				if err != nil {
					return err
				}
				shown := control.Alarms{Now: pending.Now, Alarms: pending.selected}
				return q.printer(s).print(shown, func(w io.Writer) {
					if len(pending.selected) == 0 {
						fmt.Fprintln(w, printable.Line(some.noAlarmsText(pending)))
						return
					}
					rows := [][]string{{"OBJECT", "DUE", "IN", "RETRY"}}
					for _, alarm := range pending.selected {
						due := dueIn(alarm, pending.Now)
						rows = append(rows, []string{alarm.String(), formatTime(alarm.Due), due, retryText(alarm)})
					}
					table(w, rows...)
				})
			})
		},
	}
}

// retryText returns the number of an alarm's retry, or nothing for the first try.
func retryText(alarm control.Alarm) string {
	if alarm.Retry == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", alarm.Retry, maxRetries)
}

// dueIn describes when an alarm runs, relative to now.
func dueIn(alarm control.Alarm, now time.Time) string {
	if alarm.Running {
		return "running"
	}
	text := inText(alarm.Due.Sub(now))
	if alarm.Held {
		text += ", held"
	}
	return text
}

// inText describes when something is due, with the time that is left.
func inText(left time.Duration) string {
	if left < 0 {
		return "overdue " + formatDuration(-left)
	}
	return "in " + formatDuration(left)
}

func alarmsGetCommand() *command {
	var q objectsQuestion
	return &command{
		name:    "get",
		summary: "Show the alarm of an object",
		about:   "Exits with 1 if it has none.",
		args:    []argument{objectArgument()},
		flags:   q.flags(),
		examples: []example{
			{"devtool alarms get Batcher/default", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			which, err := parseObject(args[0])
			if err != nil {
				return err
			}
			return q.on(s, func(from objects) error {
				alarm, err := from.GetAlarm(ctx, which)
				if err != nil {
					return explainNoAlarm(ctx, from, args[0], err)
				}
				return q.printer(s).print(alarm, func(w io.Writer) {
					rows := [][]string{
						{"object", alarm.String()},
						{"id", alarm.ID},
						{"due", formatTime(alarm.Due) + ", " + dueIn(alarm.Alarm, alarm.Now)},
					}
					if !alarm.Scheduled.Equal(alarm.Due) {
						rows = append(rows, []string{"set for", formatTime(alarm.Scheduled)})
					}
					if alarm.Retry > 0 {
						rows = append(rows, []string{"retry", retryText(alarm.Alarm)})
					}
					table(w, rows...)
				})
			})
		},
	}
}

// parseObject parses CLASS/NAME or CLASS/ID. A name may contain slashes.
func parseObject(s string) (control.Object, error) {
	class, object, _ := strings.Cut(s, "/")
	if class == "" || object == "" {
		return control.Object{}, misuse("write it like Batcher/default; `devtool objects list` shows all objects",
			"%q is not an object: CLASS/NAME or CLASS/ID", s)
	}
	if !utf8.ValidString(s) {
		return control.Object{}, misuse("name such an object by its ID: `devtool objects list` shows it",
			"%q is not UTF-8 text", s)
	}
	return control.Written(class, object), nil
}
