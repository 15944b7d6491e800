package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Limits of an outlet. Times are real.
const (
	outletLimit = 4 << 20 // bytes that wait for the reader
	outletPiece = 16 << 10
	// outletPatience is how long a write to a full outlet waits for the reader to go on.
	outletPatience = 250 * time.Millisecond
	// flushPatience is how long flush waits for the reader to take anything, and flushLimit how
	// long it takes at most.
	flushPatience = time.Second
	flushLimit    = 5 * time.Second
)

// An outlet passes text on to a stream whose reader may be slow, or read nothing at all: a terminal
// after Ctrl-S, or a pipe. Nobody waits for that reader for longer than a moment. When too much
// waits, the outlet drops lines until half of it has been read, and then says how many.
//
// A reader that keeps up loses nothing: a write to a full outlet first waits for a moment.
type outlet struct {
	w        io.Writer
	notice   func(source, lines int) []byte
	limit    int
	patience time.Duration
	gone     func() // called once, when the stream has no reader any more; or nil

	// mu guards what follows.
	mu       sync.Mutex
	queue    []byte
	writing  bool // a goroutine writes to w
	dropping bool
	dropped  map[int]int   // how many lines of each source were dropped, without those in notices
	moved    chan struct{} // closed and replaced when the reader has taken something
}

// newOutlet returns an outlet for w. notice returns the line that says how many lines of a source
// were dropped.
func newOutlet(w io.Writer, notice func(source, lines int) []byte) *outlet {
	return &outlet{
		w: w, notice: notice, limit: outletLimit, patience: outletPatience,
		dropped: make(map[int]int), moved: make(chan struct{}),
	}
}

// droppedLines is the text of a notice.
func droppedLines(n int) string {
	if n == 1 {
		return "1 line was dropped, because the reader of the log was slow"
	}
	return fmt.Sprintf("%d lines were dropped, because the reader of the log was slow", n)
}

// noticeAs returns the notices of a log in that format.
func noticeAs(format string, color bool) func(source, lines int) []byte {
	return func(_, lines int) []byte {
		var b bytes.Buffer
		var h slog.Handler = slog.NewJSONHandler(&b, nil)
		if format == logText {
			h = textHandler(&b, slog.LevelInfo, color)
		}
		slog.New(h).LogAttrs(context.Background(), slog.LevelWarn, droppedLines(lines))
		return b.Bytes()
	}
}

// Write takes p, whose source is 0, and never fails.
func (o *outlet) Write(p []byte) (int, error) {
	o.take(p, 0, max(bytes.Count(p, []byte("\n")), 1))
	return len(p), nil
}

// take takes p, which stands for lines of a source.
func (o *outlet) take(p []byte, source, lines int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.dropping && o.fullLocked(len(p)) && !o.awaitRoomLocked(len(p)) {
		o.dropping = true
	}
	if o.dropping {
		o.dropped[source] += lines
		return
	}
	o.queueLocked(p)
}

// keep takes p, which must not be lost, and waits for nothing. It first says how many lines of the
// source were dropped before it.
func (o *outlet) keep(p []byte, source int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := o.dropped[source]; n > 0 {
		o.queueLocked(o.notice(source, n))
		delete(o.dropped, source)
	}
	o.queueLocked(p)
}

func (o *outlet) queueLocked(p []byte) {
	o.queue = append(o.queue, p...)
	if !o.writing {
		o.writing = true
		go o.pass()
	}
}

// fullLocked reports whether there is no room for n more bytes. An empty outlet has room for all.
func (o *outlet) fullLocked(n int) bool { return len(o.queue) > 0 && len(o.queue)+n > o.limit }

// awaitRoomLocked waits for room for n bytes, and reports whether there is. It releases mu
// meanwhile.
func (o *outlet) awaitRoomLocked(n int) bool {
	timer := time.NewTimer(o.patience)
	defer timer.Stop()
	for o.fullLocked(n) && !o.dropping {
		moved := o.moved
		o.mu.Unlock()
		select {
		case <-moved:
			o.mu.Lock()
		case <-timer.C:
			o.mu.Lock()
			return !o.fullLocked(n) && !o.dropping
		}
	}
	return !o.dropping
}

// pass writes what waits, until nothing does.
func (o *outlet) pass() {
	for piece := o.next(nil); piece != nil; piece = o.next(piece) {
		_, err := o.w.Write(piece) // there is no other place to report it
		if errors.Is(err, syscall.EPIPE) && o.gone != nil {
			o.gone()
			o.gone = nil
		}
	}
}

// next returns what to write after the piece before, or nil if nothing waits.
func (o *outlet) next(before []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if before != nil {
		close(o.moved)
		o.moved = make(chan struct{})
	}
	if o.dropping && len(o.queue) <= o.limit/2 {
		for _, source := range slices.Sorted(maps.Keys(o.dropped)) {
			o.queue = append(o.queue, o.notice(source, o.dropped[source])...)
		}
		o.dropping = false
		clear(o.dropped)
	}
	if len(o.queue) == 0 {
		o.queue, o.writing = nil, false
		return nil
	}
	n := min(len(o.queue), outletPiece)
	piece := append(before[:0], o.queue[:n]...)
	o.queue = o.queue[n:]
	return piece
}

// flush waits until everything is written. It gives up when the reader takes nothing for the
// patience, or after the limit.
func (o *outlet) flush(patience, limit time.Duration) {
	end := time.NewTimer(limit)
	defer end.Stop()
	for {
		o.mu.Lock()
		written, moved := !o.writing, o.moved
		o.mu.Unlock()
		if written {
			return
		}
		stuck := time.NewTimer(patience)
		select {
		case <-moved:
			stuck.Stop()
		case <-stuck.C:
			return
		case <-end.C:
			stuck.Stop()
			return
		}
	}
}

// A patientWriter writes to a stream, and gives up when that takes longer than flushPatience: its
// reader does not read. Later writes then do nothing.
type patientWriter struct {
	w     io.Writer
	stuck bool
}

func (p *patientWriter) Write(b []byte) (int, error) {
	if p.stuck {
		return len(b), nil
	}
	type outcome struct {
		n   int
		err error
	}
	done := make(chan outcome, 1)
	text := bytes.Clone(b)
	go func() {
		n, err := p.w.Write(text)
		done <- outcome{n, err}
	}()
	timer := time.NewTimer(flushPatience)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.n, o.err
	case <-timer.C:
		p.stuck = true
		return len(b), nil
	}
}
