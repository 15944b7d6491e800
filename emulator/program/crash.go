package program

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/world"
)

// A crashReport is what is known of the end of a program that was not asked to end. It is made once, when the
// first of the program's events fails because of that: what the others were doing can be told only
// as long as they have not failed, too.
type crashReport struct {
	once sync.Once
	err  *wire.Error
}

// crash describes the end of a program that was not asked to end.
func (p *Program) crash() *wire.Error {
	p.report.once.Do(func() { p.report.err = p.describeCrash() })
	c := *p.report.err
	return &c
}

func (p *Program) describeCrash() *wire.Error {
	running, waiting := p.underWay()
	what, cause, shown := p.ending()
	e := &wire.Error{Message: what, Detail: p.host.relative(shown), Retryable: true, Reset: true}
	if all := slices.Concat(running, waiting); len(all) > 0 {
		number := eventOf(shown)
		if i := slices.IndexFunc(all, func(ev *world.Event) bool { return ev.Number() == number }); i >= 0 {
			running = all[i : i+1]
		}
	}
	switch {
	case len(running) > 0:
		e.Message += " while " + titles(running) + " running"
	case len(waiting) > 0:
		e.Message += " while " + titles(waiting) + " waiting"
	}
	if cause != "" {
		e.Message += ": " + cause
	}
	return e
}

// ending says what has become of the program and why, as far as it is known, and what it printed of that.
func (p *Program) ending() (what, cause, shown string) {
	if err := p.conn.Err(); err != nil && !errors.Is(err, wire.ErrClosed) && !errors.Is(err, io.EOF) {
		cause = err.Error()
	}
	if p.Attached() {
		return errDetached.Message, cause, ""
	}
	what = "the handler program has closed its connection"
	if p.process == nil {
		return what, cause, ""
	}
	// The connection closes a little before the process is gone.
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-p.process.Done():
	case <-timer.C:
		return what, cause, ""
	}
	how := "exit status 0"
	if err := p.process.Err(); err != nil {
		how = err.Error()
	}
	cause, shown = lastWords(p.process.Tail(), how)
	return fmt.Sprintf("the handler program has crashed (%s)", how), cause, shown
}

// underWay returns the program's events in the order in which they began: those whose handlers are
// running, and the ones that wait for something.
func (p *Program) underWay() (running, waiting []*world.Event) {
	for _, ev := range p.w.RunningIn(p) {
		if ev.OnItsOwn() {
			running = append(running, ev)
		} else {
			waiting = append(waiting, ev)
		}
	}
	return running, waiting
}

// maxTitles is how many events the message of a crash names.
const maxTitles = 3

// titles names events, with the verb that follows.
func titles(events []*world.Event) string {
	var names []string
	for _, ev := range events[:min(len(events), maxTitles)] {
		names = append(names, ev.Title())
	}
	if more := len(events) - maxTitles; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	if len(names) == 1 {
		return names[0] + " was"
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last] + " were"
}

// maxLastLines is how many lines are shown of what a program printed that did not say why it ended.
const maxLastLines = 20

// lastWords finds in what a program printed, before it ended in the way that how says, why it did and what
// there is to show of that: the stack, or else the last lines.
func lastWords(output, how string) (cause, shown string) {
	if i := panicAt(output); i >= 0 {
		line, _, _ := strings.Cut(output[i:], "\n")
		return strings.TrimSpace(line), strings.TrimRight(output[i:], "\n")
	}
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	lines = lines[max(0, len(lines)-maxLastLines):]
	switch {
	case strings.HasPrefix(how, "exit status"):
		cause = "has it called os.Exit or log.Fatal?"
	case how == "signal: killed":
		cause = "was the system out of memory?"
	}
	return cause, strings.Join(lines, "\n")
}

// panicAt returns where the Go runtime begins to tell of a crash, or -1: at the last such line, for what was
// printed before may look like one.
func panicAt(output string) int {
	at, offset := -1, 0
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			at = offset
		}
		offset += len(line)
	}
	return at
}

// guardFrame is the frame that the SDK leaves below a handler's own, with the number of the event.
var guardFrame = regexp.MustCompile(`durable\.mark\.guard\(\{0x[0-9a-f]+, 0x([0-9a-f]+)\}`)

// eventOf returns the number of the event whose handler's goroutine has crashed, or 0 if the stack does
// not tell: then it was another goroutine, or it was no panic.
func eventOf(stack string) uint64 {
	frame := guardFrame.FindStringSubmatch(FirstGoroutine(stack))
	if frame == nil {
		return 0
	}
	number, err := strconv.ParseUint(frame[1], 16, 64)
	if err != nil {
		return 0
	}
	return number
}

// FirstGoroutine cuts what the Go runtime tells of a crash after the goroutine that it happened in, which
// is the first.
func FirstGoroutine(stack string) string {
	i := strings.Index(stack, "\ngoroutine ")
	if i < 0 {
		return stack
	}
	if end := strings.Index(stack[i:], "\n\n"); end >= 0 {
		return stack[:i+end]
	}
	return stack
}
