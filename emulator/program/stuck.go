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

// How long a handler may go on without asking for anything before the log names it, and how
// long its program may take to say where it stands. Both in real time: the clock may well
// stand still, and wait for that very handler.
const (
	stuckAfter   = 10 * time.Second
	stackTimeout = 2 * time.Second
)

// looksUntilStuck is how often the lookout looks in the time of stuckAfter.
const looksUntilStuck = 4

// A lookout finds the handlers of a program that are stuck: they keep their object busy, or
// leave their request without an answer, and wait for nothing that the emulator knows of. It
// names them in the log, with their stacks. To end them is not its business, for they may be in a
// debugger, or just slow.
//
// It looks at all running events now and then, and compares. So events pay for it with no
// more than a few counters, and time in which a laptop sleeps does not count.
type lookout struct {
	p       *Program
	log     *slog.Logger
	every   time.Duration // between two looks
	timeout time.Duration // for a stack

	sightings map[*world.Event]*sighting
	circles   map[*world.Event]bool // events that wait for themselves, and were named
}

// A sighting is an event whose handler was seen to be on its own.
type sighting struct {
	operations int64         // what the handler had asked for
	lasts      time.Duration // how long it has asked for nothing more
	next       time.Duration // when lasts reaches it, the log says so
}

func newLookout(p *Program, after time.Duration) *lookout {
	return &lookout{
		p:         p,
		log:       p.host.Log,
		every:     after / looksUntilStuck,
		timeout:   stackTimeout,
		sightings: make(map[*world.Event]*sighting),
		circles:   make(map[*world.Event]bool),
	}
}

// run looks until the program's connection is gone.
func (l *lookout) run() {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.look()
		case <-l.p.conn.Done():
			return
		}
	}
}

// look looks at the events that are running, every after it did so before. While the program stands in
// a debugger it does not: that time does not count.
func (l *lookout) look() {
	if l.p.Attached() && !l.p.pulse.beats() {
		return
	}
	events := l.p.w.RunningIn(l.p)
	running := make(map[*world.Event]bool, len(events))
	for _, ev := range events {
		running[ev] = true
	}

	for ev, s := range l.sightings {
		switch {
		case !running[ev]:
			l.forget(ev, s, "has ended")
		case !ev.OnItsOwn() || ev.Operations() != s.operations:
			l.forget(ev, s, "goes on")
		}
	}
	for ev := range l.circles {
		if !running[ev] {
			delete(l.circles, ev)
		}
	}
	mute := false // a program that did not answer is not asked again at once
	for _, ev := range events {
		if !ev.OnItsOwn() {
			l.lookForCircle(ev)
			continue
		}
		s := l.sightings[ev]
		if s == nil {
			l.sightings[ev] = &sighting{operations: ev.Operations(), next: looksUntilStuck * l.every}
			continue
		}
		if s.lasts += l.every; s.lasts >= s.next {
			s.next *= 2
			l.report(ev, s, &mute)
		}
	}
}

func (l *lookout) forget(ev *world.Event, s *sighting, how string) {
	delete(l.sightings, ev)
	if s.lasts >= looksUntilStuck*l.every { // it was named
		l.log.Info(fmt.Sprintf("%s %s after %s", ev.Title(), how, s.lasts))
	}
}

// report names a handler that is stuck.
func (l *lookout) report(ev *world.Event, s *sighting, mute *bool) {
	line := ev.Title() + " seems stuck: for " + s.lasts.String() + " it has "
	if ev.Object() == nil {
		line += "neither answered nor asked for anything"
	} else {
		line += "kept its turn and asked for nothing" + ev.Object().Behind()
	}
	stack, err := "", context.DeadlineExceeded
	if !*mute {
		stack, err = l.stack(ev)
	}
	switch {
	case l.p.Lost(): // it does not matter any more
		return
	case errors.Is(err, context.DeadlineExceeded):
		*mute = true
		line += "; its program does not answer either (has a debugger stopped it?)"
	case err != nil:
		line += "; where it stands is not known: " + err.Error()
	case stack != "":
		line += "\n" + l.p.host.relative(strings.TrimRight(stack, "\n"))
	}
	l.log.Warn(line)
}

// stack asks the program where the handler of ev stands. A program that was stopped may not
// even take the question.
func (l *lookout) stack(ev *world.Event) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	var m wire.Stack
	answered := make(chan error, 1)
	go func() { answered <- l.p.conn.Call(ctx, wire.MethodStack, &wire.Operation{Event: ev.Number()}, &m) }()
	select {
	case err := <-answered:
		return m.Text, err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// relative makes the paths in a stack relative to the project, as far as they are in it.
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

// lookForCircle names an event that waits for itself, once.
func (l *lookout) lookForCircle(ev *world.Event) {
	if l.circles[ev] {
		return
	}
	circle := ev.Circle()
	if circle == nil {
		return
	}
	l.circles[ev] = true
	var b strings.Builder
	fmt.Fprintf(&b, "%s waits for itself: in its constructor, a transaction or BlockConcurrencyWhile it has called ", ev.Title())
	for i, callee := range circle {
		if i > 0 {
			b.WriteString(", which has called ")
		}
		b.WriteString(callee.Title())
	}
	fmt.Fprintf(&b, ", which waits for the turn that %s keeps; the object is reset when that has lasted for %s of the clock", ev.Object(), world.BlockLimit)
	if w := l.p.w; w.Clock().Mode() == clock.Frozen {
		fmt.Fprintf(&b, ", which is frozen: `devtool time advance %s` gets there", world.BlockLimit)
	}
	l.log.Warn(b.String())
}
