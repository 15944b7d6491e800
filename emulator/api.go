package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/internal/printable"
)

// A controlAPI serves the control API of an emulator. Each api_*.go serves the requests about one
// thing.
type controlAPI struct{ *Emulator }

// handler returns the handler of all requests below /cdn-cgi/, behind the guard.
func (e controlAPI) handler() http.Handler {
	return client.Guard(client.Identify(e.identity, allowSlashName(e.routes().mux)))
}

// routes returns the routes below /cdn-cgi/.
func (e controlAPI) routes() *routes {
	rs := &routes{mux: http.NewServeMux(), token: e.token}
	e.sessionAPI(rs)
	e.alarmsAPI(rs.answer)
	e.timeAPI(rs.answer)
	rs.stream("POST time/advance", e.serveAdvance)
	e.cronAPI(rs)
	e.objectsAPI(rs.answer)
	e.faultsAPI(rs.answer)
	missing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		respond(w, nil, &control.Error{
			Code:    control.CodeNotFound,
			Message: "the control API has no " + r.Method + " " + r.URL.Path,
		})
	})
	rs.mux.Handle("/cdn-cgi/", missing)
	rs.mux.Handle(devtoolPaths, client.RequireToken(e.token, missing))
	return rs
}

// devtoolPaths is the prefix of all paths that require the token.
const devtoolPaths = "/cdn-cgi/devtool/"

// routes are the paths below /cdn-cgi/. The guard stands in front of all of them. Those of the
// control API require the emulator's token, too. The others are for browsers and for programs that
// know only the platform's own local server.
type routes struct {
	mux   *http.ServeMux
	token string
	open  []string // the patterns that require no token
	all   []string // all patterns
}

// answer adds a request of the control API whose answer is one JSON value.
func (rs *routes) answer(pattern string, f func(*http.Request) (any, error)) {
	rs.stream(pattern, func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(namedSlash{}) != nil {
			r.SetPathValue("object", "/")
		}
		answer, err := f(r)
		respond(w, answer, err)
	})
}

// stream adds a request of the control API that writes its answer by itself.
func (rs *routes) stream(pattern string, f http.HandlerFunc) {
	method, path, _ := strings.Cut(pattern, " ")
	pattern = method + " " + control.Prefix + path
	rs.all = append(rs.all, pattern)
	rs.mux.Handle(pattern, client.RequireToken(rs.token, f))
}

// withoutToken adds a path that requires no token. What it does must be harmless, or what every
// program of this machine may do with the platform's local server.
func (rs *routes) withoutToken(pattern string, f http.HandlerFunc) {
	rs.all = append(rs.all, pattern)
	rs.open = append(rs.open, pattern)
	rs.mux.Handle(pattern, f)
}

// namedSlash is the context key of a request about an object whose name is "/".
type namedSlash struct{}

// allowSlashName supports objects whose name is "/": a worker that names objects by a request's
// path makes one. ServeMux mistakes a segment that is only an escaped slash for the end of the
// path, so it sees another name.
func allowSlashName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ours := strings.CutPrefix(r.URL.EscapedPath(), control.Prefix)
		if parts := strings.Split(rest, "/"); ours && len(parts) > 2 && strings.EqualFold(parts[2], "%2F") {
			parts[2] = "-"
			r = r.Clone(context.WithValue(r.Context(), namedSlash{}, true))
			r.URL.RawPath = control.Prefix + strings.Join(parts, "/")
			r.URL.Path, _ = url.PathUnescape(r.URL.RawPath) // it was a path before
		}
		next.ServeHTTP(w, r)
	})
}

// respond answers a request of the control API.
func respond(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		c := (*control.Error)(nil)
		if !errors.As(err, &c) {
			c = &control.Error{Code: control.CodeInternal, Message: err.Error()}
		}
		answer, status = c, c.Code.Status()
	}
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer is no JSON","code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(printable.Bytes(body), '\n')) //nolint:errcheck // the caller has gone
}

// Status describes this emulator: where it listens, what it serves and since when.
func (e *Emulator) Status() control.Status {
	attach := ""
	if e.socket != nil {
		attach = e.socket.Path
	}
	return control.Status{
		Attach: attach, Attached: e.host.AttachedServes(),
		Version: e.options.Version,
		Worker:  e.worker,
		Config:  e.currentSettings().path,
		State:   e.options.State,
		URL:     e.URL(),
		PID:     os.Getpid(),
		Started: e.started,
	}
}

func decode(r *http.Request, v any) error { return decodeUpTo(1<<20, r, v) }

// decodeUpTo decodes a body of at most limit bytes.
func decodeUpTo(limit int64, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, limit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &control.Error{Code: control.CodeBadRequest, Message: "read request: " + err.Error()}
	}
	return nil
}
