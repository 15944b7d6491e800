package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/world"
)

// An Answerer receives a response: it passes it to a client of the front door, or to the handler
// that made a subrequest.
type Answerer interface {
	// Head sends the head. With end set, m is the whole response, with its short body.
	Head(m *wire.Response, end bool) error
	// Write sends a piece of the body.
	io.Writer
	// Close ends the body.
	Close() error
}

// Fetch sends the request of ev to the worker or to ev's object, and passes the response on to a.
// body is nil if the request has no body beyond Request.Body. After an error that follows the head,
// the response is cut off. The error is a *world.Undelivered if the worker's program was gone
// before.
//
// Fetch returns when the handler has returned. It does not wait for the end of body.
func (p *Program) Fetch(ev *world.Event, inst *world.Instance, body io.Reader, a Answerer) error {
	m := &wire.Fetch{Event: ev.Number(), Instance: inst.Number(), Request: *ev.Request()}
	s, err := p.conn.Open(wire.MethodFetch, m, body == nil)
	if err != nil {
		if ev.Object() == nil && errors.Is(err, wire.ErrClosed) {
			return &world.Undelivered{Cause: err}
		}
		return p.explain(err)
	}
	stop := context.AfterFunc(ev.Context(), func() { cancel(ev, s) })
	defer stop()
	if body != nil {
		ev.CarryBody(1)
		go func() {
			send(ev, s, body)
			ev.CarryBody(-1)
		}()
	}
	b, err := p.await(inst, s)
	if err != nil {
		return err
	}
	return p.answer(ev, inst, s, b, a)
}

// answer decodes the head b of a response, and passes the response on to a.
func (p *Program) answer(ev *world.Event, inst *world.Instance, s *wire.Stream, b []byte, a Answerer) error {
	var m wire.Response
	if err := wire.Decode(b, &m); err != nil {
		s.Withdraw()
		return err
	}
	if m.Status < 200 || m.Status > 599 {
		s.Withdraw()
		return fmt.Errorf("the handler answered with status %d; it must be from 200 to 599", m.Status)
	}
	if s.Ended() {
		// The handler has returned: nothing leaves before its writes are committed.
		if err := ev.Finish(); err != nil {
			return err
		}
		a.Head(&m, true) //nolint:errcheck // if the client has gone, the event is complete nevertheless
		return nil
	}
	defer withdrawAtReset(inst, s)()
	ev.CarryBody(1)
	defer ev.CarryBody(-1)
	sendErr := ev.Send(func() error { return a.Head(&m, false) })
	ev.Stream()
	if sendErr != nil {
		cancel(ev, s)
	}
	buf := make([]byte, wire.MaxData)
	for {
		n, err := s.Read(buf)
		ev.Carried()
		// After a failed send the handler's writes fail. The body is still read, so that the
		// handler can return.
		if n > 0 && sendErr == nil {
			sendErr = ev.Send(func() error { _, err := a.Write(buf[:n]); return err })
			if sendErr != nil {
				cancel(ev, s)
			}
		}
		switch {
		case err == io.EOF:
			// The handler has returned: the end of the body leaves after its writes are committed.
			if err := ev.Finish(); err != nil {
				return err
			}
			if sendErr == nil {
				a.Close() //nolint:errcheck // as above
			}
			return nil
		case inst.Context().Err() != nil:
			return context.Cause(inst.Context())
		case err != nil:
			return p.explain(err)
		}
	}
}

// withdrawAtReset tells the handler of s the reason, if inst is reset before stop is called. When
// stop returns, the program has been sent the reason, or never will be. So it learns the reason
// before it learns that the event is over.
func withdrawAtReset(inst *world.Instance, s *wire.Stream) (stop func()) {
	withdrawn := make(chan struct{})
	keep := context.AfterFunc(inst.Context(), func() {
		defer close(withdrawn)
		s.WithdrawFor(context.Cause(inst.Context()))
	})
	return func() {
		if !keep() {
			<-withdrawn
		}
	}
}

