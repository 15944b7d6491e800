package emulator

import (
	"bytes"
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
	"devtool.internal/emulator/plugin"
)

// How the emulator is getting on (Report), and how others end it (serveStop).

// A record keeps what became of the program and of the changes of its files.
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

// serves notes that a program was put in place, another version or the same one once more.
func (r *record) serves(another bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if another {
		r.Version++
	}
	r.Since = time.Now()
}

// changed notes what became of a change of files, and returns that: err is nil if what serves is what was saved.
func (r *record) changed(err error) *control.Failure {
	failure := failureOf(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Failure = failure
	return failure
}

// An unservedError is what fails while no program serves, because of what was wrong with the first version and with all since.
type unservedError struct {
	cause   error
	failure *control.Failure // the same as people see it
}

func (e *unservedError) Error() string { return e.failure.Message }

func (e *unservedError) Unwrap() error { return e.cause }

// refusal is for what can't be asked while no program serves because of why.
func refusal(why error) *control.Error {
	return &control.Error{Code: control.CodeNoProgram, Message: unservedTitle + ": " + why.Error(), Hint: unservedHint}
}

// Unserved says why no version of the program serves when Run has called ready, or nil if one does.
func (e *Emulator) Unserved() *control.Failure { return e.program().Unserved() }

// failureOf is err as it is shown, or nil if err is.
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

// program says how the handler program is getting on.
func (e *Emulator) program() control.Program {
	e.record.mu.Lock()
	p := e.record.Program
	e.record.mu.Unlock()
	e.host.Describe(&p)
	return p
}

// Report says how the emulator is getting on. It looks at the names of all objects' files, and at nothing in them.
func (e *Emulator) Report() (control.Report, error) {
	r := control.Report{Status: e.Status(), Clock: e.world.Time(), Alarms: len(e.world.PendingAlarms()), Program: e.program()}
	var err error
	r.Objects, r.InMemory, err = e.world.CountObjects()
	return r, err
}

// Client is one for this emulator's control API. It can be used while the front door is open.
func (e *Emulator) Client() *client.Client {
	return &client.Client{URL: e.controlURL(), Certificate: e.fingerprint()}
}

// controlURL is where the control API can be reached, which is not to be had from other machines.
func (e *Emulator) controlURL() string {
	if e.options.Local != nil {
		return e.urlOf(e.options.Local)
	}
	return e.URL()
}

// sessionAPI serves what is about the emulator as a whole.
func (e controlAPI) sessionAPI(mux *http.ServeMux, handle func(string, func(*http.Request) (any, error))) {
	handle("GET status", func(*http.Request) (any, error) { return e.Report() })
	handle("POST program/restart", func(*http.Request) (any, error) {
		if err := e.host.Restart(); err != nil {
			return nil, err
		}
		return e.program(), nil
	})
	mux.HandleFunc("GET "+control.Prefix+"logs", e.serveLogs)
	mux.HandleFunc("POST "+control.Prefix+"stop", e.serveStop)
	mux.HandleFunc("GET /cdn-cgi/local/status", e.serveStatusPage)
}

// A farewell tells those who have asked the emulator to end that it has.
type farewell struct {
	once   sync.Once
	wanted chan struct{} // closed when somebody has asked

	mu    sync.Mutex
	conns []net.Conn // of those who wait
	over  bool
}

// ask begins the end.
func (f *farewell) ask() { f.once.Do(func() { close(f.wanted) }) }

// await keeps conn open until the end.
func (f *farewell) await(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		conn.Close()
		return
	}
	f.conns = append(f.conns, conn)
}

// say is called when all is given back.
func (f *farewell) say() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	for _, conn := range f.conns {
		conn.Close()
	}
	f.conns = nil
}

// serveStop begins the end of the emulator. The connection lasts until that has come: whoever reads it to its
// end knows then that the state is free, also if the process was killed meanwhile.
func (e controlAPI) serveStop(w http.ResponseWriter, _ *http.Request) {
	defer e.farewell.ask()
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
	fmt.Fprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n%s\n", body)
	if out.Flush() != nil {
		conn.Close()
		return
	}
	e.farewell.await(conn)
}

// Time says where the clock stands.
func (e *Emulator) Time() control.Time { return e.world.Time() }

// Held returns the alarms that are held since the start, in the order in which they were due.
func (e *Emulator) Held() []control.Alarm { return e.world.Held() }
