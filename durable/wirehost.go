//go:build !js

package durable

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"devtool.internal/durable/wire"
)

// A wireHost is the emulator, as one invocation sees it.
type wireHost struct {
	inv  invocation // that this host serves
	conn *wire.Conn
	id   uint64 // of the event
	// ctx is the handler's. It ends when the object is reset, and when the client has gone, but for
	// that not before a section has ended.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// event is the stream that the event came by, or nil for one in the background, which has no
	// client.
	event *wire.Stream
	// cache is that of the object's entries. If it is nil, the emulator answers every get and put.
	cache *cache
	// fakeOutside answers requests to the outside in tests, or is nil.
	fakeOutside fakeOutside
	level       slog.Level // the lowest that the log shows

	putting sync.Mutex // held while a call of PutMany sends its entries
	holding sync.Mutex // held while a goroutine takes the handler's instance, before mu

	// mu guards what follows.
	mu sync.Mutex
	// buffered are the puts since the last question, and bufferedSize is their size in bytes.
	buffered     []wire.Entry
	bufferedSize int
	released     int  // how many goroutines have given the turn up
	away         int  // how many goroutines have released the instance: see wireturn.go
	holds        bool // the handler holds its instance
	returned     bool // the handler has returned
	over         bool // the handler has returned, or its object was reset
	sections     int  // how many are open
	// open are the requests whose responses may still be read, and waits for other events. end
	// withdraws them.
	open  map[*wire.Stream]struct{}
	ended bool
	// waits are what the handler's goroutines wait for. Each goes on when its context ends.
	waits []*wait
}

// A wait is an operation that is withdrawn when ctx ends.
type wait struct{ ctx context.Context }

var (
	_ host   = (*wireHost)(nil)
	_ source = (*wire.Stream)(nil)
)

// beginOn returns the invocation of a handler for the event with the given number. Its context
// ends with life. The caller calls end when the handler has returned.
func beginOn(
	conn *wire.Conn, fake fakeOutside, level slog.Level, life context.Context, number uint64, state *State,
	entries *cache,
) *wireHost {
	h := &wireHost{conn: conn, id: number, cache: entries, fakeOutside: fake, level: level}
	h.inv.host, h.inv.state = h, state
	h.ctx, h.cancel = context.WithCancelCause(context.WithValue(life, invocationKey{}, &h.inv))
	return h
}

// run runs the handler, and returns its panic as an error.
func (h *wireHost) run(handler func() error) error {
	h.hold()
	defer h.leave() // also if the handler ends its goroutine
	defer h.handled()
	m := markOf(h.conn, h.id)
	if h.inv.state != nil {
		m[2] = h.inv.state.instance
	}
	return m.guard(handler)
}

// end ends the context of the invocation, and withdraws what the handler has left open.
func (h *wireHost) end() {
	h.cancel(errHandlerReturned)
	h.mu.Lock()
	h.ended = true
	open := h.open
	h.open = nil
	h.mu.Unlock()
	for s := range open {
		s.Withdraw()
	}
}

// keep makes end withdraw s, unless forget is called before.
func (h *wireHost) keep(s *wire.Stream) {
	h.mu.Lock()
	ended := h.ended
	if !ended {
		if h.open == nil {
			h.open = make(map[*wire.Stream]struct{})
		}
		h.open[s] = struct{}{}
	}
	h.mu.Unlock()
	if ended {
		s.Withdraw()
	}
}

func (h *wireHost) forget(s *wire.Stream) {
	h.mu.Lock()
	delete(h.open, s)
	h.mu.Unlock()
}

func (h *wireHost) op() *wire.Operation { return &wire.Operation{Event: h.id} }

// call asks the emulator, after the puts that are buffered. It does not end with the handler's
// context. The emulator answers most questions at once. It lets others wait for the turn, and must
// not be left waiting for a handler that has gone on.
func (h *wireHost) call(m wire.Method, question, answer wire.Message) error {
	h.mu.Lock()
	h.flushLocked()
	h.mu.Unlock()
	return h.ask(m, question, answer)
}

func (h *wireHost) ask(m wire.Method, question, answer wire.Message) error {
	return h.failed(h.conn.Call(context.Background(), m, question, answer))
}

