package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"devtool.internal/durable/wire"
)

// A wireHost is the emulator, as one event sees it.
type wireHost struct {
	conn *wire.Conn
	id   uint64 // of the event
	// ctx is the handler's: it ends when the object is reset, and when the client has gone.
	ctx context.Context
	// cache is that of the event's object, or nil: then each put is asked.
	cache *cache
	// outside is in place of the outside in tests, or nil.
	outside outsider

	// mu guards what follows.
	mu sync.Mutex
	// told is what was put since the last question, and toldSize its bytes.
	told     []wire.Entry
	toldSize int
	away     int  // how many goroutines have given the turn up
	over     bool // the handler has returned, or has reset its object
	// open are the requests whose responses may still be read. They are
	// withdrawn when the handler has returned.
	open  map[*wire.Stream]struct{}
	ended bool
	// waits are what the handler's goroutines wait for, and would go on without when its
	// context ends.
	waits []*wait
}

// A wait is an operation that is withdrawn when ctx ends.
type wait struct{ ctx context.Context }

var _ host = (*wireHost)(nil)

func (h *wireHost) op() *wire.Operation { return &wire.Operation{Event: h.id} }

// call does not end with the handler's context: the emulator answers these
// questions at once or, where it makes them wait for the turn, must not be left
// waiting for a handler that has gone on without it.
func (h *wireHost) call(m wire.Method, question, answer wire.Message) error {
	h.mu.Lock()
	h.tellLocked()
	h.mu.Unlock()
	return h.ask(m, question, answer)
}

func (h *wireHost) ask(m wire.Method, question, answer wire.Message) error {
	return fromWire(h.conn.Call(context.Background(), m, question, answer))
}

// change is call for an operation that changes entries.
func (h *wireHost) change(m wire.Method, question, answer wire.Message) error {
	return h.cache.changed(func() error { return h.call(m, question, answer) })
}

func (h *wireHost) delete(key string) (bool, error) {
	var e wire.Existed
	err := h.change(wire.MethodDelete, &wire.Delete{Event: h.id, Key: key}, &e)
	return e.Existed, err
}

func (h *wireHost) getMany(keys []string) ([]Entry, error) {
	q := wire.Keys{Event: h.id, Keys: slices.Compact(slices.Sorted(slices.Values(keys)))}
	var entries []Entry
	for {
		var page wire.Listed
		if err := h.call(wire.MethodGetMany, &q, &page); err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			entries = append(entries, Entry{Key: e.Key, value: e.Value})
		}
		if !page.More || len(page.Entries) == 0 {
			return entries, nil
		}
		// Those behind the last one that fitted.
		next, _ := slices.BinarySearch(q.Keys, page.Entries[len(page.Entries)-1].Key)
		q.Keys = q.Keys[next+1:]
	}
}

func (h *wireHost) putMany(entries []wire.Entry) error {
	return h.change(wire.MethodPutMany, &wire.PutMany{Event: h.id, Entries: entries}, &wire.Empty{})
}

func (h *wireHost) deleteMany(keys []string) (int, error) {
	var d wire.Deleted
	err := h.change(wire.MethodDeleteMany, &wire.Keys{Event: h.id, Keys: keys}, &d)
	return int(d.Deleted), err
}

// list asks again as long as there is more than fits into one answer. The turn is
// kept meanwhile, so the pages belong together.
func (h *wireHost) list(o ListOptions) ([]Entry, error) {
	q := wire.List{
		Event:         h.id,
		Start:         o.Start,
		HasStart:      o.Start != "",
		StartAfter:    o.StartAfter,
		HasStartAfter: o.StartAfter != "",
		End:           o.End,
		HasEnd:        o.End != "",
		Prefix:        o.Prefix,
		Reverse:       o.Reverse,
		Limit:         uint64(o.Limit),
	}
	var entries []Entry
	for {
		var page wire.Listed
		if err := h.call(wire.MethodList, &q, &page); err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			entries = append(entries, Entry{Key: e.Key, value: e.Value})
		}
		if !page.More || len(page.Entries) == 0 || len(entries) == o.Limit {
			return entries, nil
		}
		last := page.Entries[len(page.Entries)-1].Key
		if o.Reverse {
			q.End, q.HasEnd = last, true
		} else {
			q.Start, q.HasStart = "", false
			q.StartAfter, q.HasStartAfter = last, true
		}
		if o.Limit > 0 {
			q.Limit = uint64(o.Limit - len(entries))
		}
	}
}

