package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sort"
	"strings"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
)

// api serves the control API.
func (e *Emulator) api() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*http.Request) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+control.Prefix+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Context().Value(calledSlash{}) != nil {
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
			Message: "the control API has no " + r.Method + " " + r.URL.Path,
		})
	})
	return seeSlash(mux)
}

// calledSlash marks a request about an object whose name is "/".
type calledSlash struct{}

// seeSlash lets an object be called "/", as one is that a worker names by the path of a request. ServeMux takes a segment
// that is an escaped slash alone for the end of the path, so it gets to see another name.
func seeSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ours := strings.CutPrefix(r.URL.EscapedPath(), control.Prefix)
		if parts := strings.Split(rest, "/"); ours && len(parts) > 2 && strings.EqualFold(parts[2], "%2F") {
			parts[2] = "-"
			r = r.Clone(context.WithValue(r.Context(), calledSlash{}, true))
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
			c = &control.Error{Status: http.StatusInternalServerError, Message: err.Error()}
		}
		answer, status = c, c.Status
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the caller has gone
}

func busy(err error) error {
	if errors.Is(err, clock.ErrBusy) {
		return &control.Error{Status: http.StatusConflict, Message: err.Error()}
	}
	return err
}

// Status says which emulator this is.
func (e *Emulator) Status() control.Status {
	attach := ""
	if e.socket != nil {
		attach = e.socket.Path
	}
	return control.Status{
		Attach: attach, Attached: e.host.attached(),
		Version: e.options.Version,
		Worker:  e.worker,
		Config:  e.currentSettings().path,
		State:   e.options.State,
		URL:     e.URL(),
		PID:     os.Getpid(),
		Started: e.started,
	}
}

// pendingAlarms returns the pending alarms as they fire.
func (e *Emulator) pendingAlarms() []control.Alarm {
	type entry struct {
		order int64
		control.Alarm
	}
	var all []entry
	for _, ns := range e.currentNamespaces() {
		ns.mu.Lock()
		for _, a := range ns.alarms {
			all = append(all, entry{order: a.order, Alarm: a.describeLocked()})
		}
		ns.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b entry) int { return compareDue(a.Due, a.order, b.Due, b.order) })
	alarms := make([]control.Alarm, len(all))
	for i, a := range all {
		alarms[i] = a.Alarm
	}
	return alarms
}

func (a *alarm) describeLocked() control.Alarm {
	return control.Alarm{Object: a.object(), Scheduled: a.at, Due: a.due, Retry: int(a.retries), Running: a.running, Held: a.held}
}

// nextAlarm returns the alarm that is due first, or nil.
func (e *Emulator) nextAlarm() *control.Alarm {
	for _, a := range e.pendingAlarms() {
		if !a.Running {
			return &a
		}
	}
	return nil
}

func decode(r *http.Request, v any) error { return decodeUpTo(1<<20, r, v) }

// decodeUpTo decodes a body of at most limit bytes.
func decodeUpTo(limit int64, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, limit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &control.Error{Status: http.StatusBadRequest, Message: "read request: " + err.Error()}
	}
	return nil
}

// namespaceOf returns the namespace of a class, or of the binding of that name.
func (e *Emulator) namespaceOf(class string) (*namespace, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ns := e.namespaces[class]; ns != nil {
		return ns, nil
	}
	if ns := e.settings.bindings[class]; ns != nil {
		return ns, nil
	}
	var known []string
	for name := range e.namespaces {
		known = append(known, name)
	}
	sort.Strings(known)
	return nil, &control.Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no class %q", class), Hint: "the classes are " + strings.Join(known, ", ")}
}
