package door

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"devtool.internal/durable/wire"
)

// shortWait is how long, in real time, a request waits for its short body, so that both reach the
// handler in one frame. A slower body follows the request.
const shortWait = 2 * time.Millisecond

// An incomingBody is the body of an incoming request. net/http forbids reading it once the request
// is answered, so stop ends that.
type incomingBody struct {
	body io.Reader

	stopping atomic.Bool // set when stop is called, which lets a Read fail

	mu      sync.Mutex // held while body is read
	stopped bool

	failing sync.Mutex
	err     error // why the client's body can't be read to its end
}

func (in *incomingBody) Read(p []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stopped {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := in.body.Read(p)
	if err != nil && err != io.EOF && !in.stopping.Load() {
		in.failing.Lock()
		in.err = err
		in.failing.Unlock()
	}
	return n, err
}

// fault returns what is wrong with the body that the client has sent, as far as it was read. It
// returns nil if the connection broke.
func (in *incomingBody) fault() error {
	in.failing.Lock()
	defer in.failing.Unlock()
	if broken := (*net.OpError)(nil); errors.As(in.err, &broken) {
		return nil
	}
	if in.err == io.ErrUnexpectedEOF {
		return errors.New("it ends too early")
	}
	return in.err
}

// stop ends a Read that waits for the client, and lets no other begin.
func (in *incomingBody) stop(w http.ResponseWriter) {
	if !in.mu.TryLock() {
		in.stopping.Store(true)
		http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a connection has deadlines
		in.mu.Lock()
	}
	in.stopped = true
	in.mu.Unlock()
}

// first puts a short body into m if it arrives within shortWait, and returns the rest of the body,
// or nil.
func (in *incomingBody) first(r *http.Request, m *wire.Request) io.Reader {
	size := r.ContentLength
	switch {
	case size == 0 || r.Body == http.NoBody:
		return nil
	case size > wire.MaxData || r.Header.Get("Expect") != "":
		return in
	case size < 0:
		size = wire.MaxData
	}
	early := &earlyBody{in: in, buf: make([]byte, 0, size), done: make(chan struct{})}
	go early.readAhead(r.ContentLength)
	timer := time.NewTimer(shortWait)
	defer timer.Stop()
	select {
	case <-early.done:
		if early.whole {
			m.Body = early.buf
			return nil
		}
	case <-timer.C:
		early.stopReading()
	}
	return early
}

// An earlyBody is a body that is read ahead for shortWait. It did not arrive whole.
type earlyBody struct {
	in   *incomingBody
	done chan struct{} // closed when reading ahead has ended

	// mu guards what follows.
	mu    sync.Mutex
	buf   []byte // what was read ahead, and its room
	read  int    // how much of buf was read again
	err   error  // what ended reading ahead, unless that is the wait
	whole bool   // buf is the whole body
	stop  bool
}

// readAhead reads until the body ends, its room is full, or stopReading was called. length is that
// of the body, or -1.
func (b *earlyBody) readAhead(length int64) {
	defer close(b.done)
	room := b.buf[:cap(b.buf)]
	for filled := 0; ; {
		n, err := b.in.Read(room[filled:])
		filled += n
		b.mu.Lock()
		b.buf, b.err = room[:filled], err
		b.whole = err == io.EOF || int64(filled) == length
		over := b.stop || b.whole || err != nil || filled == len(room)
		b.mu.Unlock()
		if over {
			return
		}
	}
}

// stopReading makes the read that is under way the last one.
func (b *earlyBody) stopReading() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop = true
}

func (b *earlyBody) Read(p []byte) (int, error) {
	if n := b.readAgain(p); n > 0 {
		return n, nil
	}
	<-b.done
	if n := b.readAgain(p); n > 0 {
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.in.Read(p)
}

// readAgain returns what was read ahead and not yet returned.
func (b *earlyBody) readAgain(p []byte) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := copy(p, b.buf[b.read:])
	b.read += n
	return n
}
