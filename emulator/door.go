package emulator

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/program"
	"devtool.internal/emulator/world"
)

// A frontDoor serves the requests for the worker.
type frontDoor struct{ *Emulator }

// door returns the HTTP server in front: the control API below /cdn-cgi/, the worker everywhere
// else.
func (e *Emulator) door() *http.Server {
	front := frontDoor{e}
	// It is made when the first request comes, because many tests need none, and a start should
	// take no longer than it must.
	api := sync.OnceValue(func() http.Handler { return controlAPI{e}.handler() })
	testScheduled := client.Guard(http.HandlerFunc(front.serveTestScheduled))
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/cdn-cgi/") {
				api().ServeHTTP(w, r)
				return
			}
			if e.options.TestScheduled && r.URL.Path == testScheduledPath {
				testScheduled.ServeHTTP(w, r)
				return
			}
			front.serveWorker(w, r)
		}),
		ReadHeaderTimeout: 30 * time.Second,
		TLSConfig:         e.options.TLS,
		ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
	}
}

// serveWorker delivers a request to the worker and publishes what came of it.
func (e frontDoor) serveWorker(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	a := &doorAnswer{w: w}
	err := e.fetchWorker(w, r, a)
	canceled := err != nil && r.Context().Err() != nil
	if err != nil && a.status == 0 && !canceled {
		a.status = http.StatusInternalServerError
		e.fail(w, r, err, &a.served)
	}
	h := world.Happening{
		Event:   eventRequest,
		About:   r.Method + " " + r.URL.Path,
		Outcome: world.OutcomeOK,
		Status:  a.status,
		Took:    time.Since(started),
	}
	object, by := a.served.Describe()
	h.Object = object
	switch {
	case canceled:
		h.Outcome, h.Status = world.OutcomeCanceled, 0
	case err != nil:
		what, why := e.explain(err, &a.served)
		h.Outcome, h.Err, h.Why = world.OutcomeError, err, what+": "+why
	default:
		h.By = by
	}
	e.world.Publish(h)
	if h.Err != nil && a.started {
		panic(http.ErrAbortHandler) // cut the response off: its head has left already
	}
}

func (e frontDoor) fetchWorker(w http.ResponseWriter, r *http.Request, a *doorAnswer) error {
	if r.Header.Get("Upgrade") != "" && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return errors.New("WebSockets are not supported yet")
	}
	at := e.currentSettings().origin
	header := endToEnd(r.Header)
	began := acknowledge(w, header)
	a.rewrite = e.rewriteFor(r, at)
	a.rewrite.request(header)
	describeClient(header, r.RemoteAddr, at.scheme)
	at.host = cmp.Or(at.host, r.Host)
	m := &wire.Request{
		Method:        r.Method,
		URL:           at.String() + r.URL.RequestURI(),
		Host:          at.host,
		Header:        wire.Fields(header),
		ContentLength: r.ContentLength,
	}
	in := &arriving{body: r.Body}
	defer in.stop(w)
	body := in.first(r, m)
	return e.world.Deliver(&world.Delivery{
		Kind: "fetch", Context: r.Context(), Entry: world.Newest, Request: m, Served: &a.served, Began: began,
		Handle: func(ev *world.Event, inst *world.Instance) error {
			return ev.Program().(*program.Program).Fetch(ev, inst, body, a)
		},
	})
}

// endToEnd returns a copy of h without the fields that concern only this connection.
func endToEnd(h http.Header) http.Header {
	h = h.Clone()
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(textproto.TrimString(name))
		}
	}
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		h.Del(name)
	}
	return h
}

// shortWait is how long, in real time, a request waits for its short body, so that both reach the
// handler in one frame. A slower body follows the request.
const shortWait = 2 * time.Millisecond

// An arriving is the body of an incoming request. net/http forbids reading it once the request is
// answered, so stop ends that.
type arriving struct {
	body io.Reader

	mu      sync.Mutex // held while body is read
	stopped bool
}

func (in *arriving) Read(p []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stopped {
		return 0, http.ErrBodyReadAfterClose
	}
	return in.body.Read(p)
}

// stop ends a Read that waits for the client, and lets no other begin.
func (in *arriving) stop(w http.ResponseWriter) {
	if !in.mu.TryLock() {
		http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a connection has deadlines
		in.mu.Lock()
	}
	in.stopped = true
	in.mu.Unlock()
}

// first puts a short body into m if it arrives within shortWait, and returns the rest of the body,
// or nil.
func (in *arriving) first(r *http.Request, m *wire.Request) io.Reader {
	switch n := r.ContentLength; {
	case n == 0 || r.Body == http.NoBody:
		return nil
	case n < 0 || n > wire.MaxData || r.Header.Get("Expect") != "":
		return in
	}
	short := &shortBody{done: make(chan struct{})}
	go func() {
		defer close(short.done)
		buf := make([]byte, r.ContentLength)
		n, err := io.ReadFull(in, buf)
		short.read, short.err = buf[:n], err
	}()
	timer := time.NewTimer(shortWait)
	defer timer.Stop()
	select {
	case <-short.done:
		if short.err == nil {
			m.Body = short.read
			return nil
		}
	case <-timer.C:
	}
	return short
}

// A shortBody is a short body that did not arrive within shortWait.
type shortBody struct {
	done chan struct{}
	read []byte
	err  error // why read is not the whole body
}

func (b *shortBody) Read(p []byte) (int, error) {
	<-b.done
	if len(b.read) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		return 0, io.EOF
	}
	n := copy(p, b.read)
	b.read = b.read[n:]
	return n, nil
}

// A doorAnswer passes a response on to the client.
type doorAnswer struct {
	w       http.ResponseWriter
	rewrite originRewrite
	served  world.Served // the objects that took part
	status  int          // 0 until the head has left
	started bool         // the head has left and a body follows
}

func (a *doorAnswer) Head(m *wire.Response, end bool) error {
	a.rewrite.response(m.Header)
	h := a.w.Header()
	for _, f := range m.Header {
		h.Add(f.Name, f.Value)
	}
	if m.ContentLength >= 0 && m.Status != http.StatusNoContent && m.Status != http.StatusNotModified {
		h.Set("Content-Length", strconv.FormatInt(m.ContentLength, 10))
	}
	a.status = int(m.Status)
	a.started = !end
	a.w.WriteHeader(a.status)
	if len(m.Body) > 0 {
		if _, err := a.w.Write(m.Body); err != nil {
			return err
		}
	}
	if end {
		return nil
	}
	return http.NewResponseController(a.w).Flush()
}

func (a *doorAnswer) Write(p []byte) (int, error) {
	n, err := a.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, http.NewResponseController(a.w).Flush()
}

func (a *doorAnswer) Close() error { return nil }

// explain returns which object or worker failed, and why. by has the objects that the request
// reached.
func (e frontDoor) explain(err error, by *world.Served) (what, why string) {
	if u := (*unservedError)(nil); errors.As(err, &u) {
		return unservedTitle, err.Error()
	}
	if w := (*wire.Error)(nil); errors.As(err, &w) && w.ObjectID != "" {
		if o := by.Find(w.ObjectID); o != nil { // knows the name also of an object whose constructor failed
			return o.String() + " failed", err.Error()
		}
		return e.world.NameOf(w.ObjectID) + " failed", err.Error()
	}
	return "worker " + e.worker + " failed", err.Error()
}