func (h *wireHost) deleteAll() error {
	return h.change(wire.MethodDeleteAll, h.op(), &wire.Empty{})
}

func (h *wireHost) getAlarm() (time.Time, bool, error) {
	var a wire.AlarmTime
	if err := h.call(wire.MethodGetAlarm, h.op(), &a); err != nil || !a.Set {
		return time.Time{}, false, err
	}
	return time.UnixMilli(a.Time).UTC(), true, nil
}

func (h *wireHost) setAlarm(t time.Time) error {
	return h.call(wire.MethodSetAlarm, &wire.SetAlarm{Event: h.id, Time: t.UnixMilli()}, &wire.Empty{})
}

func (h *wireHost) deleteAlarm() error {
	return h.call(wire.MethodDeleteAlarm, h.op(), &wire.Empty{})
}

func (h *wireHost) sync() error {
	return h.call(wire.MethodSync, h.op(), &wire.Empty{})
}

func (h *wireHost) now() (time.Time, error) {
	var t wire.Time
	err := h.ask(wire.MethodNow, h.op(), &t)
	return time.UnixMilli(t.Time).UTC(), err
}

func (h *wireHost) pause() error {
	h.giveUp()
	err := h.call(wire.MethodPause, h.op(), &wire.Empty{})
	if err != nil {
		h.back()
	}
	return err
}

func (h *wireHost) resume() error {
	err := h.call(wire.MethodResume, h.op(), &wire.Empty{})
	if err == nil {
		h.back()
	}
	return err
}

func (h *wireHost) block() error   { return h.call(wire.MethodBlock, h.op(), &wire.Empty{}) }
func (h *wireHost) unblock() error { return h.call(wire.MethodUnblock, h.op(), &wire.Empty{}) }

func (h *wireHost) begin() error    { return h.call(wire.MethodBegin, h.op(), &wire.Empty{}) }
func (h *wireHost) commit() error   { return h.call(wire.MethodCommit, h.op(), &wire.Empty{}) }
func (h *wireHost) rollback() error { return h.change(wire.MethodRollback, h.op(), &wire.Empty{}) }

func (h *wireHost) exec(query string, args []any) (*wire.Rows, error) {
	rows := new(wire.Rows)
	if err := h.call(wire.MethodExec, &wire.Exec{Event: h.id, Query: query, Args: args}, rows); err != nil {
		return nil, err
	}
	return rows, nil
}

func (h *wireHost) nextRows(cursor uint64) (*wire.Rows, error) {
	rows := new(wire.Rows)
	if err := h.call(wire.MethodNextRows, &wire.Cursor{Event: h.id, Cursor: cursor}, rows); err != nil {
		return nil, err
	}
	return rows, nil
}

func (h *wireHost) closeRows(cursor uint64) error {
	return h.call(wire.MethodCloseRows, &wire.Cursor{Event: h.id, Cursor: cursor}, &wire.Empty{})
}

func (h *wireHost) databaseSize() (int64, error) {
	var size wire.Size
	err := h.call(wire.MethodDatabaseSize, h.op(), &size)
	return int64(size.Bytes), err
}

func (h *wireHost) reset(reason string, dropAlarm bool) error {
	h.handled()
	return h.ask(wire.MethodReset, &wire.Reset{Event: h.id, Reason: reason, DropAlarm: dropAlarm}, &wire.Empty{})
}

