package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/world"
)

// stuckAfter is how long a handler may ask for nothing before the log names it. stackTimeout is how
// long its program may take to return a stack. Both are real time: the clock may stand still and
// wait for that very handler.
const (
	stuckAfter   = 10 * time.Second
	stackTimeout = 2 * time.Second
)

// maxStack is how many bytes of a stack are shown.
const maxStack = 256 << 10

// looksUntilStuck is how often the watchdog looks within stuckAfter.
const looksUntilStuck = 4

// A watchdog finds the stuck handlers of a program: they keep their object's turn, or leave their
// request unanswered, and wait for nothing that the emulator knows of. It logs their names and
// stacks. It does not end them, because they may be in a debugger, or only slow.
//
// It looks at all running events at intervals, and compares. So an event costs only a few counters,
// and time in which a laptop sleeps does not count.
type watchdog struct {
	p       *Program
	log     *slog.Logger
	every   time.Duration // between two looks
	timeout time.Duration // for a stack

	sightings map[*world.Event]*sighting
	circles   map[*world.Event]bool // events that wait for themselves and have been logged
}

// A sighting is about an event whose handler was seen on its own (see world.Event.OnItsOwn).
type sighting struct {
	operations int64         // that the handler had asked for
	lasts      time.Duration // since when it has asked for nothing more
	next       time.Duration // the value of lasts at which it is logged again
}

func newWatchdog(p *Program, after time.Duration) *watchdog {
	return &watchdog{
		p:         p,
		log:       p.host.Log,
		every:     after / looksUntilStuck,
		timeout:   stackTimeout,
		sightings: make(map[*world.Event]*sighting),
		circles:   make(map[*world.Event]bool),
	}
}

// run looks at intervals until the program's connection is gone.
func (d *watchdog) run() {
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.look()
		case <-d.p.conn.Done():
			return
		}
	}
}

// look compares the running events with what it saw the last time. While a debugger stops the
// program it does nothing, so that time does not count.
func (d *watchdog) look() {
	if d.p.Attached() && !d.p.pulse.beats() {
		return
	}
	events := d.p.w.RunningIn(d.p)
	running := make(map[*world.Event]bool, len(events))
	for _, ev := range events {
		running[ev] = true
	}

	for ev, s := range d.sightings {
		switch {
		case !running[ev]:
			d.forget(ev, s, "has ended")
		case !ev.OnItsOwn() || ev.Operations() != s.operations:
			d.forget(ev, s, "goes on")
		}
	}
	for ev := range d.circles {
		if !running[ev] {
			delete(d.circles, ev)
		}
	}
	mute := false // set when the program does not answer: it is not asked again in this look
	for _, ev := range events {
		if !ev.OnItsOwn() {
			d.lookForCircle(ev)
			continue
		}
		s := d.sightings[ev]
		if s == nil {
			d.sightings[ev] = &sighting{operations: ev.Operations(), next: looksUntilStuck * d.every}
			continue
		}
		if s.lasts += d.every; s.lasts >= s.next {
			s.next *= 2
			d.report(ev, s, &mute)
		}
	}
}

func (d *watchdog) forget(ev *world.Event, s *sighting, how string) {
	delete(d.sightings, ev)
	if s.lasts >= looksUntilStuck*d.every { // it was named
		d.log.Info(fmt.Sprintf("%s %s after %s", ev.Title(), how, s.lasts))
	}
}

// report logs a stuck handler and its stack. It sets mute if the program does not answer.
func (d *watchdog) report(ev *world.Event, s *sighting, mute *bool) {
	line := ev.Title() + " seems stuck: for " + s.lasts.String() + " it has "
	switch {
	case ev.Object() != nil:
		line += "kept its turn and asked for nothing" + ev.Object().Behind()
	case ev.Request() != nil:
		line += "neither answered nor asked for anything"
	default:
		line += "neither ended nor asked for anything"
	}
	stack, err := "", context.DeadlineExceeded
	if !*mute {
		stack, err = d.stack(ev)
	}
	switch {
	case d.p.Lost(): // the crash is logged instead
		return
	case errors.Is(err, context.DeadlineExceeded):
		*mute = true
		line += "; its program does not answer either (has a debugger stopped it?)"
	case err != nil:
		line += "; where it stands is not known: " + err.Error()
	case stack != "":
		line += "\n" + d.p.host.relative(strings.TrimRight(stack, "\n"))
	}
	d.log.Warn(line)
}

// stack returns the stack of the handler of ev, from its program. A stopped program may not even
// read the question.
func (d *watchdog) stack(ev *world.Event) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	var m wire.Stack
	answered := make(chan error, 1)
	go func() { answered <- d.p.conn.Call(ctx, wire.MethodStack, &wire.Operation{Event: ev.Number()}, &m) }()
	select {
	case err := <-answered:
		return cut(m.Text, maxStack), err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Stack returns the stack of the handler of ev, with paths relative to the project, or empty if the
// program does not say.
func (p *Program) Stack(ev *world.Event) string {
	stack, err := p.watchdog.stack(ev)
	if err != nil {
		return ""
	}
	return p.host.relative(stack)
}

// relative makes the paths of a stack that lie in the project relative to it.
func (h *Runner) relative(stack string) string {
	folders := []string{h.Dir}
	if target, err := filepath.EvalSymlinks(h.Dir); err == nil && target != h.Dir {
		folders = append(folders, target)
	}
	for _, folder := range folders {
		stack = strings.ReplaceAll(stack, "\n\t"+strings.TrimSuffix(filepath.ToSlash(folder), "/")+"/", "\n\t")
	}
	return stack
}

// lookForCircle logs, once, that ev waits for itself, if it does.
func (d *watchdog) lookForCircle(ev *world.Event) {
	if d.circles[ev] {
		return
	}
	circle := ev.Circle()
	if circle == nil {
		return
	}
	d.circles[ev] = true
	var b strings.Builder
	fmt.Fprintf(&b, "%s waits for itself: in its constructor, a transaction or BlockConcurrencyWhile it has called ",
		ev.Title())
	for i, callee := range circle {
		if i > 0 {
			b.WriteString(", which has called ")
		}
		b.WriteString(callee.Title())
	}
	fmt.Fprintf(&b, ", which waits for the turn that %s keeps; "+
		"the object is reset when that has lasted for %s of the clock", ev.Object(), world.BlockLimit)
	if w := d.p.w; w.Clock().Mode() == clock.Frozen {
		fmt.Fprintf(&b, ", which is frozen: `devtool time advance %s` gets there", world.BlockLimit)
	}
	d.log.Warn(b.String())
}
