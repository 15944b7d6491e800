//go:build !js

package durable

import (
	"io"
	"log"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"devtool.internal/durable/wire"
)

// What package log prints is attributed to the event whose handler prints it, as far as the stack
// of the printing goroutine tells: see mark. The stack of a goroutine that a handler has started
// names the one that has started it, which is looked for among all goroutines, once for each.

// A logMarker is the output of package log in a program that the emulator has started. It passes
// lines on to out, and marks those of handlers for the emulator (see wire.MarkPrinted).
type logMarker struct {
	srv *server
	out io.Writer
}

// markLog marks what handlers print with package log, unless the program has set an output of its
// own. A later log.SetOutput replaces it.
func markLog(srv *server) {
	if log.Writer() == io.Writer(os.Stderr) {
		log.SetOutput(&logMarker{srv, os.Stderr})
	}
}

func (m *logMarker) Write(p []byte) (int, error) {
	marked := p
	if author, found := authors.current(); found {
		if object, ours := m.srv.objectOf(author); ours {
			marked = wire.MarkPrinted(author[1], object, p)
		}
	}
	if _, err := m.out.Write(marked); err != nil {
		return 0, err
	}
	return len(p), nil
}

// objectOf returns the object that the event of m belongs to, as CLASS/NAME or CLASS/ID, or empty
// for the worker. It reports false for an event of another connection.
func (srv *server) objectOf(m mark) (object string, ours bool) {
	if markOf(srv.conn, 0)[0] != m[0] {
		return "", false
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if i := srv.instances[m[2]]; i != nil {
		object = i.state.title()
	}
	return object, true
}

// authors finds the events that goroutines work for.
var authors authorCache

// An authorCache remembers the events of goroutines that handlers have started. Go uses no number
// of a goroutine twice.
type authorCache struct {
	mu    sync.Mutex
	known map[string]mark // by goroutine; zero if none is known
}

const (
	// maxAuthors is how many goroutines are remembered.
	maxAuthors = 4096
	// maxStack is how many bytes of a stack are looked at. The runtime leaves out the middle of a
	// deep one.
	maxStack = 64 << 10
)

var stackBuffers = sync.Pool{New: func() any { return new([maxStack]byte) }}

// current returns the mark of the event that the calling goroutine works for.
func (c *authorCache) current() (mark, bool) {
	buf := stackBuffers.Get().(*[maxStack]byte)
	defer stackBuffers.Put(buf)
	stack := string(buf[:runtime.Stack(buf[:], false)])
	if m, found := markIn(stack); found {
		return m, true
	}
	if startedBy(strings.TrimRight(stack, "\n")) == "" {
		return mark{}, false
	}
	id := goroutineOf(stack)
	c.mu.Lock()
	m, known := c.known[id]
	c.mu.Unlock()
	if !known {
		m = markOfStarter(allStacks(), id)
		c.mu.Lock()
		if c.known == nil || len(c.known) >= maxAuthors {
			c.known = make(map[string]mark)
		}
		c.known[id] = m
		c.mu.Unlock()
	}
	return m, m != mark{}
}

// markOfStarter returns the mark in the stack of the goroutine that has started goroutine id,
// directly or not, or zero. all are the stacks of all goroutines.
func markOfStarter(all, id string) mark {
	blocks := make(map[string]string)
	for block := range strings.SplitSeq(strings.TrimRight(all, "\n"), "\n\n") {
		blocks[goroutineOf(block)] = block
	}
	for id != "" { // each was started before the one it has started, so this ends
		block := blocks[id]
		if m, found := markIn(block); found {
			return m
		}
		id = startedBy(block)
	}
	return mark{}
}

// markIn returns the mark of the handler in a stack.
func markIn(stack string) (m mark, found bool) {
	_, rest, found := strings.Cut(stack, "durable.mark.guard({")
	if !found {
		return m, false
	}
	args, _, _ := strings.Cut(rest, "}")
	for i, arg := range strings.SplitN(args, ", ", len(m)) {
		n, err := strconv.ParseUint(arg, 0, 64)
		if err != nil {
			return mark{}, false
		}
		m[i] = n
	}
	return m, true
}