// background returns when the emulator knows of the event: a handler that ends before would
// take its event's name with it.
func (h *wireHost) background(state *State, f func(context.Context) error) error {
	s, err := h.conn.Open(wire.MethodBackground, h.op(), false)
	if err != nil {
		return fromWire(err)
	}
	b, err := s.Await(context.Background())
	if err != nil {
		return fromWire(err)
	}
	var m wire.Background
	if err := wire.Decode(b, &m); err != nil {
		s.Withdraw()
		return err
	}
	ctx, ev, end := begin(h.conn, h.outside, s.Context(), m.Event, state)
	ev.host.(*wireHost).away = 1 // it has no turn before it resumes
	go func() {
		failure := &wire.Error{Message: endedGoroutine, Remote: true}
		defer func() { // also where f does not return
			end()
			if failure == nil {
				s.CloseWrite() //nolint:errcheck // the emulator has gone, and the event with it
			} else {
				s.Fail(failure)
			}
		}()
		err := ev.resume()
		if err == nil {
			err = ev.run(func() error { return f(ctx) })
		}
		failure = nil
		if err != nil {
			failure = failureOf(err)
		}
	}()
	return nil
}

// sleep withdraws its question when ctx ends; the emulator answers then, when
// the event has its turn again.
func (h *wireHost) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return causeOf(ctx)
	}
	h.giveUp()
	done := h.waiting(ctx)
	err := h.conn.Call(ctx, wire.MethodSleep, &wire.Sleep{Event: h.id, Duration: int64(d)}, &wire.Empty{})
	done()
	return h.retake(ctx, err)
}

// waiting notes that a goroutine of the handler waits until ctx ends, or for less, until it calls done.
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

// timer tells the emulator, when expire has ended contexts, whether anything that waited goes on
// for that: it is part of what happens at that time.
func (h *wireHost) timer(ctx context.Context, d time.Duration, expire func()) {
	s, err := h.conn.Open(wire.MethodTimer, &wire.Sleep{Event: h.id, Duration: int64(d)}, false)
	if err != nil {
		return // the connection is gone, and ctx ends with it
	}
	go func() {
		if _, err := s.Await(ctx); err != nil {
			return // ctx has ended, or the event is over, and ctx is about to end
		}
		expire()
		goesOn := []byte{0}
		h.mu.Lock()
		for _, w := range h.waits {
			if w.ctx.Err() != nil {
				goesOn[0] = 1
			}
		}
		h.mu.Unlock()
		s.Write(goesOn) //nolint:errcheck // the emulator has gone, and the event with it
		s.CloseWrite()  //nolint:errcheck // as above
	}()
}

// retake makes sure that an event whose question was withdrawn, because ctx has ended,
// holds its turn before its handler goes on. An answer, also that it failed, has come with the
// turn. retake returns err as handlers see it.
func (h *wireHost) retake(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		h.back()
		return fromWire(err)
	}
	if err := h.resume(); err != nil {
		return err
	}
	return causeOf(ctx)
}

func (h *wireHost) roundTrip(to address, r *http.Request) (*http.Response, error) {
	if to.binding == "" {
		if answer := h.outside.fake(); answer != nil {
			return h.fakeRoundTrip(answer, r)
		}
	}
	q := wire.Subrequest{Event: h.id, Binding: to.binding, Request: toRequest(r)}
	if to.binding != "" {
		q.ID, q.Name, q.HasName = to.id.String(), to.id.name, to.id.hasName
	}
	rest, err := firstOfBody(r, &q.Request)
	if err != nil {
		return nil, err
	}
	h.giveUp()
	s, err := h.conn.Open(wire.MethodSubrequest, &q, rest == nil)
	if err != nil {
		if rest != nil {
			rest.Close()
		}
		h.back() // it was not sent
		return nil, fromWire(err)
	}
	// A body that breaks off ends the request as its context does: the question is
	// withdrawn before the turn is taken again, in that order.
	ctx := r.Context()
	if rest != nil {
		var fail context.CancelCauseFunc
		ctx, fail = context.WithCancelCause(ctx)
		go sendBody(s, rest, fail)
	}
	done := h.waiting(ctx)
	b, err := s.Await(ctx)
	done()
	if err := h.retake(ctx, err); err != nil {
		return nil, err
	}
	var m wire.Response
	if err := wire.Decode(b, &m); err != nil {
		s.Withdraw()
		return nil, err
	}
	if s.Ended() {
		return newResponse(&m, r, nil), nil
	}
	return newResponse(&m, r, h.bodyOf(ctx, s, m.Body)), nil
}

