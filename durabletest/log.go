package durabletest

import (
	"bytes"
	"io"
	"log"
	"maps"
	"runtime"
	"slices"
	"sync"
)

// A testLog passes lines on to the log of a test, until the test has ended: testing panics over whatever comes later.
type testLog struct {
	mu   sync.Mutex
	out  io.Writer // nil when the test has ended
	rest []byte    // of a line that is not complete
	tail []byte    // the last of what was written, for errors
}

// tailSize is how much of the log an error shows.
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

func (l *testLog) flushLocked(end int) {
	if l.out != nil {
		l.out.Write(l.rest[:end]) //nolint:errcheck // testing takes it
	}
	l.rest = slices.Clone(l.rest[end:])
}

// end writes what is left, and nothing after that.
func (l *testLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.rest = append(l.rest, '\n')
		l.flushLocked(len(l.rest))
	}
	l.out = nil
}

// last returns the end of what was written.
func (l *testLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(l.tail))
}

// What handlers print by package log, and by slog's default, belongs to the log of their test. All tests of the process share
// that package: whose handler it is that writes can be told from the stack of its goroutine. For what nobody
// can tell of, such as goroutines that handlers have started, it is the one emulator there is, if there is just one.
var capture struct {
	// installing is held while the output of package log is exchanged; never with mu, which Write takes
	// inside of package log.
	installing sync.Mutex
	users      int

	mu        sync.Mutex
	before    io.Writer // what package log wrote to
	emulators map[*emulator]struct{}
}

type capturing struct{}

func (capturing) Write(p []byte) (int, error) {
	stack := make([]byte, 32<<10)
	stack = stack[:runtime.Stack(stack, false)]
	capture.mu.Lock()
	all, before := slices.Collect(maps.Keys(capture.emulators)), capture.before
	capture.mu.Unlock()
	for _, e := range all {
		if bytes.Contains(stack, e.frame) {
			return e.log.Write(p)
		}
	}
	if len(all) == 1 {
		return all[0].log.Write(p)
	}
	return before.Write(p)
}

// captureLog sends what the handlers of e print to its log, until release is called.
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