// send sends body as the body of s, to the handler of ev.
func send(ev *world.Event, s *wire.Stream, body io.Reader) {
	buf := make([]byte, wire.MaxData)
	for {
		n, err := body.Read(buf)
		ev.Carried()
		if _, e := s.Write(buf[:n]); e != nil {
			return // the handler wants no more of it
		}
		if err == io.EOF {
			s.CloseWrite() //nolint:errcheck // as above
			return
		}
		if err != nil {
			s.Cancel() // the rest of the body will never come
			return
		}
	}
}

// subrequest serves a handler's request to an object or to the outside.
func (p *Program) subrequest(s *wire.Stream) {
	var q wire.Subrequest
	caller, err := p.asker(s, &q)
	if err != nil {
		s.Fail(world.WireError(err))
		return
	}
	caller.Serving(1)
	if err := caller.Pause(s.Context()); err != nil {
		caller.Serving(-1)
		s.Fail(world.WireError(err))
		return
	}
	caller.CarryBody(1)
	defer caller.CarryBody(-1)
	var body io.Reader
	if !s.Ended() {
		body = s
	}
	a := &subresponse{s: s, caller: caller, serving: true}
	defer a.waits()
	if q.Binding == "" {
		err = a.failed(p.fetchOutside(&q.Request, body, a))
	} else {
		err = p.fetchObject(&q, body, a)
	}
	if err != nil {
		s.Fail(world.WireError(err))
	}
}

// A subresponse passes a response on to the handler that made the subrequest.
type subresponse struct {
	s        *wire.Stream
	caller   *world.Event
	callee   *world.Event // nil for the outside
	retaken  bool         // the caller has been resumed
	answered bool
	lost     error // why the caller could not take the response, or nil
	serving  bool  // see world.Event.Serving
	status   int   // of the response, for the log
}

// waits notes that the caller waits for its response.
func (a *subresponse) waits() {
	if a.serving {
		a.serving = false
		a.caller.Serving(-1)
	}
}

// over completes the callee before the end of its response leaves. Otherwise the caller could pass
// time before the object counts as idle.
func (a *subresponse) over() {
	if a.callee != nil {
		a.callee.Complete()
	}
}

// retake resumes the caller: it takes its turn again.
func (a *subresponse) retake() error {
	if a.callee == nil {
		return a.caller.Resume(a.s.Context())
	}
	if !a.retaken {
		a.callee.Answered(a.caller)
	}
	a.retaken = true
	return a.caller.ResumeFor(a.s.Context(), a.callee)
}

func (a *subresponse) Head(m *wire.Response, end bool) error {
	if err := a.retake(); err != nil {
		a.lost = err
		return err
	}
	a.answered, a.status = true, int(m.Status)
	if end {
		a.over()
	}
	return a.s.Answer(m, end)
}

// failed resumes the caller, unless it has its response already, and returns err. Without one, it
// returns why the caller could not take its response, or nil.
func (a *subresponse) failed(err error) error {
	if err == nil {
		return a.lost
	}
	if !a.answered {
		if e := a.retake(); e != nil {
			return e
		}
	}
	return err
}

func (a *subresponse) Write(p []byte) (int, error) {
	a.caller.Carried()
	return a.s.Write(p)
}

func (a *subresponse) Close() error {
	a.over()
	return a.s.CloseWrite()
}

func (p *Program) fetchObject(q *wire.Subrequest, body io.Reader, a *subresponse) error {
	object, err := p.addressOf(q)
	if err != nil {
		return a.failed(err)
	}
	started := time.Now()
	var failure error
	p.w.Deliver(&world.Delivery{ //nolint:errcheck // Ended receives the error
		Kind: "fetch", Context: a.s.Context(), Program: p, Entry: world.Impatient, Object: object,
		Caller: a.caller, Request: &q.Request,
		Began: func(ev *world.Event) {
			a.callee = ev
			a.waits()
		},
		Handle: func(ev *world.Event, inst *world.Instance) error {
			return ev.Program().(*Program).Fetch(ev, inst, body, a)
		},
		Ended: func(ev *world.Event, err error) {
			if ev == nil { // its version was replaced, and it has entered no other
				failure = a.failed(err)
				return
			}
			failure = a.failed(world.CallerError(ev, err))
			ev.PublishFetch(a.status, time.Since(started), err)
		},
		Told: func() {
			if failure != nil {
				a.s.Fail(world.WireError(failure))
			}
		},
	})
	return nil
}

