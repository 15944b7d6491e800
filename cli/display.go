package cli

import (
	"bytes"
	"io"
	"sync"

	"devtool.internal/internal/printable"
)

// A display is the only writer of the terminal, or of the stream in its place. It never waits for a
// reader that reads nothing (see outlet). It has two sources: the log, which writes whole lines,
// and the handler program (handler), which may leave a line unfinished. The display ends such a
// line before it writes for the other source.
//
// On a terminal it can keep a footer below the text: the legend of the hotkeys, or a question of
// one of them. Each write erases the footer, adds the text and draws the footer again, all at once.
// The cursor rests at the beginning of the legend. A terminal whose window becomes narrower wraps
// the footer and leaves the cursor there, so erasing from the cursor to the end erases all of the
// footer and nothing else.
type display struct {
	w      io.Writer
	colors bool
	width  func() int // of a line

	// mu guards what follows.
	mu     sync.Mutex
	open   any  // the source of the unfinished line at the end, or nil
	dyed   bool // that line has set a color
	footer footer
	shown  bool // the footer stands there
}

// newDisplay is for the error stream of s, where the log goes in that format. It calls gone once,
// when that stream has no reader any more.
func newDisplay(s Streams, format string, gone func()) *display {
	notice := noticeAs(format, colored(s, s.Err))
	if s.IsTerminal(s.Err) { // a footer may stand there
		text := notice
		notice = func(source, lines int) []byte { return append([]byte("\r\x1b[J"), text(source, lines)...) }
	}
	o := newOutlet(raw(s.Err), notice)
	o.gone = gone
	return &display{w: o, colors: colored(s, s.Err), width: func() int { return s.Width(s.Err) }}
}

// flush waits until everything is written that a reader takes.
func (d *display) flush() {
	if o, ok := d.w.(*outlet); ok {
		o.flush(flushPatience, flushLimit)
	}
}

// A footer returns the text to show below everything else, in at most columns characters, and
// whether the cursor stays at its end.
type footer func(columns int) (text string, cursorAtEnd bool)

// Write writes whole lines.
func (d *display) Write(p []byte) (int, error) { return d.write(d, p) }

// handler returns a writer for text that may end within a line.
func (d *display) handler() io.Writer { return &displaySource{d} }

type displaySource struct{ d *display }

func (s *displaySource) Write(p []byte) (int, error) { return s.d.write(s, p) }

func (d *display) write(from any, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var b bytes.Buffer
	d.eraseLocked(&b)
	if d.open != nil && d.open != from {
		if d.dyed {
			b.WriteString(printable.ResetColor)
		}
		b.WriteByte('\n')
		d.open, d.dyed = nil, false
	}
	safeWriter{&b, d.colors}.Write(p) //nolint:errcheck // a buffer takes everything
	last := p[bytes.LastIndexByte(p, '\n')+1:]
	if d.open == nil || len(last) < len(p) {
		d.dyed = false
	}
	d.open, d.dyed = nil, d.dyed || bytes.IndexByte(last, '\x1b') >= 0
	if len(last) > 0 {
		d.open = from
	}
	d.drawLocked(&b)
	if _, err := d.w.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show makes f the footer; nil takes it away.
func (d *display) show(f footer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.footer = f
	d.redrawLocked("")
}

// redraw draws the footer again, when its text or the size of the window has changed.
func (d *display) redraw() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.redrawLocked("")
}

// clear empties the terminal, and what it has kept of what was above.
func (d *display) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = nil
	d.redrawLocked("\x1b[H\x1b[2J\x1b[3J")
}

func (d *display) redrawLocked(between string) {
	var b bytes.Buffer
	d.eraseLocked(&b)
	b.WriteString(between)
	d.drawLocked(&b)
	d.w.Write(b.Bytes()) //nolint:errcheck // nobody sees it
}

func (d *display) eraseLocked(b *bytes.Buffer) {
	if d.shown {
		b.WriteString("\r\x1b[J")
		d.shown = false
	}
}

// drawLocked puts the footer below, unless a line is unfinished there. It leaves the last column
// free: a terminal might go on to the next line.
func (d *display) drawLocked(b *bytes.Buffer) {
	if d.footer == nil || d.open != nil {
		return
	}
	text, cursorAtEnd := d.footer(max(d.width()-1, 0))
	if text == "" {
		return
	}
	b.WriteString(text)
	if !cursorAtEnd {
		b.WriteByte('\r')
	}
	d.shown = true
}
