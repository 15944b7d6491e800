package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
	"devtool.internal/internal/spelling"
)

// A selection holds the flags that select alarms. Without them, OBJECT arguments name the alarms'
// objects.
type selection struct {
	all       bool
	class     string
	dueBefore string
}

// filters returns the flags that narrow a list of alarms.
func (some *selection) filters() []flag {
	return []flag{
		{name: "class", value: "CLASS", target: &some.class,
			usage: "select the alarms of this class, or of the class of this binding"},
		{name: "due-before", value: "WHEN", target: &some.dueBefore,
			usage: "select the alarms due before this time: a duration from now such as 10s, a time or now"},
	}
}

// flags returns all flags of the selection. They select alarms in place of arguments.
func (some *selection) flags() []flag {
	return append([]flag{{name: "all", usage: "select all pending alarms", target: &some.all}}, some.filters()...)
}

// byFlags reports whether flags select the alarms.
func (some *selection) byFlags() bool { return some.all || some.class != "" || some.dueBefore != "" }

// check returns an error for bad arguments and flags, before anything is opened.
func (some *selection) check(named []string) error {
	if len(named) > 0 && some.byFlags() {
		return misuse("leave out one of them",
			"cannot combine OBJECT arguments with --all, --class or --due-before")
	}
	for _, object := range named {
		if _, err := parseObject(object); err != nil {
			return err
		}
	}
	if some.dueBefore == "" {
		return nil
	}
	_, err := parseWhen(some.dueBefore)
	return err
}

// needed is check for a command that needs arguments or flags.
func (some *selection) needed(path string, named []string) error {
	if len(named) == 0 && !some.byFlags() {
		return misuse(see("", path), "`%s` needs an OBJECT, or --all, --class or --due-before", path)
	}
	return some.check(named)
}

// A when is a point of virtual time, absolute or relative to the clock's now.
type when struct {
	at *time.Time    // nil if relative
	in time.Duration // from now, if relative
}

func parseWhen(s string) (when, error) {
	if s == "now" {
		return when{}, nil
	}
	if d, err := parseDuration(s); err == nil {
		if d < 0 {
			return when{}, misuse("write a time, or a duration like 10s", "%q is before the clock's now", s)
		}
		return when{in: d}, nil
	}
	if tooLong(s) {
		return when{}, notADuration("", s)
	}
	at, err := readTime(s)
	if errors.Is(err, errNotATime) {
		return when{}, misuse("write it like 10s, 1d12h, now, 2026-12-24 or 2026-12-24T18:00:00Z (UTC)",
			"%q is neither a time nor a duration", s)
	}
	return when{at: &at}, err
}

// relativeTo returns the time that w means if the clock stands at now.
func (w when) relativeTo(now time.Time) time.Time {
	if w.at != nil {
		return *w.at
	}
	return now.Add(w.in)
}

// selected is a list of all alarms, with the selected ones. Both are in the order in which the
// alarms are due.
type selected struct {
	control.Alarms
	before   time.Time // the value of --due-before
	selected []control.Alarm
}

// list returns the alarms that the flags select. The caller must have called check.
func (some *selection) list(ctx context.Context, from alarms) (selected, error) {
	pending, err := from.ListAlarms(ctx, control.AlarmsRequest{Class: some.class})
	if err != nil {
		return selected{}, err
	}
	list := selected{Alarms: pending, selected: pending.Alarms}
	if some.dueBefore != "" {
		w, err := parseWhen(some.dueBefore)
		if err != nil {
			return selected{}, err
		}
		list.before = w.relativeTo(pending.Now)
		late := func(a control.Alarm) bool { return !a.Due.Before(list.before) }
		list.selected = slices.DeleteFunc(slices.Clone(pending.Alarms), late)
	}
	return list, nil
}

// noAlarmsText says that the flags select no alarm, and which alarm is the first one.
func (some *selection) noAlarmsText(list selected) string {
	text := "no alarms are set"
	if some.class != "" {
		text += " for objects of " + some.class
	}
	if len(list.Alarms.Alarms) == 0 {
		return text
	}
	first := list.Alarms.Alarms[0]
	return fmt.Sprintf("no alarm is due before %s; the first one is that of %s, at %s",
		formatTime(list.before), first, formatTime(first.Due))
}

// find returns the alarms of the named objects or of the flags, in the order in which they are due.
// It is an error if a named object has no alarm.
func (some *selection) find(ctx context.Context, from alarms, named []string) (selected, error) {
	list, err := some.list(ctx, from)
	if err != nil || some.byFlags() {
		return list, err
	}
	position := make(map[string]int)
	for i, alarm := range list.Alarms.Alarms {
		position[alarm.ID] = i
	}
	list.selected = nil
	for _, object := range named {
		which, err := parseObject(object)
		if err != nil {
			return list, err
		}
		alarm, err := from.GetAlarm(ctx, which)
		if err != nil {
			return list, explainNoAlarm(ctx, from, object, err)
		}
		if !slices.ContainsFunc(list.selected, func(a control.Alarm) bool { return a.ID == alarm.ID }) {
			list.selected = append(list.selected, alarm.Alarm)
		}
	}
	slices.SortStableFunc(list.selected, func(a, b control.Alarm) int { return position[a.ID] - position[b.ID] })
	return list, nil
}

// maxNamed is how many objects with alarms an error names.
const maxNamed = 3

// explainNoAlarm adds a hint to the error for an object without an alarm: a similar name, or the
// objects that have one. Other errors are returned unchanged.
func explainNoAlarm(ctx context.Context, from alarms, object string, err error) error {
	var refused *control.Error
	if !errors.As(err, &refused) || refused.Code != control.CodeNoAlarm {
		return err
	}
	list, listErr := from.ListAlarms(ctx, control.AlarmsRequest{})
	if listErr != nil {
		return err
	}
	var names, objects []string
	for _, alarm := range list.Alarms {
		names = append(names, alarm.String())
		objects = append(objects, strings.TrimPrefix(alarm.String(), alarm.Class+"/"))
	}
	_, written, _ := strings.Cut(object, "/")
	explained := *refused
	switch meant := spelling.Closest(written, objects); {
	case meant != "":
		explained.Hint = "did you mean " + names[slices.Index(objects, meant)] +
			"? `devtool alarms list` shows all alarms"
	case len(names) == 0:
		explained.Hint = "no object has one; `devtool alarms set " + object + " 10s` sets it"
	case len(names) <= maxNamed:
		explained.Hint = "objects with an alarm: " + strings.Join(names, ", ")
	default:
		explained.Hint = fmt.Sprintf("objects with an alarm: %s and %d others, see `devtool alarms list`",
			strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
	}
	return &explained
}

// each calls do for one object after the other, and prints text of each result. A failure does not
// stop the others. With several objects, each failure is a line of its own.
func each[T any](
	ctx context.Context, s Streams, q question, objects []control.Object,
	do func(control.Object) (T, error), text func(T) string,
) error {
	failed := 0
	for _, object := range objects {
		result, err := do(object)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = q.printer(s).print(result, func(w io.Writer) { fmt.Fprintln(w, printable.Line(text(result))) })
			if err != nil {
				return err
			}
			continue
		}
		if len(objects) == 1 {
			return err
		}
		failed++
		report(s, err, q.json)
	}
	if failed > 0 {
		return failure("", "%d of %d alarms did not succeed", failed, len(objects))
	}
	return nil
}

// objectsOf returns the objects of alarms.
func objectsOf(list []control.Alarm) []control.Object {
	objects := make([]control.Object, len(list))
	for i, alarm := range list {
		objects[i] = alarm.Object
	}
	return objects
}
