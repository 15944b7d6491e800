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
	inside.Serve = func(conn io.ReadWriteCloser, worker any, o inside.Options) (inside.Program, error) {
		p := newProgram(worker.(Worker))
		p.outside = o.Outside
		served := &served{program: p, visits: make(map[uint64]visit), idle: make(chan struct{})}
		close(served.idle)
		p.visited = served.visited
		p.open(conn, served.handle)
		if err := p.introduce(); err != nil {
			p.conn.Close()
			return nil, fromWire(err)
		}
		return served, nil
	}
}

// A served worker knows what runs of it, and who has asked to look into an object.
type served struct {
	*program

	// mu guards what follows.
	mu        sync.Mutex
	running   int           // how many questions of the emulator are being answered
	idle      chan struct{} // closed while none is
	visits    map[uint64]visit
	lastVisit uint64
}

type visit func(ctx context.Context, object, state any) error

var _ inside.Program = (*served)(nil)

func (p *served) Done() <-chan struct{} { return p.conn.Done() }

func (p *served) Frame() string { return markOf(p.conn, 0).connection() }

func (p *served) handle(s *wire.Stream) {
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
	p.program.handle(s)
}

func (p *served) Close(patience time.Duration) (running int) {
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

func (p *served) Visit(ctx context.Context, class, object string, f func(ctx context.Context, object, state any) error) error {
	p.mu.Lock()
	p.lastVisit++
	n := p.lastVisit
	p.visits[n] = f
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.visits, n)
		p.mu.Unlock()
	}()
	q := &wire.Visit{Class: class, Object: object, HasID: looksLikeID(object), Visit: n}
	if err := p.conn.Call(ctx, wire.MethodVisit, q, &wire.Empty{}); err != nil {
		return fromWire(err)
	}
	return nil
}

// looksLikeID tells ids from names as the commands do.
func looksLikeID(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64
}

// visited runs the visit that the emulator has arranged.
func (p *served) visited(s *wire.Stream) error {
	var m wire.Visited
	if err := wire.Decode(s.Message, &m); err != nil {
		return err
	}
	i, err := p.instanceOf(m.Instance)
	if err != nil {
		return err
	}
	p.mu.Lock()
	f := p.visits[m.Visit]
	p.mu.Unlock()
	if f == nil {
		return fmt.Errorf("nobody waits for visit %d", m.Visit)
	}
	ctx, ev, end := p.begin(s, m.Event, i.state)
	defer end()
	return ev.run(func() error { return f(ctx, i.object, i.state) })
}

// An outsider answers the requests to the outside that handlers make, or returns nil where they go there.
type outsider func() func(*http.Request) (*http.Response, error)

// fake returns what is to answer a request to the outside, or nil.
func (o outsider) fake() func(*http.Request) (*http.Response, error) {
	if o == nil {
		return nil
	}
	return o() //nolint:bodyclose // it returns a function
}

// fakeRoundTrip has answer take the place of the outside: as with a request that leaves, what was written
// before is committed, and the turn is given up until the response is there.
func (h *wireHost) fakeRoundTrip(answer func(*http.Request) (*http.Response, error), r *http.Request) (*http.Response, error) {
	if err := h.pause(); err != nil {
		return nil, err
	}
	type result struct {
		response *http.Response
		err      error
	}
	answered := make(chan result, 1)
	go func() {
		failed := result{err: errors.New("the function that answers requests to the outside ended its goroutine")}
		defer func() {
			if v := recover(); v != nil {
				failed.err = fmt.Errorf("the function that answers requests to the outside panicked: %v", v)
			}
			if r.Body != nil {
				r.Body.Close()
			}
			answered <- failed
		}()
		response, err := answer(r) //nolint:bodyclose // who gets it closes it
		if response == nil && err == nil {
			err = errors.New("the function that answers requests to the outside returned neither a response nor an error")
		}
		failed = result{response, err}
	}()
	ctx := r.Context()
	done := h.waiting(ctx)
	var got result
	select {
	case got = <-answered:
	case <-ctx.Done():
		got.err = causeOf(ctx)
		go func() { // nobody reads it any more
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

// completed fills in what a response that was made by hand may lack.
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
	if filled.Body == nil {
		filled.Body = http.NoBody
	}
	if filled.Proto == "" {
		filled.Proto, filled.ProtoMajor, filled.ProtoMinor = "HTTP/1.1", 1, 1
	}
	filled.Request = r
	return &filled
}
