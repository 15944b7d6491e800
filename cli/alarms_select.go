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
)

// A selection is the alarms that a command is about: those of the objects that are named, or
// those that the flags choose.
type selection struct {
	all       bool
	class     string
	dueBefore string
}

// filters are the flags that narrow a list, flags those that also take the place of
// arguments.
func (some *selection) filters() []flag {
	return []flag{
		{name: "class", value: "CLASS", target: &some.class,
			usage: "select those of this class, or of the class of this binding"},
		{name: "due-before", value: "WHEN", target: &some.dueBefore,
			usage: "select those due before a time, before a duration from now such as 10s, or before now"},
	}
}

func (some *selection) flags() []flag {
	return append([]flag{{name: "all", usage: "select all pending alarms", target: &some.all}}, some.filters()...)
}

// byFlags reports whether flags choose.
func (some *selection) byFlags() bool { return some.all || some.class != "" || some.dueBefore != "" }

// check refuses what makes no sense, before anything is opened.
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

// needed is check for a command that acts only on alarms that the line selects.
func (some *selection) needed(path string, named []string) error {
	if len(named) == 0 && !some.byFlags() {
		return misuse(see("", path), "`%s` needs an OBJECT, or --all, --class or --due-before", path)
	}
	return some.check(named)
}

// A when is a point of virtual time: one that is named, or one seen from the clock's now.
type when struct {
	at *time.Time
	in time.Duration
}

func parseWhen(s string) (when, error) {
	if s == "now" {
		return when{}, nil
	}
	if d, err := parseDuration(s); err == nil {
		if d < 0 {
			return when{}, misuse("write a time, or a duration like 10s", "%q lies before the clock's now", s)
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

// seenFrom is the time that w means when the clock stands at now.
func (w when) seenFrom(now time.Time) time.Time {
	if w.at != nil {
		return *w.at
	}
	return now.Add(w.in)
}

// selected is a list of alarms with those that were chosen, in the order in which they are due.
type selected struct {
	control.Alarms
	before   time.Time // what --due-before means
	selected []control.Alarm
}

// list returns the alarms that the flags choose. check has passed.
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
		list.before = w.seenFrom(pending.Now)
		late := func(a control.Alarm) bool { return !a.Due.Before(list.before) }
		list.selected = slices.DeleteFunc(slices.Clone(pending.Alarms), late)
	}
	return list, nil
}

// nothing says that the flags choose no alarm, and which there are instead.
func (some *selection) nothing(list selected) string {
	text := "no alarms are set"
	if some.class != "" {
		text += " for objects of " + some.class
	}
	if len(list.Alarms.Alarms) == 0 {
		return text
	}
	first := list.Alarms.Alarms[0]
	return fmt.Sprintf("no alarm is due before %s: the first is that of %s, at %s",
		formatTime(list.before), first, formatTime(first.Due))
}

// find returns the alarms of the objects that are named, or those that the flags choose, in
// the order in which they are due. It is an error if one that is named has none.
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

// maxNamed is how many alarms an error names.
const maxNamed = 3

// explainNoAlarm adds to the error that an object has no alarm which ones do.
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
	switch meant := closest(written, objects); {
	case meant != "":
		explained.Hint = "did you mean " + names[slices.Index(objects, meant)] +
			"? `devtool alarms list` shows all that are set"
	case len(names) == 0:
		explained.Hint = "no object has one; `devtool alarms set " + object + " 10s` sets it"
	case len(names) <= maxNamed:
		explained.Hint = "those that are set: " + strings.Join(names, ", ")
	default:
		explained.Hint = fmt.Sprintf("those that are set: %s and %d others, see `devtool alarms list`",
			strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
	}
	return &explained
}

// each does something with one alarm after the other, also when one of them fails, and shows
// what came of it. When several were meant, each failure is a line of its own.
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
			err = q.printer(s).print(result, func(w io.Writer) { fmt.Fprintln(w, oneLine(text(result))) })
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
		return failure("", "%d of %d did not succeed", failed, len(objects))
	}
	return nil
}

// objectsOf are the objects of alarms.
func objectsOf(list []control.Alarm) []control.Object {
	objects := make([]control.Object, len(list))
	for i, alarm := range list {
		objects[i] = alarm.Object
	}
	return objects
}
