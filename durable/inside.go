//go:build !js

package durable

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/internal/inside"
)

// What tests may do and handlers may not. See package inside.

func init() {
	inside.CurrentAuthor = func() (inside.Author, bool) {
		m, found := authors.current()
		return inside.Author(m), found
	}
	inside.Serve = func(conn io.ReadWriteCloser, worker any, o inside.Options) (inside.Program, error) {
		p := &testServer{server: newServer(worker.(Worker)), idle: make(chan struct{})}
		close(p.idle)
		p.fakeOutside = o.Outside
		p.visits = &visits{pending: make(map[uint64]visit)}
		p.open(conn, p.handle)
		served := false
		defer func() { // also if the worker's Handler ends the goroutine
			if !served {
				p.conn.Close()
			}
		}()
		if err := p.introduce(); err != nil {
			return nil, fromWire(err)
		}
		served = true
		return p, nil
	}
}

// A testServer is a server that a test has started. It counts the handlers that run.
type testServer struct {
	*server

	// mu guards what follows.
	mu      sync.Mutex
	running int           // how many questions of the emulator are being answered
	idle    chan struct{} // closed while running is 0
}

var _ inside.Program = (*testServer)(nil)

func (p *testServer) Done() <-chan struct{} { return p.conn.Done() }

func (p *testServer) Wrote(a inside.Author) (object string, ours bool) { return p.objectOf(mark(a)) }

func (p *testServer) handle(s *wire.Stream) {
	p.mu.Lock()
	if p.running++; p.running == 1 {
		p.idle = make(chan struct{})
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.running--; p.running == 0 {
			close(p.idle)
		}
	}()
	p.server.handle(s)
}

func (p *testServer) Close(patience time.Duration) (running int) {
	p.conn.Close()
	p.mu.Lock()
	idle := p.idle
	p.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running
}

func (p *testServer) Visit(
	ctx context.Context, class, object string, f func(ctx context.Context, object, state any) error,
) error {
	n := p.visits.add(f)
	defer p.visits.remove(n)
	q := &wire.Visit{Class: class, Object: object, HasID: looksLikeID(object), Visit: n}
	return fromWire(p.conn.Call(ctx, wire.MethodVisit, q, &wire.Empty{}))
}

// looksLikeID distinguishes ids from names as the commands do.
func looksLikeID(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64
}

// A visit is a function that a test runs on an object and its *State.
type visit func(ctx context.Context, object, state any) error

// visits are the visits that tests have asked the emulator for, by number.
type visits struct {
	mu      sync.Mutex // guards what follows
	pending map[uint64]visit
	last    uint64
}

func (v *visits) add(f visit) (n uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last++
	v.pending[v.last] = f
	return v.last
}

func (v *visits) remove(n uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.pending, n)
}

func (v *visits) get(n uint64) visit {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pending[n]
}

// visited runs the visit that the emulator has arranged.
func (srv *server) visited(s *wire.Stream, m *wire.Visited) error {
	if srv.visits == nil {
		return errors.New("the program takes no visits")
	}
	i, err := srv.instanceOf(m.Instance)
	if err != nil {
		return err
	}
	f := srv.visits.get(m.Visit)
	if f == nil {
		return fmt.Errorf("nobody waits for visit %d", m.Visit)
	}
	h := srv.begin(s, m.Event, i.state, i.cache)
	defer h.end()
	return h.run(func() error { return f(h.ctx, i.object, i.state) })
}

// fakeOutside returns the function that answers a request to the outside in its place, or nil if
// the request is to leave. fakeOutside itself may be nil.
type fakeOutside func() func(*http.Request) (*http.Response, error)

func (f fakeOutside) get() func(*http.Request) (*http.Response, error) {
	if f == nil {
		return nil
	}
	return f() //nolint:bodyclose // it returns a function
}

// fakeRoundTrip lets answer take the place of the outside. As for a request that leaves, the writes
// before it are committed, and the turn is given up until the response is there.
func (h *wireHost) fakeRoundTrip(
	answer func(*http.Request) (*http.Response, error), r *http.Request,
) (*http.Response, error) {
	if err := h.pause(); err != nil {
		return nil, err
	}
	ctx := r.Context()
	answered := h.startAnswer(answer, r)
	done := h.waiting(ctx)
	var got fakeAnswer
	select {
	case got = <-answered:
	case <-ctx.Done():
		got.err = context.Cause(ctx)
		go func() { // nobody reads the response any more
			if late := <-answered; late.response != nil && late.response.Body != nil {
				late.response.Body.Close()
			}
		}()
	}
	done()
	if err := h.resume(); err != nil {
		return nil, err
	}
	return completed(got.response, r), got.err
}

// A fakeAnswer is what a test's function has returned.
type fakeAnswer struct {
	response *http.Response
	err      error
}

// startAnswer calls answer on a goroutine of its own. A panic of answer, or an answer without
// response and error, is an error.
func (*wireHost) startAnswer(
	answer func(*http.Request) (*http.Response, error), r *http.Request,
) <-chan fakeAnswer {
	const function = "the function that answers requests to the outside"
	answered := make(chan fakeAnswer, 1)
	go func() {
		result := fakeAnswer{err: errors.New(function + " ended its goroutine")}
		defer func() {
			if v := recover(); v != nil {
				result.err = fmt.Errorf("%s panicked: %v", function, v)
			}
			if r.Body != nil {
				r.Body.Close()
			}
			answered <- result
		}()
		response, err := answer(r) //nolint:bodyclose // the receiver of the answer closes it
		switch {
		case response == nil && err == nil:
			err = errors.New(function + " returned neither a response nor an error")
		case response != nil && response.StatusCode != 0 && !validStatus(response.StatusCode):
			err = errors.Join(err, fmt.Errorf("%s returned status %d: %s", function, response.StatusCode, statusRule))
			if response.Body != nil {
				response.Body.Close()
			}
			response = nil
		}
		result = fakeAnswer{response, err}
	}()
	return answered
}

// completed fills in what a response of a test's function may leave out.
func completed(response *http.Response, r *http.Request) *http.Response {
	if response == nil {
		return nil
	}
	filled := *response
	if filled.StatusCode == 0 {
		filled.StatusCode = http.StatusOK
	}
	if filled.Status == "" {
		filled.Status = fmt.Sprintf("%d %s", filled.StatusCode, http.StatusText(filled.StatusCode))
	}
	if filled.Header == nil {
		filled.Header = make(http.Header)
	}
	switch {
	case filled.Body == nil:
		filled.Body = http.NoBody
	case filled.ContentLength == 0 && filled.Body != http.NoBody:
		filled.ContentLength = -1 // nobody has counted
	}
	if filled.Proto == "" {
		filled.Proto, filled.ProtoMajor, filled.ProtoMinor = "HTTP/1.1", 1, 1
	}
	filled.Request = r
	return &filled
}