// lives returns the contexts that end when the object is reset. The handler's may have ended
// before, because the client has gone.
func (h *wireHost) lives() []context.Context {
	if h.event == nil {
		return []context.Context{h.ctx}
	}
	return []context.Context{h.ctx, h.event.Context()}
}

// failed returns err, which an operation has failed with, as handlers see it. After a reset of
// their object they see the reset's reason, whatever the emulator says of the operation. The
// handler's context has ended then. The emulator ends it, but its answer may overtake that.
func (h *wireHost) failed(err error) error {
	err, own := h.seen(err)
	if own {
		h.cancel(err)
	}
	return err
}

// callFailed is failed for a call of an object. What looks like the reset of the handler's own
// object may be the error of an earlier one, which the other object has kept. So it ends nothing.
func (h *wireHost) callFailed(err error) error {
	err, _ = h.seen(err)
	return err
}

// seen returns err as handlers see it, and whether it is the reset of their object.
func (h *wireHost) seen(err error) (_ error, own bool) {
	if err == nil {
		return nil, false
	}
	for _, ctx := range h.lives() {
		reset := (*Error)(nil)
		if errors.As(context.Cause(ctx), &reset) && reset.Reset {
			return reset, true
		}
	}
	err = fromWire(err)
	e, ok := err.(*Error)
	if !ok || !e.Reset || h.inv.state == nil || e.ObjectID != h.inv.state.ID.String() {
		return err, false
	}
	h.mu.Lock()
	h.over = true // from here on, no put may be buffered
	h.mu.Unlock()
	reset := *e
	reset.Remote = false // it is this object's reset, and no other object has failed
	return &reset, true
}

// do is call for an operation without arguments whose answer is empty.
func (h *wireHost) do(m wire.Method) error { return h.call(m, h.op(), &wire.Empty{}) }

func (h *wireHost) now() (time.Time, error) {
	var t wire.Time
	err := h.ask(wire.MethodNow, h.op(), &t)
	return time.UnixMilli(t.Time).UTC(), err
}

// handled notes that the handler has returned, or has reset its object. The emulator is asked about
// every later put of its goroutines, and refuses it.
func (h *wireHost) handled() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flushLocked()
	h.over = true
}

func (h *wireHost) pause() error {
	h.releaseTurn()
	err := h.do(wire.MethodPause)
	if err != nil {
		h.retakeTurn()
	}
	return err
}

func (h *wireHost) resume() error {
	err := h.do(wire.MethodResume)
	if err == nil {
		h.retakeTurn()
	} else {
		h.comeBack()
	}
	return err
}

func (h *wireHost) block() error   { return h.do(wire.MethodBlock) }
func (h *wireHost) unblock() error { return h.do(wire.MethodUnblock) }

func (h *wireHost) section(ctx context.Context) (_ context.Context, leave func()) {
	if h.event == nil {
		return ctx, func() {}
	}
	h.event.HoldInterest()
	h.addSections(1)
	return h.lasting(ctx), func() {
		h.addSections(-1)
		h.event.ReleaseInterest()
	}
}

func (h *wireHost) addSections(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sections += n
}

func (h *wireHost) lasting(ctx context.Context) context.Context {
	if ctx.Err() == nil || h.event == nil || !errors.Is(context.Cause(ctx), wire.ErrCanceled) {
		return ctx
	}
	h.mu.Lock()
	inside := h.sections > 0
	h.mu.Unlock()
	if !inside {
		return ctx
	}
	lasting, end := context.WithCancelCause(context.WithoutCancel(ctx))
	event := h.event.Context()
	context.AfterFunc(event, func() { end(context.Cause(event)) })
	return lasting
}

func (h *wireHost) begin() error    { return h.do(wire.MethodBegin) }
func (h *wireHost) commit() error   { return h.do(wire.MethodCommit) }
func (h *wireHost) rollback() error { return h.change(wire.MethodRollback, h.op(), &wire.Empty{}) }

// log sends at once, because the program may end now.
func (h *wireHost) log(level slog.Level, message string, attrs []byte) error {
	m := &wire.Log{Event: h.id, Level: int64(level), Message: message, Attrs: attrs}
	return fromWire(h.conn.NotifyAtOnce(wire.MethodLog, m))
}

func (h *wireHost) logLevel() slog.Level { return h.level }

func (h *wireHost) reset(reason string, dropAlarm, ofBlock bool) error {
	h.handled()
	m := &wire.Reset{Event: h.id, Reason: reason, DropAlarm: dropAlarm, OfBlock: ofBlock}
	return h.ask(wire.MethodReset, m, &wire.Empty{})
}

