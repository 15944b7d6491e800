package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"devtool/config"
	"devtool/emulator"
	"devtool/emulator/control"
)

// startScreen tells what is served, with what, and where.
func startScreen(w io.Writer, c *config.Config, e *emulator.Emulator, dir string) {
	status, now := e.Status(), e.Time()
	fmt.Fprintf(w, "devtool %s, worker %s\n\n", status.Version, status.Worker)
	rows := resources(c)
	if len(rows) > 1 {
		table(w, rows...)
		fmt.Fprintln(w)
	}
	state := status.State
	if rel, err := filepath.Rel(dir, state); err == nil && len(rel) < len(state) {
		state = rel
	}
	rows = [][]string{
		{"state", state},
		{"clock", now.Mode + " at " + formatTime(now.Now) + ", " + offsetText(now.Offset)},
		{"next", nextText(now.Next, now.NextCron, now.Now)},
	}
	for _, c := range e.Crons().Crons {
		rows = append(rows, []string{"cron", cronText(c, now.Now)})
	}
	table(w, rows...)
	heldAlarms(w, e.Held(), now.Now)
	fmt.Fprintf(w, "\nReady on %s (Ctrl-C ends)\n", status.URL)
}

// maxHeld is how many of the held alarms the start screen shows.
const maxHeld = 10

// heldAlarms asks what is to become of the alarms that were missed and are held.
func heldAlarms(w io.Writer, held []control.Alarm, now time.Time) {
	if len(held) == 0 {
		return
	}
	fmt.Fprintf(w, "\nHeld alarms, which fell due while nothing ran:\n")
	var rows [][]string
	for _, alarm := range held[:min(len(held), maxHeld)] {
		rows = append(rows, []string{"  " + alarm.String(), formatTime(alarm.Due), inText(alarm.Due.Sub(now))})
	}
	table(w, rows...)
	if more := len(held) - maxHeld; more > 0 {
		fmt.Fprintf(w, "  and %d more: `devtool alarms list --due-before now`\n", more)
	}
	fmt.Fprintln(w, "They run when the clock is moved by hand. Or decide about them, or some of them:")
	table(w,
		[]string{"  devtool alarms trigger --due-before now", "run them now"},
		[]string{"  devtool alarms snooze --due-before now 1h", "run them later"},
		[]string{"  devtool alarms delete --due-before now", "forget them"},
	)
}

// resources are the rows of the table of what handlers find in their environment, and of
// the classes that they don't find there: their objects exist all the same.
func resources(c *config.Config) [][]string {
	rows := [][]string{{"Binding", "Resource"}}
	bound := make(map[string]bool)
	for _, b := range c.DurableObjects {
		what := b.ClassName
		if c.Owns(b) {
			bound[b.ClassName] = true
		} else {
			what += ", defined in " + b.ScriptName + " (not emulated)"
		}
		rows = append(rows, []string{"env." + b.Name + " (" + what + ")", "Durable Object"})
	}
	for _, class := range c.Classes() {
		if !bound[class] {
			rows = append(rows, []string{"no binding (" + class + ")", "Durable Object"})
		}
	}
	for _, b := range c.Others {
		rows = append(rows, []string{"env." + b.Name + " (not emulated)", b.Kind})
	}
	for _, v := range c.Vars {
		shown := strconv.Quote(v.Value)
		if v.JSON {
			shown = v.Value
		}
		what := "Variable"
		if v.From != "" {
			shown, what = "(hidden)", what+" from "+v.From // it may be a secret
		}
		rows = append(rows, []string{"env." + v.Name + " (" + abridge(shown, widestVariable) + ")", what})
	}
	return rows
}

// widestVariable is how many characters of a variable the start screen shows.
const widestVariable = 40
