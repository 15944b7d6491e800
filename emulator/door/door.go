// Package door takes the requests for a worker: it makes each an event of a world, passes the
// response on to the client, and publishes what came of it.
//
// The worker may see another origin than the client: origin.go says which, and rewrite.go rewrites
// the URLs in headers. body.go reads the request's body, answer.go sends the response, and
// errorpage.go shows why there is none.
//
// The emulator decides which requests are for the worker, and which for its own paths.
package door

import (
	"cmp"
	"errors"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/program"
	"devtool.internal/emulator/world"
)

// EventRequest is the event of a request from outside, as a world.Happening names it.
const EventRequest = "request"

// A Door serves the requests for the worker of a world.
type Door struct {
	World  *world.World
	Worker string        // the worker's name
	Scheme string        // of the URLs of clients
	Origin func() Origin // returns the origin of the URLs that the worker sees
}

// ServeHTTP delivers a request to the worker and publishes what came of it.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	if asksForWebSocket(r) {
		d.refuse(w, r, http.StatusNotImplemented, "devtool does not emulate WebSockets yet", started)
		return
	}
	a := &answer{w: w, r: r, in: &incomingBody{body: r.Body}}
	var err error
	d.fetchWorker(w, r, a, func(ended error) {
		err = ended
		d.conclude(w, r, a, err, started)
	})
	switch {
	case a.started && (err != nil || a.failed):
		panic(http.ErrAbortHandler) // cut the response off: its head has left already
	case a.status == 0:
		// Returning would answer 200. The client may read still: one that sends nothing more, as
		// `nc -N` does, looks like one that has gone.
		panic(http.ErrAbortHandler)
	}
}

// conclude answers a request that ended with err, unless it has its response, and publishes what
// came of it.
func (d *Door) conclude(w http.ResponseWriter, r *http.Request, a *answer, err error, started time.Time) {
	a.in.stop(w)
	canceled := a.gone || err != nil && r.Context().Err() != nil
	malformed := ""
	if bad := a.in.fault(); bad != nil && !canceled {
		malformed = errMalformedBody.Error() + ": " + bad.Error()
	}
	switch {
	case a.status != 0:
	case malformed != "":
		a.status = http.StatusBadRequest
		d.refuse(w, r, http.StatusBadRequest, malformed, started)
		return
	case err != nil && !canceled:
		a.status = http.StatusInternalServerError
		d.fail(w, r, err, &a.served)
	}
	h := world.Happening{
		Event:   EventRequest,
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
		what, why := d.explain(err, &a.served)
		h.Outcome, h.Err, h.Why = world.OutcomeError, err, what+": "+why
	default:
		h.By = by
	}
	d.World.Publish(h)
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
func (d *Door) refuse(w http.ResponseWriter, r *http.Request, status int, why string, started time.Time) {
	http.Error(w, why, status)
	d.World.Publish(world.Happening{
		Event: EventRequest, About: r.Method + " " + r.URL.Path, Outcome: world.OutcomeOK,
		Status: status, Took: time.Since(started), Why: why,
	})
}

// fetchWorker delivers a request to the worker, and calls ended once with what it ended with. Those
// that a crash has ended are concluded in the order in which they began.
func (d *Door) fetchWorker(w http.ResponseWriter, r *http.Request, a *answer, ended func(error)) {
	at := d.Origin()
	header := endToEnd(r.Header)
	began := acknowledge(w, header)
	a.rewrite = d.rewriteFor(r, at)
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
	d.World.Deliver(&world.Delivery{ //nolint:errcheck // Ended receives the error
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
func (d *Door) explain(err error, by *world.Served) (what, why string) {
	if u := (*Unserved)(nil); errors.As(err, &u) {
		return UnservedTitle, err.Error()
	}
	if w := (*wire.Error)(nil); errors.As(err, &w) && w.ObjectID != "" {
		if o := by.Find(w.ObjectID); o != nil { // knows the name also of an object whose constructor failed
			return o.String() + " failed", err.Error()
		}
		return d.World.NameOf(w.ObjectID) + " failed", err.Error()
	}
	return "worker " + d.Worker + " failed", err.Error()
}
