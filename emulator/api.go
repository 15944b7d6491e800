package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"devtool/clock"
	"devtool/durable/wire"
	"devtool/emulator/control"
)

// api serves the control API.
func (e *Emulator) api() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*http.Request) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+control.Prefix+path, func(w http.ResponseWriter, r *http.Request) {
			answer, err := f(r)
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
		})
	}
	handle("GET status", func(*http.Request) (any, error) { return e.Status(), nil })
	handle("GET alarms", func(*http.Request) (any, error) { return e.listAlarms(), nil })
	handle("POST alarms/trigger", e.triggerAlarm)
	handle("GET time", func(*http.Request) (any, error) { return e.Time(), nil })
	handle("POST time/advance", e.advanceTime)
	handle("POST time/freeze", func(*http.Request) (any, error) { return e.timeAfter(e.clock.Freeze()) })
	handle("POST time/resume", func(*http.Request) (any, error) { return e.timeAfter(e.clock.Resume()) })
	e.objectsAPI(handle)
	mux.HandleFunc("/cdn-cgi/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		json.NewEncoder(w).Encode(&control.Error{ //nolint:errcheck // the caller has gone
			Message: "the control API has no " + r.Method + " " + r.URL.Path,
		})
	})
	return mux
}

func busy(err error) error {
	if errors.Is(err, clock.ErrBusy) {
		return &control.Error{Status: http.StatusConflict, Message: err.Error()}
	}
	return err
}

// Status says which emulator this is.
func (e *Emulator) Status() control.Status {
	return control.Status{
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
	e.mu.Lock()
	namespaces := e.namespaces
	e.mu.Unlock()
	type entry struct {
		order int64
		control.Alarm
	}
	var all []entry
	for _, ns := range namespaces {
		ns.mu.Lock()
		for _, a := range ns.alarms {
			all = append(all, entry{order: a.order, Alarm: a.describeLocked()})
		}
		ns.mu.Unlock()
	}
	sort.Slice(all, func(i, j int) bool {
		if !all[i].Due.Equal(all[j].Due) {
			return all[i].Due.Before(all[j].Due)
		}
		return all[i].order < all[j].order
	})
	alarms := make([]control.Alarm, len(all))
	for i, a := range all {
		alarms[i] = a.Alarm
	}
	return alarms
}

func (a *alarm) describeLocked() control.Alarm {
	return control.Alarm{Object: a.object(), Scheduled: a.at, Due: a.due, Retry: a.retries, Running: a.running}
}

func (e *Emulator) listAlarms() control.Alarms {
	return control.Alarms{Now: e.clock.Now(), Alarms: e.pendingAlarms()}
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

// offsetResolution is coarser than the clock, for the two clocks are not read in the same
// instant.
const offsetResolution = 10 * time.Millisecond

// Time says where the clock stands.
func (e *Emulator) Time() control.Time {
	now := e.clock.Now()
	return control.Time{
		Now:    now,
		Mode:   string(e.clock.Mode()),
		Offset: time.Until(now).Round(offsetResolution).String(),
		Next:   e.nextAlarm(),
	}
}

// timeAfter is the time after a change of the clock's mode that ended with err.
func (e *Emulator) timeAfter(err error) (any, error) {
	if err != nil {
		return nil, busy(err)
	}
	return e.Time(), nil
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

func (e *Emulator) triggerAlarm(r *http.Request) (any, error) {
	var q control.TriggerRequest
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	a, err := e.findAlarm(q)
	if err != nil {
		return nil, err
	}
	if !a.claim() {
		return nil, &control.Error{Status: http.StatusConflict, Message: fmt.Sprintf("the alarm of %s is running already", a.object())}
	}
	answer := control.Triggered{Fired: a.runOnce(nil, true)}
	a.ns.mu.Lock()
	if next := a.ns.alarms[a.id]; next != nil {
		described := next.describeLocked()
		answer.Next = &described
	}
	a.ns.mu.Unlock()
	return answer, nil
}

// findAlarm returns the alarm that q names.
func (e *Emulator) findAlarm(q control.TriggerRequest) (*alarm, error) {
	if q == (control.TriggerRequest{}) {
		next := e.nextAlarm()
		if next == nil {
			return nil, &control.Error{Status: http.StatusNotFound, Message: "no alarm is set"}
		}
		q = control.TriggerRequest{Class: next.Class, ID: next.ID}
	}
	ns, err := e.namespaceOf(q.Class)
	if err != nil {
		return nil, err
	}
	id := wire.IDFromName(ns.uniqueKey, q.Name)
	what := q.Class + "/" + q.Name
	if q.ID != "" {
		what = q.Class + "/" + q.ID
		if id, err = wire.ParseID(ns.uniqueKey, q.ID); err != nil {
			return nil, &control.Error{Status: http.StatusBadRequest, Message: what + ": " + err.Error()}
		}
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	a := ns.alarms[id]
	if a == nil {
		return nil, &control.Error{Status: http.StatusNotFound, Message: what + " has no alarm", Hint: "`devtool alarms list` shows those that are set"}
	}
	return a, nil
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

func (e *Emulator) advanceTime(r *http.Request) (any, error) {
	var q control.AdvanceRequest
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(q.Duration)
	if err != nil {
		return nil, &control.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("%q is not a duration", q.Duration), Hint: `write it as "90s" or "1h30m"`}
	}
	if d < 0 {
		return nil, &control.Error{Status: http.StatusBadRequest, Message: "time can't go back"}
	}
	return e.advanceBy(r.Context(), d)
}

// advanceBy moves the clock on by d, and reports what ran meanwhile.
func (e *Emulator) advanceBy(ctx context.Context, d time.Duration) (*control.Advanced, error) {
	fired := []control.Fired{}
	e.mu.Lock()
	if e.advance != nil {
		e.mu.Unlock()
		return nil, busy(clock.ErrBusy)
	}
	e.advance = &fired
	e.mu.Unlock()
	report, err := e.clock.Advance(ctx, d, clock.Limits{})
	e.mu.Lock()
	e.advance = nil
	e.mu.Unlock()
	if report.From.IsZero() {
		return nil, &control.Error{Status: http.StatusBadRequest, Message: err.Error()}
	}
	answer := &control.Advanced{From: report.From, To: report.To, Mode: string(e.clock.Mode()), Fired: fired, Next: e.nextAlarm()}
	if err != nil {
		answer.Stopped = err.Error()
		if running := e.runningNow(); running != "" {
			answer.Stopped += ": " + running
		}
	}
	return answer, nil
}

// report adds a run to the report of the advance that step is part of.
func (e *Emulator) report(step *clock.Step, f control.Fired) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if step != nil && e.advance != nil {
		*e.advance = append(*e.advance, f)
	}
}

// runningNow names the events of objects that are running, for the report of a stuck step.
func (e *Emulator) runningNow() string {
	e.host.mu.Lock()
	p := e.host.current
	e.host.mu.Unlock()
	if p == nil {
		return ""
	}
	p.mu.Lock()
	events := slices.Collect(maps.Values(p.events))
	p.mu.Unlock()
	var names []string
	for _, ev := range events {
		if ev.currentStep() != nil {
			names = append(names, ev.String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	sort.Strings(names)
	return "still running: " + strings.Join(names, ", ")
}
