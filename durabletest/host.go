package durabletest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"devtool.internal/internal/worlds"
)

// A host is a `devtool worlds`: the process that has the emulators of all tests of this process. It
// ends with this process, because its standard input ends then.
//
// While no test uses a host, it has no goroutine here. So tests that look for leaked goroutines
// find none.
type host struct {
	process *exec.Cmd
	environ []string // of the process
	input   io.WriteCloser
	folder  string // of the process, which removes it unless it is killed

	writing sync.Mutex // held while a request is written

	// output has events, and what the process prints when it crashes. It belongs to the goroutine
	// that reads it.
	output  io.ReadCloser
	lines   *bufio.Reader // of output
	printed lastWords     // what is not an event

	// mu guards what follows.
	mu      sync.Mutex
	used    map[int]*world // requested and not ended
	last    int            // the number of the last world
	reading bool           // a goroutine reads output
	heard   bool           // the process has sent something since that goroutine began to read
	lost    error          // how the process has ended, or nil
}

// startTimeout is how long a host, or a world, may take to start, in real time.
const startTimeout = time.Minute

// current is the host of this process.
var current struct {
	mu   sync.Mutex // held while a host starts
	host *host
}

// currentHost returns the host of this process. It starts the devtool at path if there is none, or
// none any more.
func currentHost(path string) (*host, error) {
	current.mu.Lock()
	defer current.mu.Unlock()
	if h := current.host; h != nil && h.err() == nil {
		return h, nil
	}
	h, err := startHost(path)
	if err != nil {
		return nil, err
	}
	current.host = h
	return h, nil
}

// startHost starts the devtool at path and returns when it takes requests.
func startHost(path string) (*host, error) {
	h := &host{process: exec.Command(path, "worlds"), environ: os.Environ(), used: make(map[int]*world)}
	h.process.Env = h.environ
	ownGroup(h.process)
	output, end, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start devtool: %w", err)
	}
	h.output, h.lines = output, bufio.NewReader(output)
	h.process.Stdout, h.process.Stderr = end, end
	if h.input, err = h.process.StdinPipe(); err == nil {
		err = h.process.Start()
	}
	end.Close()
	if err != nil {
		output.Close()
		return nil, fmt.Errorf("start devtool: %w", err)
	}
	if err := h.greet(); err != nil {
		return nil, err
	}
	return h, nil
}

// greet reads the first line of the process. After an error the process has ended.
func (h *host) greet() error {
	var late atomic.Bool
	timer := time.AfterFunc(startTimeout, func() {
		late.Store(true)
		h.process.Process.Kill() //nolint:errcheck // it may have ended
	})
	defer timer.Stop()
	name := filepath.Base(h.process.Path)
	line, err := h.lines.ReadBytes('\n')
	var hello worlds.Hello
	switch {
	case err != nil && late.Load():
		return fmt.Errorf("%s was not ready within %s: %w", name, startTimeout, h.wait(line))
	case err != nil:
		return fmt.Errorf("%s did not start; %w", name, h.wait(line))
	case json.Unmarshal(line, &hello) != nil || hello.Protocol != worlds.Protocol:
		h.process.Process.Kill() //nolint:errcheck // it may have ended
		h.wait(line)             //nolint:errcheck // it was killed
		return fmt.Errorf("%s and this package are from different versions of devtool: it printed %q first", name, line)
	}
	h.folder, h.heard = hello.Folder, true
	return nil
}

// wait waits for the end of the process, whose output has ended or ends soon, and returns how it
// ended. rest is the end of what the caller has read.
func (h *host) wait(rest []byte) error {
	h.printed.Write(rest)        //nolint:errcheck // it never fails
	io.Copy(&h.printed, h.lines) //nolint:errcheck // however it ends
	h.output.Close()             //nolint:errcheck // it was only read
	h.input.Close()              //nolint:errcheck // nobody reads it
	h.process.Wait()             //nolint:errcheck // ProcessState has the outcome
	if h.folder != "" {
		os.RemoveAll(h.folder) //nolint:errcheck // the test can't help it
	}
	err := fmt.Errorf("devtool has ended (%s)", h.process.ProcessState)
	if last := h.printed.String(); last != "" {
		err = fmt.Errorf("%w:\n%s", err, last)
	}
	return err
}

// err returns how the process has ended, or nil as far as is known.
func (h *host) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

// send writes a request. It returns no error if the process has ended.
func (h *host) send(r worlds.Request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	h.input.Write(append(b, '\n')) //nolint:errcheck // then its output has ended, too
	return nil
}

// add returns a world with a new number, and handles its events from now on. It returns nil if the
// process has ended.
func (h *host) add(log io.Writer) *world {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost != nil {
		return nil
	}
	h.last++
	w := &world{
		host: h, number: h.last, log: log, ready: make(chan worlds.Ready, 1), ended: make(chan struct{}),
	}
	h.used[w.number] = w
	if !h.reading {
		h.reading = true
		go h.read()
	}
	return w
}

// read handles events until no world is left, or the process ends.
func (h *host) read() {
	for {
		line, err := h.lines.ReadBytes('\n')
		if err != nil {
			h.lose(h.wait(line))
			return
		}
		var e worlds.Event
		if !bytes.HasPrefix(line, []byte("{")) || json.Unmarshal(line, &e) != nil || e.World == 0 {
			h.printed.Write(line) //nolint:errcheck // it never fails
			continue
		}
		if !h.handle(e) {
			return
		}
	}
}

// handle handles an event. It reports whether worlds are left.
func (h *host) handle(e worlds.Event) (more bool) {
	h.mu.Lock()
	h.heard = true
	w := h.used[e.World]
	if e.Ended != nil {
		delete(h.used, e.World)
	}
	more = len(h.used) > 0
	if !more {
		h.reading, h.heard = false, false
	}
	h.mu.Unlock()
	switch {
	case w == nil:
	case e.Ready != nil:
		w.ready <- *e.Ready
	case e.Ended != nil:
		w.end(*e.Ended)
	default:
		io.WriteString(w.log, e.Log) //nolint:errcheck // it never fails
	}
	return more
}

// lose ends all worlds, because the process has ended.
func (h *host) lose(why error) {
	h.mu.Lock()
	h.lost = why
	lost := h.used
	idle := !h.heard
	h.used, h.reading = nil, false
	h.mu.Unlock()
	for _, w := range lost {
		w.err, w.lost, w.unheard = why, true, idle
		close(w.ended)
	}
}
