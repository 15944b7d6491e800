package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

// screenFacts is the content of the start screen besides the configuration.
type screenFacts struct {
	status control.Status
	time   control.Time
	crons  []control.Cron
	held   []control.Alarm
	ending string // how to end the command
	// unserved says why no version of the program serves, or is nil.
	unserved *control.Failure
}

// startScreen shows the worker, its bindings, its state and its URL, in lines of that width.
func startScreen(w io.Writer, c *config.Config, facts screenFacts, dir string, width int) {
	status, now := facts.status, facts.time
	title := fmt.Sprintf("devtool %s, worker %s", status.Version, status.Worker)
	fmt.Fprintf(w, "%s\n%s\n\n", title, strings.Repeat("─", min(utf8.RuneCountInString(title), max(width-1, 1))))
	rows := resources(c)
	if len(rows) > 1 {
		fitted(w, rows, width)
		fmt.Fprintln(w)
	}
	state := status.State
	if rel, err := filepath.Rel(dir, state); err == nil && len(rel) < len(state) {
		state = rel
	}
	rows = [][]string{
		{"state", state},
		{"clock", clockText(now) + " at " + formatTime(now.Now) + ", " + offsetText(now.Offset)},
	}
	if now.Mode == control.Frozen {
		rows = append(rows, []string{"", "`devtool time resume` lets it run"})
	}
	rows = append(rows, []string{"next", nextText(now.Next, now.NextCron, now.Now)})
	for _, c := range facts.crons {
		rows = append(rows, []string{"cron", cronText(c, now.Now)})
	}
	table(w, rows...)
	heldAlarms(w, facts.held, now.Now)
	if facts.unserved != nil {
		fmt.Fprintf(w, "\nListening on %s, with nothing to serve yet (%s)\n", status.URL, facts.ending)
		return
	}
	fmt.Fprintf(w, "\nReady on %s (%s)\n", status.URL, facts.ending)
}

// fitted writes a table of bindings. If the table is wider than width, each value gets a line of
// its own.
func fitted(w io.Writer, rows [][]string, width int) {
	var b strings.Builder
	table(&b, rows...)
	text := b.String()
	tooWide := func(line string) bool { return utf8.RuneCountInString(line) > width }
	if !slices.ContainsFunc(strings.Split(text, "\n"), tooWide) {
		io.WriteString(w, text) //nolint:errcheck // the printer's buffer does not fail
		return
	}
	narrow, values := make([][]string, len(rows)), make([]string, len(rows))
	for i, row := range rows {
		name, value, _ := strings.Cut(row[0], " (")
		narrow[i], values[i] = append([]string{name}, row[1:]...), strings.TrimSuffix(value, ")")
	}
	b.Reset()
	table(&b, narrow...)
	for line := range strings.Lines(b.String()) {
		io.WriteString(w, line) //nolint:errcheck // as above
		if values[0] != "" {
			fmt.Fprintln(w, " ", printable.Line(values[0]))
		}
		values = values[1:]
	}
}

// maxHeld is how many of the held alarms the start screen shows.
const maxHeld = 10

// heldAlarms shows the missed alarms that are held, and the commands that decide about them.
func heldAlarms(w io.Writer, held []control.Alarm, now time.Time) {
	if len(held) == 0 {
		return
	}
	fmt.Fprintf(w, "\nHeld alarms, which came due while no emulator ran:\n")
	var rows [][]string
	for _, alarm := range held[:min(len(held), maxHeld)] {
		rows = append(rows, []string{"  " + alarm.String(), formatTime(alarm.Due), inText(alarm.Due.Sub(now))})
	}
	table(w, rows...)
	if more := len(held) - maxHeld; more > 0 {
		fmt.Fprintf(w, "  and %d more: `devtool alarms list --due-before now`\n", more)
	}
	fmt.Fprintln(w, "They run when a command moves the clock. Or decide now about them, or some of them:")
	table(w,
		[]string{"  devtool alarms trigger --due-before now", "run them now"},
		[]string{"  devtool alarms snooze --due-before now 1h", "run them later"},
		[]string{"  devtool alarms delete --due-before now", "drop them"},
	)
}

// resources returns the rows of the table of bindings. It includes classes without a binding,
// because their objects exist all the same.
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
			shown, what = "hidden", what+" from "+v.From // it may be a secret
		}
		rows = append(rows, []string{"env." + v.Name + " (" + abridge(shown, widestVariable) + ")", what})
	}
	return rows
}

// widestVariable is how many characters of a variable the start screen shows.
const widestVariable = 40
