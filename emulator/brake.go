package emulator

import (
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// A program may write a file that it is built from: a page with the time of its start that it
// embeds, say. Each version then makes the next one, without end. The brake notices that, and
// leaves such changes alone until the user saves something else.
//
// Nobody can see which process has written a file. But a user does not save the same files within
// the moments between launch and ready, again and again. A file that is written a little later is
// the program's, too, if it is no source and no request has come since: a program may write it on a
// goroutine, and what a handler writes for a request makes no endless reload by itself.
type brake struct {
	requests *atomic.Int64 // from outside, so far

	launched, serving time.Time // of the version that serves
	before            int64     // requests before it served
	counted           bool      // its start has counted
	starts            int       // in a row that wrote inputs
	files             []string  // which ones
	// held is set while these files make no versions. The rest belongs to the reloader's goroutine.
	held atomic.Bool
}

const (
	// braking is how many versions in a row may each make the next one. A user or a script may save
	// source in such a moment by chance, so there it is twice as many.
	braking = 5
	// startsFor is how long after it began to serve a program still writes files of its start.
	startsFor = time.Second
)

// served notes that a version has begun to serve.
func (b *brake) served(launched time.Time) {
	b.launched, b.serving, b.before, b.counted = launched, time.Now(), b.requests.Load(), false
}

// release lets all files make versions again.
func (b *brake) release() {
	b.starts, b.files = 0, nil
	b.held.Store(false)
}

// stops reports whether the changed paths, which are inputs, make no new version. first is set if
// that is the first time. isSource reports whether a path is source of the program or its
// configuration.
func (b *brake) stops(paths []string, isSource func(string) bool) (stops, first bool) {
	limit := braking
	if slices.ContainsFunc(paths, isSource) {
		limit *= 2
	}
	if !slices.ContainsFunc(paths, func(path string) bool { return !b.wrote(path, isSource(path)) }) {
		if !b.counted {
			b.counted = true
			b.starts++
		}
		b.files = append(b.files, paths...)
		slices.Sort(b.files)
		b.files = slices.Compact(b.files)
		if b.starts <= limit {
			return false, false
		}
		return true, !b.held.Swap(true)
	}
	if b.held.Load() && !slices.ContainsFunc(paths, func(path string) bool { return !slices.Contains(b.files, path) }) {
		return true, false
	}
	b.release()
	return false, false
}

// wrote reports whether the program that serves has probably written the file at path at its start.
func (b *brake) wrote(path string, isSource bool) bool {
	if b.serving.IsZero() {
		return false
	}
	at := time.Now() // a file that is gone has no time
	if info, err := os.Stat(path); err == nil {
		at = info.ModTime()
	}
	end := b.serving
	if !isSource && b.requests.Load() == b.before {
		end = end.Add(startsFor)
	}
	return !at.Before(b.launched) && !at.After(end)
}
