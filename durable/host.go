package durable

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A host is the place that handlers run in, as one invocation sees it. It is the one seam between
// this package and that place. A host speaks types of this package and of the standard library.
// Everything that only one host needs stands behind it: wirehost.go and the files beside it are the
// emulator's, over the wire protocol, and do not build for js.
//
// Keys and values are the stored ones (see package stored). Times are whole milliseconds.
// Handlers see the errors as they are.
type host interface {
	get(key string) (value []byte, found bool, err error)
	put(key string, value []byte) error
	delete(key string) (existed bool, err error)
	// getMany returns the entries there are, ordered by key, each once.
	getMany(keys []string) ([]Entry, error)
	// putMany stores all entries or none.
	putMany(entries []Entry) error
	deleteMany(keys []string) (deleted int, err error)
	list(o ListOptions) ([]Entry, error)
	deleteAll() error
	getAlarm() (t time.Time, set bool, err error)
	setAlarm(t time.Time) error
	deleteAlarm() error
	sync() error

	now() (time.Time, error)
	// sleep gives the turn up until d has passed or ctx ends.
	sleep(ctx context.Context, d time.Duration) error
	// timer returns at once. It calls expire when d has passed, unless ctx ends before.
	timer(ctx context.Context, d time.Duration, expire func())
	// roundTrip sends r to the object that to names, or to the outside. The turn is given up until
	// the response is there.
	roundTrip(to address, r *http.Request) (*http.Response, error)

	// park begins a wait for another event of the object, and gives the turn up. It does not wait
	// itself: wake of the parking works from here on. The caller then awaits the parking with the
	// same ctx, which also returns the error of park.
	park(ctx context.Context) parking
	// wake ends waits of the same object, which continue in this order. It may be called from any
	// goroutine, and after the invocation has ended.
	wake(parkings []parking)

	// log writes a line to the log, at once. attrs is a JSON object, or empty.
	log(level slog.Level, message string, attrs []byte) error
	// logLevel is the lowest level of a line that anybody sees.
	logLevel() slog.Level

	// pause gives the object's turn up until resume.
	pause() error
	resume() error
	// block keeps the turn until unblock, whatever would otherwise give it up.
	block() error
	unblock() error
	// section begins a part of the handler that a client does not end by going: contexts of the
	// invocation go on until leave. It returns the context for that part, which is lasting(ctx).
	section(ctx context.Context) (_ context.Context, leave func())
	// lasting returns ctx, a context of the invocation. If it has ended only because the client has
	// gone, lasting returns one that goes on instead while the handler is in a section.
	lasting(ctx context.Context) context.Context
	// begin opens a transaction inside the one that may be open; commit and rollback end
	// the innermost. The caller keeps the turn by block meanwhile.
	begin() error
	commit() error
	rollback() error
	// exec runs SQL. An argument is nil, int64, float64, string or []byte, and so are the
	// values of the rows. If there are more rows than it returns, nextRows returns them, until
	// closeRows.
	exec(query string, args []any) (rows, error)
	nextRows(cursor uint64) (rows, error)
	closeRows(cursor uint64) error
	databaseSize() (int64, error)
	// reset discards the object, and with dropAlarm the alarm that is running.
	reset(reason string, dropAlarm, ofBlock bool) error
	// background runs f as an invocation of its own of the same object, when it is its turn, or of
	// the worker. It returns when that is certain to happen. The context of f belongs to that
	// invocation.
	background(f func(context.Context) error) error
}

// rows is a page of the rows of a statement.
type rows struct {
	columns       []string // their names; only exec returns them
	values        []any    // of all rows, one row after the other
	cursor        uint64
	more          bool   // cursor has rows after these
	read, written uint64 // rows that the statement has read and written so far
}

// An address names an object of the namespace bound as binding, or the outside world if binding
// is empty.
type address struct {
	binding string
	id      ID
}

// An invocation is one call of a handler: for an event, or for what an event has left to run in
// the background. It travels in the handler's context.
type invocation struct {
	host
	state *State // nil for an invocation of the worker
	// waiting counts the requests that the invocation waits for. The turn is given up
	// as long as it is not 0.
	waiting atomic.Int32

	// giving is held while the turn is given up for a body: by a read until it waits, and by a
	// write until it has the turn again.
	giving sync.Mutex
	// reading counts the reads that wait for a body without the turn. giving guards its growth.
	reading atomic.Int32
}

type invocationKey struct{}

// invocationOf returns the invocation that ctx belongs to, or nil.
func invocationOf(ctx context.Context) *invocation {
	inv, _ := ctx.Value(invocationKey{}).(*invocation)
	return inv
}

// pause gives the turn up, if there is one.
func (inv *invocation) pause() error {
	if inv.state == nil {
		return nil
	}
	return inv.host.pause()
}

// resume takes the turn again, if there is one.
func (inv *invocation) resume() error {
	if inv.state == nil {
		return nil
	}
	return inv.host.resume()
}

// maxPiece is how many bytes of a body travel together.
const maxPiece = 64 << 10

// A source is a body that arrives piece by piece.
type source interface {
	io.Reader
	// ReadReady reports whether Read returns at once.
	ReadReady() bool
}

// read reads from s. It gives the turn up while it has to wait.
//
// One goroutine must not take the turn here: a goroutine of this package that carries a body on
// while its handler waits for the response. Nobody would give that turn up again. Such a goroutine
// reads a body of this package by its pass method. This function recognises it, by waiting, if
// the handler has wrapped the body.
func (inv *invocation) read(s source, p []byte) (int, error) {
	if inv.state == nil || s.ReadReady() || inv.waiting.Load() > 0 {
		return s.Read(p)
	}
	inv.giving.Lock()
	err := inv.pause()
	if err == nil {
		inv.reading.Add(1)
	}
	inv.giving.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := s.Read(p)
	inv.reading.Add(-1)
	if e := inv.resume(); e != nil && (err == nil || err == io.EOF) {
		return n, e
	}
	return n, err
}

// A sink takes the response of an invocation and sends it to the client.
type sink interface {
	// fix takes status and header as they are now. The caller may change header afterwards.
	fix(status int, header http.Header)
	// start sends what fix took, and the first bytes of the body. length is the length of the
	// whole body, or -1 if it is unknown. If last is set, body is the whole.
	start(length int64, body []byte, last bool) error
	// Write sends more of the body, and CloseWrite ends it.
	io.Writer
	CloseWrite() error
	// lost returns why nobody takes more of the response: the client has gone, or the object was
	// reset. It returns nil as long as somebody may.
	lost() error
}
