package emulator

import (
	"os"
	"slices"
	"sync"
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

	// mu guards what follows.
	mu       sync.Mutex
	launched time.Time // the last version
	serving  time.Time // since when it serves, or its launch has failed; zero during its launch
	before   int64     // requests before it served
	counted  bool      // its start has counted
	starts   int       // in a row that wrote inputs
	files    []string  // which ones
	held     bool      // these files make no versions
}

const (
	// braking is how many versions in a row may each make the next one. A user or a script may save
	// source in such a moment by chance, so there it is twice as many.
	braking = 5
	// startsFor is how long after it began to serve a program still writes files of its start.
	startsFor = time.Second
	// timesLag is how far the time of a file may be behind: file systems take the time of the last
	// tick of the system's clock, which is up to 10 ms ago. A program may write within its first
	// two milliseconds.
	timesLag = 20 * time.Millisecond
)

// launches notes that a version is launched. On a busy machine, what it writes may be reported
// before it serves.
func (b *brake) launches() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.launched, b.serving, b.counted = time.Now(), time.Time{}, false
}

// serves notes that the version has begun to serve, or that its launch has failed.
func (b *brake) serves() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serving, b.before = time.Now(), b.requests.Load()
}

// holds reports whether some files make no versions.
func (b *brake) holds() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// release lets all files make versions again.
func (b *brake) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.releaseLocked()
}

func (b *brake) releaseLocked() { b.starts, b.files, b.held = 0, nil, false }

// stops reports whether the changed paths, which are inputs, make no new version. If that is the
// first time, it returns the files that the program writes. isSource reports whether a path is
// source of the program or its configuration.
func (b *brake) stops(paths []string, isSource func(string) bool) (stops bool, first []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := braking
	if slices.ContainsFunc(paths, isSource) {
		limit *= 2
	}
	if all(paths, func(path string) bool { return b.wroteLocked(path, isSource(path)) }) {
		if !b.counted {
			b.counted = true
			b.starts++
		}
		b.files = append(b.files, paths...)
		slices.Sort(b.files)
		b.files = slices.Compact(b.files)
		if b.starts <= limit {
			return false, nil
		}
		if !b.held {
			b.held, first = true, slices.Clone(b.files)
		}
		return true, first
	}
	if b.held && all(paths, func(path string) bool { return slices.Contains(b.files, path) }) {
		return true, nil
	}
	b.releaseLocked()
	return false, nil
}

// all reports whether f is true of all paths.
func all(paths []string, f func(path string) bool) bool {
	return !slices.ContainsFunc(paths, func(path string) bool { return !f(path) })
}

// wroteLocked reports whether the last version has probably written the file at path at its start.
func (b *brake) wroteLocked(path string, isSource bool) bool {
	if b.launched.IsZero() {
		return false
	}
	at := time.Now() // a file that is gone has no time
	if info, err := os.Stat(path); err == nil {
		at = info.ModTime()
	}
	end := b.serving
	if end.IsZero() {
		end = time.Now()
	} else if !isSource && b.requests.Load() == b.before {
		end = end.Add(startsFor)
	}
	return !at.Before(b.launched.Add(-timesLag)) && !at.After(end)
}
