package durable

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"devtool.internal/durable/wire"
)

// A host is what an event asks of its surroundings. Here that is the emulator, over
// the wire protocol (wirehost.go). It is the one seam between this package and the
// place it runs in: whoever runs handlers elsewhere implements it anew.
//
// Keys and values are the stored ones; times are whole milliseconds.
type host interface {
	get(key string) (value []byte, found bool, err error)
	put(key string, value []byte) error
	delete(key string) (existed bool, err error)
	getMany(keys []string) ([]Entry, error)
	putMany(entries []wire.Entry) error
	deleteMany(keys []string) (deleted int, err error)
	list(o ListOptions) ([]Entry, error)
	deleteAll() error
	getAlarm() (t time.Time, set bool, err error)
	setAlarm(t time.Time) error
	deleteAlarm() error
	sync() error

	now() (time.Time, error)
	sleep(ctx context.Context, d time.Duration) error
	// timer calls expire when d has passed, unless ctx ends before. It does not wait for that.
	timer(ctx context.Context, d time.Duration, expire func())
	// roundTrip sends r to the object that to names, or to the outside.
	roundTrip(to address, r *http.Request) (*http.Response, error)

	// pause gives the object's turn up until resume.
	pause() error
	resume() error
	// block keeps the turn through everything that would give it up, until unblock.
	block() error
	unblock() error
	// begin opens a transaction inside the one that may be open; commit and rollback end
	// the innermost. The turn is kept by block meanwhile.
	begin() error
	commit() error
	rollback() error
	// exec runs SQL. An argument is nil, int64, float64, string or []byte, and so are the
	// values of the rows. When there are more rows than it returns, nextRows does, until
	// closeRows.
	exec(query string, args []any) (*wire.Rows, error)
	nextRows(cursor uint64) (*wire.Rows, error)
	closeRows(cursor uint64) error
	databaseSize() (int64, error)
	// reset discards the object, and with dropAlarm the alarm that is running.
	reset(reason string, dropAlarm bool) error
	// handled is called when the handler has returned, before its answer leaves.
	handled()
	// background runs f as an event of the same object, when it is its turn. It
	// returns when that is certain to happen, and f's context belongs to the event.
	background(state *State, f func(context.Context) error) error
}

// An address is an object of the namespace bound as binding, or the outside world
// when binding is empty.
type address struct {
	binding string
	id      ID
}

// An event is what a handler was called for. It travels in the handler's context.
type event struct {
	host
	state *State // nil for an event of the worker
	mark  mark   // by which stacks name it
	// waiting counts the requests that the event waits for. The turn is given up
	// as long as it is not 0.
	waiting atomic.Int32
}

// run runs the event's handler, and returns its panic as an error.
func (ev *event) run(handler func() error) error {
	defer ev.handled() // also where the handler ends its goroutine
	return ev.mark.guard(handler)
}

type eventKey struct{}

// eventOf returns the event that ctx belongs to, or nil.
func eventOf(ctx context.Context) *event {
	ev, _ := ctx.Value(eventKey{}).(*event)
	return ev
}

// pause gives the turn up, where there is one.
func (ev *event) pause() error {
	if ev.state == nil {
		return nil
	}
	return ev.host.pause()
}

// resume takes the turn again, where there is one.
func (ev *event) resume() error {
	if ev.state == nil {
		return nil
	}
	return ev.host.resume()
}

// A source is a body on its way in: reading may have to wait for the other side.
type source interface {
	io.Reader
	ReadReady() bool
}

var _ source = (*wire.Stream)(nil)

// read reads from s, and gives the turn up if it has to wait for that.
//
// A body that is passed on is read by a goroutine of ours while its handler waits
// for the response: that must not take a turn, for nobody would give it up again. (A
// body of ours is a passer. This is for one that somebody has wrapped.)
func (ev *event) read(s source, p []byte) (int, error) {
	if ev.state == nil || s.ReadReady() || ev.waiting.Load() > 0 {
		return s.Read(p)
	}
	if err := ev.pause(); err != nil {
		return 0, err
	}
	n, err := s.Read(p)
	if e := ev.resume(); e != nil && (err == nil || err == io.EOF) {
		return n, e
	}
	return n, err
}