// firstOfBody puts as much of r's body into q as is at hand, and returns what is left
// of it, or nil.
func firstOfBody(r *http.Request, q *wire.Request) (rest io.ReadCloser, err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if b, ok := r.Body.(*requestBody); ok && b.stream == nil && !b.closed.Load() {
		q.Body, b.first = b.first, nil
		q.ContentLength = int64(len(q.Body))
		return nil, nil
	}
	// With GetBody the body is in memory: reading it does not wait.
	if r.GetBody != nil && r.ContentLength > 0 && r.ContentLength <= wire.MaxData {
		defer r.Body.Close()
		q.Body = make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, q.Body)
		return nil, err
	}
	return r.Body, nil
}

// A passer is a body of ours. Its pass method is Read for the goroutine that passes
// it on: that has no part in the turn, which its handler may hold or have given up.
type passer interface {
	pass(p []byte) (int, error)
}

var (
	_ passer = (*requestBody)(nil)
	_ passer = (*responseBody)(nil)
)

// sendBody sends body as that of s, or calls fail with why it can't be read. It closes
// body when all of it is sent, or when s is over, which also ends a Read that waits.
func sendBody(s *wire.Stream, body io.ReadCloser, fail context.CancelCauseFunc) {
	stop := context.AfterFunc(s.Context(), func() { body.Close() })
	defer func() {
		if stop() {
			body.Close()
		}
	}()
	read := body.Read
	if p, ok := body.(passer); ok {
		read = p.pass
	}
	buf := make([]byte, wire.MaxData)
	for {
		n, err := read(buf)
		if _, e := s.Write(buf[:n]); e != nil {
			return // the other side wants no more, or Await tells why
		}
		if err == io.EOF {
			s.CloseWrite() //nolint:errcheck // Await tells
			return
		}
		if err != nil {
			fail(fmt.Errorf("read request body: %w", err))
			return
		}
	}
}

// responseBody is the body of a response that a handler reads.
type responseBody struct {
	first []byte
	s     *wire.Stream
	ev    *event
	close func()
	ctx   context.Context
}

func (h *wireHost) bodyOf(ctx context.Context, s *wire.Stream, first []byte) *responseBody {
	h.mu.Lock()
	ended := h.ended
	if !ended {
		h.open[s] = struct{}{}
	}
	h.mu.Unlock()
	if ended {
		s.Withdraw()
	}
	stop := context.AfterFunc(ctx, s.Withdraw)
	return &responseBody{first: first, s: s, ev: eventOf(ctx), ctx: ctx, close: func() {
		stop()
		s.Withdraw()
		h.mu.Lock()
		delete(h.open, s)
		h.mu.Unlock()
	}}
}

func (b *responseBody) Read(p []byte) (int, error) { return b.read(p, b.ev.read) }

func (b *responseBody) pass(p []byte) (int, error) { return b.read(p, source.Read) }

func (b *responseBody) read(p []byte, from func(source, []byte) (int, error)) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	n, err := from(b.s, p)
	if err != nil && err != io.EOF {
		if b.ctx.Err() != nil {
			err = causeOf(b.ctx)
		}
		var w *wire.Error
		if errors.As(err, &w) {
			err = fromWire(w)
		}
	}
	return n, err
}

func (b *responseBody) Close() error {
	b.close()
	return nil
}

// end withdraws what the handler has left open.
func (h *wireHost) end() {
	h.mu.Lock()
	h.ended = true
	open := h.open
	h.open = nil
	h.mu.Unlock()
	for s := range open {
		s.Withdraw()
	}
}
