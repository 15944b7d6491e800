package plugin

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	// maxTail is how many bytes of the program's latest stderr output are kept. A panic with a few
	// hundred goroutines fits.
	maxTail = 64 << 10

	// maxPartial and partialDelay bound how long an incomplete line waits for its end.
	maxPartial   = 8 << 10
	partialDelay = 100 * time.Millisecond
)

// lineWriter passes output on in whole lines, so that the lines of stdout and stderr do not mix. It
// passes on an incomplete line after partialDelay, so that a prompt is visible.
//
// Write always succeeds: an error would close the pipe, and the program would die of SIGPIPE
// because our terminal is gone.
type lineWriter struct {
	w io.Writer

	mu      *sync.Mutex // held while writing; shared by all writers to w
	partial []byte
	timer   *time.Timer // passes partial on; nil until the first use
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	if end := bytes.LastIndexByte(l.partial, '\n') + 1; end > 0 {
		l.emitLocked(end)
	}
	switch {
	case len(l.partial) == 0:
	case len(l.partial) > maxPartial:
		l.emitLocked(len(l.partial))
	case l.timer == nil:
		l.timer = time.AfterFunc(partialDelay, l.flush)
	default:
		l.timer.Reset(partialDelay)
	}
	return len(p), nil
}

// flush passes on the incomplete line.
func (l *lineWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.emitLocked(len(l.partial))
}

// emitLocked passes on the first n bytes of partial.
func (l *lineWriter) emitLocked(n int) {
	if n > 0 {
		_, _ = l.w.Write(l.partial[:n])
		l.partial = append(l.partial[:0], l.partial[n:]...)
	}
}

// tail keeps the last maxTail bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write always succeeds.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[max(0, len(p)-maxTail):]...)
	if len(t.buf) > 2*maxTail {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-maxTail:]...)
	}
	return len(p), nil
}

// String returns the last maxTail bytes.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[max(0, len(t.buf)-maxTail):])
}