// background returns when the emulator knows of the new event. A handler that ended before that
// would end its event's number too.
func (h *wireHost) background(f func(context.Context) error) error {
	s, err := h.conn.Open(wire.MethodBackground, h.op(), false)
	if err != nil {
		return h.failed(err)
	}
	b, err := s.Await(context.Background())
	if err != nil {
		return h.failed(err)
	}
	var m wire.Background
	if err := wire.Decode(b, &m); err != nil {
		s.Withdraw()
		return err
	}
	own := beginOn(h.conn, h.fakeOutside, h.level, s.Context(), m.Event, h.inv.state, h.cache)
	own.released, own.away = 1, 1 // it has no turn before it resumes
	go own.runInBackground(s, f)
	return nil
}

// runInBackground runs f with the turn, if f is an object's, and ends the stream s with its result.
func (h *wireHost) runInBackground(s *wire.Stream, f func(context.Context) error) {
	failure := &wire.Error{Message: endedGoroutine, Remote: true}
	defer func() { // also if f does not return
		h.end()
		if failure == nil {
			s.CloseWrite() //nolint:errcheck // the emulator has gone, and the event with it
		} else {
			s.Fail(failure)
		}
	}()
	err := h.resume()
	if err == nil {
		err = h.run(func() error { return f(h.ctx) })
	}
	failure = nil
	if err != nil {
		failure = failureOf(err)
	}
}

// sleep withdraws its question when ctx ends. The emulator then answers when the event has its
// turn again.
func (h *wireHost) sleep(ctx context.Context, d time.Duration) error {
	ctx = h.lasting(ctx)
	if d <= 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	h.releaseTurn()
	done := h.waiting(ctx)
	err := h.conn.Call(ctx, wire.MethodSleep, &wire.Sleep{Event: h.id, Duration: int64(d)}, &wire.Empty{})
	done()
	return h.afterWait(ctx, err)
}

// waiting notes that a goroutine of the handler waits, until it calls done. It goes on earlier if
// ctx ends.
func (h *wireHost) waiting(ctx context.Context) (done func()) {
	w := &wait{ctx}
	h.mu.Lock()
	h.waits = append(h.waits, w)
	h.mu.Unlock()
	return func() {
		h.mu.Lock()
		h.waits = slices.DeleteFunc(h.waits, func(other *wait) bool { return other == w })
		h.mu.Unlock()
	}
}

// timer tells the emulator, after expire has ended contexts, whether anything that waited goes on
// because of that. What goes on is part of what happens at that time of the clock.
func (h *wireHost) timer(ctx context.Context, d time.Duration, expire func()) {
	s, err := h.conn.Open(wire.MethodTimer, &wire.Sleep{Event: h.id, Duration: int64(d)}, false)
	if err != nil {
		return // the connection is gone, and ctx ends with it
	}
	go func() {
		if _, err := s.Await(ctx); err != nil {
			return // ctx has ended, or the event is over, and ctx is about to end
		}
		h.mu.Lock()
		waits := slices.Clone(h.waits) // one that ends now may be gone before the answer
		h.mu.Unlock()
		expire()
		goesOn := []byte{0}
		h.mu.Lock()
		for _, w := range append(waits, h.waits...) {
			if w.ctx.Err() != nil {
				goesOn[0] = 1
			}
		}
		h.mu.Unlock()
		s.Write(goesOn) //nolint:errcheck // the emulator has gone, and the event with it
		s.CloseWrite()  //nolint:errcheck // as above
	}()
}

// afterWait returns err, the result of a question that gave the turn up, as handlers see it. An
// answer, or a failure in its place, has come with the turn. If the question was withdrawn because
// ctx has ended, afterWait takes the turn before the handler goes on.
func (h *wireHost) afterWait(ctx context.Context, err error) error {
	return h.afterWaitFor(ctx, err, h.failed)
}

// afterWaitFor is afterWait for a question whose errors failed converts.
func (h *wireHost) afterWaitFor(ctx context.Context, err error, failed func(error) error) error {
	if err == nil || ctx.Err() == nil {
		h.retakeTurn()
		return failed(err)
	}
	if err := h.resume(); err != nil {
		return err
	}
	return context.Cause(ctx)
}
