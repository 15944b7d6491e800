package durabletest

import (
	"context"
	"io"
	"net/http"
)

// A Pending is a request whose response has not been waited for.
type Pending struct {
	server  *Server
	request *http.Request
	sent    chan *sent    // gets the request when it is sent
	over    chan struct{} // closed when the response is there

	// What follows is set when over is closed.
	status int
	answer string
	err    error

	first *sent
}

// Begin sends a request to the worker, and returns when the emulator has it. So the test can move
// the clock while the handler waits:
//
//	poll := srv.Begin("GET", "/home/poll", "")
//	srv.Clock.Advance(10 * time.Second)
//	status, answer := poll.Wait()
//
// Without Wait, the request ends with the test.
func (s *Server) Begin(method, path, body string) *Pending {
	s.t.Helper()
	r := s.request(method, path, body)
	p := &Pending{server: s, request: r, sent: make(chan *sent, 1), over: make(chan struct{})}
	receive := func(sent *sent) {
		select {
		case p.sent <- sent:
		default: // it is sent again, because of a redirect
		}
	}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), sentKey{}, receive))
	r = r.WithContext(ctx)
	go func() {
		defer close(p.over)
		p.status, p.answer, p.err = s.emulator.roundTrip(r)
	}()
	s.t.Cleanup(func() {
		cancel()
		<-p.over
	})
	select {
	case p.first = <-p.sent:
		<-p.first.arrived
	case <-p.over:
	}
	return p
}

// Wait returns the status and the body of the response when it is there. Like Fetch, it fails when
// the handler waits for the clock and only the test could move it.
func (p *Pending) Wait() (status int, answer string) {
	t, e := p.server.t, p.server.emulator
	t.Helper()
	var late chan Waiter
	if p.first != nil && e.traffic.onOwn() {
		late = make(chan Waiter, 1)
		defer e.traffic.watch(p.first.matches, 0, func(w Waiter) { late <- w })()
	}
	select {
	case <-p.over:
	case w := <-late:
		t.Fatalf("durabletest: %v", &stalled{p.first.name, w.Until, "move it with srv.Clock.Advance before Wait"})
	}
	if p.err != nil {
		p.server.fail(p.request, p.err)
	}
	return p.status, p.answer
}

// roundTrip sends a request to the worker and reads the whole response.
func (e *emulator) roundTrip(r *http.Request) (status int, answer string, err error) {
	response, err := e.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}
