package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

// A moving holds the options of the commands that move the clock.
type moving struct {
	question
	request control.AdvanceRequest
}

func (m *moving) flags() []flag {
	return append(m.question.flags(),
		flag{name: "max-runs", value: "N", target: &m.request.MaxRuns,
			usage: "stop after so many runs (default: 1,000,000)"},
		flag{name: "max-standing", value: "N", target: &m.request.MaxStanding,
			usage: "stop when so many follow each other without time moving (default: 1,000)"},
		flag{name: "max-step", value: "DURATION", target: &m.request.MaxStep,
			usage: "stop when a step takes that long in real time (default: 30s)"},
	)
}

const aboutMoving = "Exits with 1 when an alarm failed for good, or when the clock had to stop before the end.\n" +
	"Ctrl-C stops it after what runs at the moment; nothing is lost."

func timeAdvanceCommand() *command {
	var m moving
	var to string
	return &command{
		name:    "advance",
		summary: "Move the clock on and run what comes due on the way",
		about:   "Each thing runs with the clock at its own time.\n" + aboutMoving,
		args: []argument{{name: "DURATION", optional: true,
			usage: "such as 10s, 1h30m, 2d or 1d12h; 0s runs just what is overdue"}},
		flags: append(m.flags(), flag{name: "to", value: "TIME", target: &to,
			usage: "move to that time instead, such as 2026-12-24T18:00:00Z"}),
		examples: []example{
			{"devtool time advance 10s", ""},
			{"devtool time advance --to 2026-12-24", ""},
			{"devtool time advance 1d12h --json", "for programs"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			switch {
			case len(args) > 0 && to != "":
				return misuse("give one of the two", "both DURATION and --to say how far to go")
			case to != "":
				at, err := parseTime(to)
				if err != nil {
					return err
				}
				m.request.To = &at
			case len(args) > 0:
				d, err := parseAdvance(args[0])
				if err != nil {
					return err
				}
				m.request.Duration = d.String()
			default:
				return misuse("See `devtool time advance --help`", "`devtool time advance` needs an argument: DURATION")
			}
			return m.move(ctx, s)
		},
	}
}

func timeNextCommand() *command {
	var m moving
	return &command{
		name:    "next",
		summary: "Move the clock to what is due next, and run that",
		about:   "That may be an alarm, a retry, a cron trigger or a handler that sleeps.\n" + aboutMoving,
		flags:   m.flags(),
		examples: []example{
			{"devtool time next", ""},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			m.request.Next = true
			return m.move(ctx, s)
		},
	}
}

func timeJumpCommand() *command {
	var m moving
	return &command{
		name:    "jump",
		summary: "Let the clock leap, as if the machine had slept",
		about: "Whatever came due on the way runs late, when the clock is there, as after a closed laptop.\n" +
			aboutMoving,
		args:  []argument{{name: "DURATION", usage: "such as 2h or 3d"}},
		flags: m.flags(),
		examples: []example{
			{"devtool time jump 8h", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			d, err := parseAdvance(args[0])
			if err != nil {
				return err
			}
			m.request.Duration, m.request.Jump = d.String(), true
			return m.move(ctx, s)
		},
	}
}

func timeSetCommand() *command {
	var m moving
	return &command{
		name:    "set",
		summary: "Let the clock leap to a time",
		about: "Like jump: whatever came due on the way runs when the clock is there. The clock cannot go\n" +
			"back, except with `devtool time reset`. A new state (--persist-to) begins at real time.\n" + aboutMoving,
		args: []argument{{name: "TIME",
			usage: "such as 2026-12-24, 2026-12-24T18:00 or 2026-12-24T18:00:00.000Z, in UTC"}},
		flags: m.flags(),
		examples: []example{
			{"devtool time set 2027-01-01", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			at, err := parseTime(args[0])
			if err != nil {
				return err
			}
			m.request.To, m.request.Jump = &at, true
			return m.move(ctx, s)
		},
	}
}

func parseAdvance(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err != nil {
		return 0, notADuration("write a number and a unit, like 10s, 1h30m or 2d", s)
	}
	if d < 0 {
		return 0, misuse("give a duration that is not negative, like 10s", "the clock cannot go back, so not by %s", s)
	}
	return d, nil
}

// checkLimits returns an error for bad limits, and converts the others to the emulator's format.
func (m *moving) checkLimits() error {
	if n := m.request.MaxRuns; n < 0 {
		return misuse("", "--max-runs is %d: it can't be negative", n)
	}
	if n := m.request.MaxStanding; n < 0 {
		return misuse("", "--max-standing is %d: it can't be negative", n)
	}
	if m.request.MaxStep == "" {
		return nil
	}
	step, err := parseDuration(m.request.MaxStep)
	if err != nil {
		return notADuration("write it like --max-step 90s", m.request.MaxStep)
	}
	if step < 0 {
		return misuse("", "--max-step is %s: it can't be negative", m.request.MaxStep)
	}
	m.request.MaxStep = step.String()
	return nil
}

// move moves the clock, and shows what runs as it runs.
func (m *moving) move(ctx context.Context, s Streams) error {
	if err := m.checkLimits(); err != nil {
		return err
	}
	client, err := m.client(s)
	if err != nil {
		return err
	}
	shown := &movePrinter{out: s.Out}
	if s.IsTerminal(s.Out) {
		shown.terminal = raw(s.Out)
	}
	var show mover = shown
	if m.json {
		show = jsonMover{json.NewEncoder(s.Out)}
	}
	advanced, err := client.Advance(ctx, m.request, show.event)
	if err != nil {
		return err
	}
	show.end(advanced)
	switch {
	case advanced.Stopped != "" && ctx.Err() != nil:
		return failure("`devtool time advance` goes on from there",
			"interrupted; the clock stands at %s", formatTime(advanced.To))
	case advanced.Stopped != "":
		hint := "`devtool time advance` goes on from there"
		if advanced.StoppedBy.Limit() {
			hint += "; the limits are --max-runs, --max-standing and --max-step"
		}
		return failure(hint, "the clock stopped at %s: %s", formatTime(advanced.To), advanced.Stopped)
	case advanced.Failed > 0:
		return failure("the log of `devtool dev` shows what they did",
			"runs failed for good: %d of %d", advanced.Failed, advanced.Ran)
	}
	return nil
}

// A mover shows a move of the clock.
type mover interface {
	event(control.AdvanceEvent)
	end(control.Advanced)
}

// A jsonMover writes a line of JSON for each run, and one for the end.
type jsonMover struct{ lines *json.Encoder }

func (j jsonMover) event(e control.AdvanceEvent) {
	if e.Fired != nil {
		j.lines.Encode(e) //nolint:errcheck // nobody reads it any more; the clock goes on
	}
}

func (j jsonMover) end(a control.Advanced) {
	j.lines.Encode(control.AdvanceEvent{Advanced: &a}) //nolint:errcheck // as above
}

// A movePrinter writes a table whose rows come one by one. It holds the first rows back for a
// moment, to know the widths of the columns.
type movePrinter struct {
	out      io.Writer
	terminal io.Writer // shows the progress of a long advance; nil if out is no terminal

	kept   [][]string // rows that were not yet written
	begun  bool       // the header was written
	widths []int      // of the columns, from then on
	ran    int
	status bool // a line that says how far it has got stands at the end
}

// keptRows is how many rows are held back at first.
const keptRows = 20

func (p *movePrinter) event(e control.AdvanceEvent) {
	switch {
	case e.Fired != nil:
		p.ran++
		p.kept = append(p.kept, firedRow(*e.Fired))
		if p.begun || len(p.kept) >= keptRows {
			p.flush()
		}
	case e.Progress != nil:
		p.flush()
		if p.terminal != nil {
			fmt.Fprintf(p.terminal, "\r\x1b[K%s, %d runs so far", formatTime(e.Progress.Now), e.Progress.Ran)
			p.status = true
		}
	}
}

// flush writes the rows that were held back.
func (p *movePrinter) flush() {
	if p.status {
		fmt.Fprint(p.terminal, "\r\x1b[K")
		p.status = false
	}
	if len(p.kept) == 0 {
		return
	}
	rows := p.kept
	p.kept = nil
	if !p.begun {
		p.begun = true
		rows = append([][]string{firedHeader}, rows...)
		p.widths = make([]int, len(firedHeader))
		for _, row := range rows {
			for i, cell := range row {
				p.widths[i] = max(p.widths[i], len([]rune(printable.Line(cell))))
			}
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "%-*s  ", p.widths[i], printable.Line(cell))
		}
		fmt.Fprintln(p.out, strings.TrimRight(line.String(), " "))
	}
}

func (p *movePrinter) end(a control.Advanced) {
	p.flush()
	if p.ran == 0 {
		fmt.Fprintln(p.out, "nothing came due")
	}
	fmt.Fprintln(p.out)
	table(p.out,
		[]string{"now", fmt.Sprintf("%s, %s on", formatTime(a.To), formatDuration(a.To.Sub(a.From)))},
		[]string{"clock", a.Mode},
		[]string{"next", nextText(a.Next, a.NextCron, a.To)},
	)
}
