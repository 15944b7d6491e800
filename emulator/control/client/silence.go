package client

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// How a client notices an emulator whose process is stopped, or hangs. The system accepts
// connections in its place, so a request waits without an error.
//
// A long wait alone means nothing: an advance may run for hours, and a query waits for its object's
// turn. So while a request waits, the client asks the emulator for the time, which it answers at
// once whatever it does.

const (
	// silentAfter is how long nothing of an answer comes before the client asks for the time.
	silentAfter = 2 * time.Second
	// aliveWithin is how long the emulator may take to answer that.
	aliveWithin = time.Second
)

// A silence watches one request until it ends.
type silence struct {
	client   *Client
	received atomic.Int64 // pieces of the answer so far
	cancel   context.CancelFunc
	ended    chan struct{}
}

// watch begins to watch a request with this context. It returns nil if nobody waits for the news.
func (c *Client) watch(ctx context.Context) *silence {
	if c.OnSilence == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &silence{client: c, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		s.run(ctx)
	}()
	return s
}

// run calls OnSilence once the emulator does not answer.
func (s *silence) run(ctx context.Context) {
	for before := int64(-1); ; {
		received := s.received.Load()
		if received == before && !s.client.answers(ctx) && received == s.received.Load() && ctx.Err() == nil {
			s.client.OnSilence()
			return
		}
		before = received
		select {
		case <-ctx.Done():
			return
		case <-time.After(cmp.Or(s.client.silentAfter, silentAfter)):
		}
	}
}

// answers reports whether the emulator answers within aliveWithin. An error is an answer, too.
func (c *Client) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.aliveWithin, aliveWithin))
	defer cancel()
	asking := *c
	asking.OnSilence = nil
	_, err := quick[struct{}](ctx, &asking, http.MethodGet, "time")
	return !errors.Is(err, context.DeadlineExceeded)
}

// end ends the watch. OnSilence is not called after it.
func (s *silence) end() {
	if s != nil {
		s.cancel()
		<-s.ended
	}
}

// body returns body as one that the watch notices, and whose Close ends the watch.
func (s *silence) body(body io.ReadCloser) io.ReadCloser {
	if s == nil {
		return body
	}
	s.received.Add(1)
	return &watchedBody{body, s}
}

type watchedBody struct {
	io.ReadCloser
	watch *silence
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.watch.received.Add(1)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.watch.end()
	return b.ReadCloser.Close()
}
