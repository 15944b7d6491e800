package plugin

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"devtool.internal/internal/safefile"
)

const (
	// maxReport is how many bytes of a crash report are kept. The goroutine that crashed comes
	// first, so what is cut off matters least.
	maxReport = 1 << 20
	// maxPreamble is how many lines of a report may come between its reason and its stacks.
	maxPreamble = 100
)

// A crashFilter passes output on, and shows the Go runtime's report of a crash as its user needs
// it: first the reason, and then what LaunchOptions.UserStack makes of the stacks. The whole report
// goes to a file, and the last line names it.
//
// A report is recognized by its form, a line with the reason that stacks of goroutines follow. All
// other output passes as it is.
type crashFilter struct {
	w     io.Writer
	users func(stacks string, broken bool) string // LaunchOptions.UserStack
	file  string                                  // for the whole report, or empty
	name  string                                  // of file, for people

	state crashState
	line  []byte // the current line, up to maxPartial
	blank bool   // the line before was empty
	lines int    // after the reason
	text  []byte // the report that is being read
	at    int    // where its stacks begin

	// mu guards what follows.
	mu    sync.Mutex
	crash CrashReport
}

// A CrashReport is what the Go runtime has printed about a crash.
type CrashReport struct {
	Text  string // all of it, up to 1 MiB
	Shown string // what was passed on
}

type crashState int

const (
	passing   crashState = iota
	reasoned             // a line looked like the reason of a crash
	reporting            // stacks follow
)

// newCrashFilter returns a filter for the program that o describes.
func newCrashFilter(w io.Writer, o LaunchOptions) *crashFilter {
	name := o.CrashFile
	if rel, err := filepath.Rel(o.Dir, name); err == nil && filepath.IsLocal(rel) {
		name = filepath.ToSlash(rel)
	}
	return &crashFilter{w: w, users: o.UserStack, file: o.CrashFile, name: name}
}

// Write always succeeds, as the lineWriter's.
func (f *crashFilter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		complete := n > 0
		if !complete {
			n = len(rest)
		}
		f.take(rest[:n], complete)
		rest = rest[n:]
	}
	return len(p), nil
}

// take takes a piece of a line, and its end if it is complete.
func (f *crashFilter) take(piece []byte, complete bool) {
	hold := f.holds()
	if hold {
		f.line = append(f.line, piece...)
		complete = complete || len(f.line) > maxPartial // no line of a stack is that long
	} else {
		f.line = append(f.line, piece[:max(0, min(len(piece), maxPartial-len(f.line)))]...)
		f.pass(piece)
	}
	if complete {
		f.endLine(hold)
		f.blank = len(bytes.TrimSpace(f.line)) == 0
		f.line = f.line[:0]
	}
}

// holds reports whether the current line is held back until it is complete: it belongs to a stack,
// or it follows an empty line and may be the first of the stacks.
func (f *crashFilter) holds() bool { return f.state == reporting || f.state == reasoned && f.blank }

// pass passes a piece of a line on.
func (f *crashFilter) pass(piece []byte) {
	_, _ = f.w.Write(piece)
	if f.state == reasoned {
		f.keep(piece)
	}
}

// keep adds to the report, as long as there is room.
func (f *crashFilter) keep(piece []byte) {
	f.text = append(f.text, piece[:min(len(piece), maxReport-len(f.text))]...)
}

// endLine decides what a complete line means. held says that it was not passed on.
func (f *crashFilter) endLine(held bool) {
	begins := f.blank && beginsStack(f.line)
	switch {
	case f.state == reasoned && begins:
		f.state, f.at = reporting, len(f.text)
		f.keep(f.line)
	case f.state == reporting && (begins || !f.blank || len(bytes.TrimSpace(f.line)) == 0 || isRegister(f.line)):
		f.keep(f.line)
	case f.state == reporting: // something else follows the stacks
		f.show()
		_, _ = f.w.Write(f.line)
	case held:
		f.pass(f.line)
	}
	switch {
	case f.state == reporting:
	case isReason(f.line):
		f.text = append(f.text[:0], f.line...)
		f.state, f.lines = reasoned, 0
	case f.state == reasoned:
		if f.lines++; f.lines > maxPreamble {
			f.state = passing
		}
	}
}

// isReason reports whether line may be the first of a report: it names a panic, a fatal error or a
// signal, as in "SIGQUIT: quit".
func isReason(line []byte) bool {
	for _, begin := range []string{"panic: ", "fatal error: "} {
		if bytes.HasPrefix(line, []byte(begin)) {
			return true
		}
	}
	name, _, found := bytes.Cut(line, []byte(": "))
	return found && len(name) > len("SIG") && bytes.HasPrefix(name, []byte("SIG")) &&
		!bytes.ContainsFunc(name, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
}

// isRegister reports whether line has a register and its value, as in "rbx    0x5fe7". The runtime
// prints the registers below the stacks if a signal has ended the program.
func isRegister(line []byte) bool {
	words := bytes.Fields(line)
	return len(words) == 2 && bytes.HasPrefix(words[1], []byte("0x")) && !bytes.ContainsAny(words[0], ".:/()")
}

// beginsStack reports whether a line is the first one of the stack of a goroutine, or of the
// runtime's own.
func beginsStack(line []byte) bool {
	line = bytes.TrimSpace(line)
	return bytes.HasPrefix(line, []byte("goroutine ")) && bytes.HasSuffix(line, []byte("]:")) ||
		bytes.Equal(line, []byte("runtime stack:"))
}

// end passes on what is held back: no more output comes. Text that is no report passes as it is.
func (f *crashFilter) end() {
	if f.holds() && len(f.line) > 0 {
		f.endLine(true)
	}
	if f.state == reporting {
		f.show()
	}
	f.line, f.state = nil, passing
}

// show shows the stacks of the report that was read, and stores the whole report.
func (f *crashFilter) show() {
	reason, whole := string(f.text[:f.at]), string(f.text)
	stacks := strings.TrimRight(whole[f.at:], "\n")
	broken := strings.HasPrefix(reason, "fatal error: ") || strings.HasPrefix(reason, "panic: runtime error: ")
	shown := stacks
	if f.users != nil {
		shown = f.users(stacks, broken)
	}
	f.mu.Lock()
	f.crash = CrashReport{Text: whole, Shown: reason + shown}
	f.mu.Unlock()
	shown += "\n"
	if shown != stacks+"\n" && f.file != "" && safefile.Replace(f.file, f.file+".tmp", f.text) == nil {
		shown += fmt.Sprintf("\nFrames of the SDK and of the runtime are left out; %s has all of them.\n", f.name)
	}
	_, _ = io.WriteString(f.w, shown)
	f.text, f.state = f.text[:0], passing
}

// report returns the last report, or the zero value.
func (f *crashFilter) report() CrashReport {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crash
}
