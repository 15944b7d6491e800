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

// A crashReport describes the end of a program that the runner did not end. It is made once, when
// the first of the program's events fails: what the others were doing is known only until they
// fail, too.
type crashReport struct {
	once sync.Once
	err  *wire.Error
}

// crash returns a copy of the report of the program's end.
func (p *Program) crash() *wire.Error {
	p.report.once.Do(func() { p.report.err = p.describeCrash() })
	c := *p.report.err
	return &c
}

func (p *Program) describeCrash() *wire.Error {
	running, waiting := p.underWay()
	what, cause, output, shown := p.ending()
	e := &wire.Error{Message: what, Detail: p.host.relative(shown), Retryable: true, Reset: true}
	if all := slices.Concat(running, waiting); len(all) > 0 {
		number := eventOf(output)
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

// ending returns how the program ended and why, as far as that is known, what it printed about it,
// and the part of that to show.
func (p *Program) ending() (what, cause, output, shown string) {
	if err := p.conn.Err(); err != nil && !errors.Is(err, wire.ErrClosed) && !errors.Is(err, io.EOF) {
		cause = err.Error()
	}
	if p.brokeProtocol() {
		return brokenProtocol, p.conn.Err().Error(), "", ""
	}
	if p.Attached() {
		return errDetached.Message, cause, "", ""
	}
	what = "the handler program has closed its connection"
	if p.process == nil {
		return what, cause, "", ""
	}
	// The connection closes a little before the process is gone.
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-p.process.Done():
	case <-timer.C:
		return what, cause, "", ""
	}
	how := "exit status 0"
	if err := p.process.Err(); err != nil {
		how = err.Error()
	}
	what = fmt.Sprintf("the handler program has crashed (%s)", how)
	if crash := p.process.Crash(); crash.Text != "" {
		reason, _, _ := strings.Cut(crash.Text, "\n")
		return what, reason, crash.Text, crash.Shown
	}
	cause, output = crashCause(string(NamePrinted([]byte(p.process.Tail()))), how)
	return what, cause, output, output
}

// underWay returns the program's events in the order in which they began: running holds the
// events whose handlers are running, and waiting the others.
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

// titles returns the names of events and "was" or "were".
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

// maxLastLines is how many of a program's last lines are shown if they do not say why it ended.
const maxLastLines = 20

// crashCause finds the cause of a program's end in its output, and the part of the output to show:
// the stack, or else the last lines. how is the exit status or signal.
func crashCause(output, how string) (cause, shown string) {
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

// panicAt returns the offset of the Go runtime's report of a crash, or -1. It takes the last line
// that looks like one, because the program may have printed others before.
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

// guardFrame matches the SDK's frame below a handler's own, which has the number of the event.
var guardFrame = regexp.MustCompile(`durable\.mark\.guard\(\{0x[0-9a-f]+, 0x([0-9a-f]+), 0x[0-9a-f]+\}`)

// eventOf returns the number of the event whose handler's goroutine has crashed. It returns 0 if
// another goroutine crashed or there was no panic.
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

// FirstGoroutine returns the Go runtime's report of a crash up to the end of its first goroutine,
// which is the one that crashed.
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
