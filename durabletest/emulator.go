package durabletest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/internal/inside"
)

// How long things may take, in real time.
const (
	startTimeout = time.Minute
	endTimeout   = 10 * time.Second // for the emulator, after its input is closed
	quietTimeout = 5 * time.Second  // for handlers, after their connection is closed
)

// An emulator is a `devtool dev` that serves the test's process.
type emulator struct {
	url     string
	client  *http.Client
	program inside.Program
	frame   []byte // marks the stacks of the worker's handlers
	log     testLog
	outside atomic.Pointer[func(*http.Request) (*http.Response, error)]

	process *exec.Cmd
	input   io.Closer     // closing it ends the emulator
	ended   chan struct{} // closed when the emulator has ended

	// mu guards what follows.
	mu      sync.Mutex
	closing bool
}

// status is what the emulator prints when it is ready.
type status struct {
	URL    string `json:"url"`
	Attach string `json:"attach"`
}

// start starts an emulator that ends with the test.
func start(t testing.TB, path string, worker durable.Worker, o Options) (*emulator, error) {
	t.Helper()
	e := &emulator{ended: make(chan struct{}), process: exec.Command(path, arguments(o, t.TempDir())...)}
	e.log.out = t.Output()
	ownGroup(e.process)
	e.process.Dir = o.Dir
	// An empty variable counts as one that is not set.
	e.process.Env = append(os.Environ(), "NO_COLOR=1", "CLOUDFLARE_ENV=")
	if !o.DotFiles {
		e.process.Env = append(e.process.Env, "CLOUDFLARE_INCLUDE_PROCESS_ENV=")
	}
	ready := &firstLine{line: make(chan []byte, 1)}
	e.process.Stdout, e.process.Stderr = ready, &e.log
	input, err := e.process.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start devtool: %w", err)
	}
	e.input = input
	if err := e.process.Start(); err != nil {
		return nil, fmt.Errorf("start devtool: %w", err)
	}
	go func() {
		e.process.Wait() //nolint:errcheck // ProcessState has the outcome
		close(e.ended)
	}()
	t.Cleanup(func() {
		t.Helper()
		e.end(t)
	})

	var s status
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case line := <-ready.line:
		if err := json.Unmarshal(line, &s); err != nil || s.Attach == "" {
			return nil, fmt.Errorf("%s and this package are from different versions of devtool: it printed %q first",
				path, line)
		}
	case <-e.ended:
		return nil, e.explain(fmt.Errorf("%s did not start", filepath.Base(path)))
	case <-timer.C:
		return nil, fmt.Errorf("devtool was not ready within %s:\n%s", startTimeout, e.log.last())
	}
	if err := e.reach(s.URL); err != nil {
		return nil, err
	}
	return e, e.attach(t, s.Attach, worker)
}

// arguments returns the arguments of devtool, which keeps the state in folder.
func arguments(o Options, folder string) []string {
	args := []string{
		"dev", "--attach", "--apart", "--json", "--frozen", "--port=0", "--ip=127.0.0.1", "--local-protocol=http",
		"--persist-to=" + filepath.Join(folder, "state"),
	}
	add := func(name, value string) {
		if value != "" {
			args = append(args, "--"+name+"="+value)
		}
	}
	add("config", o.Config)
	add("env", o.Env)
	add("limits", o.Limits)
	if o.Time.IsZero() {
		o.Time = DefaultTime()
	}
	add("time", o.Time.UTC().Format(time.RFC3339Nano))
	if !o.DotFiles {
		add("env-file", os.DevNull)
	}
	if o.Seed != 0 {
		add("seed", strconv.FormatUint(o.Seed, 10))
	}
	if o.Verbose {
		add("log-level", "debug")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Vars)) {
		add("var", name+":"+o.Vars[name])
	}
	return args
}

// firstLine is a writer that sends the first line written to it, once.
type firstLine struct {
	line chan []byte

	b    []byte
	said bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	if !f.said {
		f.b = append(f.b, p...)
		if line, _, complete := bytes.Cut(f.b, []byte("\n")); complete {
			f.line <- line
			f.said = true
		}
	}
	return len(p), nil
}

// reach makes the client for an emulator at address. The client uses the number 127.0.0.1, because
// another program may listen on [::1] and "localhost" may mean that address.
func (e *emulator) reach(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("read the emulator's URL: %w", err)
	}
	u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	e.url = u.String()
	e.client = &http.Client{Transport: &relative{base: u, transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	return nil
}

// relative sends requests without a host to the worker.
type relative struct {
	base      *url.URL
	transport *http.Transport
}

func (r *relative) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == "" {
		clone := *request
		clone.URL = r.base.ResolveReference(request.URL)
		request = &clone
	}
	return r.transport.RoundTrip(request)
}

// CloseIdleConnections is what http.Client's method of that name calls.
func (r *relative) CloseIdleConnections() { r.transport.CloseIdleConnections() }

// attach makes worker the emulator's handler program.
func (e *emulator) attach(t testing.TB, socket string, worker durable.Worker) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return e.explain(fmt.Errorf("reach the emulator: %w", err))
	}
	outside := func() func(*http.Request) (*http.Response, error) {
		if f := e.outside.Load(); f != nil { //nolint:bodyclose // it is a function
			return *f
		}
		return nil
	}
	e.program, err = inside.Serve(conn, worker, inside.Options{Outside: outside})
	if err != nil {
		return fmt.Errorf("serve the worker: %w", err)
	}
	e.frame = []byte(e.program.Frame())
	t.Cleanup(captureLog(e))
	go func() {
		<-e.program.Done()
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.closing {
			t.Errorf("durabletest: the emulator has ended before the test: %s", e.log.last())
		}
	}()
	return nil
}

// explain adds to err that the emulator has ended, if it has.
func (e *emulator) explain(err error) error {
	var dialing *net.OpError
	if errors.As(err, &dialing) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) {
		// The emulator's connections close shortly before its process ends.
		timer := time.NewTimer(time.Second)
		defer timer.Stop()
		select {
		case <-e.ended:
		case <-timer.C:
		}
	}
	select {
	case <-e.ended:
		return fmt.Errorf("%w; devtool has ended (%s):\n%s", err, e.process.ProcessState, e.log.last())
	default:
		return err
	}
}

// end ends the emulator and waits for the handlers that still run.
func (e *emulator) end(t testing.TB) {
	t.Helper()
	e.mu.Lock()
	e.closing = true
	e.mu.Unlock()
	if e.program != nil {
		if n := e.program.Close(quietTimeout); n > 0 {
			t.Errorf("durabletest: handlers still run %s after the end of the test (%d of them): "+
				"a handler has to return when its context ends", quietTimeout, n)
		}
	}
	if e.client != nil {
		e.client.CloseIdleConnections()
	}
	e.input.Close() //nolint:errcheck // it may be closed already
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case <-e.ended:
	case <-timer.C:
		t.Errorf("durabletest: devtool did not end within %s", endTimeout)
		e.process.Process.Kill() //nolint:errcheck // it may have ended
		<-e.ended
	}
	e.log.end()
}
