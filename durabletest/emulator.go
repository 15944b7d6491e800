package durabletest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/internal/inside"
	"devtool.internal/internal/worlds"
)

// How long the end of a test may take, in real time.
const (
	endTimeout   = 10 * time.Second // for the emulator, after it was dropped
	quietTimeout = 5 * time.Second  // for handlers, after their connection is closed
)

// An emulator serves the worker of a test.
type emulator struct {
	url      string
	client   *http.Client
	world    *world
	traffic  *traffic
	program  inside.Program
	log      testLog
	outside  atomic.Pointer[func(*http.Request) (*http.Response, error)]
	injected atomic.Bool // a fault

	// ctx ends with the emulator, after the test's own cleanup functions.
	ctx    context.Context
	cancel context.CancelFunc

	// mu guards what follows.
	mu      sync.Mutex
	closing bool // the test has ended
	blamed  bool // the test has failed because the emulator has ended before it
}

// start starts an emulator that ends with the test. The devtool at path serves it.
func start(t testing.TB, path string, worker durable.Worker, o Options) (*emulator, error) {
	t.Helper()
	request, err := o.request()
	if err != nil {
		return nil, err
	}
	e := &emulator{}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.log.out = t.Output()
	t.Cleanup(func() {
		t.Helper()
		e.end(t)
	})
	w, ready, err := makeWorld(path, request, &e.log)
	if err != nil {
		if last := e.log.last(); last != "" {
			err = fmt.Errorf("%w\n%s", err, last)
		}
		return nil, err
	}
	e.world = w
	if err := e.reach(ready.URL, ready.Token); err != nil {
		return nil, err
	}
	return e, e.attach(t, ready.Attach, worker)
}

// request returns the request for an emulator with these options.
func (o Options) request() (worlds.Make, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return worlds.Make{}, fmt.Errorf("find the folder %q: %w", o.Dir, err)
	}
	m := worlds.Make{
		Dir: dir, Config: o.Config, Env: o.Env, Vars: o.Vars, DotFiles: o.DotFiles,
		Time: o.Time, Seed: o.Seed, Limits: o.Limits,
	}
	if m.Time.IsZero() {
		m.Time = DefaultTime()
	}
	if o.Verbose {
		m.LogLevel = "debug"
	}
	return m, nil
}

// reach makes the client for an emulator at address, whose control API requires token.
func (e *emulator) reach(address, token string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("read the emulator's URL: %w", err)
	}
	e.url = address
	e.traffic = newTraffic(&relative{base: u, token: token, transport: &http.Transport{MaxIdleConnsPerHost: 16}})
	e.client = &http.Client{Transport: e.traffic}
	return nil
}

// relative sends requests without a host to the worker. It adds the token to requests to the
// emulator's control API.
type relative struct {
	base      *url.URL
	token     string
	transport *http.Transport
}

func (r *relative) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == "" {
		clone := *request
		clone.URL = r.base.ResolveReference(request.URL)
		request = &clone
	}
	if request.URL.Host == r.base.Host && strings.HasPrefix(request.URL.Path, apiPrefix) {
		request = request.Clone(request.Context())
		request.Header.Set("Authorization", "Bearer "+r.token)
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
	t.Cleanup(captureLog(e))
	go func() {
		<-e.program.Done()
		e.awaitEnd()
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.closing {
			e.blameLocked(t)
		}
	}()
	return nil
}

// blameLocked fails the test, once, because the emulator has ended.
func (e *emulator) blameLocked(t testing.TB) {
	t.Helper()
	if !e.blamed {
		t.Errorf("durabletest: the emulator has ended before the test: %s", e.lastWords())
	}
	e.blamed = true
}

// awaitEnd waits a moment for the end of the emulator, whose connections close shortly before.
func (e *emulator) awaitEnd() {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-e.world.ended:
	case <-timer.C:
	}
}

// lastWords returns why the emulator has ended, if it has, and the end of its log.
func (e *emulator) lastWords() string {
	if e.world.hasEnded() && e.world.err != nil {
		return fmt.Sprintf("%v\n%s", e.world.err, e.log.last())
	}
	return e.log.last()
}

// explain adds to err that the emulator has ended, if it has.
func (e *emulator) explain(err error) error {
	var dialing *net.OpError
	if errors.As(err, &dialing) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) {
		e.awaitEnd()
	}
	if e.world.hasEnded() {
		return fmt.Errorf("%w; the emulator has ended: %s", err, e.lastWords())
	}
	return err
}

// end ends the emulator and waits for the handlers that still run.
func (e *emulator) end(t testing.TB) {
	t.Helper()
	asker{t, e}.reportUnusedFaults()
	e.cancel()
	e.mu.Lock()
	e.closing = true
	if e.world != nil && e.world.hasEnded() {
		e.blameLocked(t)
	}
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
	if e.world != nil && !e.world.hasEnded() {
		e.dropWorld(t)
	}
	e.log.end()
}

// dropWorld drops the emulator's world and waits for its end.
func (e *emulator) dropWorld(t testing.TB) {
	t.Helper()
	e.world.drop()
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case <-e.world.ended:
		switch err := e.world.err; {
		case e.world.lost:
			e.mu.Lock()
			defer e.mu.Unlock()
			e.blameLocked(t)
		case err != nil:
			t.Errorf("durabletest: end the emulator: %v", err)
		}
	case <-timer.C:
		t.Errorf("durabletest: the emulator did not end within %s", endTimeout)
	}
}
