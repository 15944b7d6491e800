package emulator

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/textproto"
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
	if asksForWebSocket(r) {
		e.refuse(w, r, http.StatusNotImplemented, "devtool does not emulate WebSockets yet", started)
		return
	}
	a := &doorAnswer{w: w, r: r, in: &arriving{body: r.Body}}
	var err error
	e.fetchWorker(w, r, a, func(ended error) {
		err = ended
		e.conclude(w, r, a, err, started)
	})
	if a.started && (err != nil || a.failed) {
		panic(http.ErrAbortHandler) // cut the response off: its head has left already
	}
}

// conclude answers a request that ended with err, unless it has its response, and publishes what
// came of it.
func (e frontDoor) conclude(w http.ResponseWriter, r *http.Request, a *doorAnswer, err error, started time.Time) {
	a.in.stop(w)
	canceled := a.gone || err != nil && r.Context().Err() != nil
	malformed := ""
	if bad := a.in.fault(); bad != nil && !canceled {
		malformed = errMalformedBody.Error() + ": " + bad.Error()
	}
	switch {
	case a.status != 0:
	case malformed != "":
		e.refuse(w, r, http.StatusBadRequest, malformed, started)
		return
	case err != nil && !canceled:
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
	case canceled, err != nil && malformed != "":
		h.Outcome, h.Sent, h.Why = world.OutcomeCanceled, a.sent, malformed
	case err != nil:
		what, why := e.explain(err, &a.served)
		h.Outcome, h.Err, h.Why = world.OutcomeError, err, what+": "+why
	default:
		h.By = by
	}
	e.world.Publish(h)
}

// asksForWebSocket reports whether r asks to turn its connection into a WebSocket.
func asksForWebSocket(r *http.Request) bool {
	for _, list := range r.Header["Upgrade"] {
		for protocol := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(textproto.TrimString(protocol), "websocket") {
				return true
			}
		}
	}
	return false
}

// refuse answers a request that no handler is to blame for, and publishes that.
func (e frontDoor) refuse(w http.ResponseWriter, r *http.Request, status int, why string, started time.Time) {
	http.Error(w, why, status)
	e.world.Publish(world.Happening{
		Event: eventRequest, About: r.Method + " " + r.URL.Path, Outcome: world.OutcomeOK,
		Status: status, Took: time.Since(started), Why: why,
	})
}

// fetchWorker delivers a request to the worker, and calls ended once with what it ended with. Those
// that a crash has ended are concluded in the order in which they began.
func (e frontDoor) fetchWorker(w http.ResponseWriter, r *http.Request, a *doorAnswer, ended func(error)) {
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
	body := a.in.first(r, m)
	if err := a.in.fault(); err != nil {
		ended(err)
		return
	}
	var failure error
	e.world.Deliver(&world.Delivery{ //nolint:errcheck // Ended receives the error
		Kind: "fetch", Context: r.Context(), Entry: world.Newest, Request: m, Served: &a.served, Began: began,
		Ended: func(_ *world.Event, err error) { failure = err },
		Told:  func() { ended(failure) },
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
