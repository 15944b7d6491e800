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
)

// A controlAPI serves the control API of an emulator. Each api_*.go serves the requests about one
// thing.
type controlAPI struct{ *Emulator }

// handler returns the handler of all requests of the control API.
func (e controlAPI) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*http.Request) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+control.Prefix+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Context().Value(namedSlash{}) != nil {
				r.SetPathValue("object", "/")
			}
			answer, err := f(r)
			respond(w, answer, err)
		})
	}
	e.sessionAPI(mux, handle)
	e.alarmsAPI(handle)
	e.timeAPI(handle)
	mux.HandleFunc("POST "+control.Prefix+"time/advance", e.serveAdvance)
	e.cronAPI(mux, handle)
	e.objectsAPI(handle)
	e.faultsAPI(handle)
	mux.HandleFunc("/cdn-cgi/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		json.NewEncoder(w).Encode(&control.Error{ //nolint:errcheck // the caller has gone
			Code:    control.CodeNotFound,
			Message: "the control API has no " + r.Method + " " + r.URL.Path,
		})
	})
	return allowSlashName(mux)
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
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the caller has gone
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