// addressOf returns the object that a subrequest is for.
func (p *Program) addressOf(q *wire.Subrequest) (*world.Address, error) {
	ns := p.settings.Bindings[q.Binding]
	if ns == nil {
		return nil, fmt.Errorf("no class is bound as %q", q.Binding)
	}
	who, err := ns.WithID(q.ID)
	if err != nil {
		return nil, err
	}
	who.Name, who.Named = q.Name, q.HasName
	return ns.At(who), nil
}

// fetchOutside sends a request to the host of its URL.
func (p *Program) fetchOutside(req *wire.Request, body io.Reader, a *subresponse) error {
	u, err := url.Parse(req.URL)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	r := (&http.Request{
		Method:        req.Method,
		URL:           u,
		Host:          req.Host,
		Header:        http.Header(wire.Header(req.Header)),
		ContentLength: req.ContentLength,
	}).WithContext(a.s.Context())
	switch {
	case body != nil:
		r.Body = io.NopCloser(body)
	case len(req.Body) > 0:
		r.Body = io.NopCloser(strings.NewReader(string(req.Body)))
		r.ContentLength = int64(len(req.Body))
	}
	// Only the platform names the client: its edge refuses requests that do.
	r.Header.Del("Cf-Connecting-Ip")
	// As on the platform, every server can tell a request of a worker. The guard refuses them, so a
	// URL that somebody gives to a handler does not reach an emulator's own paths.
	r.Header.Set(control.HandlerHeader, p.settings.Zone)
	a.caller.AwaitOutside(1)
	a.waits()
	resp, err := p.host.outside.RoundTrip(r)
	if !p.Lost() {
		a.caller.AwaitOutside(-1)
	}
	if err != nil {
		return err // http.Client adds the method and the URL
	}
	defer resp.Body.Close()
	return a.pass(resp)
}

// shortWait is how long, in real time, a response waits for its short body, so that both reach the
// handler in one frame. A slower body follows its head.
const shortWait = 2 * time.Millisecond

// pass passes a response from outside on.
func (a *subresponse) pass(resp *http.Response) error {
	m := &wire.Response{
		Status: uint64(resp.StatusCode), Header: wire.Fields(resp.Header), ContentLength: resp.ContentLength,
	}
	if resp.ContentLength >= 0 && resp.ContentLength <= wire.MaxData {
		return a.passShort(m, resp)
	}
	if err := a.Head(m, false); err != nil {
		return err
	}
	if _, err := io.Copy(a, resp.Body); err != nil {
		return unread(resp, err)
	}
	return a.Close()
}

// unread returns the error for a body from outside that breaks off.
func unread(resp *http.Response, err error) error {
	return fmt.Errorf("%s %s: read response: %w", resp.Request.Method, resp.Request.URL.Redacted(), err)
}

// passShort passes on a response of at most wire.MaxData bytes. What arrives within shortWait
// leaves with the head, and the rest as it comes.
func (a *subresponse) passShort(m *wire.Response, resp *http.Response) error {
	var mu sync.Mutex // guards left, headErr, and m until the head has left
	var left bool
	var headErr error
	timer := time.AfterFunc(shortWait, func() {
		mu.Lock()
		defer mu.Unlock()
		if !left {
			left, headErr = true, a.Head(m, false)
		}
	})
	defer timer.Stop()
	buf := make([]byte, m.ContentLength+1) // a byte more, so that no Read gets an empty buffer
	room := buf
	for {
		n, err := resp.Body.Read(room)
		mu.Lock()
		began := left
		if !began {
			m.Body = buf[:len(m.Body)+n]
			room = buf[len(m.Body):]
			if err != nil {
				left, headErr = true, a.Head(m, err == io.EOF)
			}
		}
		failed := headErr
		mu.Unlock()
		if failed == nil && began && n > 0 {
			_, failed = a.Write(room[:n])
		}
		switch {
		case failed != nil:
			return failed
		case err == io.EOF && began:
			return a.Close()
		case err == io.EOF:
			return nil
		case err != nil:
			return unread(resp, err)
		}
	}
}

// outsideTransport returns the transport of requests that leave this machine. It sends exactly what
// the handler asked for, and decompresses nothing: the SDK asks for gzip, and decodes it.
func outsideTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	return t
}
