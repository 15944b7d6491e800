package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/door"
	"devtool.internal/emulator/plugin"
)

// The emulator's status (Report), and how commands stop it (serveStop).

// A record has the program's version, its last build and the failure of the last change.
type record struct {
	mu sync.Mutex
	control.Program
}

// built notes that a build has succeeded.
func (r *record) built(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Build = &control.Build{At: time.Now(), DurationMS: took.Milliseconds()}
}

// serves notes that a program has begun to serve: another version, or the same one restarted.
func (r *record) serves(another bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if another {
		r.Version++
	}
	r.Since = time.Now()
}

// changed notes the outcome of a change of files, and returns the failure, or nil. err is nil if
// the saved version serves.
func (r *record) changed(err error) *control.Failure {
	failure := failureOf(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Failure = failure
	return failure
}

// refusal returns the error for requests that need a program while none serves because of why.
func refusal(why error) *control.Error {
	return &control.Error{
		Code: control.CodeNoProgram, Message: door.UnservedTitle + ": " + why.Error(), Hint: door.UnservedHint,
	}
}

// Unserved returns why no version of the program serves, or nil if one does. It is meaningful once
// Run has called ready.
func (e *Emulator) Unserved() *control.Failure { return e.program().Unserved() }

// failureOf returns err as it is shown, or nil for a nil err.
func failureOf(err error) *control.Failure {
	if err == nil {
		return nil
	}
	f := &control.Failure{At: time.Now(), Message: err.Error()}
	var text bytes.Buffer
	var bad *config.Error
	var build *plugin.BuildError
	switch {
	case errors.As(err, &bad):
		config.Render(&text, bad.Diagnostics, false)
	case errors.As(err, &build):
		f.Message = "the handler program does not build: " + build.Error()
		build.Render(&text, false) //nolint:errcheck // a buffer takes everything
	}
	f.Text = text.String()
	return f
}

// program returns the status of the handler program.
func (e *Emulator) program() control.Program {
	e.record.mu.Lock()
	p := e.record.Program
	e.record.mu.Unlock()
	e.host.Describe(&p)
	return p
}

// Report returns the emulator's status. It reads the names of all objects' files, but does not open
// them.
func (e *Emulator) Report() (control.Report, error) {
	r := control.Report{
		Status: e.Status(), Clock: e.world.Time(), Alarms: len(e.world.PendingAlarms()), Program: e.program(),
	}
	var err error
	r.Objects, r.InMemory, err = e.world.CountObjects()
	return r, err
}

// Client returns a client of this emulator's control API. It works while the front door is open.
func (e *Emulator) Client() *client.Client {
	return &client.Client{URL: e.controlURL(), Identity: e.identity, Certificate: e.fingerprint(), Token: e.token}
}

// sessionAPI adds the requests about the emulator as a whole.
func (e controlAPI) sessionAPI(rs *routes) {
	rs.answer("GET status", func(*http.Request) (any, error) { return e.Report() })
	rs.answer("POST program/restart", func(r *http.Request) (any, error) {
		if err := e.restart(r.Context()); err != nil {
			return nil, err
		}
		return e.program(), nil
	})
	rs.stream("GET logs", e.serveLogs)
	rs.stream("POST stop", e.serveStop)
	rs.withoutToken("GET /cdn-cgi/local/status", e.serveStatusPage)
}

// restart starts the program again. If what is saved does not serve, it is built first: what was in
// the way may be gone, or the brake may hold it.
func (e *Emulator) restart(ctx context.Context) error {
	if r := e.reloads.Load(); r != nil && r.isBehind() {
		return r.ask(ctx)
	}
	return e.host.Restart()
}

// stopRequests tells the clients that have asked the emulator to stop when it has stopped: their
// connections stay open until then.
type stopRequests struct {
	once      sync.Once
	requested chan struct{} // closed by the first request to stop

	mu    sync.Mutex
	conns []net.Conn // of the clients that wait
	done  bool       // the emulator has stopped
}

// request makes Run shut the emulator down.
func (s *stopRequests) request() { s.once.Do(func() { close(s.requested) }) }

// await keeps conn open until the emulator has stopped, and then closes it.
func (s *stopRequests) await(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		conn.Close()
		return
	}
	s.conns = append(s.conns, conn)
}

// finish closes the waiting connections. It is called when everything is released.
func (s *stopRequests) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	for _, conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
}

// serveStop shuts the emulator down. The connection lasts until the emulator has stopped: a client
// that reads to its end knows that the state folder is free, even if the process was killed
// meanwhile.
func (e controlAPI) serveStop(w http.ResponseWriter, _ *http.Request) {
	defer e.stopRequests.request()
	body, err := json.Marshal(e.Status())
	if err != nil {
		respond(w, nil, err)
		return
	}
	conn, out, err := http.NewResponseController(w).Hijack()
	if err != nil { // over HTTP/2: the answer is all there is
		respond(w, e.Status(), nil)
		return
	}
	fmt.Fprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n%s: %s\r\n\r\n%s\n",
		control.IdentityHeader, e.identity, body)
	if out.Flush() != nil {
		conn.Close()
		return
	}
	e.stopRequests.await(conn)
}

// Time returns the clock's time and mode, and what is due next.
func (e *Emulator) Time() control.Time { return e.world.Time() }

// Held returns the alarms that were overdue at start and are held, in the order of their due times.
func (e *Emulator) Held() []control.Alarm { return e.world.Held() }
