package durabletest

import (
	"bytes"
	"io"
	"log"
	"maps"
	"slices"
	"sync"

	"devtool.internal/internal/inside"
)

// A testLog writes whole lines to the log of a test until the test has ended, because testing
// panics if a line comes later.
type testLog struct {
	mu   sync.Mutex
	out  io.Writer // nil after the test has ended
	rest []byte    // the beginning of an incomplete line
	tail []byte    // the end of everything written, for errors
}

// tailSize is how much of the log an error shows, in bytes.
const tailSize = 4 << 10

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	l.tail = l.tail[max(0, len(l.tail)-tailSize):]
	l.rest = append(l.rest, p...)
	if end := bytes.LastIndexByte(l.rest, '\n') + 1; end > 0 {
		l.flushLocked(end)
	}
	return len(p), nil
}

// writeOf is Write for lines that handlers of an object have printed. It names the object.
func (l *testLog) writeOf(object string, p []byte) (int, error) {
	if object == "" {
		return l.Write(p)
	}
	var named []byte
	for line := range bytes.Lines(p) {
		named = append(append(named, "["+object+"] "...), line...)
	}
	_, err := l.Write(named)
	return len(p), err
}

func (l *testLog) flushLocked(end int) {
	if l.out != nil {
		l.out.Write(l.rest[:end]) //nolint:errcheck // testing's writer never fails
	}
	l.rest = slices.Clone(l.rest[end:])
}

// end writes the incomplete line. Later writes are dropped.
func (l *testLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.rest = append(l.rest, '\n')
		l.flushLocked(len(l.rest))
	}
	l.out = nil
}

// last returns the end of everything written.
func (l *testLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(l.tail))
}

// lastWords keeps the beginning and the end of what a process printed, for errors.
type lastWords struct{ head, tail []byte }

// Each part has at most that many bytes.
const wordsSize = 4 << 10

func (l *lastWords) Write(p []byte) (int, error) {
	n := len(p)
	if room := min(n, wordsSize-len(l.head)); room > 0 {
		l.head, p = append(l.head, p[:room]...), p[room:]
	}
	l.tail = append(l.tail, p...)
	if cut := len(l.tail) - wordsSize; cut > 0 {
		l.tail = append([]byte("\n…\n"), l.tail[cut:]...)
	}
	return n, nil
}

func (l *lastWords) String() string {
	return string(bytes.TrimSpace(append(slices.Clone(l.head), l.tail...)))
}

// capture sends what handlers print with package log, or with slog's default logger, to the log of
// their test, and names the object. All tests of the process share that package, so the stack of
// the writing goroutine decides whose handler it is, or whose handler has started it. Some stacks
// do not tell. Their output goes to the only emulator, if there is just one.
var capture struct {
	// installing is held while the output of package log is replaced. It is never held together
	// with mu, because package log calls Write, which takes mu, with its own lock held.
	installing sync.Mutex
	users      int

	mu        sync.Mutex // guards what follows
	before    io.Writer  // the former output of package log
	emulators map[*emulator]struct{}
}

// capturing is the output of package log while tests with emulators run.
type capturing struct{}

func (capturing) Write(p []byte) (int, error) {
	author, found := inside.CurrentAuthor()
	capture.mu.Lock()
	all, before := slices.Collect(maps.Keys(capture.emulators)), capture.before
	capture.mu.Unlock()
	for _, e := range all {
		if !found {
			break
		}
		if object, ours := e.program.Wrote(author); ours {
			return e.log.writeOf(object, p)
		}
	}
	if len(all) == 1 {
		return all[0].log.Write(p)
	}
	return before.Write(p)
}

// captureLog sends what the handlers of e print to the log of e, until release is called.
func captureLog(e *emulator) (release func()) {
	capture.mu.Lock()
	if capture.emulators == nil {
		capture.emulators = make(map[*emulator]struct{})
	}
	capture.emulators[e] = struct{}{}
	capture.mu.Unlock()

	capture.installing.Lock()
	defer capture.installing.Unlock()
	if capture.users++; capture.users == 1 && log.Writer() != io.Writer(capturing{}) {
		before := log.Writer()
		capture.mu.Lock()
		capture.before = before
		capture.mu.Unlock()
		log.SetOutput(capturing{})
	}
	return func() {
		capture.mu.Lock()
		delete(capture.emulators, e)
		capture.mu.Unlock()

		capture.installing.Lock()
		defer capture.installing.Unlock()
		if capture.users--; capture.users == 0 && log.Writer() == io.Writer(capturing{}) {
			capture.mu.Lock()
			before := capture.before
			capture.mu.Unlock()
			log.SetOutput(before)
		}
	}
}
